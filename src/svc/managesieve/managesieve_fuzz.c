/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Whole ManageSieve sessions of alice, who is logged in by the first line given. The first octet
 * says how the input is cut; the rest is what the client sends. The session ends, the answers do
 * not depend on how the input was cut, and the scripts keep to their limits.
 */

#include "base/clock.h"
#include "base/log.h"
#include "store/rule_rows.h"
#include "svc/env_fixture.h"
#include "svc/managesieve/managesieve.h"
#include "svc/session_memory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct env_fixture *fixture;

static void close_all(void)
{
	env_fixture_close(fixture);
	env_fixture_free(fixture);
}

static void set_up(void)
{
	struct auth_identity who;

	log_set_stderr(false);
	fixture = env_fixture_new();
	(void)atexit(close_all);
	clock_set(1770091506000000, 1000000);
	env_fixture_open(fixture);
	env_fixture_set(fixture, "login_cache_s", "1d");
	if (auth_password(&fixture->env, &(struct auth_source){ .peer = SPAN("peer") },
		    SPAN("alice"), SPAN("wonderland"), &who))
		abort();
	limiter_set(fixture->env.login_failures, 1e-9, 0, 0);
}

static int forget(struct store_conn *c, void *arg)
{
	struct rule_owner owner = { RULE_ACCOUNT, fixture->store->account };
	CLEANUP(arena_done) struct arena arena = {};
	struct store_rule rule;
	char name[2] = "a";
	int r;

	(void)arg;
	TRY(store_rule_activate(c, owner, (struct span){}));
	for (; name[0] <= 'z'; name[0]++) {
		r = store_rule_get(c, &arena, owner, span_str(name), &rule);
		if (r == 0)
			TRY(store_rule_remove(c, owner, span_str(name)));
	}
	return 0;
}

/* How many are left. A write costs more than all else here, so there is none without need. */
static int64_t forget_all(void)
{
	static const char count[] = "SELECT count(*) FROM rule_script";

	if (fixture_number(fixture->store, count) == 0)
		return 0;
	if (store_write(fixture->env.store, forget, NULL))
		abort();
	return fixture_number(fixture->store, count);
}

static void run(struct span input, size_t step, struct buf *out)
{
	static const struct net_address peer = { .family = NET_IP4, .ip = { 127, 0, 0, 1 } };
	struct memory_session *m = memory_session_new(&managesieve_protocol, &fixture->env, &peer,
		true);

	memory_session_send(m, SPAN("AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHdvbmRlcmxhbmQ=\"\r\n"),
		1000);
	memory_session_send(m, input, step);
	memory_session_end(m);
	if (!memory_session_is_closed(m))
		abort();
	buf_add(out, buf_span(memory_session_output(m)));
	memory_session_free(m);
	if (fixture_number(fixture->store, "SELECT count(*) FROM rule_script") > RULES_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = {}, cut = {};
	struct span input = span_of(data, size);
	int64_t others;

	if (size < 1)
		return 0;
	if (!fixture)
		set_up();
	input = span_skip(input, 1);
	others = forget_all();
	run(input, input.n + 1, &whole);
	/* Scripts of longer names stay from one run to the next, and then the answers may differ.
	 */
	if (forget_all() != others || others)
		return 0;
	run(input, data[0] + 1u, &cut);
	if (!span_equal(buf_span(&whole), buf_span(&cut)))
		abort();
	return 0;
}
