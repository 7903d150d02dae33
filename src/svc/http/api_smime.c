/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Secure Mail of an account. Whatever needs the Secure Mail Password has it in its own body: an
 * administrator may look, but can do nothing with another's key that its owner's password is needed
 * for. Only a session with a cookie can leave keys unlocked; over the Unix socket there is none, so
 * unlocking there says that the password is right, and locking there locks everywhere. Handlers run
 * outside of transactions: svc/secure_mail.c makes its own.
 */

#include "base/clock.h"
#include "mail/own_cert.h"
#include "pki/import_file.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/env.h"
#include "svc/http/api_key.h"
#include "svc/http/api_pki.h"
#include "svc/http/web_session.h"
#include "svc/secure_mail.h"
#include "svc/unlocked.h"

/* The caller, and the account of the path. */
struct asking {
	struct http_request *q;
	struct store_account account;
	struct auth_source from;
	uint8_t session[WEB_SESSION_ID];
	struct secure_caller who;
	struct why why;
};

static int begin(struct http_request *q, struct asking *k)
{
	int r;

	*k = (struct asking){ .q = q, .from = http_source(q) };
	r = api_account_read(q, &k->account);
	if (r)
		return r;
	k->who = (struct secure_caller){ .account = k->account.id,
		.address = k->account.address,
		.actor = http_actor(q),
		.peer = k->from.peer };
	if (q->login == HTTP_COOKIE) {
		web_session_id(q->token, k->session);
		k->who.session = span_of(k->session, sizeof k->session);
	}
	return 0;
}

/* What an outcome is to a client of HTTP; faults pass. */
static int problem(struct asking *k, int r, const char *field)
{
	static const struct {
		unsigned status;
		const char *field; /* NULL: as the caller says */
	} answers[] = {
		[SECURE_E_REFUSED] = { 422, NULL },
		[SECURE_E_NONE] = { 404, "key" },
		[SECURE_E_PASSWORD] = { 403, "password" },
		[SECURE_E_LATER] = { 429, "password" },
		[SECURE_E_BUSY] = { 429, NULL },
		[SECURE_E_LOCKED] = { 403, "password" },
		[SECURE_E_OFF] = { 403, "smime" },
		[SECURE_E_CHANGED] = { 409, NULL },
		[SECURE_E_NO_ISSUER] = { 409, "issuer" },
	};

	if (r <= 0)
		return r;
	if (r == SECURE_E_LATER || r == SECURE_E_BUSY)
		http_header(k->q, "Retry-After", r == SECURE_E_LATER ? SPAN("60") : SPAN("5"));
	if (r == SECURE_E_BUSY)
		field = NULL;
	return http_problem(k->q, answers[r].status, answers[r].field ? answers[r].field : field,
		"%s", k->why.text);
}

struct shown_cert {
	struct cert *cert; /* NULL: it cannot be read */
	struct store_issued issued; /* id 0: it is none of ours */
};

struct showing {
	struct asking *asking;
	struct secure_account *account;
	int64_t signs, encrypts; /* the certificates that are used (store_secure_cert); 0: none */
	int64_t now_us;
	struct shown_cert *certs; /* all keys' behind each other */
	size_t n_certs;
};

static void showing_done(struct showing *s)
{
	for (size_t i = 0; i < s->n_certs; i++)
		(void)cert_unref(s->certs[i].cert);
}

/* What others make of it, and when and why that is so if it was revoked here. */
static void set_cert_state(json_t *object, const struct showing *s, const struct cert *cert,
	const struct store_issued *issued)
{
	const char *state = "valid";

	if (issued->revoked_us)
		state = "revoked";
	else if (cert_not_after_us(cert) < s->now_us)
		state = "expired";
	else if (cert_not_before_us(cert) > s->now_us)
		state = "not-yet-valid";
	(void)json_object_set_new(object, "state", json_string(state));
	if (!issued->revoked_us)
		return;
	(void)json_object_set_new(object, "revoked", http_json_time(issued->revoked_us));
	(void)json_object_set_new(object, "reason", json_string(ca_reason_name(issued->reason)));
}

static json_t *cert_json(const struct showing *s, const struct store_secure_cert *row,
	const struct shown_cert *shown)
{
	CLEANUP(cert_list_done) struct cert_list chain = {};
	CLEANUP(buf_done) struct buf pem = {};
	json_t *object = json_object(), *uses = json_array();

	(void)json_object_set_new(object, "current", json_boolean(row->current));
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	(void)json_object_set_new(object, "uses", uses);
	if (row->id == s->signs)
		(void)json_array_append_new(uses, json_string("sign"));
	if (row->id == s->encrypts)
		(void)json_array_append_new(uses, json_string("encrypt"));
	if (!shown->cert)
		return object;
	api_set_cert(object, shown->cert);
	set_cert_state(object, s, shown->cert, &shown->issued);
	if (cert_list_from_der(&chain, row->chain, NULL) == 0)
		for (size_t i = 0; i < chain.n; i++)
			cert_add_pem(chain.certs[i], &pem);
	api_set_text(object, "chain", buf_span(&pem));
	return object;
}

static json_t *key_json(const struct showing *s, const struct secure_key *key,
	const struct shown_cert *shown)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(buf_done) struct buf size = {};
	json_t *object = json_object(), *certs = json_array();

	if (key_from_spki(&public, key->row.spki, NULL) == 0)
		key_add_size_text(public, &size);
	(void)json_object_set_new(object, "number", json_integer((json_int_t)key->row.id));
	api_set_text(object, "id", key->row.key_id);
	api_set_text(object, "type", key->row.type);
	api_set_text(object, "size", buf_span(&size));
	(void)json_object_set_new(object, "current", json_boolean(key->row.current));
	(void)json_object_set_new(object, "earlier_password",
		json_boolean(!secure_key_is_present(s->account, key)));
	(void)json_object_set_new(object, "created", http_json_time(key->row.created_us));
	for (size_t i = 0; i < key->n_certs; i++)
		(void)json_array_append_new(certs, cert_json(s, &key->certs[i], &shown[i]));
	(void)json_object_set_new(object, "certificates", certs);
	return object;
}

/* A session that ended while its keys were being opened has nobody to end with. */
static void lock_if_session_ended(struct asking *k)
{
	struct http_request *q = k->q;
	struct web_session session;

	if (q->login == HTTP_COOKIE &&
		!web_session_find(q->sessions, q->token, clock_monotonic_ms(), &session))
		secure_mail_lock(q->env, &k->who);
}

static void set_state(struct asking *k, json_t *object)
{
	struct secure_state state;

	lock_if_session_ended(k);

	secure_mail_state(k->q->env, &k->who, &state);
	(void)json_object_set_new(object, "unlocked", json_boolean(state.unlocked));
	api_set_number(object, "seconds_left", (state.left_ms + 999) / 1000);
	api_set_number(object, "sessions", state.sessions);
}

static int read_used(struct store_conn *c, const struct showing *s, enum own_cert_use use,
	int64_t *ret_id)
{
	CLEANUP(own_cert_done) struct own_cert own = {};
	struct own_cert_wish wish = { .account = s->asking->account.id,
		.use = use,
		.address = s->account->secure.from,
		.now_us = s->now_us,
		.cache = s->asking->q->env->mail_certs };

	TRY(own_cert_find(c, &wish, &own));
	*ret_id = own.fault ? 0 : own.id;
	return 0;
}

static int read_cert(struct store_conn *c, struct arena *a, const struct store_secure_cert *row,
	struct shown_cert *shown)
{
	int r = cert_from_der(&shown->cert, row->der, NULL);

	if (r)
		return r < 0 ? r : 0;
	r = own_cert_issued(c, a, shown->cert, &shown->issued);
	return r == STORE_E_NOT_FOUND ? 0 : r;
}

static int read_account(struct store_conn *c, void *arg)
{
	struct showing *s = arg;
	struct arena *a = &s->asking->q->arena;
	size_t n = 0;

	TRY(secure_account_read(c, a, s->asking->account.id, s->account));
	TRY(read_used(c, s, OWN_CERT_SIGN, &s->signs));
	TRY(read_used(c, s, OWN_CERT_ENCRYPT, &s->encrypts));
	for (size_t i = 0; i < s->account->n_keys; i++)
		n += s->account->keys[i].n_certs;
	s->certs = arena_alloc(a, (n + 1) * sizeof *s->certs);
	for (size_t i = 0; i < s->account->n_keys; i++) {
		for (size_t k = 0; k < s->account->keys[i].n_certs; k++) {
			struct shown_cert *shown = &s->certs[s->n_certs++];

			*shown = (struct shown_cert){};
			TRY(read_cert(c, a, &s->account->keys[i].certs[k], shown));
		}
	}
	return 0;
}

/* Everything about it, as it is now. */
static int show(struct asking *k)
{
	struct secure_account *account = ARENA_ALLOC(&k->q->arena, struct secure_account);
	CLEANUP(showing_done) struct showing s = { .asking = k, .account = account,
		.now_us = clock_now_us() };
	json_t *object = json_object(), *keys = json_array();
	size_t n = 0;
	int r = store_read(k->q->env->store, read_account, &s);

	k->q->answer = object;
	(void)json_object_set_new(object, "keys", keys);
	if (r)
		return err_fold(r);
	api_set_text(object, "address", account->secure.address);
	(void)json_object_set_new(object, "enabled", json_boolean(account->secure.enabled));
	set_state(k, object);
	api_set_text(object, "from", account->secure.from);
	api_set_number(object, "lock_after", account->secure.lock_after_s);
	api_set_text(object, "cipher", span_str(store_secure_ciphers[account->secure.cipher]));
	for (size_t i = 0; i < account->n_keys; i++) {
		(void)json_array_append_new(keys,
			key_json(&s, &account->keys[i], &s.certs[n]));
		n += account->keys[i].n_certs;
	}
	return 0;
}

int api_smime_show(struct http_request *q, struct store_conn *c)
{
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	return r ? r : show(&k);
}

/* What the account chooses. */
static int set_member(struct asking *k, struct store_conn *c, const char *member)
{
	const json_t *value = json_object_get(k->q->json, member);
	struct span text = value ? http_scalar(k->q, value) : (struct span){};
	struct store_domain domain;
	struct span local;
	int r = 0;

	if (!value)
		return 0;
	if (strcmp(member, "from") == 0 && text.n)
		r = api_address(k->q, c, text, "from", &local, &domain);
	if (r)
		return r;
	r = store_secure_set(c, k->account.id, span_str(member), text, &k->why);
	return r ? http_store_problem(k->q, r, "account", member, &k->why) : 0;
}

static int write_settings(struct store_conn *c, void *arg)
{
	static const char *const members[] = { "from", "lock_after", "cipher" };
	struct asking *k = arg;
	const json_t *current = json_object_get(k->q->json, "current");
	struct store_secure secure;
	int r = 0;

	/* CGPW-7 */
	TRY(store_secure_get(c, &k->q->arena, k->account.id, &secure));
	if (!secure.enabled)
		return http_problem(k->q, 403, "smime",
			"Secure Mail is switched off for this account");
	for (size_t i = 0; !r && i < sizeof members / sizeof members[0]; i++)
		r = set_member(k, c, members[i]);
	if (r || !current)
		return r ? r : http_audit(k->q, c, "smime.set", k->account.address, SPAN(""));
	r = store_secure_key_make_current(c, k->account.id, json_integer_value(current));
	if (r == STORE_E_REFUSED)
		return http_problem(k->q, 422, "current",
			"this key is under an earlier password: import its file to use it again");
	if (r)
		return http_store_problem(k->q, r, "key", "current", NULL);
	return http_audit(k->q, c, "smime.set", k->account.address, SPAN("current"));
}

int api_smime_set(struct http_request *q, struct store_conn *c)
{
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (!r)
		r = store_write(q->env->store, write_settings, &k);
	return r ? r : show(&k);
}

static void set_strength(json_t *object, const struct password_strength *strength)
{
	(void)json_object_set_new(object, "strength",
		json_pack("{s:s, s:i, s:s}", "label", strength->label, "bits", (int)strength->bits,
			"text", strength->text));
}

static void set_warnings(json_t *object, const struct buf *warnings)
{
	struct span rest = buf_span(warnings);
	json_t *list = json_array();

	while (rest.n)
		(void)json_array_append_new(list, http_json_text(span_cut(&rest, '\n')));
	(void)json_object_set_new(object, "warnings", list);
}

static int answer_made(struct asking *k, struct secure_made *made, bool with_strength)
{
	int r = show(k);

	k->q->status = made->was_there ? 200 : 201;
	if (!r && with_strength)
		set_strength(k->q->answer, &made->strength);
	if (!r)
		set_warnings(k->q->answer, &made->warnings);
	secure_made_done(made);
	return r;
}

static bool flag(const struct http_request *q, const char *member)
{
	return json_is_true(json_object_get(q->json, member));
}

/* Who starts over gives up what the account has: that takes more than a session that was left open.
 */
static int confirm_start_over(struct asking *k)
{
	return flag(k->q, "start_over") ? api_confirm_password(k->q, "login_password") : 0;
}

static int add(struct asking *k, const struct imported *imported)
{
	const struct secure_new new = { .password = http_text(k->q, "password"),
		.start_over = flag(k->q, "start_over"),
		.type = http_text(k->q, "type"),
		.imported = imported };
	struct secure_made made = {};
	int r = secure_mail_add(k->q->env, &k->who, &new, &made, &k->why);

	if (r)
		return problem(k, r, imported ? "file" : "type");
	return answer_made(k, &made, true);
}

int api_smime_generate(struct http_request *q, struct store_conn *c)
{
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (!r)
		r = confirm_start_over(&k);
	return r ? r : add(&k, NULL);
}

static int open_file(struct asking *k, bool public_only, struct imported *ret_imported)
{
	int r = secure_mail_import_begin(k->q->env, &k->who, &k->why);

	if (r)
		return problem(k, r, "file");
	r = api_import(k->q, public_only, ret_imported);
	secure_mail_import_done(k->q->env, &k->who);
	return r;
}

int api_smime_import(struct http_request *q, struct store_conn *c)
{
	CLEANUP(imported_done) struct imported imported = {};
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (!r)
		r = confirm_start_over(&k);
	if (!r)
		r = open_file(&k, false, &imported);
	return r ? r : add(&k, &imported);
}

static int parse_form(struct http_request *q, bool *ret_old)
{
	struct span form = http_text(q, "form");

	*ret_old = span_is(form, "old");
	return !form.p || *ret_old || span_is(form, "modern")
		       ? 0
		       : http_problem(q, 422, "form",
				 "form is modern, or old for programs that read no other");
}

int api_smime_export(struct http_request *q, struct store_conn *c)
{
	CLEANUP(buf_done) struct buf file = {}, warnings = {};
	struct secure_export x = { .password = http_text(q, "password"),
		.file_password = http_text(q, "file_password"),
		.key = json_integer_value(json_object_get(q->json, "key")) };
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (!r)
		r = parse_form(q, &x.old);
	if (!r && !x.file_password.n)
		r = http_problem(q, 422, "file_password", "the file's password is empty");
	if (r)
		return r;
	r = secure_mail_export(q->env, &k.who, &x, &file, &k.why);
	if (r)
		return problem(&k, r, "file_password");
	q->answer = json_object();
	api_set_file(q->answer, buf_span(&file), false);
	api_set_text(q->answer, "name", SPAN("CertAndKey.pfx"));
	/* RFC 7292 appendix B.1 wants a BMPString; programs differ in what they make of others. */
	if (!span_is_ascii(x.file_password))
		buf_add_string(&warnings,
			"the file's password has other characters than ASCII: some"
			" programs cannot open such a file\n");
	if (x.old)
		buf_add_string(&warnings,
			"this form protects the key with 3DES and SHA-1 only: delete"
			" the file once the old program has read it\n");
	set_warnings(q->answer, &warnings);
	return 0;
}

int api_smime_compare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(imported_done) struct imported imported = {};
	CLEANUP(secure_removed_done) struct secure_removed removed = {};
	struct secure_removal removal = { .revokes = http_text(q, "revoke").p != NULL };
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (!r && removal.revokes)
		r = api_reason(q, "revoke", http_text(q, "revoke"), &removal.reason);
	if (!r)
		r = open_file(&k, true, &imported);
	if (r)
		return r;
	removal.spki = buf_span(&imported.spki);
	r = secure_mail_remove(q->env, &k.who, &removal, &removed, &k.why);
	if (r)
		return problem(&k, r, "file");
	q->ca_changed = removed.n_revoked > 0;
	r = show(&k);
	if (r)
		return r;
	api_set_number(q->answer, "revoked", removed.n_revoked);
	set_warnings(q->answer, &removed.warnings);
	return 0;
}

int api_smime_password(struct http_request *q, struct store_conn *c)
{
	struct password_strength strength;
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (r)
		return r;
	r = secure_mail_password(q->env, &k.who, http_text(q, "current"), http_text(q, "password"),
		&strength, &k.why);
	if (r == SECURE_E_PASSWORD)
		return http_problem(q, 403, "current", "%s", k.why.text);
	if (r)
		return problem(&k, r, "password");
	r = show(&k);
	if (!r)
		set_strength(q->answer, &strength);
	return r;
}

int api_smime_unlock(struct http_request *q, struct store_conn *c)
{
	struct asking k;
	unsigned n;
	int r = begin(q, &k);

	(void)c;
	if (r)
		return r;
	if (q->login != HTTP_COOKIE && q->login != HTTP_SOCKET)
		return http_problem(q, 403, NULL,
			"keys are unlocked for a session of the web interface:"
			" log in with POST /api/v1/session first");
	r = secure_mail_unlock(q->env, &k.who, http_text(q, "password"), &n, &k.why);
	if (r)
		return problem(&k, r, "password");
	q->answer = json_object();
	set_state(&k, q->answer);
	api_set_number(q->answer, "keys", n);
	return 0;
}

int api_smime_lock(struct http_request *q, struct store_conn *c)
{
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (r)
		return r;
	secure_mail_lock(q->env, &k.who);
	q->answer = json_object();
	set_state(&k, q->answer);
	return 0;
}

int api_smime_state(struct http_request *q, struct store_conn *c)
{
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (r)
		return r;
	q->answer = json_object();
	set_state(&k, q->answer);
	return 0;
}

int api_smime_install(struct http_request *q, struct store_conn *c)
{
	CLEANUP(cert_list_done) struct cert_list certs = {};
	struct secure_made made = {};
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (!r)
		r = api_file_answer(q, &certs);
	if (r)
		return r;
	r = secure_mail_install(q->env, &k.who, &certs, &made, &k.why);
	return r ? problem(&k, r, "certificate") : answer_made(&k, &made, false);
}

int api_smime_renew(struct http_request *q, struct store_conn *c)
{
	struct secure_made made = {};
	struct span from = http_text(q, "from");
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (r)
		return r;
	r = secure_mail_renew(q->env, &k.who, json_integer_value(json_object_get(q->json, "key")),
		from, &made, &k.why);
	return r ? problem(&k, r, from.n ? "from" : "key") : answer_made(&k, &made, false);
}

int api_smime_strength(struct http_request *q, struct store_conn *c)
{
	struct password_strength strength;
	struct asking k;
	int r = begin(q, &k);

	(void)c;
	if (r)
		return r;
	r = secure_mail_strength(q->env, &k.who, http_text(q, "password"), &strength, &k.why);
	if (r)
		return problem(&k, r, "password");
	q->answer = json_object();
	set_strength(q->answer, &strength);
	return 0;
}
