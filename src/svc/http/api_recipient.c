/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Certificates of those whom an account writes to: which one is used, taking one from a message or
 * a file, and the user's word about those that wait. */

#include "base/digest.h"
#include "base/limit.h"
#include "pki/cert.h"
#include "smime/capability.h"
#include "store/content.h"
#include "store/message.h"
#include "store/sharing.h"
#include "store/store.h"
#include "svc/contacts.h"
#include "svc/env.h"
#include "svc/http/api_contact.h"
#include "svc/http/api_pki.h"
#include "svc/recipient_certs.h"

static const char *const state_names[] = {
	[CERT_TRUSTED] = "trusted",
	[CERT_ANYWAY] = "taken-anyway",
	[CERT_WAITING] = "waiting",
};

static const char *const source_names[] = {
	[CERT_FROM_CARD] = "card",
	[CERT_FROM_MESSAGE] = "message",
	[CERT_FROM_FILE] = "file",
};

/* The ciphers that the holder's mail program reads, by their names. */
static json_t *ciphers_json(struct span der)
{
	json_t *list = json_array();
	struct capabilities capabilities;

	if (!capability_parse(der, &capabilities))
		return list;
	for (size_t i = 0; i < capabilities.n; i++)
		(void)json_array_append_new(list, json_string(capabilities.ciphers[i]->name));
	return list;
}

static json_t *row_json(const struct store_contact_cert *row)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	json_t *object = json_object();

	api_set_text(object, "address", row->address);
	(void)json_object_set_new(object, "state", json_string(state_names[row->state]));
	(void)json_object_set_new(object, "source", json_string(source_names[row->source]));
	api_set_text(object, "reason", row->reason);
	(void)json_object_set_new(object, "ciphers", ciphers_json(row->capabilities));
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	if (cert_from_der(&cert, row->der, NULL) == 0)
		api_set_cert(object, cert);
	return object;
}

static int add_row(const struct store_contact_cert *row, void *context)
{
	(void)json_array_append_new(context, row_json(row));
	return 0;
}

static int list_certs(struct http_request *q, struct store_conn *c, struct span address, int state)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	return r ? r
		 : store_contact_cert_each(c, account.id, address, state, add_row,
			   api_answer_list(q, "certificates"));
}

int api_known_cert_list(struct http_request *q, struct store_conn *c)
{
	return list_certs(q, c, http_query(q, "address"), -1);
}

int api_waiting_cert_list(struct http_request *q, struct store_conn *c)
{
	return list_certs(q, c, (struct span){}, CERT_WAITING);
}

/* Looking up. */

json_t *api_recipient_json(const struct recipient_cert *found)
{
	json_t *object = json_object();

	api_set_text(object, "address", found->address);
	(void)json_object_set_new(object, "source",
		json_string(recipient_source_name(found->source)));
	(void)json_object_set_new(object, "taken_anyway", json_boolean(found->taken_anyway));
	(void)json_object_set_new(object, "waiting", json_boolean(found->waiting));
	(void)json_object_set_new(object, "ciphers", ciphers_json(found->capabilities));
	if (found->cert) {
		api_set_cert(object, found->cert);
		return object;
	}
	(void)json_object_set_new(object, "fault", json_string(recipient_fault_name(found->fault)));
	api_set_text(object, "reason", found->reason);
	return object;
}

int api_cert_lookup(struct http_request *q, struct store_conn *c)
{
	const json_t *list = json_object_get(q->json, "addresses"), *text;
	size_t n = json_array_size(list), i;
	struct span *addresses = arena_alloc(&q->arena, (n + 1) * sizeof *addresses);
	struct recipient_cert *found = arena_alloc(&q->arena, (n + 1) * sizeof *found);
	struct store_account account;
	json_t *answer;
	int r;

	(void)c;
	json_array_foreach(list, i, text)
	{
		addresses[i] = span_of(json_string_value(text), json_string_length(text));
		if (addresses[i].n == 0 || addresses[i].n > LIMIT_ADDRESS)
			return http_problem(q, 422, "addresses", "an address has 1 to %d octets",
				LIMIT_ADDRESS);
	}
	r = api_account_read(q, &account);
	if (r)
		return r;
	TRY(recipient_certs_find(q->env, &q->arena, account.id, addresses, n, found));
	answer = api_answer_list(q, "recipients");
	for (i = 0; i < n; i++)
		(void)json_array_append_new(answer, api_recipient_json(&found[i]));
	recipient_certs_done(found, n);
	return 0;
}

/* Taking. */

struct message_read {
	struct http_request *q;
	int64_t account;
	struct buf body;
	int64_t content;
	uint64_t size;
	int64_t received_us;
};

static int see_message(const struct store_message *m, void *context)
{
	struct message_read *k = context;

	k->content = m->content;
	k->size = m->size;
	k->received_us = m->received_us;
	return 0;
}

static int read_body(struct store_conn *c, struct message_read *k)
{
	uint64_t at = 0;

	buf_clear(&k->body);
	while (at < k->size) {
		TRY(store_content_read(c, k->content, at, CONTENT_INLINE, &k->body));
		if (buf_size(&k->body) <= at)
			break;
		at = buf_size(&k->body);
	}
	return 0;
}

static int read_message(struct store_conn *c, void *arg)
{
	struct message_read *k = arg;
	struct http_request *q = k->q;
	uint32_t uid = (uint32_t)json_integer_value(json_object_get(q->json, "uid"));
	struct shared_mailbox mailbox;
	int r = store_mailbox_reach(c, &q->arena, k->account, http_text(q, "mailbox"), ACL_READ,
		&mailbox);

	if (r)
		return http_store_problem(q, r, "mailbox", "mailbox", NULL);
	k->content = 0;
	TRY(store_messages(c, mailbox.box.id, &uid, 1, 0, see_message, k, NULL));
	if (!k->content)
		return http_problem(q, 404, "uid", "there is no such message");
	if (k->size > LIMIT_SMIME_MESSAGE)
		return http_problem(q, 422, "uid",
			"the message is larger than what is verified here");
	return read_body(c, k);
}

static int take_message(struct http_request *q, const struct store_account *account,
	struct contact_trust *trust, struct contact_take *take, struct why *why)
{
	struct message_read k = { .q = q, .account = account->id };
	int r = store_read(q->env->store, read_message, &k);

	if (!r)
		r = contact_take_message(q->env, trust, &q->arena, buf_span(&k.body), k.received_us,
			http_text(q, "anyway"), take, why);
	buf_done(&k.body);
	return r;
}

static int take_file(struct http_request *q, struct contact_trust *trust, struct contact_take *take,
	struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list certs = {};
	int r = api_file_certs(q, "certificate", &certs);

	return r ? r
		 : contact_take_file(trust, &q->arena, &certs, http_text(q, "address"),
			   http_text(q, "anyway"), take, why);
}

int api_cert_take_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(contact_trust_freep) struct contact_trust *trust = NULL;
	struct contact_take *take = ARENA_ALLOC(&q->arena, struct contact_take);
	bool from_message = json_object_get(q->json, "uid") != NULL;
	struct store_account account;
	struct why why = {};
	int r;

	(void)c;
	if (from_message == (http_text(q, "certificate").p != NULL) ||
		from_message != (http_text(q, "mailbox").p != NULL))
		return http_problem(q, 422, "certificate",
			"either a certificate, or a mailbox and the uid of a message");
	r = api_contact_trust(q, &account, &trust);
	if (r)
		return r;
	r = from_message ? take_message(q, &account, trust, take, &why)
			 : take_file(q, trust, take, &why);
	if (r == CONTACT_E_REFUSED)
		return http_problem(q, take->may_anyway ? 409 : 422,
			from_message ? "uid" : "certificate", "%s", why.text);
	q->prepared = take;
	return r;
}

static int take_write(struct http_request *q, struct store_conn *c, const struct contact_take *take)
{
	struct span book = http_text(q, "book");
	struct store_contact contact;
	struct store_contact_cert row;
	struct store_account account;
	enum cert_state state;
	uint8_t sha256[SHA256_OCTETS];
	struct why why = {};
	int64_t book_id = 0;
	int r = api_account(q, c, &account);

	if (!r && book.p)
		r = api_named_book(q, c, account.id, book, "book", &book_id);
	if (r)
		return r;
	r = contact_take_write(c, &q->arena, account.id, book_id, take, &contact, &state, &why);
	if (r == CONTACT_E_REFUSED)
		return http_problem(q, 409, NULL, "%s", why.text);
	TRY(r);
	TRY(api_contact_audit(q, c, &account, "contact.take", take->address));
	cert_fingerprint(take->cert, sha256);
	TRY(store_contact_cert_get(c, &q->arena, account.id, take->address,
		span_of(sha256, sizeof sha256), &row));
	q->status = state == CERT_WAITING ? 202 : 201;
	q->answer = row_json(&row);
	api_set_text(q->answer, "uid", contact.uid);
	api_set_text(q->answer, "name", contact.name);
	return 0;
}

int api_cert_take(struct http_request *q, struct store_conn *c)
{
	return take_write(q, c, q->prepared);
}

/* Deciding. */

struct waiting {
	struct http_request *q;
	struct span text;    /* the fingerprint */
	struct span address; /* may be empty, if only one waits with it */
	size_t n;
	struct store_account account;
	struct span found_address, sha256, der, chain;
	bool trusted;
};

static int see_waiting(const struct store_contact_cert *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct waiting *w = context;
	struct arena *a = &w->q->arena;

	if (cert_from_der(&cert, row->der, NULL) || !cert_has_fingerprint(cert, w->text))
		return 0;
	w->n++;
	w->found_address = arena_span(a, row->address);
	w->sha256 = arena_span(a, row->sha256);
	w->der = arena_span(a, row->der);
	w->chain = arena_span(a, row->chain);
	return 0;
}

static int find_waiting(struct store_conn *c, void *arg)
{
	struct waiting *w = arg;
	struct http_request *q = w->q;
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	w->n = 0;
	w->account = account;
	TRY(store_contact_cert_each(c, account.id, w->address, CERT_WAITING, see_waiting, w));
	if (w->n == 0)
		return http_problem(q, 404, "fingerprint", "no such certificate waits");
	if (w->n > 1)
		return http_problem(q, 422, "address",
			"it waits for several addresses: say for which");
	return 0;
}

int api_cert_decide_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(contact_trust_freep) struct contact_trust *trust = NULL;
	CLEANUP(cert_list_done) struct cert_list chain = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct waiting *w = ARENA_ALLOC(&q->arena, struct waiting);
	struct store_account account;
	struct why why = {};
	int r;

	(void)c;
	*w = (struct waiting){ .q = q, .text = q->params[1], .address = http_text(q, "address") };
	r = store_read(q->env->store, find_waiting, w);
	if (!r)
		r = api_contact_trust(q, &account, &trust);
	if (r)
		return r;
	TRY(cert_from_der(&cert, w->der, NULL));
	if (cert_list_from_der(&chain, w->chain, NULL))
		chain = (struct cert_list){};
	r = contact_trust_judge(trust, cert, &chain, &why);
	if (r < 0)
		return r;
	w->trusted = r == 0 && contact_cert_is_for(cert, w->found_address);
	q->prepared = w;
	return 0;
}

int api_cert_decide(struct http_request *q, struct store_conn *c)
{
	const struct waiting *w = q->prepared;
	bool accept = json_is_true(json_object_get(q->json, "accept"));
	struct store_contact_cert row;
	struct why why = {};
	int r = contact_decide(c, &q->arena, w->account.id, w->found_address, w->sha256, accept,
		w->trusted, &why);

	if (r)
		return http_store_problem(q, r, "certificate", "fingerprint", &why);
	TRY(api_contact_audit(q, c, &w->account, accept ? "contact.accept" : "contact.refuse",
		w->found_address));
	if (!accept) {
		q->status = 204;
		return 0;
	}
	TRY(store_contact_cert_get(c, &q->arena, w->account.id, w->found_address, w->sha256, &row));
	q->answer = row_json(&row);
	return 0;
}
