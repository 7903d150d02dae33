/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/sasl.h"

#include "base/enc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char nonce[] = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const struct span binding = { (const uint8_t *)"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 32 };

/* The example of RFC 7677 section 3. */
static void pencil(struct scram_verifier *v)
{
	CLEANUP(buf_done) struct buf salt = {};

	assert_true(enc_base64_decode(&salt, SPAN("W22ZaJ0SNY7soEsUEjb6gQ==")));
	scram_verifier_make(v, SPAN("pencil"), 4096, buf_span(&salt).p);
}

static void assert_challenge(const struct sasl *s, const char *text)
{
	assert_true(span_is(buf_span(&s->challenge), text));
}

static void test_rfc7677(void **state)
{
	struct scram_verifier v;
	struct sasl s;
	struct span first = SPAN("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");

	(void)state;
	pencil(&v);
	sasl_init(&s, SASL_SCRAM_SHA_256, (struct span){}, false, nonce);
	assert_int_equal(sasl_start(&s, &first), SASL_NEED_VERIFIER);
	assert_true(span_is(buf_span(&s.user), "user"));
	assert_int_equal(sasl_verifier(&s, &v), SASL_CHALLENGE);
	assert_challenge(&s, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
			     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	assert_int_equal(
		sasl_step(&s, SPAN("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				   "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")),
		SASL_CHALLENGE);
	assert_challenge(&s, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	assert_int_equal(sasl_step(&s, SPAN("")), SASL_PROVEN);
	assert_int_equal(sasl_step(&s, SPAN("")), SASL_SYNTAX);
	sasl_done(&s);
}

/* The client's side, for what the example does not show: a final message with its right proof. */
static void client_final(const struct sasl *s, const struct scram_verifier *v, struct span password,
	struct span header, struct span bound, const char *extension, struct buf *out)
{
	CLEANUP(buf_done) struct buf c = {};
	CLEANUP(buf_done) struct buf auth = {};
	uint8_t salted[SHA256_OCTETS], key[SHA256_OCTETS], stored[SHA256_OCTETS],
		signature[SHA256_OCTETS];

	buf_add(&c, header);
	buf_add(&c, bound);
	buf_add_string(out, "c=");
	enc_base64(out, buf_span(&c));
	buf_add_string(out, ",r=");
	buf_add(out, buf_span(&s->full_nonce));
	buf_add_string(out, extension);
	buf_add(&auth, buf_span(&s->client_first_bare));
	buf_add_octet(&auth, ',');
	buf_add(&auth, buf_span(&s->server_first));
	buf_add_octet(&auth, ',');
	buf_add(&auth, buf_span(out));
	digest_pbkdf2_sha256(password, span_of(v->salt, SCRAM_SALT), v->iterations, salted);
	digest_hmac_sha256(span_of(salted, sizeof salted), SPAN("Client Key"), key);
	digest_sha256(span_of(key, sizeof key), stored);
	digest_hmac_sha256(span_of(stored, sizeof stored), buf_span(&auth), signature);
	for (size_t i = 0; i < sizeof key; i++)
		key[i] ^= signature[i];
	buf_add_string(out, ",p=");
	enc_base64(out, span_of(key, sizeof key));
}

struct scram_row {
	enum sasl_mechanism mechanism;
	const char *first;
	bool has_binding;
	const char *header; /* what the client says it sent */
	bool sends_binding;
	const char *password;
	const char *extension;
	enum sasl_step first_step;
	enum sasl_step final_step;
};

static void test_scram(void **state)
{
	static const struct scram_row rows[] = {
		{ SASL_SCRAM_SHA_256, "n,,n=user,r=x", false, "n,,", false, "pencil", "",
			SASL_NEED_VERIFIER, SASL_CHALLENGE },
		{ SASL_SCRAM_SHA_256, "n,,n=user,r=x", true, "n,,", false, "pencil", "",
			SASL_NEED_VERIFIER, SASL_CHALLENGE },
		{ SASL_SCRAM_SHA_256, "n,a=USER,n=user,r=x,ext=1", false, "n,a=USER,", false,
			"pencil", ",ext=2", SASL_NEED_VERIFIER, SASL_CHALLENGE },
		{ SASL_SCRAM_SHA_256, "y,,n=user,r=x", false, "y,,", false, "pencil", "",
			SASL_NEED_VERIFIER, SASL_CHALLENGE },
		{ SASL_SCRAM_SHA_256_PLUS, "p=tls-exporter,,n=user,r=x", true, "p=tls-exporter,,",
			true, "pencil", "", SASL_NEED_VERIFIER, SASL_CHALLENGE },
		/* wrong password; another header; no, or another, binding */
		{ SASL_SCRAM_SHA_256, "n,,n=user,r=x", false, "n,,", false, "pencil ", "",
			SASL_NEED_VERIFIER, SASL_REFUSED },
		{ SASL_SCRAM_SHA_256, "n,,n=user,r=x", false, "y,,", false, "pencil", "",
			SASL_NEED_VERIFIER, SASL_REFUSED },
		{ SASL_SCRAM_SHA_256_PLUS, "p=tls-exporter,,n=user,r=x", true, "p=tls-exporter,,",
			false, "pencil", "", SASL_NEED_VERIFIER, SASL_REFUSED },
		{ SASL_SCRAM_SHA_256_PLUS, "p=tls-exporter,,n=user,r=x", true, "n,,", true,
			"pencil", "", SASL_NEED_VERIFIER, SASL_REFUSED },
		/* the flag does not fit */
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "y,,n=user,r=x",
			.has_binding = true,
			.first_step = SASL_REFUSED },
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "p=tls-exporter,,n=user,r=x",
			.has_binding = true,
			.first_step = SASL_REFUSED },
		{ .mechanism = SASL_SCRAM_SHA_256_PLUS,
			.first = "n,,n=user,r=x",
			.has_binding = true,
			.first_step = SASL_REFUSED },
		{ .mechanism = SASL_SCRAM_SHA_256_PLUS,
			.first = "p=tls-unique,,n=user,r=x",
			.has_binding = true,
			.first_step = SASL_REFUSED },
		{ .mechanism = SASL_SCRAM_SHA_256_PLUS,
			.first = "p=tls-exporter,,n=user,r=x",
			.has_binding = false,
			.first_step = SASL_REFUSED },
		/* somebody else's identity */
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "n,a=bob,n=user,r=x",
			.first_step = SASL_REFUSED },
		/* not the grammar */
		{ .mechanism = SASL_SCRAM_SHA_256, .first = "", .first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256, .first = "n", .first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256, .first = "n,", .first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256, .first = "n,,", .first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "n,,n=,r=x",
			.first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256, .first = "n,,n=u", .first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "n,,n=u,r=",
			.first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "n,,n=u,r=a b",
			.first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "n,,m=x,n=u,r=x",
			.first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "n,,n=a=2Db,r=x",
			.first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "n,b=x,n=u,r=x",
			.first_step = SASL_SYNTAX },
		{ .mechanism = SASL_SCRAM_SHA_256,
			.first = "x,,n=u,r=x",
			.first_step = SASL_SYNTAX },
	};
	struct scram_verifier v;

	(void)state;
	pencil(&v);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf final = {};
		CLEANUP(sasl_done) struct sasl s;
		const struct scram_row *row = &rows[i];
		struct span first = span_str(row->first);

		sasl_init(&s, row->mechanism, row->has_binding ? binding : (struct span){},
			row->has_binding, nonce);
		if (sasl_start(&s, &first) != row->first_step)
			fail_msg("row %zu: first message %s", i, row->first);
		if (row->first_step != SASL_NEED_VERIFIER)
			continue;
		assert_int_equal(sasl_verifier(&s, &v), SASL_CHALLENGE);
		client_final(&s, &v, span_str(row->password), span_str(row->header),
			row->sends_binding ? binding : (struct span){}, row->extension, &final);
		if (sasl_step(&s, buf_span(&final)) != row->final_step)
			fail_msg("row %zu: final message", i);
	}
}

static void test_scram_final_syntax(void **state)
{
	static const struct {
		const char *final;
		enum sasl_step step;
	} rows[] = {
		{ "", SASL_SYNTAX },
		{ "c=biws", SASL_SYNTAX },
		{ "c=biws,r=x", SASL_SYNTAX },
		{ ",p=AAAA", SASL_SYNTAX },
		{ "c=biws,r=x,p=not base64", SASL_SYNTAX },
		{ "r=x,c=biws,p=AAAA", SASL_SYNTAX },
		{ "c=biws,r=x,p=AAAA", SASL_REFUSED }, /* the nonce */
		{ "c=biws,r=x%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA", SASL_REFUSED },
		{ "c=!,r=x%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA", SASL_REFUSED },
	};
	struct scram_verifier v;

	(void)state;
	pencil(&v);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(sasl_done) struct sasl s;
		struct span first = SPAN("n,,n=user,r=x");

		sasl_init(&s, SASL_SCRAM_SHA_256, (struct span){}, false, nonce);
		assert_int_equal(sasl_start(&s, &first), SASL_NEED_VERIFIER);
		assert_int_equal(sasl_verifier(&s, &v), SASL_CHALLENGE);
		if (sasl_step(&s, span_str(rows[i].final)) != rows[i].step)
			fail_msg("%s", rows[i].final);
	}
}

static void test_names(void **state)
{
	struct sasl s;
	struct span first = SPAN("n,,n=a=2Cb=3Dc,r=x");

	(void)state;
	sasl_init(&s, SASL_SCRAM_SHA_256, (struct span){}, false, nonce);
	assert_int_equal(sasl_start(&s, &first), SASL_NEED_VERIFIER);
	assert_true(span_is(buf_span(&s.user), "a,b=c"));
	sasl_done(&s);
}

static void test_plain(void **state)
{
	static const struct {
		struct span message;
		enum sasl_step step;
	} rows[] = {
		{ SPAN("\0user\0secret"), SASL_CHECK_PASSWORD },
		{ SPAN("user\0user\0secret"), SASL_CHECK_PASSWORD },
		{ SPAN("\0user\0"), SASL_CHECK_PASSWORD }, /* whose check refuses */
		{ SPAN("bob\0user\0secret"), SASL_REFUSED },
		{ SPAN(""), SASL_SYNTAX },
		{ SPAN("\0"), SASL_SYNTAX },
		{ SPAN("\0\0secret"), SASL_SYNTAX },
		{ SPAN("\0user"), SASL_SYNTAX },
		{ SPAN("user secret"), SASL_SYNTAX },
		{ SPAN("\0user\0secret\0more"), SASL_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(sasl_done) struct sasl s;

		sasl_init(&s, SASL_PLAIN, (struct span){}, false, nonce);
		assert_int_equal(sasl_start(&s, NULL), SASL_CHALLENGE);
		assert_challenge(&s, "");
		assert_int_equal(sasl_step(&s, rows[i].message), rows[i].step);
		if (rows[i].step == SASL_CHECK_PASSWORD)
			assert_true(span_is(buf_span(&s.user), "user"));
		assert_int_equal(sasl_step(&s, rows[i].message), SASL_SYNTAX);
	}
}

static void test_login(void **state)
{
	struct sasl s;

	(void)state;
	sasl_init(&s, SASL_LOGIN, (struct span){}, false, nonce);
	assert_int_equal(sasl_start(&s, NULL), SASL_CHALLENGE);
	assert_challenge(&s, "Username:");
	assert_int_equal(sasl_step(&s, SPAN("user")), SASL_CHALLENGE);
	assert_challenge(&s, "Password:");
	assert_int_equal(sasl_step(&s, SPAN("secret")), SASL_CHECK_PASSWORD);
	assert_true(span_is(buf_span(&s.user), "user"));
	assert_true(span_is(secret_span(&s.password), "secret"));
	sasl_done(&s);
}

static void test_too_long(void **state)
{
	CLEANUP(buf_done) struct buf message = {};
	struct sasl s;

	(void)state;
	for (unsigned i = 0; i <= SASL_MESSAGE_MAX; i++)
		buf_add_octet(&message, 'a');
	sasl_init(&s, SASL_LOGIN, (struct span){}, false, nonce);
	assert_int_equal(sasl_start(&s, NULL), SASL_CHALLENGE);
	assert_int_equal(sasl_step(&s, buf_span(&message)), SASL_SYNTAX);
	sasl_done(&s);
}

static void test_find(void **state)
{
	enum sasl_mechanism m;

	(void)state;
	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		assert_true(sasl_find(span_str(sasl_name(i)), &m));
		assert_int_equal(m, i);
	}
	assert_true(sasl_find(SPAN("scram-sha-256-plus"), &m));
	assert_int_equal(m, SASL_SCRAM_SHA_256_PLUS);
	assert_false(sasl_find(SPAN("CRAM-MD5"), &m));
	assert_false(sasl_find(SPAN(""), &m));
}

static void test_external(void **state)
{
	static const struct {
		struct span message;
		enum sasl_step step;
	} rows[] = {
		{ { (const uint8_t *)"", 0 }, SASL_CHECK_EXTERNAL },
		{ { (const uint8_t *)"alice", 5 }, SASL_CHECK_EXTERNAL },
		{ { (const uint8_t *)"alice@example.org", 17 }, SASL_CHECK_EXTERNAL },
		{ { (const uint8_t *)"\xC3\xA4@example.org", 14 }, SASL_CHECK_EXTERNAL },
		{ { (const uint8_t *)"\0", 1 }, SASL_SYNTAX },
		{ { (const uint8_t *)"alice\0", 6 }, SASL_SYNTAX },
		{ { (const uint8_t *)"\0alice\0x", 8 }, SASL_SYNTAX },
		{ { (const uint8_t *)"\xC3", 1 }, SASL_SYNTAX },
		{ { (const uint8_t *)"\xED\xA0\x80", 3 }, SASL_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (int initial = 0; initial <= 1; initial++) {
			struct sasl s;
			enum sasl_step step;

			sasl_init(&s, SASL_EXTERNAL, (struct span){}, false, nonce);
			if (!initial) {
				assert_int_equal(sasl_start(&s, NULL), SASL_CHALLENGE);
				assert_challenge(&s, "");
			}
			step = initial ? sasl_start(&s, &rows[i].message) :
					 sasl_step(&s, rows[i].message);
			if (step != rows[i].step)
				fail_msg("row %zu: %d", i, step);
			if (step == SASL_CHECK_EXTERNAL)
				assert_true(span_equal(buf_span(&s.user), rows[i].message));
			assert_int_equal(sasl_step(&s, SPAN("")), SASL_SYNTAX);
			sasl_done(&s);
		}
	}
	{
		CLEANUP(buf_done) struct buf large = {};
		struct span message;
		struct sasl s;

		memset(buf_room(&large, SASL_MESSAGE_MAX + 1), 'a', SASL_MESSAGE_MAX + 1);
		buf_added(&large, SASL_MESSAGE_MAX + 1);
		message = buf_span(&large);
		sasl_init(&s, SASL_EXTERNAL, (struct span){}, false, nonce);
		assert_int_equal(sasl_start(&s, &message), SASL_SYNTAX);
		sasl_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc7677),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_scram_final_syntax),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_external),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_find),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
