/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The names whose mail may go elsewhere with that of another. */

#include "store/route_back.h"

#include "base/test.h"
#include "store/domain.h"
#include "store/fixture.h"

#include <stdlib.h>

struct made {
	struct fixture *f;
	int64_t other;
};

static int add_alias(struct store_conn *c, int64_t domain, const char *local, const char *target)
{
	struct span one = span_str(target);

	return store_alias_add(c, domain, span_str(local), &one, 1);
}

/* example.org, also called org.example, and example.net. */
static int make(struct store_conn *c, void *arg)
{
	struct made *m = arg;
	int64_t org = m->f->domain;

	TRY(store_domain_add(c, SPAN("example.net"), &m->other));
	TRY(store_domain_alias_add(c, org, SPAN("org.example")));
	TRY(add_alias(c, org, "a", "alice@example.org"));
	TRY(add_alias(c, org, "b", "A+x@Org.Example"));
	TRY(add_alias(c, m->other, "c", "b@example.org"));
	TRY(add_alias(c, m->other, "d", "abc@example.org"));
	TRY(add_alias(c, m->other, "e", "somebody@example.com"));
	/* In a circle. */
	TRY(add_alias(c, m->other, "f", "g@example.net"));
	TRY(add_alias(c, m->other, "g", "f@example.net"));
	return add_alias(c, m->other, "h", "postmaster@example.net");
}

struct question {
	int64_t domain;    /* of an address; 0: a domain's name, or for nothing the postmaster's */
	const char *name;
	struct route_names names;
};

static int ask(struct store_conn *c, void *arg)
{
	struct question *q = arg;

	if (q->domain)
		TRY(route_names_add_address(&q->names, c, q->domain, span_str(q->name)));
	else if (q->name)
		route_names_add_domain(&q->names, span_str(q->name));
	else
		TRY(route_names_add_postmaster(&q->names, c));
	return route_names_follow(&q->names, c, "+");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All of them, sorted, a space behind each. */
static void expect(struct fixture *f, int64_t domain, const char *name, const char *wanted)
{
	CLEANUP(buf_done) struct buf text = {};
	struct question q = { .domain = domain, .name = name };
	const struct route_name *list;
	const char *texts[32];
	size_t n;

	assert_int_equal(store_read(f->store, ask, &q), 0);
	list = (const struct route_name *)(const void *)buf_span(&q.names.list).p;
	n = buf_size(&q.names.list) / sizeof *list;
	assert_true(n <= sizeof texts / sizeof texts[0]);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf one = {};

		buf_add(&one, list[i].local);
		buf_add_octet(&one, '@');
		buf_add(&one, list[i].domain);
		texts[i] = arena_string(&q.names.arena, buf_span(&one));
	}
	qsort(texts, n, sizeof texts[0], by_text);
	for (size_t i = 0; i < n; i++)
		buf_add_format(&text, "%s ", texts[i]);
	if (!span_is(buf_span(&text), wanted))
		fail_msg("\"%.*s\"", (int)buf_size(&text), (const char *)buf_span(&text).p);
	route_names_done(&q.names);
}

static void test_names(void **state)
{
	struct made m = { .f = *state };

	assert_int_equal(store_write(m.f->store, make, &m), 0);
	/* Through each other, by every name, with a detail; not by the beginning of another one. */
	expect(m.f, m.f->domain, "ALICE", "a@example.org a@org.example alice@example.org"
		" alice@org.example b@example.org b@org.example c@example.net ");
	expect(m.f, m.f->domain, "ab", "ab@example.org ab@org.example ");
	expect(m.f, m.other, "f", "f@example.net g@example.net ");
	/* All of a domain, by one of its names; and one that is not ours yet. */
	expect(m.f, 0, "org.example", "@org.example b@example.org b@org.example c@example.net ");
	expect(m.f, 0, "Example.COM", "@example.com e@example.net ");
	/* The main domain's is asked for those without. */
	expect(m.f, m.f->domain, "Postmaster", "h@example.net postmaster@example.net"
		" postmaster@example.org postmaster@org.example ");
	expect(m.f, 0, NULL, "h@example.net postmaster@example.net postmaster@example.org"
		" postmaster@org.example ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
