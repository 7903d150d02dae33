/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * smime_vectors_test ROOT: messages and CMS objects that others made, each with what is to be found
 * in it: test/vectors/smime.tsv. Columns, with tabs between them, - for nothing:
 *
 *   file       a message (.eml, .cms in MIME), or a CMS object in DER or PEM, which is put into a
 * message content    what a detached signature is over keys       CERT+KEY or PKCS12:PASSWORD, with
 * commas roots      trusted certificates, with commas known      certificates that are known
 * besides, with commas expected   the status, then for each layer KIND/STATE, for signers :VERDICT,
 * for an open one =OCTETS
 *
 * Addresses are not compared: the objects are of nobody. SIGNET_VECTORS names the folder; without
 * it the test says so and passes nothing. Each row is also read cut short and with octets changed,
 * where nothing is expected but an answer.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "mime/word.h"
#include "pki/import_file.h"
#include "pki/pem.h"
#include "smime/read.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEYS_MAX = 4, FILE_MAX = 64 << 20, CUTS = 60 };

struct row {
	struct span file, content, keys, roots, known, expected;
};

struct sample {
	const char *folder;
	struct buf message;
	struct smime_key keys[KEYS_MAX];
	size_t n_keys;
	struct trust *trust;
	struct cert_list known;
};

static void read_file(const char *folder, struct span name, struct buf *out)
{
	CLEANUP(alloc_freep)
	char *path = alloc_format("%s/%.*s", folder, (int)name.n, (const char *)name.p);
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		exit(1);
	}
	while (!feof(f) && !ferror(f) && buf_size(out) < FILE_MAX)
		buf_added(out, fread(buf_room(out, 65536), 1, 65536, f));
	(void)fclose(f);
}

static bool ends_in(struct span s, const char *end)
{
	size_t n = strlen(end);

	return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

static void fail(struct span name, const char *what)
{
	(void)fprintf(stderr, "%.*s: %s\n", (int)name.n, (const char *)name.p, what);
	exit(1);
}

static void read_certs(const struct sample *s, struct span name, struct cert_list *list)
{
	CLEANUP(buf_done) struct buf file = {};
	CLEANUP(cert_list_done) struct cert_list read = {};
	struct why why = {};
	int r;

	read_file(s->folder, name, &file);
	r = pem_is(buf_span(&file)) ? cert_list_from_pem(&read, buf_span(&file), &why)
				    : cert_list_from_der(&read, buf_span(&file), &why);
	if (r)
		fail(name, why.text);
	for (size_t i = 0; i < read.n; i++)
		cert_list_add(list, read.certs[i]);
}

static bool read_other_key(struct span file, struct smime_key *key)
{
	BIO *bio = BIO_new_mem_buf(file.p, (int)file.n);
	EVP_PKEY *read = pem_is(file) ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
				      : d2i_PrivateKey_bio(bio, NULL);

	ERR_clear_error();
	BIO_free(bio);
	key->key = read;
	return read && key->cert;
}

static void read_key_file(struct sample *s, struct span name, struct span password,
	struct smime_key *key)
{
	CLEANUP(buf_done) struct buf file = {};
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(imported_done) struct imported imported = {};
	CLEANUP(cert_list_done) struct cert_list certs = {};
	struct import_order order = { .passphrase = password };
	struct why why = {};

	read_file(s->folder, name, &file);
	order.file = pem_find(buf_span(&file), "PKCS12", &der) ? buf_span(&der) : buf_span(&file);
	/* Keys that nobody of ours would make (X25519) are read by OpenSSL itself. */
	if (read_other_key(buf_span(&file), key))
		return;
	EVP_PKEY_free(key->key);
	key->key = NULL;
	if (import_parse(&order, &imported, &why) ||
		key_from_pkcs8(&key->key, secret_span(&imported.pkcs8), &why) ||
		cert_list_from_der(&certs, buf_span(&imported.certs), &why))
		fail(name, why.text);
	if (!key->cert && certs.n)
		key->cert = cert_ref(certs.certs[0]);
}

static void add_key(struct sample *s, struct span text)
{
	struct smime_key *key = &s->keys[s->n_keys++];
	CLEANUP(cert_list_done) struct cert_list certs = {};
	struct span cert;

	if (span_find(text, ':') < text.n) {
		struct span file = span_cut(&text, ':');

		read_key_file(s, file, text, key);
		return;
	}
	cert = span_cut(&text, '+');
	read_certs(s, cert, &certs);
	key->cert = cert_ref(certs.certs[0]);
	read_key_file(s, text.n ? text : cert, (struct span){}, key);
}

/* Each of the texts between commas. */
static void each(struct sample *s, struct span list,
	void (*take)(struct sample *s, struct span one))
{
	if (span_is(list, "-"))
		return;
	while (list.n)
		take(s, span_cut(&list, ','));
}

static void add_root(struct sample *s, struct span name)
{
	CLEANUP(cert_list_done) struct cert_list certs = {};

	read_certs(s, name, &certs);
	for (size_t i = 0; i < certs.n; i++)
		trust_add(s->trust, certs.certs[i], TRUST_ALL_PURPOSES);
}

static void add_known(struct sample *s, struct span name)
{
	read_certs(s, name, &s->known);
}

static void add_object(struct span object, const char *type, struct buf *out)
{
	CLEANUP(buf_done) struct buf der = {};

	if (pem_is(object) && !pem_find(object, "PKCS7", &der))
		(void)pem_find(object, "CMS", &der);
	buf_add_format(out,
		"Content-Type: application/%s\r\nContent-Transfer-Encoding: base64\r\n\r\n", type);
	enc_base64(out, buf_size(&der) ? buf_span(&der) : object);
	buf_add_string(out, "\r\n");
}

static void make_message(struct sample *s, const struct row *row)
{
	CLEANUP(buf_done) struct buf file = {};

	read_file(s->folder, row->file, &file);
	if (ends_in(row->file, ".eml") || span_starts(buf_span(&file), SPAN("MIME-Version"))) {
		buf_add(&s->message, buf_span(&file));
		return;
	}
	buf_add_string(&s->message, "MIME-Version: 1.0\r\n");
	if (span_is(row->content, "-")) {
		add_object(buf_span(&file), "pkcs7-mime", &s->message);
		return;
	}
	buf_add_string(&s->message, "Content-Type: multipart/signed; boundary=b;\r\n"
				    " protocol=\"application/pkcs7-signature\"\r\n\r\n--b\r\n");
	read_file(s->folder, row->content, &s->message);
	buf_add_string(&s->message, "\r\n--b\r\n");
	add_object(buf_span(&file), "pkcs7-signature", &s->message);
	buf_add_string(&s->message, "--b--\r\n");
}

static void add_summary(const struct smime_report *r, struct buf *out)
{
	buf_add_string(out, smime_status_name(r->status));
	for (size_t i = 0; i < r->n_layers; i++) {
		const struct smime_layer *l = &r->layers[i];

		buf_add_format(out, " %s/%s", smime_layer_kind_name(l->kind),
			smime_layer_state_name(l->state));
		for (size_t k = 0; k < l->n_signers; k++)
			buf_add_format(out, ":%s",
				smime_signer_verdict_name(l->signers[k].verdict));
		if (l->state == SMIME_OPEN)
			buf_add_format(out, "=%zu", l->n_octets);
	}
}

static struct smime_request request_of(const struct sample *s, struct span message)
{
	struct smime_request q = {
		.message = message,
		.keys = s->keys,
		.n_keys = s->n_keys,
		.trust = s->trust,
		.known = &s->known,
		.expect = SMIME_EXPECT_ANYBODY,
	};

	(void)clock_parse_rfc3339(SPAN("2026-06-01T00:00:00Z"), &q.time_us);
	return q;
}

/* Damaged in many places: there is an answer, and it is never better. */
static bool survives_damage(const struct sample *s, struct span message)
{
	for (size_t i = 0; i < CUTS; i++) {
		CLEANUP(buf_done) struct buf copy = {};
		size_t at = message.n * i / CUTS;
		struct smime_result result;
		struct smime_request q;

		buf_add(&copy, i % 2 ? message : span_head(message, at));
		if (i % 2)
			copy.p[at] ^= (uint8_t)(1 + i % 3);
		q = request_of(s, buf_span(&copy));
		if (smime_read(&q, &result))
			return false;
		smime_result_done(&result);
	}
	return true;
}

static bool try_row(const char *folder, const struct row *row, struct buf *out)
{
	struct sample s = { .folder = folder, .trust = trust_new(TRUST_DOMAIN, NULL) };
	struct smime_result result;
	struct smime_request q;
	bool fine;

	each(&s, row->keys, add_key);
	each(&s, row->roots, add_root);
	each(&s, row->known, add_known);
	make_message(&s, row);
	q = request_of(&s, buf_span(&s.message));
	fine = smime_read(&q, &result) == 0;
	if (fine) {
		add_summary(&result.report, out);
		smime_result_done(&result);
	}
	fine = fine && span_equal(buf_span(out), row->expected) &&
	       survives_damage(&s, buf_span(&s.message));
	for (size_t i = 0; i < s.n_keys; i++) {
		cert_unref(s.keys[i].cert);
		EVP_PKEY_free(s.keys[i].key);
	}
	trust_unref(s.trust);
	cert_list_done(&s.known);
	buf_done(&s.message);
	return fine;
}

static bool next_row(struct span *rest, struct row *row)
{
	while (rest->n) {
		struct span line = span_cut(rest, '\n');
		struct span *const columns[] = { &row->file, &row->content, &row->keys, &row->roots,
			&row->known, &row->expected };

		if (line.n == 0 || line.p[0] == '#')
			continue;
		for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
			*columns[i] = span_cut(&line, '\t');
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	const char *folder = getenv("SIGNET_VECTORS");
	CLEANUP(buf_done) struct buf table = {};
	struct span rest;
	struct row row;
	size_t n = 0, n_failed = 0;

	if (argc != 2)
		return 2;
	if (!folder || access(folder, R_OK) != 0) {
		(void)printf("1..0 # SKIP there are no vectors here\n");
		return 0;
	}
	word_init();
	import_load_legacy();
	read_file(argv[1], SPAN("test/vectors/smime.tsv"), &table);
	rest = buf_span(&table);
	while (next_row(&rest, &row)) {
		CLEANUP(buf_done) struct buf found = {};
		bool fine = try_row(folder, &row, &found);

		n++;
		n_failed += !fine;
		(void)printf("%sok %zu - %.*s\n", fine ? "" : "not ", n, (int)row.file.n,
			(const char *)row.file.p);
		if (!fine)
			(void)printf("# found:    %.*s\n# expected: %.*s\n", (int)buf_size(&found),
				(const char *)buf_span(&found).p, (int)row.expected.n,
				(const char *)row.expected.p);
	}
	(void)printf("1..%zu\n", n);
	return n_failed > 0;
}
