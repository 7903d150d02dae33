/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A domain's keys. Private keys are made and used in keyd and never come here, but for one that is
 * imported or exported: it passes through once, in memory that is wiped. What takes time (making a
 * key, reading a file) is done before the transaction that writes the row.
 */

#include "base/clock.h"
#include "keyd/client.h"
#include "keyd/import.h"
#include "pki/pem.h"
#include "store/ca_rows.h"
#include "store/store.h"
#include "svc/domain_keys.h"
#include "svc/env.h"
#include "svc/http/api_key.h"
#include "svc/http/api_pki.h"

#include <unistd.h>

enum { ALIAS_LENGTH = 8, RSA_BITS_MIN = 2048 };

static const char *const uses[] = {
	[KEY_TLS] = "tls",
	[KEY_SMIME] = "smime",
	[KEY_DKIM] = "dkim",
	[KEY_CA] = "ca",
};

static json_t *key_json(const struct store_key *key)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(buf_done) struct buf pem = {}, size = {};
	json_t *object = json_object();

	pem_add(&pem, "PUBLIC KEY", key->spki); /* RFC 7468 section 13 */
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

int api_key_show(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q, .key_alias = q->params[1], .wants_key = true };
	int r = pki_look_up_in(c, &l);

	if (!r)
		q->answer = key_json(&l.key);
	return r;
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
	return http_problem(q, 422, "use", "use is tls, smime, dkim or ca");
}

/* DESIGN of the command line: S/MIME keys are RSA or EC, DKIM keys RSA or Ed25519. */
static bool type_fits(enum key_use use, struct span type)
{
	if (use == KEY_SMIME || use == KEY_CA)
		return !span_is(type, "ed25519");
	return use != KEY_DKIM || !span_starts(type, SPAN("ec:"));
}

int api_key_make_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q };
	struct store_key *key = ARENA_ALLOC(&q->arena, struct store_key);
	struct span type = http_text(q, "type"), alias = http_text(q, "alias");
	struct why why = {};
	enum key_use use;
	int r = parse_use(q, &use);

	(void)c;
	if (!type.p)
		type = use == KEY_DKIM ? SPAN("rsa:2048") : SPAN("ec:p256");
	if (!r)
		r = api_check_alias(q, alias);
	if (!r && !type_fits(use, type))
		return http_problem(q, 422, "type", "keys for %s are not of this type", uses[use]);
	if (!r)
		r = pki_look_up(&l);
	if (r)
		return r;
	r = domain_key_make(q->env, &q->arena, l.domain.id, use, alias, type, key, &why);
	if (r > 0)
		return http_problem(q, 422, "type", "%s", why.text);
	if (r)
		return r;
	if (!alias.n)
		key->alias = span_head(key->key_id, ALIAS_LENGTH);
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

int api_import(struct http_request *q, bool public_only, struct imported *ret_imported)
{
	CLEANUP(buf_wipe) struct buf file = {};
	struct import_order order;
	struct why why = {};
	int fd, r;

	(void)buf_room(&file, http_text(q, "file").n);
	r = api_file(q, "file", &file);
	if (r)
		return r;
	order = (struct import_order){ buf_span(&file), http_text(q, "passphrase"),
		http_text(q, "which"), public_only };
	TRY(q->env->importer(q->env, &fd));
	r = import_key(fd, &order, ret_imported, &why);
	(void)close(fd);
	if (r > 0)
		return http_problem(q, 422, r == IMPORT_E_PASSWORD ? "passphrase" :
			r == IMPORT_E_WHICH ? "which" : "file", "%s", why.text);
	return r;
}

/* What is imported may be of any age, but what serves TLS is to be strong enough (RFC 9325 section
 * 4.5). */
static int check_strength(struct http_request *q, const EVP_PKEY *key)
{
	if (!key_is_rsa(key) || EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
		return 0;
	return http_problem(q, 422, "file",
		"an RSA key of %d bits is too weak; %d is the least: make a new one",
		EVP_PKEY_get_bits(key), RSA_BITS_MIN);
}

int api_key_wrap(struct http_request *q, int64_t domain, enum key_use use, struct span alias,
	const struct imported *imported, struct store_key *ret_key)
{
	CLEANUP(keyd_made_done) struct keyd_made made = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(buf_done) struct buf type = {};
	struct why why = {};
	int r = domain_key_take(q->env, domain, use, secret_span(&imported->pkcs8), &made);

	if (r > 0)
		return http_problem(q, 422, "file", "a key of this kind cannot be used here");
	if (r)
		return r;
	TRY(key_from_spki(&public, buf_span(&made.spki), &why));
	r = check_strength(q, public);
	if (r)
		return r;
	key_add_name(public, &type);
	if (!type_fits(use, buf_span(&type)))
		return http_problem(q, 422, "use", "keys for %s are not of this type", uses[use]);
	*ret_key = (struct store_key){ .domain = domain, .use = use,
		.key_id = arena_span(&q->arena, span_str(made.key_id)),
		.type = arena_span(&q->arena, buf_span(&type)),
		.wrapped = arena_span(&q->arena, buf_span(&made.wrapped)),
		.spki = arena_span(&q->arena, buf_span(&made.spki)), .created_us = clock_now_us() };
	ret_key->alias = alias.n ? alias : span_head(ret_key->key_id, ALIAS_LENGTH);
	return 0;
}

int api_key_import_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(imported_done) struct imported imported = {};
	struct store_key *key = ARENA_ALLOC(&q->arena, struct store_key);
	struct pki_look_up l = { .q = q };
	enum key_use use;
	int r = parse_use(q, &use);

	(void)c;
	if (!r)
		r = api_check_alias(q, http_text(q, "alias"));
	if (!r)
		r = pki_look_up(&l);
	if (!r)
		r = api_import(q, false, &imported);
	if (!r)
		r = api_key_wrap(q, l.domain.id, use, http_text(q, "alias"), &imported, key);
	q->prepared = key;
	return r;
}

struct key_twin {
	struct span key_id;
	enum key_use use;
	struct buf alias;
};

static int match_twin(const struct store_key *key, void *context)
{
	struct key_twin *twin = context;

	if (key->use == twin->use && span_equal(key->key_id, twin->key_id))
		buf_add(&twin->alias, key->alias);
	return 0;
}

int api_key_import(struct http_request *q, struct store_conn *c)
{
	struct store_key *key = q->prepared;
	struct key_twin twin = { .key_id = key->key_id, .use = key->use };
	int r;

	TRY(store_key_each(c, key->domain, match_twin, &twin));
	if (buf_size(&twin.alias)) {
		r = http_problem(q, 409, "file", "the domain has this key already: %.*s",
			(int)buf_size(&twin.alias), (const char *)buf_span(&twin.alias).p);
		buf_done(&twin.alias);
		return r;
	}
	r = store_key_add(c, key, &key->id);
	if (r)
		return http_store_problem(q, r, "key", "alias", NULL);
	q->status = 201;
	q->answer = key_json(key);
	return http_audit(q, c, "key.import", q->params[0], key->alias);
}

int api_key_test(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q, .key_alias = q->params[1], .wants_key = true };
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct why why = {};
	int r = pki_look_up(&l);

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

int api_confirm_password(struct http_request *q, const char *member)
{
	struct span password = http_text(q, member);
	struct auth_source from = http_source(q);
	struct auth_identity who = {};
	int r;

	/* Who may use the socket may read the key-encryption key and the database as well. */
	if (q->login == HTTP_SOCKET)
		return 0;
	if (!password.n)
		return http_problem(q, 422, member,
			"this takes your own password for logging in, again");
	r = auth_password(q->env, &from, span_str(q->who.address), password, &who);
	if (r < 0)
		return r;
	if (r == AUTH_E_TOO_MANY)
		return http_problem(q, 429, member, "too many wrong passwords; try again later");
	if (r || who.account != q->who.account)
		return http_problem(q, 403, member, "this is not your password");
	return 0;
}

int api_key_export_prepare(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q, .key_alias = q->params[1], .wants_key = true };
	struct span *octets = ARENA_ALLOC(&q->arena, struct span);
	CLEANUP(buf_done) struct buf file = {};
	int r = pki_look_up(&l);

	(void)c;
	if (!r)
		r = api_confirm_password(q, "password");
	if (r)
		return r;
	r = domain_key_export(q->env, &l.key, KEYD_FORM_PKCS8, SPAN(""), SPAN(""),
		http_text(q, "file_password"), &file);
	if (r > 0)
		return http_problem(q, 422, "file_password", "the key could not be written out");
	*octets = arena_span(&q->arena, buf_span(&file));
	q->prepared = octets;
	return r;
}

/* Nothing is written but the audit record: who has it now. */
int api_key_export(struct http_request *q, struct store_conn *c)
{
	CLEANUP(buf_done) struct buf pem = {};
	const struct span *file = q->prepared;

	pem_add(&pem, "ENCRYPTED PRIVATE KEY", *file); /* RFC 7468 section 11 */
	q->answer = json_object();
	api_set_file(q->answer, buf_span(&pem), true);
	return http_audit(q, c, "key.export", q->params[0], q->params[1]);
}

/* The main domain's certificates are what everybody is shown who asks for no name that is known. */
struct in_use {
	int64_t key, cert; /* what is to go */
	unsigned n_gone, n_left;
};

static int count_in_use(const struct store_cert *cert, void *context)
{
	struct in_use *count = context;
	bool goes = cert->id == count->cert || (count->key && cert->key == count->key);

	if (!cert->services.n || !cert->key)
		return 0;
	count->n_gone += goes;
	count->n_left += !goes;
	return 0;
}

int api_check_last(struct http_request *q, struct store_conn *c, const struct store_domain *domain,
	int64_t key, int64_t cert)
{
	struct in_use count = { .key = key, .cert = cert };

	if (!domain->main)
		return 0;
	TRY(store_cert_each(c, domain->id, count_in_use, &count));
	if (count.n_left || !count.n_gone)
		return 0;
	return http_problem(q, 409, key ? "key" : "certificate",
		"this is the main domain's last certificate in use: put another one to use first");
}

/* Without its key an authority can revoke nothing any more. */
static int check_authority(struct http_request *q, struct store_conn *c, int64_t key)
{
	bool needs;

	TRY(store_authority_needs_key(c, key, clock_now_us(), &needs));
	return needs ? http_problem(q, 409, "key",
		"this is the key of an authority that issues certificates, or whose certificates are"
		" valid still: remove the authority (ca remove) and revoke them first") : 0;
}

int api_key_remove(struct http_request *q, struct store_conn *c)
{
	struct pki_look_up l = { .q = q, .key_alias = q->params[1], .wants_key = true };
	int r = pki_look_up_in(c, &l);

	if (!r)
		r = api_check_last(q, c, &l.domain, l.key.id, 0);
	if (!r)
		r = check_authority(q, c, l.key.id);
	if (r)
		return r;
	TRY(store_key_remove(c, l.key.id));
	q->status = 204;
	q->tls_changed = true;
	return http_audit(q, c, "key.remove", q->params[0], l.key.alias);
}
