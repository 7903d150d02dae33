/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Chains put in order, and the rows of a check: each way in which what was given can be wrong. */

#include "pki/check.h"

#include "base/clock.h"
#include "base/test.h"
#include "pki/cert_fixture.h"

static struct cert_made root, upper, lower, leaf, stranger, twin;

static struct cert_made authority(const char *subject, const struct cert_made *issuer)
{
	return cert_make(&(struct cert_order){ .subject = subject, .is_authority = true,
		.issuer = issuer });
}

static int setup(void **state)
{
	(void)state;
	root = authority("CN=Root", NULL);
	upper = authority("CN=Upper", &root);
	lower = authority("CN=Lower", &upper);
	twin = authority("CN=Lower", &upper); /* the name, another key */
	stranger = authority("CN=Stranger", NULL);
	leaf = cert_make(&(struct cert_order){ .subject = "CN=mail.example.org",
		.names = "DNS:mail.example.org", .usage = "serverAuth", .issuer = &lower });
	return 0;
}

static int teardown(void **state)
{
	struct cert_made *all[] = { &root, &upper, &lower, &leaf, &stranger, &twin };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		cert_made_done(all[i]);
	return 0;
}

enum { L = 1, U = 2, R = 4, S = 8, T = 16, LEAF = 32 };

/* In an order that is not theirs. */
static void fill(struct cert_list *list, unsigned which)
{
	const struct {
		unsigned bit;
		const struct cert_made *made;
	} all[] = { { R, &root }, { S, &stranger }, { U, &upper }, { T, &twin }, { L, &lower },
		{ LEAF, &leaf } };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (which & all[i].bit)
			cert_list_add(list, all[i].made->cert);
	}
}

static void test_build(void **state)
{
	static const struct {
		unsigned given, known, trusted;
		enum chain_end end;
		size_t n_sent, n_added, n_foreign;
		bool sound;
		const char *says;
	} rows[] = {
		{ L | U, 0, R, CHAIN_TRUSTED, 2, 0, 0, true, "complete" },
		{ L | U | R, 0, R, CHAIN_TRUSTED, 2, 0, 0, true, "complete" },
		{ L | U | R | LEAF, 0, R, CHAIN_TRUSTED, 2, 0, 0, true, "complete" },
		{ L | U | R, 0, 0, CHAIN_UNTRUSTED, 2, 0, 0, false, "not among the trusted" },
		{ L, 0, R, CHAIN_INCOMPLETE, 1, 0, 0, false, "missing: CN=Upper" },
		{ U, 0, R, CHAIN_INCOMPLETE, 0, 0, 1, false, "missing: CN=Lower" },
		{ 0, 0, R, CHAIN_INCOMPLETE, 0, 0, 0, false, "missing: CN=Lower" },
		{ 0, L | U, R, CHAIN_TRUSTED, 2, 2, 0, true, "complete" },
		{ L, U | S, R, CHAIN_TRUSTED, 2, 1, 0, true, "complete" },
		{ L | U | S, 0, R, CHAIN_TRUSTED, 2, 0, 1, false, "not part of the chain: CN=Stranger" },
		{ T | U, 0, R, CHAIN_INCOMPLETE, 0, 0, 2, false, "another key: CN=Lower" },
		{ T | L | U, 0, R, CHAIN_TRUSTED, 2, 0, 1, false, "not part of the chain: CN=Lower" },
		{ L, 0, U, CHAIN_TRUSTED, 1, 0, 0, true, "complete" },
		{ 0, 0, L, CHAIN_TRUSTED, 0, 0, 0, true, "complete" },
		{ L | U, R, 0, CHAIN_UNTRUSTED, 2, 0, 0, false, "not among the trusted" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_SERVER_WIDE, NULL);
		CLEANUP(cert_list_done) struct cert_list given = {}, known = {}, trusted = {};
		CLEANUP(chain_done) struct chain chain = {};
		CLEANUP(buf_done) struct buf text = {};

		fill(&given, rows[i].given);
		fill(&known, rows[i].known);
		fill(&trusted, rows[i].trusted);
		for (size_t k = 0; k < trusted.n; k++)
			trust_add(trust, trusted.certs[k], TRUST_SERVER);
		assert_int_equal(chain_build(leaf.cert, &given, &known, trust, &chain), 0);
		chain_add_text(&chain, &text);
		if (chain.end != rows[i].end || chain.sent.n != rows[i].n_sent ||
			chain.added.n != rows[i].n_added || chain.foreign.n != rows[i].n_foreign ||
			chain_is_sound(&chain) != rows[i].sound ||
			span_find_span(buf_span(&text), span_str(rows[i].says)) == buf_size(&text))
			fail_msg("row %zu: end %d, sent %zu, added %zu, foreign %zu: %.*s", i,
				(int)chain.end, chain.sent.n, chain.added.n, chain.foreign.n,
				(int)buf_size(&text), (const char *)buf_span(&text).p);
		if (chain.sent.n > 0)
			assert_ptr_equal(chain.sent.certs[0], lower.cert);
		if (chain.sent.n > 1)
			assert_ptr_equal(chain.sent.certs[1], upper.cert);
	}
}

static void test_self_signed(void **state)
{
	CLEANUP(chain_done) struct chain chain = {};
	const struct cert_list none = {};

	(void)state;
	assert_int_equal(chain_build(stranger.cert, &none, &none, NULL, &chain), 0);
	assert_int_equal(chain.end, CHAIN_SELF_SIGNED);
	assert_int_equal(chain.sent.n, 0);
}

static const struct check_row *row_of(const struct check_list *l, const char *check)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->rows[i].check, check) == 0)
			return &l->rows[i];
	}
	return NULL;
}

static const int64_t hour_us = (int64_t)3600 * 1000000;

static void test_check(void **state)
{
	static const struct span one[] = { SPAN("mail.example.org") };
	static const struct span two[] = { SPAN("example.org"), SPAN("mail.example.org") };
	static const struct span other[] = { SPAN("example.net") };
	const struct {
		const char *names, *usage;
		bool is_authority;
		int64_t from_h, till_h; /* from now */
		const struct span *wanted;
		size_t n_wanted;
		const char *check;
		enum check_result result;
		const char *says;
	} rows[] = {
		{ "DNS:mail.example.org", "serverAuth", false, -1, 24 * 90, one, 1, "validity",
			CHECK_OK, "valid until" },
		{ "DNS:mail.example.org", "serverAuth", false, -48, -24, one, 1, "validity",
			CHECK_ERROR, "has expired" },
		{ "DNS:mail.example.org", "serverAuth", false, 24, 48, one, 1, "validity",
			CHECK_ERROR, "still to come" },
		{ "DNS:mail.example.org", "serverAuth", false, -1, 24 * 20 + 1, one, 1, "validity",
			CHECK_WARNING, "expires in 20 days" },
		{ "DNS:mail.example.org", "serverAuth", false, -1, 24 * 3 + 1, one, 1, "validity",
			CHECK_WARNING, "renew it now" },
		{ "DNS:mail.example.org", "serverAuth", false, -1, 24 * 500, one, 1, "validity",
			CHECK_NOTE, "398 days" },
		{ "DNS:mail.example.org", "serverAuth", false, -1, 24, one, 1, "names", CHECK_OK,
			"mail.example.org" },
		{ "DNS:*.example.org", "serverAuth", false, -1, 24, one, 1, "names", CHECK_OK,
			"mail.example.org" },
		{ "DNS:mail.example.org", "serverAuth", false, -1, 24, two, 2, "names",
			CHECK_WARNING, "but not for example.org" },
		{ "DNS:mail.example.org", "serverAuth", false, -1, 24, other, 1, "names",
			CHECK_ERROR, "none of the domain's names (example.net)" },
		{ "email:a@mail.example.org", "serverAuth", false, -1, 24, one, 1, "names",
			CHECK_ERROR, "none of" },
		{ "DNS:mail.example.org", "clientAuth", false, -1, 24, one, 1, "usage", CHECK_ERROR,
			"serverAuth is missing" },
		{ "DNS:mail.example.org", NULL, true, -1, 24, one, 1, "usage", CHECK_ERROR,
			"an authority's own" },
		{ "DNS:mail.example.org", "serverAuth,clientAuth", false, -1, 24, one, 1, "usage",
			CHECK_OK, "servers and clients" },
	};
	int64_t now_us = clock_now_us();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(arena_done) struct arena arena = {};
		CLEANUP(cert_made_done) struct cert_made made = cert_make(&(struct cert_order){
			.subject = "CN=x", .names = rows[i].names, .usage = rows[i].usage,
			.is_authority = rows[i].is_authority, .issuer = &lower,
			.from_us = now_us + rows[i].from_h * hour_us,
			.till_us = now_us + rows[i].till_h * hour_us });
		struct check_list l = { .arena = &arena };
		const struct check_row *row;

		check_certificate(&l, made.cert, rows[i].wanted, rows[i].n_wanted, now_us);
		row = row_of(&l, rows[i].check);
		assert_non_null(row);
		if (row->result != rows[i].result ||
			span_find_span(row->text, span_str(rows[i].says)) == row->text.n)
			fail_msg("row %zu: %s %.*s", i, check_result_name(row->result),
				(int)row->text.n, (const char *)row->text.p);
		assert_true(check_worst(&l) >= row->result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_check),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("chain", tests, setup, teardown);
}
