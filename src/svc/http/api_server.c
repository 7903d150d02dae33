/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The server itself: what it is doing, its log and audit record, its settings, its queue. */

#include "base/clock.h"
#include "base/log.h"
#include "keyd/client.h"
#include "net/address.h"
#include "store/audit.h"
#include "store/queue_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/http/api.h"
#include "svc/http/figures.h"

enum { LOG_LINES = 200, LOG_LINES_MAX = 4096, AUDIT_ROWS = 100, AUDIT_ROWS_MAX = 1000 };

static int add_domain_name(const struct store_domain *domain, void *context)
{
	(void)json_array_append_new(context, http_json_text(span_str(domain->name)));
	return 0;
}

static json_t *counters_of(struct env *e)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < COUNTERS; i++)
		api_set_number(object, figures[i].name, figure_value(e, i));
	return object;
}

static json_t *store_of_status(struct env *e)
{
	json_t *object = json_object();
	struct store_figures f;

	store_figures(e->store, &f);
	api_set_number(object, "commits", f.commits);
	api_set_number(object, "tasks", f.tasks);
	api_set_number(object, "queued", f.queued);
	api_set_number(object, "commit_us", f.commit_us);
	api_set_number(object, "file_octets", f.file_octets);
	return object;
}

/* The sums over all services. */
static json_t *connections_of(const struct http_options *o)
{
	json_t *object = json_object();

	for (size_t i = 0; i < n_conn_figures; i++) {
		unsigned long long sum = 0;

		for (size_t k = 0; k < o->n_ports; k++) {
			if (o->ports[k].counters && http_port_is_first(o, k))
				sum += conn_figure_value(&conn_figures[i], o->ports[k].counters);
		}
		api_set_number(object, conn_figures[i].member, sum);
	}
	return object;
}

static json_t *ports_of(const struct http_options *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->n_ports; i++) {
		if (!http_port_is_first(o, i))
			continue;
		(void)json_array_append_new(list, json_pack("{s:s, s:i}", "service",
			o->ports[i].service, "port", (int)o->ports[i].port));
	}
	return list;
}

int api_status(struct http_request *q, struct store_conn *c)
{
	struct env *e = q->env;
	json_t *domains = json_array();

	q->answer = json_object();
	api_set_text(q->answer, "version", SPAN(SIGNET_VERSION));
	api_set_text(q->answer, "hostname", span_str(e->hostname));
	(void)json_object_set_new(q->answer, "started", http_json_time(e->started_us));
	api_set_number(q->answer, "uptime_s", (uint64_t)(clock_now_us() - e->started_us) / 1000000);
	(void)json_object_set_new(q->answer, "domains", domains);
	(void)json_object_set_new(q->answer, "ports", ports_of(q->options));
	(void)json_object_set_new(q->answer, "keyd",
		json_pack("{s:b, s:b}", "domain", e->keyd && keyd_client_is_up(e->keyd), "user",
			e->keyd_user && keyd_client_is_up(e->keyd_user)));
	(void)json_object_set_new(q->answer, "store", store_of_status(e));
	(void)json_object_set_new(q->answer, "connections", connections_of(q->options));
	(void)json_object_set_new(q->answer, "counters", counters_of(e));
	return store_domain_each(c, add_domain_name, domains);
}

/* The last lines of a text, each ended by LF. */
static struct span last_lines(struct span text, uint64_t max)
{
	size_t start = text.n;

	for (uint64_t n = 0; start > 0; start--) {
		if (text.p[start - 1] == '\n' && n++ == max)
			break;
	}
	return span_skip(text, start);
}

/* Without "after", what is asked for is the newest. */
int api_log(struct http_request *q, struct store_conn *c)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span tag = http_query(q, "tag");
	bool newest = !http_query(q, "after").p;
	uint64_t after, max;
	struct span rest;
	json_t *lines;
	int r = http_query_number(q, "after", INT64_MAX, 0, &after);

	(void)c;
	if (!r)
		r = http_query_number(q, "max", LOG_LINES_MAX, LOG_LINES, &max);
	if (r)
		return r;
	after = log_read(after, tag.n ? arena_string(&q->arena, tag) : NULL,
		newest ? LOG_LINES_MAX : max, &text);
	lines = api_answer_list(q, "lines");
	api_set_number(q->answer, "last", after);
	rest = newest ? last_lines(buf_span(&text), max) : buf_span(&text);
	while (rest.n)
		(void)json_array_append_new(lines, http_json_text(span_cut(&rest, '\n')));
	return 0;
}

static int add_audit(int64_t time_us, struct span actor, struct span action, struct span target,
	struct span detail, void *context)
{
	json_t *row = json_object();

	(void)json_object_set_new(row, "time", http_json_time(time_us));
	api_set_text(row, "actor", actor);
	api_set_text(row, "action", action);
	api_set_text(row, "target", target);
	api_set_text(row, "detail", detail);
	(void)json_array_append_new(context, row);
	return 0;
}

int api_audit(struct http_request *q, struct store_conn *c)
{
	uint64_t max;
	int r = http_query_number(q, "max", AUDIT_ROWS_MAX, AUDIT_ROWS, &max);

	return r ? r : store_audit_each(c, max, add_audit, api_answer_list(q, "entries"));
}

json_t *api_setting_json(const struct conf_row *row, const void *settings)
{
	CLEANUP(buf_done) struct buf value = {};
	json_t *object = json_object();

	conf_print(row, settings, &value);
	api_set_text(object, "key", span_str(row->key));
	api_set_text(object, "value", buf_span(&value));
	api_set_text(object, "default", span_str(row->fallback));
	api_set_text(object, "unit", span_str(row->unit));
	api_set_text(object, "help", span_str(row->help));
	if (row->choices) {
		json_t *choices = json_array();

		for (size_t i = 0; row->choices[i]; i++)
			(void)json_array_append_new(choices, json_string(row->choices[i]));
		(void)json_object_set_new(object, "choices", choices);
	}
	return object;
}

int api_setting_list(struct http_request *q, struct store_conn *c)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(q->env->store);
	json_t *list = api_answer_list(q, "settings");

	(void)c;
	for (size_t i = 0; i < settings_n_rows; i++)
		(void)json_array_append_new(list, api_setting_json(&settings_rows[i], settings));
	return 0;
}

int api_setting_show(struct http_request *q, struct store_conn *c)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(q->env->store);
	const struct conf_row *row = conf_find(settings_rows, settings_n_rows, q->params[0]);

	(void)c;
	if (!row)
		return http_problem(q, 404, "key", "there is no such setting");
	q->answer = api_setting_json(row, settings);
	return 0;
}

/* What the store cannot judge: it does not know networks. */
static int check_setting(struct http_request *q, struct span key, struct span text)
{
	struct net_prefix_list list = {};

	if (!span_is(key, "proxies"))
		return 0;
	if (net_prefix_list_parse(text, &list))
		return http_problem(q, 422, "proxies", "proxies is a list of addresses and prefixes:"
			" 192.0.2.1, 2001:db8::/32");
	net_prefix_list_done(&list);
	return 0;
}

int api_setting_set(struct http_request *q, struct store_conn *c)
{
	const char *key;
	json_t *value;

	json_object_foreach(q->json, key, value) {
		struct span text = http_scalar(q, value);
		struct why why = {};
		int r = check_setting(q, span_str(key), text);

		if (r)
			return r;
		r = settings_write(c, span_str(key), text, &why);
		if (r == CONF_E_UNKNOWN)
			return http_problem(q, 422, key, "there is no such setting");
		if (r == CONF_E_VALUE)
			return http_problem(q, 422, key, "%s", why.text);
		if (r)
			return err_fold(r);
		TRY(http_audit(q, c, "setting.set", span_str(key),
			text.p ? text : SPAN("(default)")));
	}
	q->settings_changed = true;
	q->status = 204;
	return 0;
}

static int add_queue_row(const struct queue_row *row, void *context)
{
	json_t *object = json_object();

	api_set_number(object, "id", (uint64_t)row->id);
	api_set_text(object, "sender", row->sender);
	api_set_text(object, "recipient", row->recipient);
	api_set_text(object, "state", row->state == QUEUE_HELD ? SPAN("held") : SPAN("ready"));
	api_set_number(object, "attempts", row->attempts);
	(void)json_object_set_new(object, "created", http_json_time(row->created_us));
	(void)json_object_set_new(object, "next", http_json_time(row->next_us));
	(void)json_object_set_new(object, "expires", http_json_time(row->expires_us));
	api_set_text(object, "last_error", row->last_error);
	(void)json_array_append_new(context, object);
	return 0;
}

int api_queue_list(struct http_request *q, struct store_conn *c)
{
	return store_queue_each(c, add_queue_row, api_answer_list(q, "queue"));
}

static int queue_id(struct http_request *q, int64_t *ret_id)
{
	uint64_t id;

	if (!span_to_u64(q->params[0], INT64_MAX, &id))
		return http_problem(q, 404, "id", "there is no such entry in the queue");
	*ret_id = (int64_t)id;
	return 0;
}

int api_queue_set(struct http_request *q, struct store_conn *c)
{
	struct span state = http_text(q, "state");
	int64_t id;
	int r = queue_id(q, &id);

	if (r)
		return r;
	if (!span_is(state, "held") && !span_is(state, "ready"))
		return http_problem(q, 422, "state", "state is held or ready");
	r = store_queue_set_state(c, id, span_is(state, "held") ? QUEUE_HELD : QUEUE_READY);
	if (r)
		return http_store_problem(q, r, "entry in the queue", "id", NULL);
	q->status = 204;
	return http_audit(q, c, "queue.set", q->params[0], state);
}

int api_queue_remove(struct http_request *q, struct store_conn *c)
{
	int64_t id;
	int r = queue_id(q, &id);

	if (r)
		return r;
	r = store_queue_remove(c, id);
	if (r)
		return http_store_problem(q, r, "entry in the queue", "id", NULL);
	q->status = 204;
	return http_audit(q, c, "queue.remove", q->params[0], SPAN(""));
}
