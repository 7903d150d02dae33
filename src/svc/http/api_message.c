/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Messages of an account, for the account alone: the octets as they are stored, and what a
 * reader is shown, with encrypted layers open while the keys are unlocked in this web session. What
 * mail holds is hostile: parts go out as octets to be saved, text only as members of JSON.
 */

#include "svc/http/api_message.h"

#include "store/store.h"
#include "svc/env.h"
#include "svc/http/web_session.h"
#include "svc/mail_read.h"

#include <stdlib.h>

enum {
	TEXT_MAX = 1 << 20,  /* octets of a part that stand in an answer; longer ones are cut */
	TEXTS_MAX = 4 << 20, /* of all parts of one */
	PARTS_SHOWN = 500,
};

void message_asked_done(struct message_asked *k)
{
	secure_keys_done(&k->keys);
}

int message_asked_begin(struct http_request *q, struct message_asked *k)
{
	uint8_t session[WEB_SESSION_ID];
	struct span id = {};
	int r = 0;

	*k = (struct message_asked){ .q = q };
	k->r = api_account_read(q, &k->account);
	if (k->r)
		return k->r;
	if (q->login == HTTP_COOKIE) {
		web_session_id(q->token, session);
		id = span_of(session, sizeof session);
	}
	k->r = secure_mail_keys(q->env, id, k->account.id, &k->keys, &k->why);
	if (k->r == SECURE_E_LOCKED) {
		struct why ignored;

		r = secure_mail_locked_keys(q->env, k->account.id, &k->keys, &ignored);
	}
	return k->r < 0 ? k->r : r < 0 ? r : 0;
}

int message_asked_unlocked(struct http_request *q, struct message_asked *k)
{
	TRY(message_asked_begin(q, k));
	return k->r ? message_locked_problem(k) : 0;
}

int message_locked_problem(struct message_asked *k)
{
	return http_problem(k->q, 403, k->r == SECURE_E_OFF ? "smime" : "password", "%s",
		k->why.text);
}

bool message_read_id(struct span text, int64_t *ret_id)
{
	uint64_t id;

	if (text.n == 0 || text.p[0] == '0' || !span_to_u64(text, INT64_MAX, &id))
		return false;
	*ret_id = (int64_t)id;
	return true;
}

int message_asked_id(struct message_asked *k)
{
	if (message_read_id(k->q->params[1], &k->id))
		return 0;
	return http_problem(k->q, 404, "id", "there is no such message");
}

int message_problem(struct message_asked *k, int r)
{
	static const struct {
		unsigned status;
		const char *field, *text; /* NULL: why */
	} answers[] = {
		[STORED_E_NOT_FOUND] = { 404, "id", "there is no such message" },
		[STORED_E_ALREADY] = { 409, "id", NULL },
		[STORED_E_NO_CERT] = { 409, "smime", NULL },
		[STORED_E_LOCKED] = { 422, "id", NULL },
		[STORED_E_UNREADABLE] = { 422, "id", NULL },
		[STORED_E_TOO_LARGE] = { 422, "id", NULL },
		[STORED_E_CHANGED] = { 409, "id",
			"the message was changed or moved meanwhile: try again" },
	};
	const char *text;

	if (r <= 0)
		return r;
	text = answers[r].text;
	return http_problem(k->q, answers[r].status, answers[r].field, "%s",
		text ? text : k->why.text);
}

json_t *message_json_id(int64_t id)
{
	return json_sprintf("%lld", (long long)id);
}

static int begin_message(struct http_request *q, struct message_asked *k)
{
	TRY(message_asked_begin(q, k));
	return message_asked_id(k);
}

/* Whatever it is, a browser saves it. */
static void answer_octets(struct http_request *q, const char *type)
{
	q->status = 200;
	q->type = type;
	http_header(q, "Content-Disposition", SPAN("attachment"));
	http_header(q, "Cache-Control", SPAN("no-store"));
}

int api_message_octets(struct http_request *q, struct store_conn *c)
{
	CLEANUP(message_asked_done) struct message_asked k = {};
	struct store_message row;
	int r = begin_message(q, &k);

	(void)c;
	if (r)
		return r;
	r = stored_read(q->env, k.account.id, k.id, LIMIT_SMIME_MESSAGE, &q->out, &row);
	if (r == STORED_E_TOO_LARGE)
		why_set(&k.why, "the message is too large to be answered here: use IMAP");
	if (r)
		return message_problem(&k, r);
	answer_octets(q, "message/rfc822");
	return 0;
}

static void set_param(json_t *object, const char *member, const struct param *params, size_t n,
	const char *name)
{
	CLEANUP(buf_done) struct buf value = {};

	if (param_get(params, n, name, &value))
		api_set_text(object, member, buf_span(&value));
}

/* left: how many octets of text the answer still has room for. */
static json_t *part_json(const struct mail_read *m, const struct part *part, size_t *left)
{
	CLEANUP(buf_wipe) struct buf text = {};
	CLEANUP(buf_done) struct buf number = {};
	CLEANUP(buf_done) struct buf type = {};
	json_t *object = json_object();
	bool is_attached = span_is(part->disposition, "attachment");
	size_t size = part->end_offset - part->body_offset;
	size_t shown = size < TEXT_MAX ? size : TEXT_MAX;

	mail_part_add_number(m->parts, part, &number);
	buf_add(&type, part->type);
	buf_add_octet(&type, '/');
	buf_add(&type, part->subtype);
	api_set_text(object, "part", buf_span(&number));
	api_set_text(object, "type", buf_span(&type));
	api_set_number(object, "encoded_size", size);
	set_param(object, "name", part->params, part->n_params, "name");
	set_param(object, "name", part->disposition_params, part->n_disposition_params, "filename");
	if (part->id.n)
		api_set_text(object, "content_id", part->id);
	(void)json_object_set_new(object, "attachment", json_boolean(is_attached));
	if (is_attached || !span_is(part->type, "text"))
		return object;
	if (shown > *left)
		shown = *left;
	*left -= shown;
	mail_part_add(m, part, true, shown, &text);
	api_set_text(object, "text", buf_span(&text));
	(void)json_object_set_new(object, "cut", json_boolean(shown < size));
	return object;
}

static json_t *parts_json(const struct mail_read *m)
{
	json_t *array = json_array();
	size_t left = TEXTS_MAX;

	for (uint32_t i = 0; m->parts && i < m->parts->n && json_array_size(array) < PARTS_SHOWN;
		i++) {
		if (mail_part_counts(m->parts, &m->parts->parts[i]))
			(void)json_array_append_new(array,
				part_json(m, &m->parts->parts[i], &left));
	}
	return array;
}

static int read_message(struct message_asked *k, struct mail_read *ret_read)
{
	struct mail_reader who = {
		.account = k->account.id,
		.domain = k->account.domain,
		.keys = k->keys.keys,
		.n_keys = k->keys.n,
	};
	int r = mail_read(k->q->env, &who, k->id, ret_read, &k->why);

	return r ? message_problem(k, r) : 0;
}

int api_message_read(struct http_request *q, struct store_conn *c)
{
	CLEANUP(message_asked_done) struct message_asked k = {};
	CLEANUP(mail_read_done) struct mail_read m = {};
	CLEANUP(buf_wipe) struct buf report = {};
	int r = begin_message(q, &k);

	(void)c;
	if (!r)
		r = read_message(&k, &m);
	if (r)
		return r;
	smime_report_add_json(&m.result.report, &report);
	q->status = 200;
	q->answer = message_row_json(&m.row);
	(void)json_object_set_new(q->answer, "report",
		json_loadb((const char *)buf_span(&report).p, buf_size(&report), 0, NULL));
	(void)json_object_set_new(q->answer, "locked",
		json_boolean(smime_report_wants_key(&m.result.report)));
	(void)json_object_set_new(q->answer, "parts", parts_json(&m));
	http_header(q, "Cache-Control", SPAN("no-store"));
	return 0;
}

int api_message_part(struct http_request *q, struct store_conn *c)
{
	CLEANUP(message_asked_done) struct message_asked k = {};
	CLEANUP(mail_read_done) struct mail_read m = {};
	const struct part *part;
	int r = begin_message(q, &k);

	(void)c;
	if (!r)
		r = read_message(&k, &m);
	if (r)
		return r;
	if (m.result.report.status == SMIME_STATUS_LOCKED &&
		(k.r == SECURE_E_OFF || smime_report_wants_key(&m.result.report)))
		return message_locked_problem(&k);
	if (m.result.report.status == SMIME_STATUS_LOCKED)
		return http_problem(q, 422, "id",
			"the message was encrypted for others: no key of this account opens it");
	part = m.parts ? mail_part_find(m.parts, q->params[2]) : NULL;
	if (!part)
		return http_problem(q, 404, "part", "the message has no such part");
	mail_part_add(&m, part, false, SIZE_MAX, &q->out);
	answer_octets(q, "application/octet-stream");
	return 0;
}
