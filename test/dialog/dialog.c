/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The in-memory runner of transcripts. A file is read into steps; a run goes through them with one
 * session for each connection, feeds input in pieces of the run's choice, and compares what comes
 * out with the patterns. Tasks may run on real threads: the runner waits for them, so that what
 * is compared never depends on time. The clock stands still unless the file moves it.
 */

#include "dialog/dialog.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "dialog/transcript.h"
#include "net/tls.h"
#include "svc/session_drive.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum {
	NAMES = 32,
	RANDOM_RUNS = 20,
	TASK_WAIT_S = 20,
	START_S = 1700000000,
};

/* How one run cuts the input. */
struct cut {
	const char *name;
	size_t max_piece; /* 0: all there is */
	bool at_random;
	bool runs_together; /* input goes on before the answer was looked at */
};

struct connection {
	struct session_carrier carrier;
	struct run *run;
	struct session *session;
	struct buf waiting; /* input that was not fed yet */
	struct buf output;
	struct tls_info info;
	bool is_tls;
	bool is_closed;
	bool has_eof;
};

struct run {
	struct dialog *dialog;
	const struct transcript *transcript;
	const struct cut *cut;
	const char *path;
	struct connection connections[CONNECTIONS];
	struct { char *name; struct buf value; } names[NAMES];
	size_t n_names;
	int64_t passed_ms;

	struct task_home home;
	pthread_mutex_t lock;
	pthread_cond_t came;
	struct list posted;
	bool has_failed;
};

static void __attribute__((format(printf, 3, 4))) run_fail(struct run *run, unsigned line,
	const char *format, ...)
{
	va_list ap;

	if (run->has_failed)
		return;
	run->has_failed = true;
	if (run->dialog->is_quiet)
		return;
	fprintf(stderr, "%s:%u: (%s) ", run->path, line, run->cut->name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void run_post(struct task_home *home, struct task *t)
{
	struct run *run = CONTAINER_OF(home, struct run, home);

	(void)pthread_mutex_lock(&run->lock);
	list_append(&run->posted, &t->link);
	(void)pthread_cond_signal(&run->came);
	(void)pthread_mutex_unlock(&run->lock);
}

static struct task *run_take_posted(struct run *run, bool may_wait)
{
	struct timespec until;
	struct task *t = NULL;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TASK_WAIT_S;
	(void)pthread_mutex_lock(&run->lock);
	while (may_wait && list_is_empty(&run->posted) && r == 0)
		r = pthread_cond_timedwait(&run->came, &run->lock, &until);
	if (!list_is_empty(&run->posted)) {
		t = CONTAINER_OF(run->posted.next, struct task, link);
		list_remove(&t->link);
	}
	(void)pthread_mutex_unlock(&run->lock);
	return t;
}

static void connection_on_step(struct session_carrier *carrier)
{
	(void)carrier; /* the runner steps all sessions after each task that came home */
}

static const struct tls_info *connection_tls(const struct session_carrier *carrier)
{
	const struct connection *c = CONTAINER_OF(carrier, struct connection, carrier);

	return c->is_tls ? &c->info : NULL;
}

static const char *connection_tls_domain(const struct session_carrier *carrier)
{
	const struct connection *c = CONTAINER_OF(carrier, struct connection, carrier);
	const char *domain = c->run->dialog->tls_domain;

	if (!c->is_tls)
		return NULL;
	return domain ? domain : "example.org";
}

static int connection_tls_binding(const struct session_carrier *carrier,
	uint8_t ret_binding[static 32])
{
	if (!connection_tls(carrier))
		return TLS_E_NO_BINDING;
	memset(ret_binding, 'b', 32);
	return 0;
}

static void connection_open(struct run *run, struct connection *c)
{
	struct dialog *d = run->dialog;

	c->run = run;
	c->is_tls = run->transcript->is_tls_first;
	c->info = (struct tls_info){ .version = "TLSv1.3", .cipher = "TLS_MEMORY",
		.client = run->transcript->is_certified ? d->client : NULL };
	c->carrier = (struct session_carrier){
		.home = &run->home,
		.step = connection_on_step,
		.tls = connection_tls,
		.tls_domain = connection_tls_domain,
		.tls_binding = connection_tls_binding,
		.peer = &d->peer,
		.local = &d->local,
		.service = d->service,
	};
	c->session = session_new(d->protocol, &c->carrier);
}

/* The next piece of input, as this run cuts it. */
static size_t connection_feed(struct connection *c)
{
	const struct cut *cut = c->run->cut;
	size_t n = buf_size(&c->waiting);

	if (cut->max_piece && n > cut->max_piece)
		n = cut->max_piece;
	if (cut->at_random && n)
		n = 1 + (size_t)rand() % n;
	if (n > SESSION_INPUT_MAX - buf_size(session_in(c->session)))
		n = SESSION_INPUT_MAX - buf_size(session_in(c->session));
	buf_add(session_in(c->session), span_head(buf_span(&c->waiting), n));
	buf_take(&c->waiting, n);
	return n;
}

/* Lets the session get on; true if that may have changed something. */
static bool connection_step(struct connection *c)
{
	bool taken = false;
	unsigned want;

	if (!c->session || c->is_closed)
		return false;
	want = session_step(c->session, 0);
	if (buf_size(session_out(c->session))) {
		buf_add(&c->output, buf_span(session_out(c->session)));
		buf_clear(session_out(c->session));
		taken = true;
	}
	if (want & SESSION_WANT_CLOSE) {
		c->is_closed = true;
		c->session = session_free(c->session);
		return false;
	}
	if (want & (SESSION_WANT_STEP | SESSION_WANT_COMPRESS))
		return true;
	if (want & SESSION_WANT_INPUT) {
		if (connection_feed(c))
			return true;
		if (c->has_eof) {
			c->has_eof = false;
			session_set_eof(c->session);
			return true;
		}
	}
	return taken;
}

/* Until nothing moves any more. */
static void run_settle(struct run *run, unsigned line)
{
	for (;;) {
		bool moved = false, waits = false;
		struct task *t;

		for (size_t i = 0; i < CONNECTIONS; i++) {
			moved |= connection_step(&run->connections[i]);
			waits |= run->connections[i].session &&
				session_waits(run->connections[i].session);
		}
		t = run_take_posted(run, waits && !moved);
		if (t)
			task_finish(t);
		else if (waits && !moved) {
			run_fail(run, line, "a task does not end");
			return;
		} else if (!moved) {
			return;
		}
	}
}

static struct buf *run_name(struct run *run, struct span name, bool *ret_is_new)
{
	CLEANUP(alloc_freep) char *key = span_to_string(name);

	*ret_is_new = false;
	for (size_t i = 0; i < run->n_names; i++) {
		if (strcmp(run->names[i].name, key) == 0)
			return &run->names[i].value;
	}
	if (run->n_names == NAMES)
		abort();
	*ret_is_new = true;
	run->names[run->n_names].name = TAKE(key);
	return &run->names[run->n_names++].value;
}

/* Takes one element off the text: an octet, or what a {repeat}, ${name} or escape stands for, put
 * into out. Returns whether it is a wildcard; *ret_name is set where that has a new name. */
static bool take_element(struct run *run, struct span *text, struct buf *out, bool is_pattern,
	struct buf **ret_name)
{
	struct span t = *text, inner;
	bool is_new = false;

	*ret_name = NULL;
	if (t.p[0] == '\\' && t.n >= 2) {
		static const char plain[] = "rnt\\*{$", meaning[] = "\r\n\t\\*{$";
		const char *at = strchr(plain, t.p[1]);

		if (t.p[1] == 'x' && t.n >= 4 && enc_hex_decode(out, span_of(t.p + 2, 2))) {
			*text = span_skip(t, 4);
			return false;
		}
		if (at && *at) {
			buf_add_octet(out, (uint8_t)meaning[at - plain]);
			*text = span_skip(t, 2);
			return false;
		}
	}
	if (span_starts(t, SPAN("{repeat "))) {
		uint64_t n;

		t = span_skip(t, 8);
		inner = span_cut(&t, '}');
		if (!span_to_u64(span_word(&inner), 100000000, &n))
			n = 0;
		while (n--)
			buf_add(out, inner);
		*text = t;
		return false;
	}
	if (span_starts(t, SPAN("${"))) {
		struct buf *value;

		t = span_skip(t, 2);
		inner = span_cut(&t, '}');
		value = run_name(run, inner, &is_new);
		*text = t;
		if (is_new && is_pattern) {
			*ret_name = value;
			return true;
		}
		buf_add(out, buf_span(value));
		return false;
	}
	*text = span_skip(t, 1);
	if (is_pattern && t.p[0] == '*')
		return true;
	buf_add_octet(out, t.p[0]);
	return false;
}

static bool matches(struct run *run, struct span pattern, struct span line)
{
	CLEANUP(buf_done) struct buf literal = {};
	struct buf *name = NULL;

	while (pattern.n) {
		if (!take_element(run, &pattern, &literal, true, &name)) {
			if (!span_starts(line, buf_span(&literal)))
				return false;
			line = span_skip(line, buf_size(&literal));
			buf_clear(&literal);
			continue;
		}
		for (size_t n = 0; n <= line.n; n++) {
			size_t n_names = run->n_names;

			if (matches(run, pattern, span_skip(line, n))) {
				if (name)
					buf_add(name, span_head(line, n));
				return true;
			}
			while (run->n_names > n_names) {
				run->n_names--;
				free(run->names[run->n_names].name);
				buf_done(&run->names[run->n_names].value);
			}
		}
		return false;
	}
	return line.n == 0;
}

static bool line_matches(struct run *run, struct span pattern, struct span line)
{
	/* IMAP's untagged mark. */
	if (span_starts(pattern, SPAN("* "))) {
		if (!span_starts(line, SPAN("* ")))
			return false;
		pattern = span_skip(pattern, 2);
		line = span_skip(line, 2);
	}
	return matches(run, pattern, line);
}

/* Takes a line off the output, without CRLF; false if there is no whole one. */
static bool take_line(struct connection *c, struct buf *ret_line)
{
	struct span out = buf_span(&c->output);
	size_t end = span_find_span(out, SPAN("\r\n"));

	buf_clear(ret_line);
	if (end >= out.n)
		return false;
	buf_add(ret_line, span_head(out, end));
	buf_take(&c->output, end + 2);
	return true;
}

static void check_line(struct run *run, struct connection *c, const struct step *step,
	bool may_skip)
{
	CLEANUP(buf_done) struct buf line = {};

	do {
		if (!take_line(c, &line)) {
			run_fail(run, step->line, "no answer, or not this one; expected: %.*s",
				(int)buf_size(&step->text),
				(const char *)buf_span(&step->text).p);
			return;
		}
		if (line_matches(run, buf_span(&step->text), buf_span(&line)))
			return;
	} while (may_skip);
	run_fail(run, step->line, "answer: %.*s\n  expected: %.*s", (int)buf_size(&line),
		(const char *)buf_span(&line).p, (int)buf_size(&step->text),
		(const char *)buf_span(&step->text).p);
}

static void check_octets(struct run *run, struct connection *c, const struct step *step)
{
	struct span want = buf_span(&step->text);

	if (!span_starts(buf_span(&c->output), want))
		run_fail(run, step->line, "other octets than expected");
	buf_take(&c->output, want.n);
}

static void queue_text(struct run *run, struct connection *c, const struct step *step)
{
	struct span text = buf_span(&step->text);
	struct buf *name;

	if (step->is_raw) {
		buf_add(&c->waiting, text);
		return;
	}
	while (text.n)
		(void)take_element(run, &text, &c->waiting, false, &name);
	if (step->add_crlf)
		buf_add_string(&c->waiting, "\r\n");
}

static bool uses_name(const struct step *step)
{
	return !step->is_raw && span_find_span(buf_span(&step->text), SPAN("${")) <
		buf_size(&step->text);
}

/* Queues what follows up to a step that needs the answers first. In runs that do not go together
 * that is the next one that is not input. */
static size_t run_send(struct run *run, size_t i, size_t *ret_sent)
{
	const struct transcript *t = run->transcript;
	bool together = run->cut->runs_together && !t->is_stepwise;
	size_t first = i;

	for (; i < t->n && t->steps[i].kind <= EXPECT_ANY; i++) {
		const struct step *step = &t->steps[i];

		if (step->kind != SEND && !together)
			break;
		if (step->kind != SEND)
			continue;
		if (uses_name(step) && i > first)
			break;
		if (step->connection != t->steps[first].connection)
			break;
		queue_text(run, &run->connections[step->connection], step);
		*ret_sent = i + 1;
	}
	return i;
}

static void run_set_clock(const struct run *run)
{
	clock_set(START_S * INT64_C(1000000) + run->passed_ms * 1000, START_S + run->passed_ms);
}

static void run_act(struct run *run, struct connection *c, const struct step *step)
{
	switch (step->kind) {
	case TLS:
		if (!c->session || !c->session->want_tls) {
			run_fail(run, step->line, "the server does not begin TLS");
			return;
		}
		c->is_tls = true;
		session_secured(c->session);
		break;
	case END_OF_INPUT:
		c->has_eof = true;
		break;
	case CLOSED:
		if (!c->is_closed)
			run_fail(run, step->line, "the server has not closed");
		break;
	case WAIT:
		run->passed_ms += (int64_t)step->number;
		run_set_clock(run);
		break;
	case WAKE:
		if (c->session)
			session_wake(session_waker(c->session));
		break;
	case STOP:
		if (c->session)
			session_stop(c->session);
		break;
	default:
		break;
	}
}

static void run_steps(struct run *run)
{
	const struct transcript *t = run->transcript;
	size_t sent = 0; /* steps before this are queued already */

	for (size_t i = 0; i < t->n && !run->has_failed; i++) {
		const struct step *step = &t->steps[i];
		struct connection *c = &run->connections[step->connection];

		if (!c->session && !c->is_closed) {
			connection_open(run, c);
			run_settle(run, step->line);
		}
		switch (step->kind) {
		case SEND:
			if (i < sent)
				break;
			(void)run_send(run, i, &sent);
			run_settle(run, step->line);
			break;
		case EXPECT:
			check_line(run, c, step, i > 0 && t->steps[i - 1].kind == EXPECT_ANY);
			break;
		case EXPECT_OCTETS:
			check_octets(run, c, step);
			break;
		case EXPECT_ANY:
			break;
		default:
			run_act(run, c, step);
			run_settle(run, step->line);
		}
	}
}

static void run_end(struct run *run)
{
	struct task *t;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &run->connections[i];
		bool waits = c->session && session_waits(c->session);

		if (buf_size(&c->output))
			run_fail(run, 0, "more answers than expected: %.*s", (int)buf_size(&c->output),
				(const char *)buf_span(&c->output).p);
		c->session = session_free(c->session);
		if (waits && (t = run_take_posted(run, true)))
			task_finish(t);
		buf_done(&c->waiting);
		buf_done(&c->output);
	}
	while ((t = run_take_posted(run, false)))
		task_finish(t);
	for (size_t i = 0; i < run->n_names; i++) {
		free(run->names[i].name);
		buf_done(&run->names[i].value);
	}
	(void)pthread_cond_destroy(&run->came);
	(void)pthread_mutex_destroy(&run->lock);
}

static bool run_once(struct dialog *d, const struct transcript *t, const char *path,
	const struct cut *cut)
{
	struct run run = { .dialog = d, .transcript = t, .path = path, .cut = cut,
		.home.post = run_post };

	(void)pthread_mutex_init(&run.lock, NULL);
	(void)pthread_cond_init(&run.came, NULL);
	list_init(&run.posted);
	run_set_clock(&run);
	if (d->begin && d->begin(d))
		run_fail(&run, 0, "no fresh state for the run");
	if (!run.has_failed)
		run_steps(&run);
	run_end(&run);
	if (d->end)
		d->end(d);
	clock_set(0, 0);
	return !run.has_failed;
}

unsigned dialog_run_file(struct dialog *d, const char *path)
{
	static const struct cut cuts[] = {
		{ "as it stands", 0, false, false },
		{ "all at once", 0, false, true },
		{ "octet by octet", 1, false, true },
	};
	CLEANUP(transcript_done) struct transcript t = {};
	unsigned n_failed = 0;

	if (transcript_read(&t, path))
		return 1;
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
		n_failed += !run_once(d, &t, path, &cuts[i]);
	for (unsigned seed = 1; seed <= RANDOM_RUNS && n_failed == 0; seed++) {
		char name[32];
		const struct cut cut = { name, 64, true, true };

		(void)snprintf(name, sizeof name, "random cuts, seed %u", seed);
		srand(seed);
		n_failed += !run_once(d, &t, path, &cut);
	}
	return n_failed;
}

static int is_dialog(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 7 && strcmp(entry->d_name + n - 7, ".dialog") == 0;
}

struct tally {
	unsigned n_run;
	unsigned n_failed;
};

static void run_path(struct dialog *d, const char *path, struct tally *tally)
{
	struct dirent **names = NULL;
	struct stat st;
	int n;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		n = scandir(path, &names, is_dialog, alphasort);
		for (int i = 0; i < n; i++) {
			CLEANUP(alloc_freep) char *below =
				alloc_format("%s/%s", path, names[i]->d_name);

			run_path(d, below, tally);
			free(names[i]);
		}
		free(names);
		return;
	}
	tally->n_run++;
	n = (int)dialog_run_file(d, path);
	tally->n_failed += n > 0;
	printf("%s %u - %s\n", n ? "not ok" : "ok", tally->n_run, path);
}

int dialog_main(struct dialog *d, int argc, char **argv)
{
	struct tally tally = {};

	log_set_stderr(false);
	for (int i = 1; i < argc; i++)
		run_path(d, argv[i], &tally);
	printf("1..%u\n", tally.n_run);
	return tally.n_failed || tally.n_run == 0;
}

static void executor_submit(struct executor *executor, struct task *t)
{
	struct dialog_executor *e = CONTAINER_OF(executor, struct dialog_executor, executor);

	t->result = t->run(t, e->worker);
	t->home->post(t->home, t);
}

void dialog_executor_init(struct dialog_executor *e, void *worker)
{
	*e = (struct dialog_executor){ { executor_submit }, worker };
}
