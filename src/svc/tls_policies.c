/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/tls_policies.h"

#include "base/log.h"
#include "base/map.h"
#include "net/tls_rules.h"
#include "store/tls_rows.h"

const char *const tls_listener_names[TLS_ON] = {
	[TLS_ON_SMTP] = "smtp", [TLS_ON_SUBMISSION] = "submission",
	[TLS_ON_SUBMISSIONS] = "submissions", [TLS_ON_IMAP] = "imap", [TLS_ON_IMAPS] = "imaps",
	[TLS_ON_POP3] = "pop3", [TLS_ON_POP3S] = "pop3s", [TLS_ON_HTTPS] = "https",
	[TLS_ON_MANAGESIEVE] = "managesieve",
};

_Static_assert((int)TLS_ON <= (int)TLS_LISTENERS, "directories have room for all listeners");

/* Texts are positions: the buffer moves while it grows. */
struct policy_value {
	int64_t domain;
	enum tls_listener listener;
	size_t key, n_key, value, n_value;
};

enum tls_listener tls_listener_find(struct span name)
{
	enum tls_listener l = 0;

	while (l < TLS_ON && !span_is(name, tls_listener_names[l]))
		l++;
	return l;
}

static int add_value(const struct store_tls_value *v, void *context)
{
	struct tls_policies *p = context;
	size_t at = buf_size(&p->texts);
	struct policy_value value = { .domain = v->domain,
		.listener = tls_listener_find(v->listener), .key = at, .n_key = v->key.n,
		.value = at + v->key.n, .n_value = v->value.n };

	/* A listener of another version's. */
	if (v->listener.n && value.listener == TLS_ON)
		return 0;
	buf_add(&p->texts, v->key);
	buf_add(&p->texts, v->value);
	buf_add(&p->values, span_of(&value, sizeof value));
	return 0;
}

int tls_policies_read(struct tls_policies *p, struct store_conn *c)
{
	buf_clear(&p->values);
	buf_clear(&p->texts);
	return store_tls_value_each(c, add_value, p);
}

void tls_policies_done(struct tls_policies *p)
{
	buf_done(&p->values);
	buf_done(&p->texts);
}

static const struct policy_value *values_of(const struct tls_policies *p, size_t *ret_n)
{
	*ret_n = buf_size(&p->values) / sizeof(struct policy_value);
	return (const void *)buf_span(&p->values).p;
}

/* It was valid when it was written: by a program that knew more. */
static void log_ignored(struct span key, const struct why *why)
{
	LOG(NULL, LOG_WARNING, "TLS", "tls.setting_ignored", log_span("key", key),
		log_str("why", why->text));
}

/* The values of one layer. */
static void lay(const struct tls_policies *p, int64_t domain, enum tls_listener listener,
	enum tls_source source, struct tls_policy *policy, enum tls_source *sources)
{
	struct span texts = buf_span(&p->texts);
	size_t n;
	const struct policy_value *values = values_of(p, &n);

	for (size_t i = 0; i < n; i++) {
		const struct policy_value *v = &values[i];
		struct span key = span_head(span_skip(texts, v->key), v->n_key);
		struct span value = span_head(span_skip(texts, v->value), v->n_value);
		const struct conf_row *row;
		struct why why;

		if (v->domain != domain || v->listener != listener)
			continue;
		if (tls_policy_set(policy, key, value, &why)) {
			log_ignored(key, &why);
			continue;
		}
		row = conf_find(tls_policy_rows, TLS_POLICY_ROWS, key);
		if (sources)
			sources[row - tls_policy_rows] = source;
	}
}

void tls_policies_resolve(const struct tls_policies *p, int64_t domain, enum tls_listener listener,
	struct tls_policy *ret_policy, enum tls_source *sources)
{
	for (size_t i = 0; sources && i < TLS_POLICY_ROWS; i++)
		sources[i] = TLS_FROM_DEFAULT;
	tls_policy_init(ret_policy);
	lay(p, 0, TLS_ON, TLS_FROM_SERVER, ret_policy, sources);
	if (listener != TLS_ON)
		lay(p, 0, listener, TLS_FROM_LISTENER, ret_policy, sources);
	if (domain)
		lay(p, domain, TLS_ON, TLS_FROM_DOMAIN, ret_policy, sources);
}

bool tls_policies_has_domain(const struct tls_policies *p, int64_t domain)
{
	size_t n;
	const struct policy_value *values = values_of(p, &n);

	for (size_t i = 0; i < n; i++) {
		if (values[i].domain == domain)
			return true;
	}
	return false;
}

bool tls_policies_has_listener(const struct tls_policies *p, enum tls_listener listener)
{
	size_t n;
	const struct policy_value *values = values_of(p, &n);

	for (size_t i = 0; i < n; i++) {
		if (values[i].domain == 0 && values[i].listener == listener)
			return true;
	}
	return false;
}

/* One combination, unless the same has been tried. */
static int check_one(const struct tls_policies *p, int64_t domain, enum tls_listener listener,
	struct map *tried, struct why *why)
{
	CLEANUP(tls_rules_unrefp) struct tls_rules *rules = NULL;
	CLEANUP(buf_done) struct buf text = {};
	struct tls_policy policy;
	struct why reason;
	int r = 0;

	tls_policies_resolve(p, domain, listener, &policy, NULL);
	tls_policy_print(&policy, &text);
	if (!map_get(tried, buf_span(&text))) {
		r = tls_rules_new(&rules, NULL, &policy, &reason);
		(void)map_put(tried, buf_span(&text), tried);
	}
	tls_policy_done(&policy);
	if (r == TLS_E_RULES)
		why_set(why, "%s%s%s", reason.text, listener == TLS_ON ? "" : "; this is what would hold"
			" for the listener ", listener == TLS_ON ? "" : tls_listener_names[listener]);
	return r == TLS_E_RULES ? TLS_POLICIES_E_REFUSED : r;
}

static int check_listeners(const struct tls_policies *p, int64_t domain, struct map *tried,
	struct why *why)
{
	int r = check_one(p, domain, TLS_ON, tried, why);

	for (enum tls_listener l = 0; l < TLS_ON && !r; l++) {
		if (tls_policies_has_listener(p, l))
			r = check_one(p, domain, l, tried, why);
	}
	return r;
}

int tls_policies_check(const struct tls_policies *p, struct why *why, int64_t *ret_domain)
{
	struct map tried = {};
	size_t n;
	const struct policy_value *values = values_of(p, &n);
	int64_t domain = 0;
	int r = check_listeners(p, 0, &tried, why);

	/* Values of one domain stand together. */
	for (size_t i = 0; i < n && !r; i++) {
		if (values[i].domain == domain)
			continue;
		domain = values[i].domain;
		r = check_listeners(p, domain, &tried, why);
	}
	map_done(&tried, NULL);
	if (r)
		*ret_domain = domain;
	return r;
}
