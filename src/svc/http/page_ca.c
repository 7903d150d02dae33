/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What authorities offer to everybody, by plain HTTP too: it is signed, and whoever checks a certificate
 * cannot check another one first. A path without an authority's label means the domain's present one;
 * certificates name the one with it, which stays when the domain gets another authority, or goes.
 */

#include "base/clock.h"
#include "base/enc.h"
#include "pki/responder.h"
#include "store/ca_rows.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_status.h"
#include "svc/env.h"
#include "svc/http/route.h"

enum { FRESH_S = 3600 };

struct page_search {
	struct http_request *q;
	struct span domain, label; /* label empty: the present one of the domain */
	struct store_authority row;
};

static int find(struct store_conn *c, void *arg)
{
	struct page_search *s = arg;
	struct arena *a = &s->q->arena;
	struct store_domain domain;
	struct why why = {};
	int r;

	if (s->label.n)
		return store_authority_by_label(c, a, s->label, &s->row);
	r = store_domain_find(c, a, s->domain, &domain);
	return r ? r : ca_find(c, a, &domain, &s->row, &why);
}

static int find_authority(struct http_request *q, bool has_label, struct store_authority *ret_row)
{
	struct page_search s = { .q = q, .domain = q->params[0],
		.label = has_label ? q->params[1] : SPAN("") };
	int r = store_read(q->env->store, find, &s);

	if (r > 0)
		return http_problem(q, 404, NULL, "there is no such authority");
	*ret_row = s.row;
	return r;
}

static void add_caching(struct http_request *q, int64_t from_us, int64_t until_us)
{
	CLEANUP(buf_done) struct buf control = {}, date = {};
	int64_t left_s = (until_us - clock_now_us()) / 1000000;

	if (left_s > FRESH_S)
		left_s = FRESH_S;
	if (left_s <= 0) {
		http_header(q, "Cache-Control", SPAN("no-store"));
		return;
	}
	/* RFC 5019 section 6.2; an hour at most, so that revocations come through. */
	buf_add_format(&control, "max-age=%lld, public, no-transform, must-revalidate",
		(long long)left_s);
	http_header(q, "Cache-Control", buf_span(&control));
	if (!from_us)
		return;
	clock_add_http(&date, from_us);
	http_header(q, "Last-Modified", buf_span(&date));
}

static int answer_cert(struct http_request *q, bool has_label)
{
	struct store_authority row;
	int r = find_authority(q, has_label, &row);

	if (r)
		return r;
	q->type = "application/pkix-cert"; /* RFC 2585 section 4.1 */
	http_header(q, "Content-Disposition", SPAN("attachment; filename=\"ca.cer\""));
	add_caching(q, 0, INT64_MAX);
	buf_add(&q->out, row.der);
	return 0;
}

int page_ca_cert(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return answer_cert(q, false);
}

int page_ca_label_cert(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return answer_cert(q, true);
}

/* RFC 9110 section 13.1.2: one of the tags, or any. */
static bool has_already(struct http_request *q, struct span tag)
{
	struct span rest = http_field(q, "If-None-Match");

	while (rest.n) {
		struct span one = span_trim(span_cut(&rest, ','));

		if (span_is(one, "*"))
			return true;
		if (span_starts(one, SPAN("W/")))
			one = span_skip(one, 2);
		if (span_equal(one, tag))
			return true;
	}
	return false;
}

static void release_list(void *owner)
{
	(void)ca_list_unref(owner);
}

static int answer_list(struct http_request *q, bool has_label)
{
	CLEANUP(ca_list_unrefp) struct ca_list *list = NULL;
	CLEANUP(buf_done) struct buf tag = {};
	struct store_authority row;
	int r = find_authority(q, has_label, &row);

	if (!r)
		r = row.id ? ca_list_newest(q->env, row.id, &list) : CA_STATUS_E_NONE;
	if (r == CA_STATUS_E_NONE)
		return http_problem(q, 404, NULL, "this authority has no revocation list");
	if (r)
		return r;
	add_caching(q, list->this_update_us, list->next_update_us);
	/* Two lists may be of one second: their numbers differ. */
	buf_add_format(&tag, "\"%lld-%lld\"", (long long)list->authority, (long long)list->number);
	http_header(q, "ETag", buf_span(&tag));
	if (has_already(q, buf_span(&tag))) {
		q->status = 304;
		return 0;
	}
	q->type = "application/pkix-crl"; /* RFC 2585 section 4.2 */
	q->shared = list->der;
	q->release = release_list;
	q->owner = TAKE(list);
	return 0;
}

int page_ca_list(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return answer_list(q, false);
}

int page_ca_label_list(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return answer_list(q, true);
}

static int answer_question(struct http_request *q, struct span label, struct span request)
{
	struct ca_question question = { .domain = q->params[0], .label = label, .request = request };
	int64_t until_us = 0;

	TRY(ca_answer(q->env, &question, &q->out, &until_us));
	q->type = "application/ocsp-response"; /* RFC 6960 appendix A.2 */
	add_caching(q, 0, until_us);
	return 0;
}

/* RFC 6960 appendix A.1. */
static int post(struct http_request *q, struct span label)
{
	struct span type = http_field(q, "Content-Type");

	type = span_trim(span_head(type, span_find(type, ';')));
	if (!span_is_nocase(type, "application/ocsp-request"))
		return http_problem(q, 415, "Content-Type",
			"a question about a certificate is application/ocsp-request");
	return answer_question(q, label, buf_span(&q->body));
}

int page_ocsp_post(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return post(q, SPAN(""));
}

int page_ocsp_label_post(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return post(q, q->params[1]);
}

/* What is not base64 is malformed, as the responder says in its own way. */
static int get(struct http_request *q, struct span label, struct span text)
{
	CLEANUP(buf_done) struct buf der = {};

	if (text.n > 2 * RESPONDER_REQUEST_MAX || !enc_base64_decode(&der, text))
		buf_clear(&der);
	return answer_question(q, label, buf_span(&der));
}

int page_ocsp_get(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return get(q, SPAN(""), q->params[1]);
}

int page_ocsp_label_get(struct http_request *q, struct store_conn *c)
{
	(void)c;
	return get(q, q->params[1], q->params[2]);
}
