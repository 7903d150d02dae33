/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Self-signed certificates made by selfsign, read back; and certificates that are refused. */

#include "pki/cert.h"

#include "base/limit.h"
#include "pki/key.h"
#include "pki/selfsign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

static const int64_t now_us = 1700000000LL * 1000000; /* 2023-11-14T22:13:20Z */
static const int64_t day_us = 86400LL * 1000000;

static EVP_PKEY *key;
static struct buf spki;

static int setup(void **state)
{
	(void)state;
	return key_generate(&key, KEY_EC_P256) || key_to_spki(key, &spki);
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	buf_done(&spki);
	return 0;
}

static const struct span two_names[] = { SPAN("mail.example.org"), SPAN("*.example.net") };

static struct selfsign request(void)
{
	return (struct selfsign){
		.signer = key,
		.spki = buf_span(&spki),
		.subject = { .common_name = SPAN("mail.example.org"), .names = two_names,
			.n_names = 2 },
		.now_us = now_us,
		.days = SELFSIGN_DAYS,
	};
}

static struct cert *make(const struct selfsign *s)
{
	struct cert *c = NULL;
	struct why why = {};

	if (selfsign_make(&c, s, &why))
		fail_msg("%s", why.text);
	return c;
}

static void test_fields(void **state)
{
	CLEANUP(buf_done) struct buf subject = {};
	CLEANUP(buf_done) struct buf issuer = {};
	CLEANUP(buf_done) struct buf serial = {};
	CLEANUP(buf_done) struct buf print = {};
	CLEANUP(cert_unrefp) struct cert *c = NULL;
	struct selfsign s = request();
	struct cert_name name;

	(void)state;
	c = make(&s);
	cert_add_subject(c, &subject);
	cert_add_issuer(c, &issuer);
	cert_add_serial(c, &serial);
	cert_add_fingerprint_text(c, &print);
	assert_true(span_is(buf_span(&subject), "CN=mail.example.org"));
	assert_true(span_is(buf_span(&issuer), "CN=mail.example.org"));
	assert_int_equal(buf_size(&serial), 32);
	assert_int_equal(buf_size(&print), 95);
	assert_int_equal(cert_not_before_us(c), now_us);
	assert_int_equal(cert_not_after_us(c), now_us + SELFSIGN_DAYS * day_us);
	assert_true(cert_is_self_signed(c));
	assert_true(cert_has_key(c, buf_span(&spki)));
	assert_true(cert_alt_name(c, 0, &name));
	assert_int_equal(name.type, CERT_NAME_DNS);
	assert_true(span_is(name.text, "mail.example.org"));
	assert_true(cert_alt_name(c, 1, &name));
	assert_true(span_is(name.text, "*.example.net"));
	assert_false(cert_alt_name(c, 2, &name));
	assert_true(cert_covers_host(c, SPAN("MAIL.example.org")));
	assert_true(cert_covers_host(c, SPAN("a.example.net")));
	assert_false(cert_covers_host(c, SPAN("example.net")));
	assert_false(cert_covers_host(c, SPAN("example.org")));
}

/* RFC 5280: what the extensions of a server's certificate say, and which are critical. */
static void test_extensions(void **state)
{
	static const enum key_type types[] = { KEY_RSA_2048, KEY_EC_P384, KEY_ED25519 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
		CLEANUP(cert_unrefp) struct cert *c = NULL;
		CLEANUP(buf_done) struct buf public = {};
		struct selfsign s = request();
		uint32_t usage = KU_DIGITAL_SIGNATURE | (i == 0 ? KU_KEY_ENCIPHERMENT : 0);
		X509 *x;

		assert_int_equal(key_generate(&signer, types[i]), 0);
		assert_int_equal(key_to_spki(signer, &public), 0);
		s.signer = signer;
		s.spki = buf_span(&public);
		c = make(&s);
		x = cert_x509(c);
		assert_int_equal(X509_get_version(x), X509_VERSION_3);
		assert_int_equal(X509_get_key_usage(x), usage);
		assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
		assert_int_equal(X509_check_ca(x), 0);
		assert_int_equal(X509_get_ext_count(x), 5);
		assert_true(X509_EXTENSION_get_critical(
			X509_get_ext(x, X509_get_ext_by_NID(x, NID_basic_constraints, -1))));
		assert_true(X509_EXTENSION_get_critical(
			X509_get_ext(x, X509_get_ext_by_NID(x, NID_key_usage, -1))));
		assert_false(X509_EXTENSION_get_critical(
			X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1))));
		assert_int_equal(ASN1_STRING_length(X509_get0_subject_key_id(x)), 20);
		assert_true(cert_is_self_signed(c));
	}
}

static void test_long_name(void **state)
{
	static const char long_name[] =
		"a-name-that-is-longer-than-sixty-four-characters.in-all.mail.example.org";
	const struct span names[] = { span_str(long_name) };
	struct selfsign s = request();
	CLEANUP(cert_unrefp) struct cert *c = NULL;
	CLEANUP(buf_done) struct buf subject = {};
	X509 *x;

	(void)state;
	s.subject = (struct subject){ .common_name = names[0], .names = names, .n_names = 1 };
	c = make(&s);
	cert_add_subject(c, &subject);
	assert_int_equal(buf_size(&subject), 0);
	x = cert_x509(c);
	assert_true(X509_EXTENSION_get_critical(
		X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1))));
	assert_true(cert_covers_host(c, names[0]));
}

static void test_serial(void **state)
{
	CLEANUP(cert_unrefp) struct cert *one = NULL;
	CLEANUP(cert_unrefp) struct cert *two = NULL;
	struct selfsign s = request();

	(void)state;
	one = make(&s);
	two = make(&s);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(cert_x509(one)),
				     X509_get0_serialNumber(cert_x509(two))),
		0);
}

/* A refreshed certificate differs in its time only, and in the serial number where that is wanted. */
static void test_refresh(void **state)
{
	CLEANUP(cert_unrefp) struct cert *old = NULL;
	CLEANUP(cert_unrefp) struct cert *again = NULL;
	CLEANUP(cert_unrefp) struct cert *new_serial = NULL;
	CLEANUP(buf_done) struct buf subject = {};
	struct selfsign s = request();
	struct selfsign_refresh refresh = { .signer = key, .spki = buf_span(&spki),
		.now_us = now_us + (int64_t)100 * 24 * 3600 * 1000000 };
	struct why why = {};

	(void)state;
	old = make(&s);
	refresh.old = old;
	assert_int_equal(selfsign_renew(&again, &refresh, &why), 0);
	assert_int_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(cert_x509(old)),
				 X509_get0_serialNumber(cert_x509(again))), 0);
	assert_int_equal(cert_not_before_us(again), refresh.now_us);
	assert_int_equal(cert_not_after_us(again) - cert_not_before_us(again),
		cert_not_after_us(old) - cert_not_before_us(old));
	assert_true(cert_is_self_signed(again));
	cert_add_subject(again, &subject);
	assert_true(span_is(buf_span(&subject), "CN=mail.example.org"));
	assert_true(cert_covers_host(again, SPAN("x.example.net")));
	refresh.new_serial = true;
	refresh.days = 7;
	assert_int_equal(selfsign_renew(&new_serial, &refresh, &why), 0);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(cert_x509(old)),
				     X509_get0_serialNumber(cert_x509(new_serial))), 0);
	assert_int_equal(cert_not_after_us(new_serial) - cert_not_before_us(new_serial),
		(int64_t)7 * 24 * 3600 * 1000000);
}

static void test_refresh_refused(void **state)
{
	CLEANUP(cert_unrefp) struct cert *old = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	CLEANUP(buf_done) struct buf public = {};
	struct selfsign s = request();
	struct selfsign_refresh refresh = { .signer = key, .spki = buf_span(&spki), .days = 3651 };
	struct cert *none = NULL;
	struct why why = {};

	(void)state;
	refresh.old = old = make(&s);
	assert_int_equal(selfsign_renew(&none, &refresh, &why), SELFSIGN_E_REFUSED);
	assert_int_equal(key_generate(&other, KEY_EC_P256), 0);
	assert_int_equal(key_to_spki(other, &public), 0);
	refresh = (struct selfsign_refresh){ .signer = other, .spki = buf_span(&public), .old = old };
	assert_int_equal(selfsign_renew(&none, &refresh, &why), SELFSIGN_E_REFUSED);
	assert_null(none);
}

static void test_refused(void **state)
{
	static const struct span bad[] = { SPAN("not a name") };
	struct cert *c = NULL;
	struct selfsign s = request();
	struct why why = {};

	(void)state;
	s.days = 0;
	assert_int_equal(selfsign_make(&c, &s, &why), SELFSIGN_E_REFUSED);
	s.days = 100000;
	assert_int_equal(selfsign_make(&c, &s, &why), SELFSIGN_E_REFUSED);
	s = request();
	s.subject.n_names = 0;
	assert_int_equal(selfsign_make(&c, &s, &why), SELFSIGN_E_REFUSED);
	s = request();
	s.subject.names = bad;
	s.subject.n_names = 1;
	assert_int_equal(selfsign_make(&c, &s, &why), SELFSIGN_E_REFUSED);
	assert_non_null(strstr(why.text, "'not a name'"));
	assert_null(c);
}

static void test_pem(void **state)
{
	CLEANUP(cert_unrefp) struct cert *c = NULL;
	CLEANUP(cert_unrefp) struct cert *again = NULL;
	CLEANUP(buf_done) struct buf pem = {};
	struct cert_list list = {};
	struct cert *none = NULL;
	struct selfsign s = request();
	struct why why = {};

	(void)state;
	c = make(&s);
	buf_add_string(&pem, "a line before\n");
	cert_add_pem(c, &pem);
	buf_add_string(&pem, "a line behind\n");
	assert_int_equal(cert_from_pem(&again, buf_span(&pem), &why), 0);
	assert_true(span_equal(cert_der(c), cert_der(again)));

	cert_add_pem(c, &pem);
	assert_int_equal(cert_from_pem(&none, buf_span(&pem), &why), CERT_E_SYNTAX);
	assert_non_null(strstr(why.text, "2 certificates"));
	assert_int_equal(cert_list_from_pem(&list, buf_span(&pem), &why), 0);
	assert_int_equal(list.n, 2);
	cert_list_done(&list);

	assert_int_equal(cert_from_pem(&none, SPAN(""), &why), CERT_E_SYNTAX);
	assert_int_equal(cert_from_pem(&none, SPAN("text"), &why), CERT_E_SYNTAX);
	assert_int_equal(cert_from_pem(&none,
				 SPAN("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), &why),
		CERT_E_SYNTAX);
	/* Cut anywhere it is never a certificate. */
	buf_clear(&pem);
	cert_add_pem(c, &pem);
	for (size_t n = 0; n < buf_size(&pem) - 26; n++)
		assert_int_equal(cert_from_pem(&none, span_head(buf_span(&pem), n), &why), CERT_E_SYNTAX);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_der(void **state)
{
	CLEANUP(cert_unrefp) struct cert *c = NULL;
	CLEANUP(buf_done) struct buf der = {};
	struct cert_list list = {};
	struct cert *none = NULL;
	struct selfsign s = request();
	struct why why = {};

	(void)state;
	c = make(&s);
	buf_add(&der, cert_der(c));
	for (size_t n = 0; n < buf_size(&der); n++)
		assert_int_equal(cert_from_der(&none, span_head(buf_span(&der), n), &why), CERT_E_SYNTAX);
	buf_add_octet(&der, 0);
	assert_int_equal(cert_from_der(&none, buf_span(&der), &why), CERT_E_SYNTAX);
	assert_non_null(strstr(why.text, "1 octets follow"));

	buf_cut(&der, buf_size(&der) - 1);
	buf_add(&der, cert_der(c));
	assert_int_equal(cert_list_from_der(&list, buf_span(&der), &why), 0);
	assert_int_equal(list.n, 2);
	cert_list_done(&list);
	assert_int_equal(cert_list_from_der(&list, SPAN(""), &why), 0);
	assert_int_equal(list.n, 0);
	while (buf_size(&der) < (CERT_LIST_MAX + 1) * cert_der(c).n)
		buf_add(&der, cert_der(c));
	assert_int_equal(cert_list_from_der(&list, buf_span(&der), &why), CERT_E_SYNTAX);
}

/* The same certificate with a length in more octets than it needs: BER, not DER. */
static void test_not_der(void **state)
{
	CLEANUP(cert_unrefp) struct cert *c = NULL;
	CLEANUP(buf_done) struct buf ber = {};
	struct selfsign s = request();
	struct cert *none = NULL;
	struct why why = {};
	struct span der;

	(void)state;
	c = make(&s);
	der = cert_der(c);
	assert_int_equal(der.p[1], 0x82);
	buf_add(&ber, SPAN("\x30\x83\x00"));
	buf_add(&ber, span_skip(der, 2));
	assert_int_equal(cert_from_der(&none, buf_span(&ber), &why), CERT_E_SYNTAX);
	assert_string_equal(why.text, "the certificate is not in DER");
}

/* A changed signature is still a certificate, but not a self-signed one. */
static void test_not_self_signed(void **state)
{
	CLEANUP(cert_unrefp) struct cert *c = NULL;
	CLEANUP(cert_unrefp) struct cert *changed = NULL;
	CLEANUP(buf_done) struct buf der = {};
	struct selfsign s = request();

	(void)state;
	c = make(&s);
	buf_add(&der, cert_der(c));
	der.p[der.end - 1] ^= 1;
	assert_int_equal(cert_from_der(&changed, buf_span(&der), NULL), 0);
	assert_false(cert_is_self_signed(changed));
	assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_refresh_refused),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pem),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_not_der),
		cmocka_unit_test(test_not_self_signed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cert", tests, setup, teardown);
}
