/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What handlers use of a request: its parts in decoded form, the words of a problem (RFC 9457), and
 * JSON values made from octets that may be anything.
 */

#include "svc/http/request.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "net/tls.h"
#include "store/audit.h"
#include "store/store.h"
#include "svc/http/budget.h"
#include "svc/http/moved.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct http_peer *http_peer_ref(struct http_peer *p)
{
	p->refs++;
	return p;
}

struct http_peer *http_peer_unref(struct http_peer *p)
{
	if (p && --p->refs == 0) {
		free(p->domain);
		free(p->sni);
		(void)tls_client_unref(p->client);
		free(p);
	}
	return NULL;
}

static struct span account_key(const struct http_request *q)
{
	return span_of(&q->reserved_for, sizeof q->reserved_for);
}

bool http_reserve(struct http_request *q, uint64_t octets)
{
	/* Who it is stays as it was when the right was proved. */
	if (q->n_of_account == 0)
		q->reserved_for = q->who.account;
	if (!budget_take(q->of_accounts, account_key(q), octets))
		return false;
	q->n_of_account += octets;
	return true;
}

void http_request_done(struct http_request *q)
{
	if (q->n_of_account)
		budget_give(q->of_accounts, account_key(q), q->n_of_account);
	moved_done(q);
	json_decref(q->json);
	json_decref(q->answer);
	buf_wipe(&q->body);
	buf_done(&q->out);
	if (q->shared.p)
		q->release(q->owner);
	http_peer_unref(q->peer);
	arena_done(&q->arena);
}

int http_problem(struct http_request *q, unsigned status, const char *field, const char *format,
	...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(q->problem.text, sizeof q->problem.text, format, ap);
	va_end(ap);
	(void)snprintf(q->problem_field, sizeof q->problem_field, "%s", field ? field : "");
	return (int)status;
}

int http_store_problem(struct http_request *q, int r, const char *what, const char *field,
	const struct why *why)
{
	const char *text = why && why->text[0] ? why->text : NULL;

	switch (r) {
	case STORE_E_NOT_FOUND:
		return http_problem(q, 404, field, "there is no such %s", what);
	case STORE_E_EXISTS:
		return http_problem(q, 409, field, "this %s exists already", what);
	case STORE_E_IN_USE:
		return http_problem(q, 409, field, "this %s is still in use", what);
	case STORE_E_QUOTA:
	case STORE_E_LIMIT:
		return http_problem(q, 409, field, "%s", text ? text : "a limit is reached");
	case STORE_E_RIGHTS:
		return http_problem(q, 403, field, "%s",
			text ? text : "this takes a right that you do not have");
	case STORE_E_REFUSED:
		return http_problem(q, 422, field, "%s", text ? text : "this is not possible here");
	default:
		return err_fold(r);
	}
}

struct span http_field(const struct http_request *q, const char *name)
{
	for (size_t i = 0; i < q->n_fields; i++) {
		if (span_is_nocase(q->fields[i].name, name))
			return q->fields[i].value;
	}
	return (struct span){};
}

void http_header(struct http_request *q, const char *name, struct span value)
{
	if (q->n_headers == sizeof q->headers / sizeof q->headers[0])
		abort();
	q->headers[q->n_headers++] = (struct http_pair){ span_str(name),
		arena_span(&q->arena, value) };
}

static int digit_of(uint8_t c)
{
	if (octet_is_digit(c))
		return c - '0';
	c = octet_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_decode(struct arena *a, struct span text, struct span *ret_text)
{
	uint8_t *out = arena_alloc(a, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '%') {
			int high = i + 2 < text.n ? digit_of(text.p[i + 1]) : -1;
			int low = i + 2 < text.n ? digit_of(text.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (c < ' ' || c == 0x7F)
			return false;
		out[n++] = c;
	}
	if (!span_is_utf8(span_of(out, n)))
		return false;
	*ret_text = span_of(out, n);
	return true;
}

struct span http_query(struct http_request *q, const char *name)
{
	struct span rest = q->query;

	while (rest.n) {
		struct span value = span_cut(&rest, '&');
		struct span key = span_cut(&value, '=');
		struct span decoded;

		if (span_is(key, name) && http_decode(&q->arena, value, &decoded))
			return decoded;
	}
	return (struct span){};
}

/* Which of the names it is; -1: none. */
static int query_index(const char *names, struct span name)
{
	struct span rest = span_str(names);

	for (int i = 0; rest.n; i++) {
		if (span_equal(span_cut(&rest, ' '), name))
			return i;
	}
	return -1;
}

int http_query_check(struct http_request *q, const char *names)
{
	struct span rest = q->query;
	unsigned seen = 0;

	while (rest.n) {
		struct span value = span_cut(&rest, '&');
		struct span key = span_cut(&value, '=');
		const char *name;
		int i;

		if (!http_decode(&q->arena, key, &key) || !http_decode(&q->arena, value, &value))
			return http_problem(q, 400, NULL, "the query is not UTF-8 with %%XX for octets");
		name = arena_string(&q->arena, key);
		i = query_index(names, key);
		if (i < 0)
			return http_problem(q, 400, name, "this request has no parameter \"%s\"", name);
		if (seen & 1U << i)
			return http_problem(q, 400, name, "%s is there twice", name);
		seen |= 1U << i;
	}
	return 0;
}

int http_query_number(struct http_request *q, const char *name, uint64_t max, uint64_t fallback,
	uint64_t *ret_value)
{
	struct span text = http_query(q, name);

	*ret_value = fallback;
	if (!text.p || span_to_u64(text, max, ret_value))
		return 0;
	return http_problem(q, 400, name, "%s is a number of at most %llu", name,
		(unsigned long long)max);
}

struct span http_text(const struct http_request *q, const char *member)
{
	const json_t *value = json_object_get(q->json, member);

	return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value))
				     : (struct span){};
}

struct span http_scalar(struct http_request *q, const json_t *value)
{
	char number[24];

	if (json_is_string(value))
		return span_of(json_string_value(value), json_string_length(value));
	if (json_is_boolean(value))
		return json_is_true(value) ? SPAN("yes") : SPAN("no");
	if (!json_is_integer(value))
		return (struct span){};
	(void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	return arena_span(&q->arena, span_str(number));
}

json_t *http_json_text(struct span text)
{
	json_t *value = json_stringn(text.n ? (const char *)text.p : "", text.n);
	char *copy;

	if (value)
		return value;
	copy = alloc_zero(text.n + 1);
	for (size_t i = 0; i < text.n; i++)
		copy[i] = text.p[i] < 0x80 ? (char)text.p[i] : '?';
	value = json_stringn(copy, text.n);
	free(copy);
	return value;
}

json_t *http_json_time(int64_t time_us)
{
	CLEANUP(buf_done) struct buf text = {};

	if (time_us == 0)
		return json_null();
	clock_add_rfc3339(&text, time_us);
	return http_json_text(buf_span(&text));
}

struct span http_actor(const struct http_request *q)
{
	return span_str(q->who.address);
}

int http_audit(struct http_request *q, struct store_conn *c, const char *action,
	struct span target, struct span detail)
{
	return store_audit(c, http_actor(q), action, target, detail);
}

bool http_port_is_first(const struct http_options *o, size_t port)
{
	for (size_t i = 0; i < port; i++) {
		if (strcmp(o->ports[i].service, o->ports[port].service) == 0)
			return false;
	}
	return true;
}

bool http_is_admin(const struct http_request *q)
{
	return q->login != HTTP_NOBODY && q->who.role == ROLE_ADMIN;
}
