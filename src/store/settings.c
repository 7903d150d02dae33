/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The server's settings: the table, their values in the database, and the current snapshot. Readers
 * take a reference and never lock again; a change builds a whole new snapshot and swaps it in.
 */

#include "store/settings.h"

#include "base/alloc.h"
#include "base/log.h"
#include "store/conn.h"
#include "store/settings_box.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

static const char *const cleartext_words[] = { "never", "loopback", NULL };
static const char *const crl_fetch_words[] = { "never", "given", "named", NULL };
static const char *const crl_stale_words[] = { "ignore", "refuse", NULL };
static const char *const level_words[] = { "debug", "info", "warning", "error", NULL };

enum { DAY_S = 86400 };
#define OCTETS_MAX ((uint64_t)1 << 50)

#define ROW(field, kind, standard, low, high, of, help_text)                                       \
	{ .key = #field, .type = kind, .fallback = standard, .min = low, .max = high, .unit = of,  \
		.offset = offsetof(struct settings, field), .help = help_text }

/* RFC 3986 section 3: http or https, a host, perhaps a port and a path; what is behind it is ours. */
static bool is_web_url(struct span value, struct why *why)
{
	struct span rest = value, host, port;
	uint64_t number;
	bool good;

	if (!value.n)
		return true;
	good = span_starts_nocase(rest, SPAN("http://")) || span_starts_nocase(rest, SPAN("https://"));
	for (size_t i = 0; i < value.n; i++)
		good = good && value.p[i] > ' ' && value.p[i] < 0x7F &&
			!strchr("\"<>?#@\\^`{|}", value.p[i]);
	rest = span_skip(rest, good ? span_find_span(rest, SPAN("://")) + 3 : rest.n);
	port = span_cut(&rest, '/');
	host = span_starts(port, SPAN("[")) ? span_head(port, span_find(port, ']') + 1) :
					      span_head(port, span_find(port, ':'));
	port = span_skip(port, host.n);
	good = good && host.n && (host.p[0] != '[' || host.p[host.n - 1] == ']') &&
		(!port.n || (port.p[0] == ':' && span_to_u64(span_skip(port, 1), UINT16_MAX, &number) &&
				    number));
	if (!good)
		why_set(why, "it is http://HOST/PATH or https://HOST/PATH, since programs that check a"
			" certificate fetch from there");
	return good;
}

const struct conf_row settings_rows[] = {
	ROW(message_max, CONF_NUMBER, "50M", 65536, (uint64_t)1 << 30, "octets",
		"The largest message that is accepted."),
	ROW(account_quota, CONF_NUMBER, "0", 0, OCTETS_MAX, "octets",
		"What an account may store where neither it nor its domain says otherwise; 0: no "
		"limit."),
	/* RFC 5321 section 4.5.3.1.8: at least 100. */
	ROW(recipients_max, CONF_NUMBER, "1000", 100, 100000, "",
		"How many recipients one message may have."),
	/* RFC 5321 section 6.3: at least 100. */
	ROW(hops_max, CONF_NUMBER, "100", 100, 1000, "",
		"How many Received fields a message may have before a loop is assumed."),
	ROW(subaddress_separators, CONF_TEXT, "+", 0, 8, "",
		"Characters that end the account's name in an address: user+detail@example.org."),

	{ .key = "cleartext_login",
		.type = CONF_CHOICE,
		.fallback = "never",
		.choices = cleartext_words,
		.offset = offsetof(struct settings, cleartext_login),
		.help = "Whether a password may be sent without TLS: never, or from this "
			"machine." },
	ROW(login_cache_s, CONF_NUMBER, "5m", 0, DAY_S, "seconds",
		"How long a verified password is remembered; 0: not at all."),
	ROW(login_failures_max, CONF_NUMBER, "20", 1, 100000, "",
		"Failed logins from one address in ten minutes, of one account ten times as many; from "
		"this machine, of each account by itself."),
	ROW(http_session_s, CONF_NUMBER, "12h", 60, 30 * DAY_S, "seconds",
		"How long a login to the web interface lasts without use."),
	/* RFC 8620 section 6.1: at least an hour. */
	ROW(upload_keep_s, CONF_NUMBER, "12h", 3600, 7 * DAY_S, "seconds",
		"How long a file stays that was uploaded for a message and not sent; then it is "
		"erased."),

	ROW(connections_max, CONF_NUMBER, "20000", 10, 1000000, "",
		"Connections at a time in all."),
	ROW(peer_connections_max, CONF_NUMBER, "100", 1, 1000000, "",
		"Connections at a time of one address; this machine has no limit."),
	ROW(smtp_errors_max, CONF_NUMBER, "20", 1, 10000, "",
		"Errors in an SMTP session before it is closed."),
	ROW(smtp_peer_rate, CONF_NUMBER, "600", 1, 10000000, "",
		"Messages a minute from one address without login; this machine has no limit."),
	ROW(smtp_account_rate, CONF_NUMBER, "300", 1, 10000000, "",
		"Messages a minute from one account; this machine has no limit."),
	/* RFC 5321 section 4.5.3.2.7: at least 5 minutes. */
	ROW(smtp_timeout_s, CONF_NUMBER, "5m", 10, DAY_S, "seconds",
		"How long an SMTP session waits for a command."),
	/* RFC 9051 section 5.4: at least 30 minutes. */
	ROW(imap_timeout_s, CONF_NUMBER, "30m", 60, 7 * DAY_S, "seconds",
		"How long an IMAP session waits for a command."),
	/* RFC 1939 section 3: at least 10 minutes. */
	ROW(pop3_timeout_s, CONF_NUMBER, "10m", 10, DAY_S, "seconds",
		"How long a POP3 session waits for a command."),
	ROW(proxies, CONF_TEXT, "", 0, 4096, "",
		"Addresses and prefixes, a comma between, whose connections begin with a PROXY "
		"header."),

	{ .key = "crl_fetch",
		.type = CONF_CHOICE,
		.fallback = "given",
		.choices = crl_fetch_words,
		.offset = offsetof(struct settings, crl_fetch),
		.help = "Which revocation lists are fetched: never any, those whose URL an "
			"administrator has given, or also those that the certificates of users who "
			"log in have named." },
	{ .key = "crl_stale",
		.type = CONF_CHOICE,
		.fallback = "ignore",
		.choices = crl_stale_words,
		.offset = offsetof(struct settings, crl_stale),
		.help = "What a revocation list says of certificates it does not name once it is "
			"over: ignore lets them pass, refuse does not; those it names are revoked in "
			"either case." },
	ROW(ocsp_stapling, CONF_BOOL, "yes", 0, 0, "",
		"Whether responders are asked about the domains' own certificates, and what they say "
		"is shown in TLS handshakes."),
	ROW(fetch_private, CONF_BOOL, "no", 0, 0, "",
		"Whether revocation lists and responders may be at addresses that are not public."),

	/* CA/Browser Forum, S/MIME Baseline Requirements, section 6.3.2: at most 825 days. */
	ROW(ca_days, CONF_NUMBER, "397", 1, 825, "days",
		"How long the certificates are valid that a domain's authority issues for the mail of "
		"its users."),
	ROW(ca_client_auth, CONF_BOOL, "no", 0, 0, "",
		"Whether users may also log in with those certificates (clientAuth)."),
	{ .key = "ca_url",
		.type = CONF_TEXT,
		.fallback = "",
		.max = 200,
		.unit = "",
		.check = is_web_url,
		.offset = offsetof(struct settings, ca_url),
		.help = "Where others find /pki of this server, e.g. http://pki.example.org/pki, as it "
			"stands in those certificates; empty: by HTTP at the main domain's name." },

	{ .key = "log_level",
		.type = CONF_CHOICE,
		.fallback = "info",
		.choices = level_words,
		.offset = offsetof(struct settings, log_level),
		.help = "Lines below this level are not logged: debug, info, warning, error." },
};

const size_t settings_n_rows = sizeof settings_rows / sizeof settings_rows[0];

struct listener {
	void (*changed)(void *context);
	void *context;
};

struct settings_box {
	pthread_mutex_t lock;
	struct settings *current;
	struct listener *listeners;
	size_t n_listeners;
};

struct settings_box *settings_box_new(void)
{
	struct settings_box *box = ALLOC(struct settings_box);

	(void)pthread_mutex_init(&box->lock, NULL);
	return box;
}

struct settings_box *settings_box_free(struct settings_box *box)
{
	if (!box)
		return NULL;
	settings_unref(box->current);
	(void)pthread_mutex_destroy(&box->lock);
	free(box->listeners);
	free(box);
	return NULL;
}

struct settings *settings_get(struct store *s)
{
	struct settings_box *box = s->settings;
	struct settings *current;

	(void)pthread_mutex_lock(&box->lock);
	current = box->current;
	(void)__atomic_add_fetch(&current->refs, 1, __ATOMIC_RELAXED);
	(void)pthread_mutex_unlock(&box->lock);
	return current;
}

struct settings *settings_unref(struct settings *s)
{
	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	conf_done(settings_rows, settings_n_rows, s);
	free(s);
	return NULL;
}

static struct settings *settings_new(void)
{
	struct settings *s = ALLOC(struct settings);

	s->refs = 1;
	conf_defaults(settings_rows, settings_n_rows, s);
	return s;
}

static int settings_read(struct store_conn *c, struct settings *s)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db, "select key, value from setting where scope = $1",
		DB_ARGS(DB_SPAN(SPAN("server")))));
	while (db_next(q, &r)) {
		struct why why;

		/* It was valid when it was written: by a program with wider limits. */
		if (conf_set(settings_rows, settings_n_rows, s, db_blob(q, 0), db_blob(q, 1), &why))
			LOG(NULL, LOG_WARNING, "STORE", "setting.ignored",
				log_span("key", db_blob(q, 0)), log_str("why", why.text));
	}
	return r;
}

int settings_load(struct store_conn *c)
{
	CLEANUP(settings_unrefp) struct settings *s = settings_new();
	struct settings_box *box = c->store->settings;
	struct settings *old;

	TRY(settings_read(c, s));
	(void)pthread_mutex_lock(&box->lock);
	old = box->current;
	box->current = TAKE(s);
	(void)pthread_mutex_unlock(&box->lock);
	settings_unref(old);
	return 0;
}

int settings_write(struct store_conn *c, struct span key, struct span value, struct why *why)
{
	CLEANUP(settings_unrefp) struct settings *s = settings_new();
	int r;

	assert(c->writer);
	if (!conf_find(settings_rows, settings_n_rows, key) || value.p) {
		r = conf_set(settings_rows, settings_n_rows, s, key, value, why);
		if (r)
			return r;
	}
	conn_routes_changed(c);
	if (!value.p) {
		TRY(db_exec(c->db, NULL, "delete from setting where scope = $1 and key = $2",
			DB_ARGS(DB_SPAN(SPAN("server")), DB_SPAN(key))));
		return 0;
	}
	TRY(db_exec(c->db, NULL,
		"insert into setting (scope, key, value) values ($1, $2, $3)"
		" on conflict (scope, key) do update set value = excluded.value",
		DB_ARGS(DB_SPAN(SPAN("server")), DB_SPAN(key), DB_SPAN(value))));
	return 0;
}

static int load(struct store_conn *c, void *arg)
{
	(void)arg;
	return settings_load(c);
}

int settings_reload(struct store *s)
{
	struct settings_box *box = s->settings;

	TRY(store_read(s, load, NULL));
	/* Listeners are registered while the server starts, before anything can change. */
	for (size_t i = 0; i < box->n_listeners; i++)
		box->listeners[i].changed(box->listeners[i].context);
	return 0;
}

void settings_on_change(struct store *s, void (*changed)(void *context), void *context)
{
	struct settings_box *box = s->settings;

	box->listeners = alloc_array(box->listeners, box->n_listeners + 1, sizeof *box->listeners);
	box->listeners[box->n_listeners++] = (struct listener){ changed, context };
}
