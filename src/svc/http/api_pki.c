/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A domain's keys and certificates. Private keys are made and used in keyd and never come here.
 * What takes time (making a key, signing) is done before the transaction that writes the row.
 */

#include "base/digest.h"
#include "base/enc.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/selfsign.h"
#include "store/store.h"
#include "svc/domain_keys.h"
#include "svc/env.h"
#include "svc/http/api.h"

enum { ALIAS_OCTETS = 8, PEM_COLUMNS = 64 };

static const char *const uses[] = {
	[KEY_TLS] = "tls",
	[KEY_SMIME] = "smime",
	[KEY_DKIM] = "dkim",
};

/* RFC 7468 section 13. */
static void add_public_key_pem(struct span spki, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span rest;

	enc_base64(&text, spki);
	buf_add_string(out, "-----BEGIN PUBLIC KEY-----\n");
	for (rest = buf_span(&text); rest.n; rest = span_skip(rest, PEM_COLUMNS)) {
		buf_add(out, span_head(rest, PEM_COLUMNS));
		buf_add_octet(out, '\n');
	}
	buf_add_string(out, "-----END PUBLIC KEY-----\n");
}

static json_t *key_json(const struct store_key *key)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(buf_done) struct buf pem = {}, size = {};
	json_t *object = json_object();

	add_public_key_pem(key->spki, &pem);
	if (key_from_spki(&public, key->spki, NULL) == 0)
		key_add_size_text(public, &size);
	api_set_text(object, "alias", key->alias);
	api_set_text(object, "use", span_str(uses[key->use]));
	api_set_text(object, "type", key->type);
	api_set_text(object, "size", buf_span(&size));
	api_set_text(object, "id", key->key_id);
	api_set_text(object, "public_key", buf_span(&pem));
	(void)json_object_set_new(object, "created", http_json_time(key->created_us));
	return object;
}

static int add_key(const struct store_key *key, void *context)
{
	(void)json_array_append_new(context, key_json(key));
	return 0;
}

int api_key_list(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	return r ? r : store_key_each(c, domain.id, add_key, api_answer_list(q, "keys"));
}

/* The key of a domain with that alias; with an empty alias the newest one for TLS. */
struct key_search {
	struct arena *arena;
	struct span alias;
	bool found;
	struct store_key key;
};

static int match_key(const struct store_key *key, void *context)
{
	struct key_search *s = context;

	if (s->alias.n ? !span_equal(key->alias, s->alias) : key->use != KEY_TLS)
		return 0;
	if (s->found && key->created_us < s->key.created_us)
		return 0;
	s->found = true;
	s->key = *key;
	s->key.alias = arena_span(s->arena, key->alias);
	s->key.type = arena_span(s->arena, key->type);
	s->key.key_id = arena_span(s->arena, key->key_id);
	s->key.wrapped = arena_span(s->arena, key->wrapped);
	s->key.spki = arena_span(s->arena, key->spki);
	return 0;
}

static int find_key(struct http_request *q, struct store_conn *c, int64_t domain, struct span alias,
	struct store_key *ret_key)
{
	struct key_search search = { .arena = &q->arena, .alias = alias };

	TRY(store_key_each(c, domain, match_key, &search));
	if (!search.found)
		return http_problem(q, 404, "key", "the domain has no such key");
	*ret_key = search.key;
	return 0;
}

int api_key_show(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	struct store_key key;
	int r = api_domain(q, c, &domain);

	if (!r)
		r = find_key(q, c, domain.id, q->params[1], &key);
	if (!r)
		q->answer = key_json(&key);
	return r;
}

/* What is looked up before a key is made or used outside of a transaction. */
struct look_up {
	struct http_request *q;
	struct span alias;
	bool wants_key;
	struct store_domain domain;
	struct store_key key;
	struct span *names; /* the domain and its aliases */
	size_t n_names;
};

static int add_name(struct span alias, void *context)
{
	struct look_up *l = context;

	if (l->n_names < SUBJECT_NAMES_MAX)
		l->names[l->n_names++] = arena_span(&l->q->arena, alias);
	return 0;
}

static int look_up(struct store_conn *c, void *arg)
{
	struct look_up *l = arg;
	int r = api_domain(l->q, c, &l->domain);

	if (r)
		return r;
	if (l->wants_key) {
		r = find_key(l->q, c, l->domain.id, l->alias, &l->key);
		if (r)
			return r;
	}
	l->names = arena_alloc(&l->q->arena, SUBJECT_NAMES_MAX * sizeof l->names[0]);
	l->n_names = 0;
	TRY(add_name(span_str(l->domain.name), l));
	return store_domain_alias_each(c, l->domain.id, add_name, l);
}

static int parse_use(struct http_request *q, enum key_use *ret_use)
{
	struct span text = http_text(q, "use");

	*ret_use = KEY_TLS;
	if (!text.p)
		return 0;
	for (unsigned i = 0; i < sizeof uses / sizeof uses[0]; i++) {
		if (!span_is(text, uses[i]))
			continue;
		*ret_use = i;
		return 0;
	}
	return http_problem(q, 422, "use", "use is tls, smime or dkim");
}

/* DESIGN of the command line: S/MIME keys are RSA or EC, DKIM keys RSA or Ed25519. */
static bool type_fits(enum key_use use, struct span type)
{
	if (use == KEY_SMIME)
		return !span_is(type, "ed25519");
	return use != KEY_DKIM || !span_starts(type, SPAN("ec:"));
}

/* An alias stands in paths and on command lines. */
static int check_alias(struct http_request *q, struct span alias)
{
	for (size_t i = 0; i < alias.n; i++) {
		uint8_t c = alias.p[i];

		if (!octet_is_alpha(c) && !octet_is_digit(c) && c != '-' && c != '_' && c != '.')
			return http_problem(q, 422, "alias",
				"an alias is made of letters, digits, \"-\", \"_\" and \".\"");
	}
	return 0;
}

int api_key_make_prepare(struct http_request *q, struct store_conn *c)
{
	struct look_up l = { .q = q };
	struct store_key *key = ARENA_ALLOC(&q->arena, struct store_key);
	struct span type = http_text(q, "type"), alias = http_text(q, "alias");
	struct why why = {};
	enum key_use use;
	int r = parse_use(q, &use);

	(void)c;
	if (!type.p)
		type = use == KEY_DKIM ? SPAN("rsa:2048") : SPAN("ec:p256");
	if (!r)
		r = check_alias(q, alias);
	if (!r && !type_fits(use, type))
		return http_problem(q, 422, "type", "keys for %s are not of this type", uses[use]);
	if (!r)
		r = store_read(q->env->store, look_up, &l);
	if (r)
		return r;
	r = domain_key_make(q->env, &q->arena, l.domain.id, use, alias, type, key, &why);
	if (r > 0)
		return http_problem(q, 422, "type", "%s", why.text);
	if (r)
		return r;
	if (!alias.n)
		key->alias = span_head(key->key_id, ALIAS_OCTETS);
	q->prepared = key;
	return 0;
}

int api_key_make(struct http_request *q, struct store_conn *c)
{
	struct store_key *key = q->prepared;
	int r = store_key_add(c, key, &key->id);

	if (r)
		return http_store_problem(q, r, "key", "alias", NULL);
	q->status = 201;
	q->answer = key_json(key);
	return http_audit(q, c, "key.generate", q->params[0], key->alias);
}

int api_key_test(struct http_request *q, struct store_conn *c)
{
	struct look_up l = { .q = q, .alias = q->params[1], .wants_key = true };
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct why why = {};
	int r = store_read(q->env->store, look_up, &l);

	(void)c;
	if (r)
		return r;
	TRY(domain_key_open(q->env, &l.key, &key));
	r = key_self_test(key, l.key.spki, l.key.use != KEY_DKIM, &why);
	if (r < 0)
		return r;
	q->answer = json_object();
	(void)json_object_set_new(q->answer, "passed", json_boolean(r == 0));
	api_set_text(q->answer, "result", span_str(why.text));
	return 0;
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

static void set_chain(json_t *object, struct span chain)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf text = {};

	if (cert_list_from_der(&list, chain, NULL) == 0) {
		for (size_t i = 0; i < list.n; i++)
			cert_add_pem(list.certs[i], &text);
	}
	api_set_text(object, "chain", buf_span(&text));
}

static json_t *cert_json(const struct store_cert *row)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	json_t *object = json_object();
	struct why why = {};

	api_set_text(object, "alias", row->alias);
	api_set_text(object, "services", row->services);
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	if (cert_from_der(&cert, row->der, &why)) {
		api_set_text(object, "unreadable", span_str(why.text));
		return object;
	}
	set_printed(object, "subject", cert, cert_add_subject);
	set_printed(object, "issuer", cert, cert_add_issuer);
	set_printed(object, "serial", cert, cert_add_serial);
	set_printed(object, "fingerprint", cert, cert_add_fingerprint_text);
	set_printed(object, "certificate", cert, cert_add_pem);
	set_chain(object, row->chain);
	(void)json_object_set_new(object, "names", names_json(cert));
	(void)json_object_set_new(object, "self_signed", json_boolean(cert_is_self_signed(cert)));
	(void)json_object_set_new(object, "not_before",
		http_json_time(cert_not_before_us(cert)));
	(void)json_object_set_new(object, "not_after", http_json_time(cert_not_after_us(cert)));
	return object;
}

static int add_cert(const struct store_cert *cert, void *context)
{
	(void)json_array_append_new(context, cert_json(cert));
	return 0;
}

int api_cert_list(struct http_request *q, struct store_conn *c)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	return r ? r : store_cert_each(c, domain.id, add_cert, api_answer_list(q, "certificates"));
}

/* The certificate that parameter 1 names. */
struct cert_search {
	struct span alias;
	int64_t id;
	json_t *found;
};

static int match_cert(const struct store_cert *cert, void *context)
{
	struct cert_search *s = context;

	if (s->found || !span_equal(cert->alias, s->alias))
		return 0;
	s->id = cert->id;
	s->found = cert_json(cert);
	return 0;
}

static int find_cert(struct http_request *q, struct store_conn *c, struct cert_search *search)
{
	struct store_domain domain;
	int r = api_domain(q, c, &domain);

	if (r)
		return r;
	search->alias = q->params[1];
	r = store_cert_each(c, domain.id, match_cert, search);
	q->answer = search->found;
	TRY(r);
	if (!search->found)
		return http_problem(q, 404, "certificate", "the domain has no such certificate");
	return 0;
}

int api_cert_show(struct http_request *q, struct store_conn *c)
{
	struct cert_search search = {};

	return find_cert(q, c, &search);
}

int api_cert_activate(struct http_request *q, struct store_conn *c)
{
	struct span services = http_text(q, "services");
	struct cert_search search = {};
	unsigned bits;
	int r;

	if (store_cert_services(services, &bits))
		return http_problem(q, 422, "services",
			"services is all, or some of smtp,imap,pop3,http");
	r = find_cert(q, c, &search);
	if (r)
		return r;
	r = store_cert_activate(c, search.id, services);
	if (r)
		return http_store_problem(q, r, "certificate", "certificate", NULL);
	api_set_text(q->answer, "services", services);
	q->tls_changed = true;
	return http_audit(q, c, "cert.activate", q->params[0], search.alias);
}

int api_cert_make_prepare(struct http_request *q, struct store_conn *c)
{
	struct look_up l = { .q = q, .alias = http_text(q, "key"), .wants_key = true };
	struct store_cert *cert = ARENA_ALLOC(&q->arena, struct store_cert);
	const json_t *days = json_object_get(q->json, "days");
	struct span alias = http_text(q, "alias");
	struct subject subject;
	struct why why = {};
	int r = check_alias(q, alias);

	(void)c;
	if (!r)
		r = store_read(q->env->store, look_up, &l);
	if (r)
		return r;
	if (l.key.use != KEY_TLS)
		return http_problem(q, 422, "key", "this key is not for TLS");
	subject = (struct subject){ .common_name = l.names[0], .names = l.names,
		.n_names = l.n_names };
	r = domain_cert_self_sign(q->env, &q->arena, &l.key, alias, &subject,
		days ? (unsigned)json_integer_value(days) : SELFSIGN_DAYS, cert, &why);
	if (r > 0)
		return http_problem(q, 422, "days", "%s", why.text);
	if (r)
		return r;
	if (!alias.n) {
		CLEANUP(buf_done) struct buf text = {};
		uint8_t digest[SHA256_OCTETS];

		digest_sha256(cert->der, digest);
		enc_hex(&text, span_of(digest, ALIAS_OCTETS / 2));
		cert->alias = arena_span(&q->arena, buf_span(&text));
	}
	q->prepared = cert;
	return 0;
}

int api_cert_make(struct http_request *q, struct store_conn *c)
{
	struct store_cert *cert = q->prepared;
	int r = store_cert_add(c, cert, &cert->id);

	if (r)
		return http_store_problem(q, r, "certificate", "alias", NULL);
	q->status = 201;
	q->tls_changed = true;
	q->answer = cert_json(cert);
	return http_audit(q, c, "cert.self-sign", q->params[0], cert->alias);
}
