/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Whole SMTP sessions. The first octet chooses port and TLS, the second how the input is cut; the
 * rest is what the client sends. What must hold: every answer is a line with a code, the codes do
 * not depend on how the input was cut (but where STARTTLS is possible: it drops what was sent with
 * it), and a message was accepted for each 250 that says so.
 *
 * The failure limit is set to nothing after alice has logged in once: her right password passes by
 * the cache and every other one is refused without being hashed, so the fuzzer is not slowed down.
 */

#include "base/clock.h"
#include "base/log.h"
#include "svc/auth.h"
#include "svc/env_fixture.h"
#include "svc/session_memory.h"
#include "svc/smtp/smtp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RUNS_PER_STORE = 2000 };

static struct env_fixture *fixture;

static void close_all(void)
{
	env_fixture_close(fixture);
	env_fixture_free(fixture);
}

static void fresh_store(void)
{
	struct auth_identity who;

	clock_set(1770091506000000, 1000000);
	env_fixture_open(fixture);
	env_fixture_set(fixture, "message_max", "64k");
	env_fixture_set(fixture, "login_cache_s", "1d");
	env_fixture_set(fixture, "smtp_errors_max", "1000");
	limiter_set(fixture->env.smtp_peer, 0, 0, 0);
	limiter_set(fixture->env.smtp_account, 0, 0, 0);
	if (auth_password(&fixture->env, &(struct auth_source){ .peer = SPAN("peer") }, SPAN("alice"), SPAN("wonderland"), &who))
		abort();
	limiter_set(fixture->env.login_failures, 1e-9, 0, 0);
}

static void set_up(void)
{
	static unsigned n_runs;

	if (n_runs++ % RUNS_PER_STORE)
		return;
	if (fixture) {
		env_fixture_close(fixture);
	} else {
		log_set_stderr(false);
		fixture = env_fixture_new();
		(void)atexit(close_all);
	}
	fresh_store();
}

/* The codes of all lines; and how many messages were accepted. */
static unsigned codes(struct span output, struct buf *out)
{
	unsigned n_accepted = 0;

	while (output.n) {
		size_t end = span_find_span(output, SPAN("\r\n"));
		struct span line = span_head(output, end);

		if (end == output.n || line.n < 4 || line.p[0] < '2' || line.p[0] > '5')
			abort();
		buf_add(out, span_head(line, 4));
		n_accepted += span_starts(line, SPAN("250 2.0.0 accepted as "));
		output = span_skip(output, end + 2);
	}
	return n_accepted;
}

static void run(struct span input, enum smtp_kind kind, bool tls, size_t step, struct buf *out)
{
	static const struct net_address peer = { .family = NET_IP4, .ip = { 127, 0, 0, 1 } };
	struct smtp_service service = { .env = &fixture->env, .kind = kind };
	unsigned long long before = fixture->env.counters[COUNT_SMTP_ACCEPTED];
	struct memory_session *m = memory_session_new(&smtp_protocol, &service, &peer, tls);

	memory_session_send(m, input, step);
	memory_session_end(m);
	if (!memory_session_is_closed(m))
		abort();
	if (codes(buf_span(memory_session_output(m)), out) !=
		fixture->env.counters[COUNT_SMTP_ACCEPTED] - before)
		abort();
	memory_session_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = {};
	CLEANUP(buf_done) struct buf cut = {};
	struct span input = span_of(data, size);
	enum smtp_kind kind;
	bool tls, starttls;
	size_t step;

	if (size < 2)
		return 0;
	set_up();
	kind = data[0] & 1 ? SMTP_SUBMISSION : SMTP_MX;
	tls = data[0] & 2;
	starttls = data[0] & 4;
	fixture->env.tls = starttls ? (struct tls_host *)fixture : NULL;
	step = data[1] + 1u;
	input = span_skip(input, 2);
	run(input, kind, tls, input.n + 1, &whole);
	run(input, kind, tls, step, &cut);
	if (!starttls && !span_equal(buf_span(&whole), buf_span(&cut)))
		abort();
	return 0;
}
