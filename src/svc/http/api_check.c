/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* "Will clients accept it, and why not?": for each certificate in use, or for one that is named. */

#include "store/store.h"
#include "svc/cert_check.h"
#include "svc/env.h"
#include "svc/http/api_pki.h"
#include "svc/outgoing.h"

enum { CHECKED_MAX = 64 };

struct checked {
	struct http_request *q;
	struct pki_look_up l;
	size_t n;
	struct store_cert certs[CHECKED_MAX];
	struct store_key keys[CHECKED_MAX]; /* id 0: not here */
};

static int take_cert(const struct store_cert *cert, void *context)
{
	struct checked *k = context;
	struct span wanted = http_query(k->q, "certificate");
	struct arena *a = &k->q->arena;
	struct store_cert *copy;

	if (wanted.n ? !span_equal(cert->alias, wanted) : !cert->services.n)
		return 0;
	if (k->n == CHECKED_MAX)
		return 0;
	copy = &k->certs[k->n++];
	*copy = *cert;
	copy->alias = arena_span(a, cert->alias);
	copy->der = arena_span(a, cert->der);
	copy->chain = arena_span(a, cert->chain);
	copy->services = arena_span(a, cert->services);
	return 0;
}

static int read_checked(struct store_conn *c, void *arg)
{
	struct checked *k = arg;
	int r = pki_look_up_in(c, &k->l);

	k->n = 0;
	if (r)
		return r;
	TRY(store_cert_each(c, k->l.domain.id, take_cert, k));
	for (size_t i = 0; i < k->n; i++) {
		if (k->certs[i].key)
			TRY(store_key_get(c, &k->q->arena, k->certs[i].key, &k->keys[i]));
	}
	return 0;
}

static json_t *row_json(const struct store_cert *cert, const struct check_row *row)
{
	json_t *object = json_object();

	api_set_text(object, "certificate", cert ? cert->alias : SPAN(""));
	api_set_text(object, "check", span_str(row->check));
	api_set_text(object, "result", span_str(check_result_name(row->result)));
	api_set_text(object, "text", row->text);
	return object;
}

static void add_rows(json_t *list, const struct store_cert *cert, const struct check_list *l,
	enum check_result *worst)
{
	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(list, row_json(cert, &l->rows[i]));
	if (check_worst(l) > *worst)
		*worst = check_worst(l);
}

static void check_mode(const struct checked *k, struct check_list *l)
{
	if (k->l.domain.pki == PKI_DISABLED)
		check_add(l, "mode", CHECK_ERROR,
			"PKI is disabled for this domain: its certificates are not used"
			" (domain set %s pki=enabled)", k->l.domain.name);
	if (k->l.domain.pki == PKI_TEST)
		check_add(l, "mode", CHECK_WARNING,
			"the domain shows the test certificate, which no client trusts"
			" (domain set %s pki=enabled)", k->l.domain.name);
	if (!k->n)
		check_add(l, "certificate", CHECK_ERROR,
			"no certificate is in use: clients are shown the main domain's");
}

/* What rules for connections of ours name and is not there. */
static void check_outgoing(const struct checked *k, struct check_list *l)
{
	CLEANUP(outgoing_unrefp) struct outgoing *rules = outgoing_now(k->q->env);
	CLEANUP(buf_done) struct buf problems = {};
	struct span rest;

	outgoing_domain_warn(rules, k->l.domain.id, &problems);
	for (rest = buf_span(&problems); rest.n;) {
		struct span line = span_cut(&rest, '\n');

		check_add(l, "outgoing", CHECK_WARNING, "a rule shows other servers %.*s (outgoing list)",
			(int)line.n, (const char *)line.p);
	}
}

int api_check(struct http_request *q, struct store_conn *c)
{
	struct checked *k = ARENA_ALLOC(&q->arena, struct checked);
	struct check_list general = { .arena = &q->arena };
	enum check_result worst = CHECK_OK;
	json_t *list;
	int r;

	(void)c;
	*k = (struct checked){ .q = q, .l = { .q = q } };
	r = store_read(q->env->store, read_checked, k);
	if (r)
		return r;
	if (!k->n && http_query(q, "certificate").n)
		return http_problem(q, 404, "certificate", "the domain has no such certificate");
	list = api_answer_list(q, "checks");
	check_mode(k, &general);
	check_outgoing(k, &general);
	add_rows(list, NULL, &general, &worst);
	for (size_t i = 0; i < k->n; i++) {
		struct check_list rows = { .arena = &q->arena };
		const struct cert_check what = { .cert = &k->certs[i],
			.key = k->keys[i].id ? &k->keys[i] : NULL, .names = k->l.names,
			.n_names = k->l.n_names };

		TRY(cert_check(q->env, &what, &rows));
		add_rows(list, &k->certs[i], &rows, &worst);
	}
	api_set_text(q->answer, "domain", span_str(k->l.domain.name));
	api_set_text(q->answer, "result", span_str(check_result_name(worst)));
	return 0;
}
