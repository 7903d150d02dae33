/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/certmap.h"

#include "base/log.h"
#include "pki/cert_fixture.h"
#include "store/client_rows.h"
#include "store/domain.h"
#include "store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		enum certmap_method method;
		const char *template, *issuer;
		bool verify;
	} good[] = {
		{ "email", CERTMAP_EMAIL, "", "", false },
		{ "email;verifycert", CERTMAP_EMAIL, "", "", true },
		{ "fingerprint", CERTMAP_FINGERPRINT, "", "", false },
		{ "subject:{UID}", CERTMAP_SUBJECT, "{UID}", "", false },
		{ "subject:{GN}.{surname}@example.org", CERTMAP_SUBJECT,
			"{GN}.{surname}@example.org", "", false },
		{ "subject:{2.5.4.3}", CERTMAP_SUBJECT, "{2.5.4.3}", "", false },
		{ "email;issuer=CN=A\\;B, O=C", CERTMAP_EMAIL, "", "CN=A\\;B, O=C", false },
		{ "email;verifycert;issuer=verifycert", CERTMAP_EMAIL, "", "verifycert", true },
	};
	static const char *const bad[] = { "", " email", "Email", "email:", "email:{UID}", "mail",
		"fingerprint:x", "subject", "subject:", "subject:alice", "subject:{", "subject:{}",
		"subject:{UID", "subject:UID}", "subject:{UID}}", "subject:{{UID}}",
		"subject:{nonsense}", "subject:{UID} ", "subject:{UID}@\x7F", "email;",
		"email;;verifycert", "email;verifycert;", "email;verifycert;verifycert",
		"email;issuer=", "email;issuer", "email;nonsense", "email;verifycert=yes",
		"\xFF", "email;issuer=\xC3" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct certmap_rule rule;
		struct why why = {};

		if (certmap_parse(span_str(good[i].text), &rule, &why))
			fail_msg("%s: %s", good[i].text, why.text);
		assert_int_equal(rule.method, good[i].method);
		assert_true(span_is(rule.template, good[i].template));
		assert_true(span_is(rule.issuer, good[i].issuer));
		assert_int_equal(rule.verify, good[i].verify);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct certmap_rule rule;
		struct why why = {};

		if (certmap_parse(span_str(bad[i]), &rule, &why) != CERTMAP_E_SYNTAX)
			fail_msg("accepted: \"%s\"", bad[i]);
		assert_true(why.text[0]);
	}
	{
		CLEANUP(buf_done) struct buf text = {};
		struct certmap_rule rule;

		buf_add_string(&text, "email;issuer=");
		while (buf_size(&text) <= CERTMAP_RULE_MAX)
			buf_add_octet(&text, 'x');
		assert_int_equal(certmap_parse(buf_span(&text), &rule, NULL), CERTMAP_E_SYNTAX);
	}
}

struct set_up {
	struct fixture *fixture;
	struct cert_made authority;
	int64_t bob, other_domain;
};

static int add_people(struct store_conn *c, void *arg)
{
	struct set_up *s = arg;
	const struct store_credentials none = {};
	const struct span alice = SPAN("alice@example.org"), bob = SPAN("bob@example.org");
	const struct span postmaster = SPAN("postmaster@example.org");
	const struct span left[] = { alice, SPAN("ghost@example.org") };
	const struct span both[] = { alice, bob }, stranger = SPAN("carol@example.net"),
		remote = SPAN("dan@elsewhere.example"), sales = SPAN("sales@example.org");
	int64_t domain = s->fixture->domain, id;

	TRY(store_account_add(c, domain, SPAN("bob"), ROLE_USER, &none, &s->bob));
	TRY(store_account_add(c, domain, SPAN("gone"), ROLE_USER, &none, &id));
	TRY(store_account_set(c, id, SPAN("disabled"), SPAN("yes"), NULL));
	TRY(store_alias_add(c, domain, SPAN("sales"), &alice, 1));
	TRY(store_alias_add(c, domain, SPAN("shop"), &sales, 1));
	TRY(store_alias_add(c, domain, SPAN("all"), both, 2));
	TRY(store_alias_add(c, domain, SPAN("far"), &remote, 1));
	TRY(store_alias_add(c, domain, SPAN("left"), left, 2));
	TRY(store_alias_add(c, domain, SPAN("abuse"), &postmaster, 1));
	TRY(store_domain_alias_add(c, domain, SPAN("example.com")));
	TRY(store_domain_add(c, SPAN("example.net"), &s->other_domain));
	TRY(store_account_add(c, s->other_domain, SPAN("carol"), ROLE_USER, &none, &id));
	TRY(store_account_add(c, s->other_domain, SPAN("alice"), ROLE_USER, &none, &id));
	TRY(store_alias_add(c, domain, SPAN("carol"), &stranger, 1));
	return 0;
}

static int set_up(void **state)
{
	static struct set_up s;

	s = (struct set_up){ .fixture = fixture_new() };
	s.authority = cert_make(&(struct cert_order){
		.subject = "CN=People,O=Example", .is_authority = true });
	*state = &s;
	return store_write(s.fixture->store, add_people, &s);
}

static int tear_down(void **state)
{
	struct set_up *s = *state;

	cert_made_done(&s->authority);
	fixture_free(s->fixture);
	return 0;
}

/* One search in a transaction that leaves nothing behind it. */
struct trial {
	struct set_up *s;
	const char *rules[4];        /* of the domain */
	const char *server_rules[2];
	const char *subject, *names;
	bool is_own; /* of bob */

	int result;
	char address[100], rule[100];
	struct why why;
};

static int set_rules(struct store_conn *c, int64_t domain, const char *const *rules, size_t max)
{
	struct span texts[4];
	size_t n = 0;

	for (; n < max && rules[n]; n++)
		texts[n] = span_str(rules[n]);
	return store_certmap_set(c, domain, texts, n);
}

static int trial_run(struct store_conn *c, void *arg)
{
	struct trial *t = arg;
	CLEANUP(arena_done) struct arena a = {};
	struct cert_made made = cert_make(&(struct cert_order){ .subject = t->subject,
		.names = t->names, .issuer = &t->s->authority });
	struct store_account account = {};
	struct span rule = {};
	uint8_t sha256[32];

	cert_fingerprint(made.cert, sha256);
	(void)!store_account_cert_remove(c, t->s->bob, span_of(sha256, sizeof sha256));
	TRY(set_rules(c, t->s->fixture->domain, t->rules, 4));
	TRY(set_rules(c, 0, t->server_rules, 2));
	if (t->is_own)
		TRY(store_account_cert_add(c, t->s->bob, span_of(sha256, sizeof sha256),
			cert_der(made.cert)));
	t->result = certmap_find(c, &a, t->s->fixture->domain, made.cert, &account, &rule, &t->why);
	(void)snprintf(t->address, sizeof t->address, "%.*s", (int)account.address.n,
		(const char *)account.address.p);
	(void)snprintf(t->rule, sizeof t->rule, "%.*s", (int)rule.n, (const char *)rule.p);
	cert_made_done(&made);
	return 0;
}

#define ALICE "alice@example.org"
#define BOB "bob@example.org"

static void test_find(void **state)
{
	static const struct {
		struct trial trial;
		int result;
		const char *address; /* or a part of the reason */
	} rows[] = {
		/* Without a rule: by the addresses. */
		{ { .subject = "CN=x", .names = "email:" ALICE }, 0, ALICE },
		{ { .subject = "CN=x", .names = "email:ALICE@Example.ORG" }, 0, ALICE },
		{ { .subject = "CN=x", .names = "email:alice@example.com" }, 0, ALICE },
		{ { .subject = "CN=x", .names = "email:sales@example.org" }, 0, ALICE },
		{ { .subject = "CN=x", .names = "email:shop@example.org" }, 0, ALICE },
		{ { .subject = "CN=x", .names = "email:sales@example.org,email:" ALICE }, 0, ALICE },
		{ { .subject = "CN=x", .names = "otherName:1.3.6.1.5.5.7.8.9;UTF8:" BOB }, 0, BOB },
		{ { .subject = "CN=x", .names = "email:carol@example.net,email:" BOB }, 0, BOB },
		{ { .subject = "CN=x", .names = "email:x@elsewhere.example,email:" BOB }, 0, BOB },
		{ { .subject = "CN=x", .names = "email:" ALICE ",email:" BOB }, CERTMAP_E_REFUSED,
			"more than one" },
		{ { .subject = "CN=x", .names = "email:all@example.org" }, CERTMAP_E_REFUSED,
			"more than one" },
		{ { .subject = "CN=x", .names = "email:gone@example.org" }, CERTMAP_E_REFUSED,
			"disabled" },
		{ { .subject = "CN=x" }, CERTMAP_E_NOBODY, "no rule" },
		{ { .subject = "emailAddress=" ALICE }, CERTMAP_E_NOBODY, "" },
		{ { .subject = "CN=" ALICE ",UID=alice" }, CERTMAP_E_NOBODY, "" },
		{ { .subject = "CN=x", .names = "email:nobody@example.org" }, CERTMAP_E_NOBODY, "" },
		{ { .subject = "CN=x", .names = "email:alice" }, CERTMAP_E_NOBODY, "" },
		{ { .subject = "CN=x", .names = "email:alice+x@example.org" }, CERTMAP_E_NOBODY, "" },
		{ { .subject = "CN=x", .names = "email:alice@sub.example.org" }, CERTMAP_E_NOBODY,
			"" },
		/* What this domain's issuers say about another's people. */
		{ { .subject = "CN=x", .names = "email:carol@example.net" }, CERTMAP_E_NOBODY, "" },
		{ { .subject = "CN=x", .names = "email:carol@example.org" }, CERTMAP_E_NOBODY, "" },
		{ { .subject = "CN=x", .names = "email:far@example.org" }, CERTMAP_E_NOBODY, "" },
		/* One of the two has left: it was never hers alone. */
		{ { .subject = "CN=x", .names = "email:left@example.org" }, CERTMAP_E_REFUSED,
			"more than one" },
		{ { .subject = "CN=x", .names = "email:abuse@example.org" }, CERTMAP_E_NOBODY, "" },
		/* Mail for it goes to an administrator. */
		{ { .subject = "CN=x", .names = "email:postmaster@example.org" }, CERTMAP_E_NOBODY,
			"" },
		{ { .subject = "CN=x", .names = "DNS:example.org" }, CERTMAP_E_NOBODY, "" },

		/* By the subject. */
		{ { .rules = { "subject:{UID}" }, .subject = "CN=x,UID=bob" }, 0, BOB },
		{ { .rules = { "subject:{UID}@example.org" }, .subject = "UID=bob" }, 0, BOB },
		{ { .rules = { "subject:{emailAddress}" }, .subject = "emailAddress=" BOB }, 0, BOB },
		{ { .rules = { "subject:{CN}{UID}" }, .subject = "CN=ali,UID=ce" }, 0, ALICE },
		{ { .rules = { "subject:{UID}" }, .subject = "UID=sales" }, 0, ALICE },
		{ { .rules = { "subject:{UID}" }, .subject = "CN=x,UID=all" }, CERTMAP_E_REFUSED,
			"more than one" },
		{ { .rules = { "subject:{UID}" }, .subject = "UID=alice,UID=bob" },
			CERTMAP_E_REFUSED, "more than one UID" },
		{ { .rules = { "subject:{UID}" }, .subject = "CN=bob" }, CERTMAP_E_NOBODY, "" },
		{ { .rules = { "subject:{UID}" }, .subject = "UID=carol@example.net" },
			CERTMAP_E_NOBODY, "" },
		{ { .rules = { "subject:{UID}@example.org" },
				.subject = "UID=alice@example.org" }, CERTMAP_E_NOBODY, "" },
		{ { .rules = { "subject:{UID}@example.org" }, .subject = "UID=bob " },
			CERTMAP_E_NOBODY, "" },
		{ { .rules = { "subject:{UID}" }, .subject = "UID=bob\nx" }, CERTMAP_E_NOBODY, "" },
		{ { .rules = { "subject:{UID}" }, .subject = "CN=x", .names = "email:" BOB },
			CERTMAP_E_NOBODY, "" },

		/* By what is stored. */
		{ { .rules = { "fingerprint" }, .subject = "CN=x", .is_own = true }, 0, BOB },
		{ { .rules = { "fingerprint" }, .subject = "CN=x", .names = "email:" BOB },
			CERTMAP_E_NOBODY, "" },
		{ { .rules = { "email;verifycert" }, .subject = "CN=x", .names = "email:" BOB,
				.is_own = true }, 0, BOB },
		{ { .rules = { "email;verifycert" }, .subject = "CN=x", .names = "email:" BOB },
			CERTMAP_E_REFUSED, "stored for " BOB },
		{ { .rules = { "email;verifycert" }, .subject = "CN=x", .names = "email:" ALICE,
				.is_own = true }, CERTMAP_E_REFUSED, "stored for " ALICE },

		/* In order; who was found and refused gets no second try. */
		{ { .rules = { "subject:{UID}", "email" }, .subject = "UID=bob",
				.names = "email:" ALICE }, 0, BOB },
		{ { .rules = { "email", "subject:{UID}" }, .subject = "UID=bob",
				.names = "email:" ALICE }, 0, ALICE },
		{ { .rules = { "fingerprint", "email" }, .subject = "CN=x",
				.names = "email:" ALICE }, 0, ALICE },
		{ { .rules = { "email;verifycert", "email" }, .subject = "CN=x",
				.names = "email:" ALICE }, CERTMAP_E_REFUSED, "stored" },

		/* For one issuer only. */
		{ { .rules = { "email;issuer=CN=People,O=Example" }, .subject = "CN=x",
				.names = "email:" BOB }, 0, BOB },
		{ { .rules = { "email;issuer=cn=people, o=EXAMPLE" }, .subject = "CN=x",
				.names = "email:" BOB }, 0, BOB },
		{ { .rules = { "email;issuer=CN=People" }, .subject = "CN=x",
				.names = "email:" BOB }, CERTMAP_E_NOBODY, "" },
		{ { .rules = { "email;issuer=O=Example,CN=People" }, .subject = "CN=x",
				.names = "email:" BOB }, CERTMAP_E_NOBODY, "" },
		{ { .rules = { "email;issuer=CN=Other", "subject:{UID}" }, .subject = "UID=alice",
				.names = "email:" BOB }, 0, ALICE },

		/* The server's, where the domain has none. */
		{ { .server_rules = { "subject:{UID}" }, .subject = "UID=bob" }, 0, BOB },
		{ { .server_rules = { "subject:{UID}" }, .subject = "CN=x",
				.names = "email:" BOB }, CERTMAP_E_NOBODY, "" },
		{ { .rules = { "email" }, .server_rules = { "subject:{UID}" },
				.subject = "UID=bob" }, CERTMAP_E_NOBODY, "" },
		/* Written by somebody else. */
		{ { .rules = { "nonsense", "email" }, .subject = "CN=x", .names = "email:" BOB },
			CERTMAP_E_REFUSED, "cannot be read" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct trial t = rows[i].trial;

		t.s = *state;
		assert_int_equal(store_write(t.s->fixture->store, trial_run, &t), 0);
		if (t.result != rows[i].result)
			fail_msg("row %zu: %d %s %s", i, t.result, t.address, t.why.text);
		if (t.result == 0)
			assert_string_equal(t.address, rows[i].address);
		else if (!t.why.text[0] || !strstr(t.why.text, rows[i].address))
			fail_msg("row %zu: %s", i, t.why.text);
		if (t.result == 0 && t.rules[0])
			assert_true(t.rule[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
