/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * vectors_test SUITE: cases of others, each an ordinary test with its own line.
 *
 *   limbo, bettertls   JSON cases, answered as "signet verify --batch" does
 *   openssl            certificates of OpenSSL's own test of verification, with their trust
 * settings odd                certificates, revocation lists and requests that are odd in one way
 * each: read or refused, and judged without an accident
 *
 * Where we decide otherwise than a suite does, differences.tsv names the case and the reason, and
 * doc/path-validation.md has both; a case that agrees after all fails the test until it is taken
 * out. No case may take longer than CASE_MS_MAX. SIGNET_VECTORS names the folder, which is no part
 * of the project: without it the test says so and passes nothing.
 */

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cli/batch.h"
#include "pki/path.h"
#include "pki/pem.h"

#include <dirent.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CASE_MS_MAX = 5000, FILE_MAX = 64 << 20, LINE_FIELDS = 7 };

struct suite {
	const char *root;
	struct buf differences; /* lines of suite, case, reason */
	struct buf doc;
	size_t n, n_failed, n_different;
	int64_t slowest_ms;
	char *slowest;
};

static struct buf read_file(const char *folder, const char *name)
{
	CLEANUP(alloc_freep) char *path = alloc_format("%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	struct buf data = {};

	if (!f) {
		perror(path);
		exit(1);
	}
	while (!feof(f) && !ferror(f) && buf_size(&data) < FILE_MAX)
		buf_added(&data, fread(buf_room(&data, 65536), 1, 65536, f));
	(void)fclose(f);
	return data;
}

static bool is_different(const struct suite *s, const char *id)
{
	struct span rest = buf_span(&s->differences);

	while (rest.n) {
		struct span line = span_cut(&rest, '\n');

		if (span_is(span_cut(&line, '\t'), id))
			return true;
	}
	return false;
}

static void report(struct suite *s, bool fine, const char *id, const char *why)
{
	s->n++;
	s->n_failed += !fine;
	(void)printf("%sok %zu - %s%s%s\n", fine ? "" : "not ", s->n, id, why ? ": " : "",
		why ? why : "");
}

/* One case: what was expected and what came, with the finding that decided. */
static void judge(struct suite *s, const char *id, bool expected, bool valid, const char *finding,
	int64_t begun_ms)
{
	CLEANUP(alloc_freep) char *named = alloc_format("`%s`", id);
	int64_t ms = clock_monotonic_ms() - begun_ms;
	bool different = is_different(s, id);

	if (ms > s->slowest_ms || !s->slowest) {
		free(s->slowest);
		s->slowest = alloc_string(id);
		s->slowest_ms = ms;
	}
	s->n_different += different;
	if (ERR_peek_error())
		report(s, false, id, "OpenSSL's error queue is not empty");
	else if (ms > CASE_MS_MAX)
		report(s, false, id, "it took too long");
	else if ((expected == valid) == different)
		report(s, false, id, different ? "it agrees, and is listed as different" : finding);
	else if (different &&
		 span_find_span(buf_span(&s->doc), span_str(named)) == buf_size(&s->doc))
		report(s, false, id, "the difference does not stand in doc/path-validation.md");
	else
		report(s, true, id, NULL);
	ERR_clear_error();
}

static void run_json_case(struct suite *s, const json_t *test)
{
	const char *id = json_string_value(json_object_get(test, "id"));
	const char *expected = json_string_value(json_object_get(test, "expected_result"));
	CLEANUP(alloc_freep) char *line = json_dumps(test, JSON_COMPACT);
	CLEANUP(buf_done) struct buf out = {};
	int64_t begun = clock_monotonic_ms();
	const json_t *first;
	json_t *answer;

	if (batch_answer(span_str(line), clock_now_us(), &out)) {
		report(s, false, id, "a fault");
		return;
	}
	answer = json_loadb((const char *)buf_span(&out).p, buf_size(&out), 0, NULL);
	first = json_array_get(json_object_get(answer, "findings"), 0);
	judge(s, id, strcmp(expected, "SUCCESS") == 0,
		json_is_true(json_object_get(answer, "valid")),
		first ? json_string_value(json_object_get(first, "text")) : "valid", begun);
	json_decref(answer);
}

static void run_json(struct suite *s, const char *name)
{
	CLEANUP(buf_done) struct buf file = read_file(s->root, name);
	json_t *suite = json_loadb((const char *)buf_span(&file).p, buf_size(&file), 0, NULL);
	const json_t *test;
	size_t i;

	json_array_foreach(json_object_get(suite, "testcases"), i, test) run_json_case(s, test);
	json_decref(suite);
}

/* A line of OpenSSL's table. */
struct openssl_case {
	struct span description, expected, cert, purpose, trusted, untrusted, options;
	struct cert *leaf;
	struct cert_list rest;
	struct trust *trust;
	struct path_request q;
	struct span policies[1];
	bool partial;
};

static bool has_file(const struct suite *s, struct span name)
{
	CLEANUP(alloc_freep)
	char *path = alloc_format("%s/openssl-verify/certs/%.*s.pem", s->root, (int)name.n,
		(const char *)name.p);

	return access(path, R_OK) == 0;
}

static X509 *read_x509(const struct suite *s, struct span name)
{
	CLEANUP(alloc_freep)
	char *path = alloc_format("%s/openssl-verify/certs/%.*s.pem", s->root, (int)name.n,
		(const char *)name.p);
	BIO *bio = BIO_new_file(path, "r");
	X509 *x = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;

	if (!bio) {
		perror(path);
		exit(1);
	}
	BIO_free(bio);
	return x;
}

/* NULL where it cannot be read. */
static struct cert *cert_of(X509 *x)
{
	struct cert *cert = NULL;
	struct why why = {};

	if (!x || cert_from_x509(&cert, x, &why))
		cert = NULL;
	ERR_clear_error();
	return cert;
}

static bool names_usage(const STACK_OF(ASN1_OBJECT) *list, int nid)
{
	for (int i = 0; i < sk_ASN1_OBJECT_num(list); i++) {
		int own = OBJ_obj2nid(sk_ASN1_OBJECT_value(list, i));

		if (own == nid || own == NID_anyExtendedKeyUsage)
			return true;
	}
	return false;
}

static void append(struct cert_list *list, struct cert *cert)
{
	list->certs = alloc_array(list->certs, list->n + 1, sizeof(struct cert *));
	list->certs[list->n++] = cert_ref(cert);
}

/* OpenSSL's trust settings: what is distrusted, or trusted for something else only, is denied; what
 * is trusted for the purpose is so whatever it says itself; without settings a root is trusted, and
 * anything else only where partial chains are allowed. */
static void take_trusted(const struct suite *s, struct openssl_case *c, struct span name)
{
	X509 *x = read_x509(s, name);
	int nid = c->q.purposes == TRUST_CLIENT ? NID_client_auth : NID_server_auth;
	CLEANUP(cert_unrefp) struct cert *cert = cert_of(x);
	const STACK_OF(ASN1_OBJECT) *trusted = cert ? X509_get0_trust_objects(x) : NULL;

	if (cert && names_usage(X509_get0_reject_objects(x), nid))
		trust_deny(c->trust, cert);
	else if (cert && trusted && sk_ASN1_OBJECT_num(trusted) > 0 && !names_usage(trusted, nid))
		trust_deny(c->trust, cert);
	else if (cert && trusted && sk_ASN1_OBJECT_num(trusted) > 0)
		trust_add(c->trust, cert, c->q.purposes ? c->q.purposes : TRUST_SERVER);
	else if (cert && (c->partial || cert_is_self_signed(cert)))
		trust_add(c->trust, cert, TRUST_ALL_PURPOSES);
	else if (cert)
		append(&c->rest, cert);
	X509_free(x);
}

static void take_untrusted(const struct suite *s, struct openssl_case *c, struct span name)
{
	X509 *x = read_x509(s, name);
	CLEANUP(cert_unrefp) struct cert *cert = cert_of(x);

	if (cert)
		append(&c->rest, cert);
	X509_free(x);
}

/* The options that mean something here. */
static void take_options(struct openssl_case *c)
{
	struct span rest = c->options;
	uint64_t number;

	while (rest.n) {
		struct span option = span_word(&rest), value = rest;

		value = span_word(&value);
		if (span_is(option, "-partial_chain"))
			c->partial = true;
		else if (span_is(option, "-explicit_policy"))
			c->q.require_explicit_policy = true;
		else if (span_is(option, "-policy"))
			c->policies[c->q.n_policies++] = value;
		else if (span_is(option, "-attime") && span_to_u64(value, UINT32_MAX, &number))
			c->q.time_us = (int64_t)number * 1000000;
		else if (span_is(option, "-verify_depth") && span_to_u64(value, 100, &number)) {
			c->q.has_max_depth = true;
			c->q.max_depth = (unsigned)number;
		}
	}
}

static void run_openssl_case(struct suite *s, struct openssl_case *c)
{
	CLEANUP(alloc_freep)
	char *id = alloc_format("openssl::%.*s", (int)c->description.n,
		(const char *)c->description.p);
	CLEANUP(verdict_done) struct verdict v = {};
	int64_t begun = clock_monotonic_ms();
	X509 *x;

	if (!has_file(s, c->cert)) {
		(void)printf("ok %zu - %s # SKIP its certificate is not there\n", ++s->n, id);
		return;
	}
	x = read_x509(s, c->cert);

	c->leaf = cert_of(x);
	X509_free(x);
	c->trust = trust_new(TRUST_DOMAIN, NULL);
	c->q.purposes = span_is(c->purpose, "sslserver")   ? TRUST_SERVER
			: span_is(c->purpose, "sslclient") ? TRUST_CLIENT
							   : 0;
	c->q.time_us = clock_now_us();
	take_options(c);
	for (struct span rest = c->trusted; rest.n;)
		take_trusted(s, c, span_word(&rest));
	for (struct span rest = c->untrusted; rest.n;)
		take_untrusted(s, c, span_word(&rest));
	c->q.leaf = c->leaf;
	c->q.untrusted = &c->rest;
	c->q.trust = c->trust;
	c->q.policies = c->policies;
	if (c->leaf && path_validate(&c->q, &v))
		report(s, false, id, "a fault");
	else
		judge(s, id, span_is(c->expected, "accept"), v.valid,
			verdict_error(&v) ? verdict_error(&v)->text : "valid", begun);
	cert_unref(c->leaf);
	cert_list_done(&c->rest);
	trust_unref(c->trust);
}

static void run_openssl(struct suite *s)
{
	CLEANUP(buf_done) struct buf file = read_file(s->root, "openssl-verify/verify.tsv");
	struct span rest = buf_span(&file);

	(void)span_cut(&rest, '\n');
	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		struct openssl_case c = {};
		struct span *const fields[LINE_FIELDS] = { &c.description, &c.expected, &c.cert,
			&c.purpose, &c.trusted, &c.untrusted, &c.options };

		for (size_t i = 0; i < LINE_FIELDS; i++)
			*fields[i] = span_cut(&line, '\t');
		run_openssl_case(s, &c);
	}
}

/* Every question that is asked of a certificate. */
static void ask_everything(struct cert *cert)
{
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	CLEANUP(buf_done) struct buf out = {};
	const struct path_name names[] = { { PATH_DNS, SPAN("example.org") },
		{ PATH_IP, SPAN("192.0.2.1") }, { PATH_EMAIL, SPAN("a@example.org") } };
	struct path_request q = { .leaf = cert,
		.trust = trust,
		.time_us = clock_now_us(),
		.names = names,
		.n_names = 3,
		.purposes = TRUST_ALL_PURPOSES };

	for (int trusted = 0; trusted < 2; trusted++) {
		CLEANUP(verdict_done) struct verdict v = {};

		if (path_validate(&q, &v))
			exit(1);
		verdict_add_json(&v, &out);
		trust_add(trust, cert, TRUST_ALL_PURPOSES);
	}
	cert_add_serial(cert, &out);
}

/* Read as what its name says it is; true if it could be. */
static bool read_odd(const char *name, struct span data)
{
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(crl_list_done) struct crl_list crls = {};
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct why why = {};
	bool is_read;

	if (strstr(name, "crl"))
		return crl_list_add(&crls, data, &why) == 0 || !why.text[0];
	is_read = pem_is(data) ? cert_list_from_pem(&list, data, &why) == 0
			       : cert_from_der(&cert, data, &why) == 0;
	for (size_t i = 0; i < list.n; i++)
		ask_everything(list.certs[i]);
	if (cert)
		ask_everything(cert);
	if (!is_read && !why.text[0]) {
		(void)fprintf(stderr, "%s is refused without a reason\n", name);
		exit(1);
	}
	return is_read;
}

/* What must be read, and what must not. Of the others either is fine. */
static const struct odd {
	const char *file;
	bool is_read;
} odds[] = {
	{ "x509/cryptography.io.pem", true }, { "x509/department-of-state-root.pem", true },
	{ "x509/v1_cert.pem", true }, { "x509/verisign_md2_root.pem", true },
	{ "x509-custom/negative_serial.pem", true }, { "x509-custom/crl_all_reasons.pem", true },
	{ "x509-custom/crl_almost_10k.pem", true },
	{ "x509-custom/crl_delta_crl_indicator.pem", true },
	{ "x509-custom/san_other_name.pem", true },
	{ "x509-custom/unsupported_extension_critical.pem", true },
	{ "x509-ed25519/server-ed25519-cert.pem", true },
	{ "x509-ed448/server-ed448-cert.pem", true }, { "x509-custom/crl_invalid_time.der", false },
	{ "x509/badasn1time.pem", false },
	{ "x509-requests/rsa_sha256.pem", false }, /* a request is no certificate */
};

static void run_odd_file(struct suite *s, const char *folder, const char *file)
{
	CLEANUP(alloc_freep) char *id = alloc_format("%s/%s", folder, file);
	CLEANUP(alloc_freep) char *root = alloc_format("%s/pyca", s->root);
	CLEANUP(buf_done) struct buf data = read_file(root, id);
	int64_t begun = clock_monotonic_ms();
	bool is_read = read_odd(file, buf_span(&data)), expected = is_read;

	for (size_t i = 0; i < sizeof odds / sizeof odds[0]; i++) {
		if (strcmp(odds[i].file, id) == 0)
			expected = odds[i].is_read;
	}
	judge(s, id, expected, is_read, is_read ? "it is read" : "it is refused", begun);
}

static void run_odd(struct suite *s)
{
	static const char *const folders[] = { "x509", "x509-custom", "x509-ed25519", "x509-ed448",
		"x509-requests" };

	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		CLEANUP(alloc_freep) char *path = alloc_format("%s/pyca/%s", s->root, folders[i]);
		struct dirent **entries;
		int n = scandir(path, &entries, NULL, alphasort);

		for (int k = 0; k < n; k++) {
			if (entries[k]->d_type == DT_REG)
				run_odd_file(s, folders[i], entries[k]->d_name);
			free(entries[k]);
		}
		if (n > 0)
			free(entries);
	}
}

static bool run(struct suite *s, const char *name)
{
	if (strcmp(name, "limbo") == 0)
		run_json(s, "x509-limbo/limbo.json");
	else if (strcmp(name, "bettertls") == 0)
		run_json(s, "bettertls/bettertls.json");
	else if (strcmp(name, "openssl") == 0)
		run_openssl(s);
	else if (strcmp(name, "odd") == 0)
		run_odd(s);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	struct suite s = { .root = getenv("SIGNET_VECTORS") };
	DIR *folder = s.root ? opendir(s.root) : NULL;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: vectors_test SUITE SOURCES\n");
		return 2;
	}
	if (!folder) {
		(void)puts("1..0 # SKIP no test vectors at SIGNET_VECTORS");
		return 0;
	}
	(void)closedir(folder);
	s.differences = read_file(argv[2], "test/vectors/differences.tsv");
	s.doc = read_file(argv[2], "doc/path-validation.md");
	if (!run(&s, argv[1]) || s.n == 0)
		report(&s, false, argv[1], "there is no such suite, or no case in it");
	(void)printf("1..%zu\n# %s: %zu cases, %zu different, slowest %lld ms, %s\n", s.n, argv[1],
		s.n, s.n_different, (long long)s.slowest_ms, s.slowest ? s.slowest : "");
	free(s.slowest);
	buf_done(&s.differences);
	buf_done(&s.doc);
	return s.n_failed > 0;
}
