/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Which certificate is fit for encryption, and the newest of several. */

#include "smime/recipient.h"

#include "base/clock.h"
#include "base/test.h"
#include "pki/cert_fixture.h"
#include "pki/key.h"

#include <openssl/rsa.h>

#define AGREES                                                                                     \
	{                                                                                          \
		{                                                                                  \
			"keyUsage", "critical,keyAgreement"                                        \
		}                                                                                  \
	}
#define ENCIPHERS                                                                                  \
	{                                                                                          \
		{                                                                                  \
			"keyUsage", "critical,keyEncipherment"                                     \
		}                                                                                  \
	}

/* SmtpUTF8Mailbox grün@example.org (RFC 9598 section 3). */
#define UTF8_MAILBOX                                                                               \
	"DER:30:21:a0:1f:06:08:2b:06:01:05:05:07:08:09:a0:13:0c:11:67:72:c3:bc:6e:40:65:78:61:6d"  \
	":70:6c:65:2e:6f:72:67"

enum { SECOND = 1000000 };

static EVP_PKEY *pss_key(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *key = NULL;

	assert_true(EVP_PKEY_keygen_init(ctx) > 0 &&
		    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) > 0 &&
		    EVP_PKEY_generate(ctx, &key) > 0);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void checks(void **state)
{
	const int64_t now = clock_now_us();
	const struct cert_order top = { .subject = "CN=Authority", .is_authority = true };
	struct cert_made authority = cert_make(&top);
	EVP_PKEY *pss = pss_key(), *ed = NULL, *k1 = EVP_EC_gen("secp256k1");
	struct {
		struct cert_order order;
		const char *address;
		enum recipient_fault fault;
	} rows[] = {
		{ { .more = AGREES }, "", RECIPIENT_FIT },
		{ { .key = "rsa:2048", .more = ENCIPHERS }, "", RECIPIENT_FIT },
		{ { .key = "rsa:1024", .more = ENCIPHERS }, "", RECIPIENT_FIT },
		{ { .key = "rsa:1016", .more = ENCIPHERS }, "", RECIPIENT_WEAK_KEY },
		{ { .key = "rsa:2048", .more = AGREES }, "", RECIPIENT_KEY_USAGE },
		{ { .more = ENCIPHERS }, "", RECIPIENT_KEY_USAGE },
		{ { .more = AGREES, .usage = "emailProtection" }, "", RECIPIENT_FIT },
		{ { .more = AGREES, .usage = "anyExtendedKeyUsage" }, "", RECIPIENT_FIT },
		{ { .more = AGREES, .usage = "serverAuth" }, "", RECIPIENT_EXTENDED_USAGE },
		{ { .more = AGREES, .till_us = now - SECOND }, "", RECIPIENT_EXPIRED },
		{ { .more = AGREES, .from_us = now + 60 * (int64_t)SECOND }, "",
			RECIPIENT_NOT_YET },
		{ { .more = AGREES, .names = "email:a@example.org" }, "a@EXAMPLE.org",
			RECIPIENT_FIT },
		{ { .more = AGREES, .names = "email:a@example.org" }, "b@example.org",
			RECIPIENT_ADDRESS },
		{ { .more = { { "keyUsage", "critical,keyAgreement" },
			    { "subjectAltName", UTF8_MAILBOX } } },
			"gr\xc3\xbcn@example.org", RECIPIENT_FIT },
		{ { .use_key = pss, .more = ENCIPHERS }, "", RECIPIENT_KEY_KIND },
		{ { .use_key = k1, .more = AGREES }, "", RECIPIENT_KEY_KIND },
		{ { .more = AGREES }, "", RECIPIENT_KEY_KIND },
	};

	(void)state;
	assert_int_equal(key_generate(&ed, KEY_ED25519), 0);
	rows[sizeof rows / sizeof rows[0] - 1].order.use_key = ed;
	rows[sizeof rows / sizeof rows[0] - 1].order.issuer = &authority;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cert_made made;
		struct why why = {};
		enum recipient_fault fault;

		rows[i].order.subject = "CN=Somebody";
		made = cert_make(&rows[i].order);
		fault = recipient_check(made.cert, span_str(rows[i].address), now, &why);
		if (fault != rows[i].fault)
			fail_msg("row %zu: %s (%s)", i, recipient_fault_name(fault), why.text);
		if (fault)
			assert_non_null(strstr(why.text, "CN=Somebody"));
		cert_made_done(&made);
	}
	cert_made_done(&authority);
	EVP_PKEY_free(pss);
	EVP_PKEY_free(ed);
	EVP_PKEY_free(k1);
}

static void newest(void **state)
{
	const int64_t now = clock_now_us(), hour = 3600 * (int64_t)SECOND;
	struct cert_order order = { .subject = "CN=x",
		.names = "email:a@example.org",
		.more = AGREES,
		.from_us = now - 3 * hour };
	struct cert_made first = cert_make(&order), second, expired, foreign;
	struct cert *chosen = NULL;
	struct why why = {};

	(void)state;
	order.from_us = now - 2 * hour;
	second = cert_make(&order);
	order.from_us = now - hour;
	order.till_us = now - SECOND;
	expired = cert_make(&order);
	order.till_us = 0;
	order.names = "email:b@example.org";
	foreign = cert_make(&order);
	{
		struct cert *all[] = { first.cert, second.cert, expired.cert, foreign.cert };
		const struct cert_list list = { all, 4 }, unfit = { all + 2, 2 }, none = {};

		assert_int_equal(recipient_choose(&list, SPAN("a@example.org"), now, &chosen, &why),
			RECIPIENT_FIT);
		assert_ptr_equal(chosen, second.cert);
		assert_int_equal(
			recipient_choose(&unfit, SPAN("a@example.org"), now, &chosen, &why),
			RECIPIENT_ADDRESS);
		assert_int_equal(recipient_choose(&none, SPAN("a@example.org"), now, &chosen, &why),
			RECIPIENT_NONE);
		assert_non_null(strstr(why.text, "a@example.org"));
	}
	cert_made_done(&first);
	cert_made_done(&second);
	cert_made_done(&expired);
	cert_made_done(&foreign);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks),
		cmocka_unit_test(newest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
