/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Copies of a message: who can open which, what each says outside and inside. */

#include "smime/compose.h"

#include "base/clock.h"
#include "base/test.h"
#include "mime/decode.h"
#include "mime/encode.h"
#include "mime/header.h"
#include "mime/word.h"
#include "pki/cert_fixture.h"
#include "pki/key.h"
#include "smime/read.h"

#include <openssl/err.h>

static struct cert_made alice, bob, carl, dora;

static struct cert_made person(const char *subject, const char *names)
{
	const struct cert_order order = { .subject = subject,
		.names = names,
		.usage = "emailProtection",
		.more = { { "keyUsage", "critical,digitalSignature,keyAgreement" } } };

	return cert_make(&order);
}

static int setup(void **state)
{
	(void)state;
	alice = person("CN=alice", "email:alice@example.org");
	bob = person("CN=bob", "email:bob@example.org");
	carl = person("CN=carl", "email:carl@example.org");
	dora = person("CN=dora", "email:dora@example.org");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cert_made_done(&alice);
	cert_made_done(&bob);
	cert_made_done(&carl);
	cert_made_done(&dora);
	return 0;
}

static const struct compose_field fields[] = {
	{ { (const uint8_t *)"From", 4 }, { (const uint8_t *)"Alice <alice@example.org>", 25 } },
	{ { (const uint8_t *)"To", 2 }, { (const uint8_t *)"bob@example.org", 15 } },
	{ { (const uint8_t *)"Subject", 7 }, { (const uint8_t *)"secret", 6 } },
	{ { (const uint8_t *)"Bcc", 3 },
		{ (const uint8_t *)"carl@example.org, dora@example.org", 34 } },
};

static bool contains(struct span s, const char *text)
{
	return span_find_span(s, span_str(text)) < s.n;
}

static struct span header_of(struct span message)
{
	return span_head(message, header_size(message));
}

/* What is inside, opened by one of them; false if he cannot. */
static bool open_message(struct span message, const struct cert_made *who, struct buf *ret_entity)
{
	struct decoder d = { .encoding = ENCODING_BASE64 };
	CLEANUP(buf_done) struct buf der = {};
	BIO *out = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms;
	const uint8_t *p;
	char *data;
	bool opened;
	long n;

	decoder_feed(&d, span_skip(message, header_size(message)), &der);
	decoder_end(&d, &der);
	p = buf_span(&der).p;
	cms = d2i_CMS_ContentInfo(NULL, &p, (long)buf_size(&der));
	assert_non_null(cms);
	opened = CMS_decrypt(cms, who->key, cert_x509(who->cert), NULL, out, CMS_BINARY) == 1;
	n = BIO_get_mem_data(out, &data);
	buf_clear(ret_entity);
	if (opened)
		buf_add(ret_entity, span_of(data, (size_t)n));
	ERR_clear_error();
	BIO_free(out);
	CMS_ContentInfo_free(cms);
	return opened;
}

static bool can_open(struct span message, const struct cert_made *who)
{
	CLEANUP(buf_done) struct buf entity = {};

	return open_message(message, who, &entity);
}

static struct compose_request request(size_t n_fields)
{
	return (struct compose_request){
		.message = { .fields = fields,
			.n_fields = n_fields,
			.text = SPAN("hello\n"),
			.now_us = clock_now_us() },
	};
}

static void plain(void **state)
{
	struct compose_request c = request(3);
	CLEANUP(composed_done) struct composed made = {};
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};

	(void)state;
	assert_int_equal(compose_secure(&c, &made, &faults, NULL), 0);
	assert_int_equal(made.n, 1);
	assert_true(made.copies[0].is_delivered && made.copies[0].is_sent);
	assert_true(contains(buf_span(&made.copies[0].message), "Subject: secret\r\n"));
	assert_false(contains(buf_span(&made.copies[0].message), "hp="));
}

static void signed_only(void **state)
{
	const struct smime_key key = { alice.cert, alice.key, NULL };
	struct compose_request c = request(4);
	CLEANUP(composed_done) struct composed made = {};
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	struct span open, sent;

	(void)state;
	c.signers = &key;
	c.n_signers = 1;
	assert_int_equal(compose_secure(&c, &made, &faults, NULL), 0);
	assert_int_equal(made.n, 2);
	open = buf_span(&made.copies[0].message);
	sent = buf_span(&made.copies[1].message);
	assert_true(made.copies[0].is_delivered && !made.copies[0].is_sent);
	assert_true(!made.copies[1].is_delivered && made.copies[1].is_sent);
	assert_false(contains(open, "carl"));
	assert_true(contains(header_of(sent), "Bcc: carl@example.org, dora@example.org\r\n"));
	assert_true(contains(header_of(open), "Subject: secret\r\n"));
	assert_true(contains(span_skip(open, header_size(open)), "Subject: secret\r\n"));
	assert_true(contains(open, "hp=\"clear\""));
	assert_false(contains(open, "HP-Outer"));
	assert_false(contains(open, "legacy-display"));
}

#define RECIPIENTS                                                                                 \
	{ { .cert = bob.cert, .address = SPAN("bob@example.org") }, COMPOSE_OPEN },                \
		{ { .cert = carl.cert, .address = SPAN("carl@example.org") }, COMPOSE_BLIND },     \
		{ { .cert = alice.cert }, COMPOSE_SENDER },                                        \
	{                                                                                          \
		{ .cert = dora.cert }, COMPOSE_BLIND                                               \
	}

/* CGPW-29, 30: each opens his copy and no other, and the sender his own. */
static void copies(void **state)
{
	const struct smime_key key = { alice.cert, alice.key, NULL };
	const struct compose_recipient recipients[] = { RECIPIENTS };
	const struct cert_made *people[] = { &bob, &carl, &alice, &dora };
	/* Which of them opens the copy for To, carl, dora, and the sender's. */
	static const bool opens[4][4] = { { true, false, true, false },
		{ false, true, false, false }, { false, false, false, true },
		{ false, false, true, false } };
	struct compose_request c = request(4);
	CLEANUP(composed_done) struct composed made = {};
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	CLEANUP(buf_done) struct buf inside = {};
	struct header_field id, again;

	(void)state;
	c.signers = &key;
	c.n_signers = 1;
	c.encrypt = true;
	c.recipients = recipients;
	c.n_recipients = 4;
	assert_int_equal(compose_secure(&c, &made, &faults, NULL), 0);
	assert_int_equal(made.n, 4);
	assert_true(made.copies[0].is_delivered && made.copies[3].is_sent);
	assert_int_equal(made.copies[1].recipient, 1);
	assert_int_equal(made.copies[2].recipient, 3);
	for (size_t i = 0; i < 4; i++) {
		struct span message = buf_span(&made.copies[i].message);

		assert_true(encode_is_7bit(message) && encode_is_crlf(message));
		assert_true(contains(header_of(message), "Subject: [...]\r\n"));
		assert_int_equal(contains(header_of(message), "Bcc:"), i == 3);
		assert_true(header_find(message, "Message-ID", i ? &again : &id));
		if (i)
			assert_true(span_equal(id.value, again.value));
		for (size_t k = 0; k < 4; k++)
			assert_int_equal(can_open(message, people[k]), opens[i][k]);
	}
	assert_true(open_message(buf_span(&made.copies[1].message), &carl, &inside));
	assert_true(span_starts(buf_span(&inside), SPAN("Content-Type: multipart/signed;")));
	assert_true(contains(buf_span(&inside), "Subject: secret\r\n"));
	assert_true(contains(buf_span(&inside), "HP-Outer: Subject: [...]\r\n"));
	assert_true(contains(buf_span(&inside), "hp=\"cipher\""));
	assert_true(contains(buf_span(&inside), "\r\n\r\nSubject: secret\r\n\r\nhello"));
	assert_false(contains(buf_span(&inside), "dora"));
}

static void options(void **state)
{
	const struct compose_recipient recipients[] = { RECIPIENTS };
	struct compose_request c = request(3);
	CLEANUP(composed_done) struct composed made = {};
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	CLEANUP(buf_done) struct buf inside = {};

	(void)state;
	c.encrypt = true;
	c.no_header_protection = true;
	c.recipients = recipients;
	c.n_recipients = 3;
	c.cipher = cipher_by_name(SPAN("aes-256-gcm"));
	assert_int_equal(compose_secure(&c, &made, &faults, NULL), 0);
	/* Without a Bcc field what is sent is what is kept. */
	assert_int_equal(made.n, 2);
	assert_true(made.copies[0].is_sent && made.copies[0].is_delivered);
	assert_true(contains(buf_span(&made.copies[0].message), "Subject: secret\r\n"));
	assert_true(contains(buf_span(&made.copies[0].message), "authEnveloped-data"));
	assert_true(open_message(buf_span(&made.copies[0].message), &alice, &inside));
	assert_true(span_is(buf_span(&inside), "Content-Type: text/plain; charset=us-ascii\r\n"
					       "Content-Transfer-Encoding: 7bit\r\n\r\nhello\r\n"));
}

/* What the reader says of a copy. */
static void check_read(struct span message, const struct cert_made *who, enum smime_status status,
	enum smime_field_protection protection)
{
	struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	const struct smime_key key = { who->cert, who->key, NULL };
	const struct smime_request q = { .message = message,
		.keys = &key,
		.n_keys = 1,
		.trust = trust,
		.time_us = clock_now_us() };
	struct smime_result result = {};
	const struct smime_field *subject;

	trust_add(trust, alice.cert, TRUST_ALL_PURPOSES);
	assert_int_equal(smime_read(&q, &result), 0);
	if (result.report.status != status) {
		CLEANUP(buf_done) struct buf reason = {};

		smime_report_add_reason(&result.report, &reason);
		fail_msg("%s: %.*s", smime_status_name(result.report.status),
			(int)buf_size(&reason), (const char *)reason.p);
	}
	assert_int_equal(result.report.header, SMIME_HEADER_HP);
	if (result.report.n_notes)
		fail_msg("%s: %s", result.report.notes[0].rule, result.report.notes[0].text);
	subject = smime_report_field(&result.report, "Subject");
	assert_string_equal(subject->value, "secret");
	assert_int_equal(subject->protection, protection);
	smime_result_done(&result);
	trust_unref(trust);
}

static void read_back(void **state)
{
	const struct smime_key key = { alice.cert, alice.key, NULL };
	const struct compose_recipient recipients[] = { RECIPIENTS };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct compose_request c = request(4);
		CLEANUP(composed_done) struct composed made = {};
		CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
		bool encrypted = i % 3 != 0, is_signed = i % 3 != 1;

		c.opaque = i >= 3;
		c.signers = is_signed ? &key : NULL;
		c.n_signers = is_signed;
		c.encrypt = encrypted;
		c.recipients = recipients;
		c.n_recipients = 4;
		/* What is not signed is authenticated by its cipher, or there is a note. */
		c.cipher = is_signed ? NULL : cipher_by_name(SPAN("aes-256-gcm"));
		assert_int_equal(compose_secure(&c, &made, &faults, NULL), 0);
		check_read(buf_span(&made.copies[0].message), &bob,
			encrypted
				? is_signed ? SMIME_STATUS_SIGNED_ENCRYPTED : SMIME_STATUS_ENCRYPTED
				: SMIME_STATUS_SIGNED,
			encrypted ? is_signed ? SMIME_FIELD_SIGNED_ENCRYPTED : SMIME_FIELD_ENCRYPTED
				  : SMIME_FIELD_SIGNED);
	}
}

static void faults_first(void **state)
{
	const struct smime_key key = { bob.cert, bob.key, NULL };
	const struct compose_recipient lacking[] = {
		{ { .address = SPAN("x@example.org") }, COMPOSE_OPEN }, RECIPIENTS,
		{ { .cert = bob.cert, .address = SPAN("y@example.org") }, COMPOSE_BLIND }
	};
	struct compose_request c = request(3);
	CLEANUP(composed_done) struct composed made = {};
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	struct why why = {};

	(void)state;
	c.encrypt = true;
	c.recipients = lacking;
	c.n_recipients = 6;
	assert_int_equal(compose_secure(&c, &made, &faults, &why), COMPOSE_E_RECIPIENTS);
	assert_int_equal(faults.n, 2);
	assert_int_equal(faults.faults[0].recipient, 0);
	assert_int_equal(faults.faults[0].fault, RECIPIENT_NONE);
	assert_int_equal(faults.faults[1].recipient, 5);
	assert_int_equal(faults.faults[1].fault, RECIPIENT_ADDRESS);
	assert_int_equal(made.n, 0);
	encrypt_faults_done(&faults);

	c.n_recipients = 2;
	assert_int_equal(compose_secure(&c, &made, &faults, &why), COMPOSE_E_UNFIT);
	assert_non_null(strstr(why.text, "own certificate"));
	c.encrypt = false;
	c.signers = &key;
	c.n_signers = 1;
	assert_int_equal(compose_secure(&c, &made, &faults, &why), COMPOSE_E_UNFIT);
	assert_non_null(strstr(why.text, "not for the address in From"));
	c.n_signers = 0;
	c.message.n_fields = 0;
	assert_int_equal(compose_secure(&c, &made, &faults, &why), COMPOSE_E_UNFIT);
	assert_non_null(strstr(why.text, "From is missing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(signed_only),
		cmocka_unit_test(copies),
		cmocka_unit_test(options),
		cmocka_unit_test(read_back),
		cmocka_unit_test(faults_first),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
