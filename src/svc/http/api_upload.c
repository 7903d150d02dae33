/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Files for messages that an account composes, uploaded before: a body as it is, in the type that
 * it has, received into the store piece by piece. compose names them by their ids.
 */

#include "base/clock.h"
#include "store/store.h"
#include "svc/blobs.h"
#include "svc/env.h"
#include "svc/http/api_message.h"

_Static_assert((int)ROUTE_PIECE == (int)CONTENT_PIECE, "a piece of a body is one of the store's");

static int upload_problem(struct http_request *q, int r, const struct why *why)
{
	switch (r) {
	case BLOB_E_TOO_LARGE:
		return http_problem(q, 413, NULL, "%s", why->text);
	case BLOB_E_BUSY:
		http_header(q, "Retry-After", SPAN("5"));
		return http_problem(q, 429, NULL, "%s", why->text);
	case BLOB_E_TOO_MUCH:
	case BLOB_E_QUOTA:
		return http_problem(q, 409, NULL, "%s", why->text);
	case BLOB_E_GONE:
		return http_problem(q, 404, "upload",
			"there is no such upload: it was sent, removed, or has expired");
	default:
		return r;
	}
}

/* A page of another site can have these sent with the browser's password, unasked, as a form. */
static bool is_of_a_form(struct span type)
{
	struct span name = span_trim(span_head(type, span_find(type, ';')));

	return name.n == 0 || span_is_nocase(name, "application/x-www-form-urlencoded") ||
	       span_is_nocase(name, "multipart/form-data") || span_is_nocase(name, "text/plain");
}

static int begin(struct http_request *q, struct store_conn *c)
{
	struct span type = span_trim(http_field(q, "Content-Type"));
	struct store_account account;
	struct blob_upload *upload;
	struct why why = {};
	int r = api_account_read(q, &account);

	(void)c;
	if (r)
		return r;
	if (is_of_a_form(type) || type.n > LIMIT_NAME)
		return http_problem(q, 415, "Content-Type",
			"a file is uploaded as application/octet-stream or as its own type, but "
			"not as "
			"text/plain or what a form sends: compose can name another type");
	r = blob_upload_new(&upload, q->env, account.id, type, q->has_length ? q->length : 0, &why);
	if (r)
		return upload_problem(q, r, &why);
	q->prepared = upload;
	return 0;
}

static int take(struct http_request *q, struct store_conn *c)
{
	struct why why = {};
	int r = blob_upload_add(q->prepared, buf_span(&q->body), &why);

	(void)c;
	buf_wipe(&q->body);
	return r ? upload_problem(q, r, &why) : 0;
}

static void abandon(struct http_request *q)
{
	q->prepared = blob_upload_free(q->prepared);
}

const struct route_stream api_upload_stream = { begin, take, abandon };

static json_t *blob_json(const struct store_blob *blob)
{
	json_t *object = json_object();

	(void)json_object_set_new(object, "id", message_json_id(blob->id));
	api_set_text(object, "type", blob->type);
	api_set_number(object, "size", blob->size);
	(void)json_object_set_new(object, "expires", http_json_time(blob->expires_us));
	return object;
}

int api_upload_add(struct http_request *q, struct store_conn *c)
{
	struct store_blob blob;
	struct why why = {};
	int r = blob_upload_end(q->prepared, buf_span(&q->body), &blob, &why);

	(void)c;
	if (r)
		return upload_problem(q, r, &why);
	q->status = 201;
	q->answer = blob_json(&blob);
	q->prepared = blob_upload_free(q->prepared);
	return 0;
}

static int add_blob(const struct store_blob *blob, void *context)
{
	(void)json_array_append_new(context, blob_json(blob));
	return 0;
}

int api_upload_list(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	return store_blob_each(c, account.id, clock_now_us(), add_blob,
		api_answer_list(q, "uploads"));
}

int api_upload_remove(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	struct why why = {};
	int64_t id;
	int r = api_account_read(q, &account);

	(void)c;
	if (r)
		return r;
	r = message_read_id(q->params[1], &id) ? blob_remove(q->env, account.id, id) : BLOB_E_GONE;
	if (r)
		return upload_problem(q, r, &why);
	q->status = 204;
	return 0;
}
