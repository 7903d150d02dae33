/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Whole POP3 sessions of alice, who is logged in by the first line given. The first octet says
 * whether TLS is on from the start and whether STLS is possible, the second how the input is cut;
 * the rest is what the client sends behind her login. What must hold: the session ends; the answers
 * do not depend on how the input was cut (but where STLS is possible: it drops what was sent with
 * it); as many messages are gone afterwards as the answer to QUIT says.
 *
 * The failure limit is set to nothing after alice has logged in once: her right password passes by
 * the cache and every other one is refused without being hashed, so the fuzzer is not slowed down.
 */

#include "base/clock.h"
#include "base/log.h"
#include "svc/auth.h"
#include "svc/env_fixture.h"
#include "svc/pop3/pop3.h"
#include "svc/session_memory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RUNS_PER_STORE = 2000 };

static const char *const messages[] = {
	"Subject: a\r\n\r\n.\r\n..b\r\nc\r\n",
	"Subject: b\n\na\n.\nb",
	"",
};

enum { MESSAGES = sizeof messages / sizeof messages[0] };

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
	env_fixture_set(fixture, "login_cache_s", "1d");
	if (auth_password(&fixture->env, &(struct auth_source){ .peer = SPAN("peer") }, SPAN("alice"), SPAN("wonderland"), &who))
		abort();
	limiter_set(fixture->env.login_failures, 1e-9, 0, 0);
}

static int64_t count(void)
{
	return fixture_number(fixture->store, "SELECT count(*) FROM message");
}

static void set_up(void)
{
	static unsigned n_runs;

	if (n_runs++ % RUNS_PER_STORE == 0) {
		if (fixture) {
			env_fixture_close(fixture);
		} else {
			log_set_stderr(false);
			fixture = env_fixture_new();
			(void)atexit(close_all);
		}
		fresh_store();
	}
	for (int64_t n = count(); n < MESSAGES; n++)
		(void)fixture_deliver(fixture->store, fixture->store->inbox, span_str(messages[n]), 0);
}

/* The number in the goodbye, 0 if there is none. */
static int64_t removed_by(struct span output)
{
	struct span needle = SPAN("+OK goodbye, ");
	struct span rest = span_skip(output, span_find_span(output, needle));
	uint64_t n = 0;

	if (rest.n)
		(void)span_to_u64(span_head(span_skip(rest, needle.n),
			span_find(span_skip(rest, needle.n), ' ')), MESSAGES, &n);
	return (int64_t)n;
}

/* Returns how many messages are gone. */
static int64_t run(struct span input, bool tls, size_t step, struct buf *out)
{
	static const struct net_address peer = { .family = NET_IP4, .ip = { 127, 0, 0, 1 } };
	struct memory_session *m = memory_session_new(&pop3_protocol, &fixture->env, &peer, tls);
	int64_t before = count(), gone;

	memory_session_send(m, SPAN("AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=\r\n"), 1000);
	memory_session_send(m, input, step);
	memory_session_end(m);
	if (!memory_session_is_closed(m))
		abort();
	buf_add(out, buf_span(memory_session_output(m)));
	memory_session_free(m);
	gone = before - count();
	if (!span_starts(buf_span(out), SPAN("+OK ")) || removed_by(buf_span(out)) != gone)
		abort();
	return gone;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = {};
	CLEANUP(buf_done) struct buf cut = {};
	struct span input = span_of(data, size);
	bool tls, stls;
	int64_t gone;

	if (size < 2)
		return 0;
	set_up();
	tls = data[0] & 1;
	stls = data[0] & 2;
	fixture->env.tls = stls ? (struct tls_host *)fixture : NULL;
	input = span_skip(input, 2);
	gone = run(input, tls, input.n + 1, &whole);
	/* A message delivered anew has another UID: then only the first run says something. */
	if (gone)
		return 0;
	(void)run(input, tls, data[1] + 1u, &cut);
	if (!stls && !span_equal(buf_span(&whole), buf_span(&cut)))
		abort();
	return 0;
}
