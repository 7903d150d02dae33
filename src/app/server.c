/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The server process: joins the parts. The order is that of what needs what: confinement before any
 * thread, keys before TLS, the store before everybody; and backwards at the end: no new connections,
 * sessions drained, loops stopped, tasks run out, store closed.
 */

#include "app/server.h"

#include "app/control.h"
#include "app/first_start.h"
#include "app/housekeeping.h"
#include "app/link.h"
#include "app/ports.h"
#include "app/sandbox.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "keyd/client.h"
#include "keyd/provider.h"
#include "mime/word.h"
#include "mail/rule_cache.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/tls.h"
#include "smime/cert_cache.h"
#include "store/domain.h"
#include "store/key_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/acme.h"
#include "svc/ca_status.h"
#include "svc/conn.h"
#include "svc/domain_tls.h"
#include "svc/encryption.h"
#include "svc/env.h"
#include "svc/http/http.h"
#include "svc/imap/service.h"
#include "svc/outgoing.h"
#include "svc/managesieve/managesieve.h"
#include "svc/pop3/pop3.h"
#include "svc/revocation.h"
#include "svc/smtp/smtp.h"
#include "svc/staple.h"
#include "svc/tls_policies.h"
#include "svc/trust.h"
#include "svc/unlocked.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LOOPS_MAX = 64,
	POOL_QUEUE = 100000, /* more sessions than may wait at a time */
	BLOCKING_THREADS = 4,
	KEYD_WAIT_MS = 30000,
	DRAIN_MS = 10000,
	LIMITER_KEYS = 100000,
	MAIL_CERTS = 2000, /* certificates of mail that are kept read: 20 MB */
	FAILURES_S = 600, /* the window of login_failures_max */
	MMAP_THRESHOLD = 1 << 20,
};

struct server {
	/* From the command line */
	const char *data;
	const char *domain;
	const char *database;
	char *listeners; /* names of services, in the order of their descriptors */
	uid_t owner;
	bool has_hook;

	struct env env;
	struct link *link;
	struct pool *cpu;
	struct pool *blocking;
	struct housekeeping *housekeeping;
	char *hostname;
	size_t n_loops;
	struct loop *loops[LOOPS_MAX];
	struct admission *admission;
	struct tls_service *tls[SERVICES];
	struct smtp_service smtp[SERVICES];
	struct imap_service *imap;
	struct conn_service *conns[SERVICES];
	struct http *http;
	struct http_port_figure figures[BOUND_MAX];
	size_t n_figures;
	struct listener *bound[BOUND_MAX];
	size_t n_bound;
};

static int args_parse(struct server *s, int argc, char **argv)
{
	for (int i = 0; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--data") == 0)
			s->data = argv[i + 1];
		else if (strcmp(argv[i], "--domain") == 0)
			s->domain = argv[i + 1];
		else if (strcmp(argv[i], "--database") == 0)
			s->database = argv[i + 1];
		else if (strcmp(argv[i], "--listeners") == 0)
			s->listeners = argv[i + 1];
		else if (strcmp(argv[i], "--acme-hook") == 0)
			s->has_hook = true;
		else if (strcmp(argv[i], "--owner") == 0)
			s->owner = (uid_t)strtoul(argv[i + 1], NULL, 10);
	}
	return s->data && s->listeners ? 0 : err_fault(EINVAL, "arguments of the server");
}

static int confine(struct server *s)
{
	CLEANUP(alloc_freep) char *store = alloc_format("%s/store", s->data);
	CLEANUP(alloc_freep) char *run = alloc_format("%s/run", s->data);
	CLEANUP(alloc_freep) char *folder = NULL;
	struct sandbox sandbox = { .store = store, .run = run };
	bool landlock = false;

	if (s->database) {
		char *slash;

		folder = alloc_string(span_starts(span_str(s->database), SPAN("sqlite:")) ?
			s->database + strlen("sqlite:") : s->database);
		slash = strrchr(folder, '/');
		if (slash)
			*slash = 0;
		sandbox.database = slash ? folder : ".";
	}
	TRY(sandbox_enter(&sandbox, &landlock));
	if (!landlock)
		LOG(NULL, LOG_WARNING, "SERVER", "confinement.weaker",
			log_str("reason", "this kernel has no Landlock"));
	return 0;
}

static int ticket_key(void *context, int64_t epoch, uint8_t ret_key[static TLS_TICKET_KEY])
{
	struct server *s = context;

	_Static_assert((int)TLS_TICKET_KEY == (int)KEYD_TICKET_KEY, "keyd derives what TLS uses");
	/* One name for all domains: which domain a ticket is good for is in the session context. */
	return keyd_ticket_key(s->env.keyd, SPAN("tickets"), (uint64_t)epoch, ret_key);
}

static int read_hostname(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_domain domain;

	TRY(store_domain_main(c, &arena, &domain));
	*(char **)arg = alloc_string(domain.name);
	return 0;
}

static int set_importer(struct env *e, int *ret_fd)
{
	return link_importer(CONTAINER_OF(e, struct server, env)->link, ret_fd);
}

/* A name of a record is longer than a name by its prefix, which the supervisor's message has room
 * for. */
static bool hook_request(struct control_hook *request, const struct acme_hook_call *call)
{
	*request = (struct control_hook){ .clean = call->clean };
	if (strlen(call->domain) >= sizeof request->domain ||
		strlen(call->record) >= sizeof request->record ||
		strlen(call->value) >= sizeof request->value)
		return false;
	(void)strcpy(request->domain, call->domain);
	(void)strcpy(request->record, call->record);
	(void)strcpy(request->value, call->value);
	return true;
}

static int run_hook(struct env *e, const struct acme_hook_call *call, const atomic_bool *stop,
	struct why *why)
{
	struct control_hook_result result = {};
	struct control_hook request;

	if (!hook_request(&request, call)) {
		why_set(why, "the name %s is too long for a record", call->domain);
		return ACME_HOOK_E_FAILED;
	}
	TRY(link_hook(CONTAINER_OF(e, struct server, env)->link, &request, stop, &result));
	if (result.code == 0)
		return 0;
	if (result.code == CONTROL_HOOK_NOT_RUN)
		why_set(why, "the DNS program was not run: %s", result.text);
	else
		why_set(why, "the DNS program failed with %s %d: %s",
			result.code < 0 ? "signal" : "code", abs(result.code), result.text);
	return ACME_HOOK_E_FAILED;
}

static int start_keys(struct server *s)
{
	s->env.keyd = keyd_client_new(KEYD_DOMAIN);
	s->env.keyd_user = keyd_client_new(KEYD_USER);
	TRY(link_start(&s->link, CHILD_CONTROL, s->env.keyd, s->env.keyd_user));
	TRY(provider_load());
	TRY(link_wait_keyd(s->link, KEYD_WAIT_MS));
	return 0;
}

static int start_store(struct server *s, unsigned n_cpu, struct why *why)
{
	CLEANUP(alloc_freep) char *path = s->database ? alloc_string(s->database) :
		alloc_format("sqlite:%s/store/signet.db", s->data);

	return store_open(&s->env.store, path, n_cpu, why);
}

static void apply_connections(struct server *s, const struct settings *settings)
{
	struct net_prefix_list proxies = {};
	struct admission_limits limits = {
		.max_open = (uint32_t)settings->connections_max,
		.max_peer_open = (uint32_t)settings->peer_connections_max,
		.loopback_is_free = true,
	};

	if (net_prefix_list_parse(span_str(settings->proxies), &proxies))
		LOG(NULL, LOG_ERROR, "SERVER", "setting.unusable", log_str("key", "proxies"),
			log_str("value", settings->proxies));
	admission_set(s->admission, &limits, &proxies);
}

/* What the settings say about limits, for what comes from now on. */
static void apply_settings(void *context)
{
	struct server *s = context;
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(s->env.store);
	int r;

	apply_connections(s, settings);
	log_set_level((enum log_level)settings->log_level);
	limiter_set(s->env.login_failures, (double)settings->login_failures_max / FAILURES_S,
		(double)settings->login_failures_max, 0);
	limiter_set(s->env.login_accounts,
		(double)settings->login_failures_max * ENV_ACCOUNT_FAILURES / FAILURES_S,
		(double)settings->login_failures_max * ENV_ACCOUNT_FAILURES, 0);
	limiter_set(s->env.smtp_peer, (double)settings->smtp_peer_rate / 60,
		(double)settings->smtp_peer_rate, 0);
	limiter_set(s->env.smtp_account, (double)settings->smtp_account_rate / 60,
		(double)settings->smtp_account_rate, 0);
	r = revocation_load(&s->env);
	if (r)
		log_fault(NULL, "PKI", "crl.load", r);
}

/* What we show as a server, and what as a client. */
static int rebuild_tls(struct env *e)
{
	TRY(domain_tls_rebuild(e));
	return outgoing_load(e);
}

static int start_env(struct server *s, unsigned n_cpu)
{
	struct env *e = &s->env;

	TRY(pool_new(&s->cpu, "cpu", n_cpu, POOL_QUEUE, NULL, NULL, NULL));
	TRY(pool_new(&s->blocking, "blocking", BLOCKING_THREADS, POOL_QUEUE, NULL, NULL, NULL));
	e->cpu = pool_executor(s->cpu);
	e->blocking = pool_executor(s->blocking);
	e->auth = auth_new();
	e->rules = rule_cache_new();
	e->trusts = trusts_new(TRUST_BUNDLE);
	e->revocations = revocations_new(e);
	e->staples = staples_new(e);
	e->outgoings = outgoings_new();
	e->encryption = encryption_new(e);
	e->mail_certs = cert_cache_new(MAIL_CERTS);
	e->login_failures = limiter_new(1, 1, 0, LIMITER_KEYS);
	e->login_accounts = limiter_new(1, 1, 0, LIMITER_KEYS);
	e->secure_failures = limiter_new(1.0 / 60, ENV_SECURE_FAILURES, 0, ENV_SECURE_ACCOUNTS);
	e->secure_work = limiter_new(1, ENV_SECURE_WORK, 1, ENV_SECURE_ACCOUNTS);
	e->secure_imports = limiter_new(1.0 / 60, ENV_SECURE_IMPORTS, 1, ENV_SECURE_ACCOUNTS);
	e->unlocked = unlocked_new(e->keyd_user);
	e->smtp_peer = limiter_new(1, 1, 0, LIMITER_KEYS);
	e->smtp_account = limiter_new(1, 1, 0, LIMITER_KEYS);
	e->tls_rebuild = rebuild_tls;
	e->importer = set_importer;
	e->acme = acme_new(e);
	e->ca = ca_new(e);
	if (s->has_hook)
		e->acme_hook = run_hook;
	e->started_us = clock_now_us();
	s->admission = admission_new(&(struct admission_limits){}, NULL);
	apply_settings(s);
	settings_on_change(e->store, apply_settings, s);
	return 0;
}

static int start_tls(struct server *s)
{
	TRY(tls_host_new(&s->env.tls, ticket_key, s));
	TRY(tls_host_rotate(s->env.tls, clock_now_us()));
	s->env.domain_tls = domain_tls_new();
	TRY(domain_tls_renew_test(&s->env));
	TRY(rebuild_tls(&s->env));
	/* What is stored; responders are asked once the server runs. */
	TRY(staple_run_due(&s->env, false));
	return 0;
}

/* What speaks on a service's port. HTTP has its own way (svc/http). */
struct speaker {
	const struct session_protocol *protocol;
	enum smtp_kind smtp;
	const char *alpn[2]; /* RFC 7301's registry */
	enum cert_service cert;
};

static const struct speaker *speaker_of(enum service service)
{
	static const struct speaker speakers[SERVICES] = {
		[SERVICE_SMTP] = { &smtp_protocol, SMTP_MX, { NULL }, CERT_SMTP },
		[SERVICE_SUBMISSION] = { &smtp_protocol, SMTP_SUBMISSION, { NULL }, CERT_SMTP },
		[SERVICE_SUBMISSIONS] = { &smtp_protocol, SMTP_SUBMISSION, { NULL }, CERT_SMTP },
		[SERVICE_IMAP] = { &imap_protocol, 0, { "imap" }, CERT_IMAP },
		[SERVICE_IMAPS] = { &imap_protocol, 0, { "imap" }, CERT_IMAP },
		[SERVICE_POP3] = { &pop3_protocol, 0, { "pop3" }, CERT_POP3 },
		[SERVICE_POP3S] = { &pop3_protocol, 0, { "pop3" }, CERT_POP3 },
		/* Its certificate is the one for reading mail: there is no service of that name. */
		[SERVICE_MANAGESIEVE] = { &managesieve_protocol, 0, { "managesieve" }, CERT_IMAP },
		[SERVICE_HTTPS] = { NULL, 0, { "http/1.1" }, CERT_HTTP },
	};

	return &speakers[service];
}

static void *context_of(struct server *s, enum service service)
{
	const struct speaker *speaker = speaker_of(service);

	if (speaker->protocol == &imap_protocol)
		return s->imap;
	if (speaker->protocol == &pop3_protocol || speaker->protocol == &managesieve_protocol)
		return &s->env;
	s->smtp[service] = (struct smtp_service){ .env = &s->env, .kind = speaker->smtp };
	return &s->smtp[service];
}

/* What the metrics say about each port's connections. */
static void tell_counters(struct server *s)
{
	for (size_t i = 0; i < s->n_figures; i++) {
		struct http_port_figure *f = &s->figures[i];

		for (enum service service = 0; service < SERVICES; service++) {
			if (strcmp(f->service, services[service].name) != 0)
				continue;
			f->counters = s->conns[service] ?
				conn_service_counters(s->conns[service]) :
				http_port_counters(http_port(s->http, service == SERVICE_HTTPS ?
					HTTP_TLS : HTTP_PLAIN));
		}
	}
}

static int start_services(struct server *s)
{
	TRY(imap_new(&s->imap, &s->env));
	for (enum service service = 0; service < SERVICES; service++) {
		const struct speaker *speaker = speaker_of(service);

		if (!speaker->protocol && !services[service].tls)
			continue;
		s->tls[service] = tls_service_new(s->env.tls,
			speaker->alpn[0] ? speaker->alpn : NULL);
		tls_service_set(s->tls[service], speaker->cert,
			tls_listener_find(span_str(services[service].name)));
		if (!speaker->protocol)
			continue;
		s->conns[service] = conn_service_new(&(struct conn_options){
			.name = services[service].name, .protocol = speaker->protocol,
			.context = context_of(s, service), .tls = s->tls[service],
			.tls_first = services[service].tls, .cpu = s->env.cpu,
			.admission = s->admission }, s->loops, s->n_loops);
	}
	TRY(http_new(&s->http, &(struct http_options){ .env = &s->env, .loops = s->loops,
		.n_loops = s->n_loops, .tls = s->tls[SERVICE_HTTPS], .cpu = s->env.cpu,
		.admission = s->admission, .owner = s->owner, .ports = s->figures,
		.n_ports = s->n_figures }));
	tell_counters(s);
	return 0;
}

static bool service_find(struct span name, enum service *ret_service)
{
	for (enum service service = 0; service < SERVICES; service++) {
		if (span_is(name, services[service].name)) {
			*ret_service = service;
			return true;
		}
	}
	return false;
}

static int listen_on(struct server *s, int fd, enum service service)
{
	struct listener_options o = { .fd = fd, .loops = s->loops, .n_loops = s->n_loops,
		.admission = service == SERVICE_LOCAL ? NULL : s->admission,
		.accepted = conn_accepted, .refused = conn_refused, .context = s->conns[service] };

	if (!s->conns[service]) {
		o.accepted = http_accepted;
		o.refused = NULL;
		o.context = http_port(s->http, service == SERVICE_LOCAL ? HTTP_LOCAL :
			service == SERVICE_HTTPS ? HTTP_TLS : HTTP_PLAIN);
	}
	TRY(listener_new(&s->bound[s->n_bound], &o));
	s->n_bound++;
	return 0;
}

/* Once, however many addresses it is heard on. */
static void note_port(struct server *s, const char *service, const struct net_address *local)
{
	for (size_t i = 0; i < s->n_figures; i++) {
		if (strcmp(s->figures[i].service, service) == 0 && s->figures[i].port == local->port)
			return;
	}
	s->figures[s->n_figures++] = (struct http_port_figure){ .service = service,
		.port = local->port, .address = *local };
	if (strcmp(service, services[SERVICE_HTTP].name) == 0)
		s->env.http_port = local->port;
}

/* Before the services are made: they are told the ports. */
static int read_listeners(struct server *s)
{
	struct span names = span_str(s->listeners);

	for (int fd = CHILD_LISTENERS; names.n; fd++) {
		struct sockaddr_storage local = {};
		socklen_t size = sizeof local;
		struct net_address address;
		enum service service;

		if (!service_find(span_cut(&names, ','), &service))
			return err_fault(EINVAL, "unknown service");
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (getsockname(fd, (struct sockaddr *)&local, &size))
			return err_fault(errno, "getsockname");
		address = net_address_from((struct sockaddr *)&local, size);
		if (service != SERVICE_LOCAL)
			note_port(s, services[service].name, &address);
	}
	return 0;
}

static int start_listeners(struct server *s)
{
	struct span names = span_str(s->listeners);

	for (int fd = CHILD_LISTENERS; names.n; fd++) {
		enum service service;

		if (!service_find(span_cut(&names, ','), &service))
			return err_fault(EINVAL, "unknown service");
		TRY(listen_on(s, fd, service));
	}
	return 0;
}

static int start_loops(struct server *s)
{
	for (size_t i = 0; i < s->n_loops; i++)
		TRY(loop_new(&s->loops[i]));
	return 0;
}

static int run_loops(struct server *s)
{
	for (size_t i = 0; i < s->n_loops; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "loop-%u", (unsigned)i);
		TRY(loop_start(s->loops[i], name));
	}
	return 0;
}

/* Outcomes (> 0) need a person, and why says for what; faults may be over at the next start. */
static int start(struct server *s, struct why *why)
{
	long n_processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n_cpu = n_processors < 1 ? 1 : (unsigned)n_processors;
	int r;

	s->n_loops = n_cpu > LOOPS_MAX ? LOOPS_MAX : n_cpu;
	TRY(confine(s));
	TRY(start_keys(s));
	r = start_store(s, n_cpu, why);
	if (r)
		return r;
	TRY(start_env(s, n_cpu));
	r = first_start(&s->env, s->domain, why);
	if (r)
		return r;
	TRY(store_read(s->env.store, read_hostname, &s->hostname));
	s->env.hostname = s->hostname;
	TRY(start_tls(s));
	TRY(read_listeners(s));
	TRY(start_loops(s));
	TRY(start_services(s));
	TRY(start_listeners(s));
	TRY(run_loops(s));
	TRY(housekeeping_start(&s->housekeeping, &s->env));
	TRY(link_ready(s->link));
	return 0;
}

static void reload(struct server *s)
{
	int r = settings_reload(s->env.store);

	if (!r)
		r = rebuild_tls(&s->env);
	if (r)
		log_fault(NULL, "SERVER", "reload", r);
	else
		LOG(NULL, LOG_INFO, "SERVER", "reload", log_str("outcome", "done"));
}

/* Until it is time to end. */
static void serve(struct server *s, int signals)
{
	for (;;) {
		struct signalfd_siginfo info;
		struct pollfd fds[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = link_gone_fd(s->link), .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			return;
		if (!fds[0].revents || read(signals, &info, sizeof info) != sizeof info)
			continue;
		if (info.ssi_signo != SIGHUP)
			return;
		reload(s);
	}
}

/* What is left of the time to drain, but never nothing: a reply on its way gets out. */
static unsigned left_ms(int64_t due_ms)
{
	int64_t left = due_ms - clock_monotonic_ms();

	return left > 100 ? (unsigned)left : 100;
}

static void stop(struct server *s)
{
	int64_t due_ms = clock_monotonic_ms() + DRAIN_MS;

	for (size_t i = 0; i < s->n_bound; i++)
		listener_free(s->bound[i]);
	for (enum service service = 0; service < SERVICES; service++) {
		if (s->conns[service])
			conn_service_drain(s->conns[service], left_ms(due_ms));
	}
	/* Requests, too, may wait for a list, or for another server. */
	outgoing_stop(&s->env);
	revocation_stop(&s->env);
	staple_stop(&s->env);
	encryption_stop(&s->env);
	ca_stop(&s->env);
	http_drain(s->http, left_ms(due_ms));
	http_free(s->http); /* its workers use the store */
	housekeeping_stop(s->housekeeping);
	acme_free(s->env.acme);
	/* Tasks post to the loops, so these end last. */
	pool_free(s->cpu);
	pool_free(s->blocking);
	revocations_free(s->env.revocations);
	staples_free(s->env.staples);
	outgoings_free(s->env.outgoings);
	encryption_free(s->env.encryption);
	ca_free(s->env.ca);
	cert_cache_free(s->env.mail_certs);
	store_close(s->env.store);
	for (size_t i = 0; i < s->n_loops; i++)
		loop_free(s->loops[i]);
}

int server_main(int argc, char **argv)
{
	static struct server server;
	struct server *s = &server;
	struct why why = {};
	sigset_t signals;
	int fd, r;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Given back when freed: otherwise each thread that ever hashed a password keeps 19 MiB. But
	 * not what a session's buffers come and go in: naming one threshold fixes the other too. */
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	(void)mallopt(M_TRIM_THRESHOLD, 2 * MMAP_THRESHOLD);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	word_init();
	r = fd < 0 ? err_fault(errno, "signalfd") : args_parse(s, argc, argv);
	if (!r)
		r = start(s, &why);
	if (r) {
		if (r < 0)
			log_fault(NULL, "SERVER", "start", r);
		if (why.text[0])
			(void)fprintf(stderr, "signetd: %s\n", why.text);
		return r > 0 ? EXIT_REFUSED : EXIT_FAILURE;
	}
	LOG(NULL, LOG_INFO, "SERVER", "ready", log_str("domain", s->hostname),
		log_str("version", SIGNET_VERSION));
	serve(s, fd);
	stop(s);
	LOG(NULL, LOG_INFO, "SERVER", "ended");
	return 0;
}
