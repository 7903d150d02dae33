/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What the handlers of keys, requests, certificates and trust share: how files come and go, how a
 * certificate is described, and how a domain's things are found. */

#include "svc/http/api_pki.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/enc.h"
#include "pki/check.h"
#include "pki/pem.h"
#include "pki/subject.h"
#include "store/store.h"
#include "svc/env.h"

enum { ALIAS_OCTETS = 4 };

int api_file(struct http_request *q, const char *member, struct buf *out)
{
	struct span text = http_text(q, member);

	if (pem_is(text))
		buf_add(out, text);
	else if (text.n == 0 || !enc_base64_decode(out, text))
		return http_problem(q, 422, member,
			"%s is a file: PEM as it is, anything else in base64", member);
	return 0;
}

int api_file_certs(struct http_request *q, const char *member, struct cert_list *ret_list)
{
	CLEANUP(buf_done) struct buf file = {};
	struct why why = {};
	int r = api_file(q, member, &file);

	if (r)
		return r;
	r = cert_list_from_file(ret_list, buf_span(&file), &why);
	return r > 0 ? http_problem(q, 422, member, "%s", why.text) : r;
}

int api_file_answer(struct http_request *q, struct cert_list *ret_list)
{
	CLEANUP(cert_list_done) struct cert_list chain = {};
	int r = api_file_certs(q, "certificate", ret_list);

	if (!r && http_text(q, "chain").p)
		r = api_file_certs(q, "chain", &chain);
	for (size_t i = 0; !r && i < chain.n; i++)
		cert_list_add(ret_list, chain.certs[i]);
	return r;
}

static json_t *names_json(const struct cert *cert)
{
	json_t *list = json_array();
	struct cert_name name;

	for (size_t i = 0; cert_alt_name(cert, i, &name); i++) {
		if (name.type != CERT_NAME_IP)
			(void)json_array_append_new(list, http_json_text(name.text));
	}
	return list;
}

static void set_printed(json_t *object, const char *member, const struct cert *cert,
	void (*print)(const struct cert *c, struct buf *out))
{
	CLEANUP(buf_done) struct buf text = {};

	print(cert, &text);
	api_set_text(object, member, buf_span(&text));
}

/* Any time, the beginning of 1970 too, which elsewhere means none. */
static void set_time(json_t *object, const char *member, int64_t time_us)
{
	CLEANUP(buf_done) struct buf text = {};

	clock_add_rfc3339(&text, time_us);
	api_set_text(object, member, buf_span(&text));
}

void api_set_cert(json_t *object, const struct cert *cert)
{
	static const struct {
		const char *member;
		void (*print)(const struct cert *c, struct buf *out);
	} printed[] = {
		{ "subject", cert_add_subject }, { "issuer", cert_add_issuer },
		{ "serial", cert_add_serial }, { "fingerprint", cert_add_fingerprint_text },
		{ "fingerprint_sha1", cert_add_sha1_text }, { "public_key", cert_add_key_text },
		{ "signature", cert_add_signature_name }, { "certificate", cert_add_pem },
	};

	for (size_t i = 0; i < sizeof printed / sizeof printed[0]; i++)
		set_printed(object, printed[i].member, cert, printed[i].print);
	(void)json_object_set_new(object, "names", names_json(cert));
	(void)json_object_set_new(object, "self_signed", json_boolean(cert_is_self_signed(cert)));
	(void)json_object_set_new(object, "authority", json_boolean(cert_is_ca(cert)));
	set_time(object, "not_before", cert_not_before_us(cert));
	set_time(object, "not_after", cert_not_after_us(cert));
}

void api_set_warnings(json_t *object, const struct check_list *checks)
{
	json_t *list = json_array();

	for (size_t i = 0; i < checks->n; i++) {
		CLEANUP(buf_done) struct buf text = {};

		if (checks->rows[i].result < CHECK_WARNING)
			continue;
		buf_add_format(&text, "%s: ", checks->rows[i].check);
		buf_add(&text, checks->rows[i].text);
		(void)json_array_append_new(list, http_json_text(buf_span(&text)));
	}
	if (json_array_size(list))
		(void)json_object_set_new(object, "warnings", list);
	else
		json_decref(list);
}

void api_set_file(json_t *object, struct span octets, bool is_text)
{
	CLEANUP(buf_done) struct buf text = {};

	if (is_text)
		buf_add(&text, octets);
	else
		enc_base64(&text, octets);
	api_set_text(object, "file", buf_span(&text));
	api_set_text(object, "encoding", is_text ? SPAN("text") : SPAN("base64"));
}

bool api_is_alias(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (!octet_is_alpha(c) && !octet_is_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

int api_check_alias(struct http_request *q, struct span alias)
{
	return api_is_alias(alias) ? 0 : http_problem(q, 422, "alias",
		"an alias is made of letters, digits, \"-\", \"_\" and \".\"");
}

struct span api_alias_of(struct http_request *q, struct span octets)
{
	CLEANUP(buf_done) struct buf text = {};
	uint8_t digest[SHA256_OCTETS];

	digest_sha256(octets, digest);
	enc_hex(&text, span_of(digest, ALIAS_OCTETS));
	return arena_span(&q->arena, buf_span(&text));
}

static void key_copy(struct arena *a, const struct store_key *from, struct store_key *to)
{
	*to = *from;
	to->alias = arena_span(a, from->alias);
	to->type = arena_span(a, from->type);
	to->key_id = arena_span(a, from->key_id);
	to->wrapped = arena_span(a, from->wrapped);
	to->spki = arena_span(a, from->spki);
}

static int match_key(const struct store_key *key, void *context)
{
	struct pki_look_up *l = context;

	if (l->key_alias.n ? !span_equal(key->alias, l->key_alias) : key->use != KEY_TLS)
		return 0;
	if (!l->key.id || key->created_us >= l->key.created_us)
		key_copy(&l->q->arena, key, &l->key);
	return 0;
}

/* One in use goes before one that is not, a newer before an older. */
static bool is_better(const struct store_cert *a, const struct store_cert *b)
{
	if (!b->id || (a->services.n > 0) != (b->services.n > 0))
		return !b->id || a->services.n > 0;
	return a->created_us >= b->created_us;
}

static int match_cert(const struct store_cert *cert, void *context)
{
	struct pki_look_up *l = context;
	struct arena *a = &l->q->arena;

	if (l->cert_alias.n && !span_equal(cert->alias, l->cert_alias))
		return 0;
	if (!is_better(cert, &l->cert))
		return 0;
	l->cert = *cert;
	l->cert.alias = arena_span(a, cert->alias);
	l->cert.der = arena_span(a, cert->der);
	l->cert.chain = arena_span(a, cert->chain);
	l->cert.services = arena_span(a, cert->services);
	return 0;
}

static int add_name(struct span alias, void *context)
{
	struct pki_look_up *l = context;

	if (l->n_names < SUBJECT_NAMES_MAX)
		l->names[l->n_names++] = arena_span(&l->q->arena, alias);
	return 0;
}

int pki_look_up_in(struct store_conn *c, struct pki_look_up *l)
{
	int r = api_domain(l->q, c, &l->domain);

	if (r)
		return r;
	l->key = (struct store_key){};
	l->cert = (struct store_cert){};
	if (l->wants_key)
		TRY(store_key_each(c, l->domain.id, match_key, l));
	if (l->wants_cert)
		TRY(store_cert_each(c, l->domain.id, match_cert, l));
	if (l->wants_key && !l->key.id && !l->key_alias.n)
		return http_problem(l->q, 422, "key",
			"the domain has no key for TLS yet: make one with signet key generate %s",
			l->domain.name);
	if (l->wants_key && !l->key.id)
		return http_problem(l->q, 404, "key", "the domain has no such key");
	if (l->wants_cert && !l->cert.id)
		return http_problem(l->q, 404, "certificate", "the domain has no such certificate");
	l->names = arena_alloc(&l->q->arena, SUBJECT_NAMES_MAX * sizeof l->names[0]);
	l->n_names = 0;
	TRY(add_name(span_str(l->domain.name), l));
	return store_domain_alias_each(c, l->domain.id, add_name, l);
}

static int look_up(struct store_conn *c, void *arg)
{
	return pki_look_up_in(c, arg);
}

int pki_look_up(struct pki_look_up *l)
{
	return store_read(l->q->env->store, look_up, l);
}
