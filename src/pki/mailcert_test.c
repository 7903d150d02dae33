/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Authorities and what they issue, field by field, and in the eyes of three validators. */

#include "pki/mailcert.h"

#include "base/clock.h"
#include "base/test.h"
#include "pki/altname.h"
#include "pki/authority.h"
#include "pki/build.h"
#include "pki/cert_fixture.h"
#include "pki/key.h"
#include "pki/path.h"
#include "pki/request.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/err.h>
#include <stdio.h>

CLEANUP_POINTER(AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free)
CLEANUP_POINTER(AUTHORITY_KEYID, AUTHORITY_KEYID_free)
CLEANUP_POINTER(CRL_DIST_POINTS, CRL_DIST_POINTS_free)

static const int64_t now_us = 1800000000LL * 1000000;
static const int64_t day_us = 24LL * 3600 * 1000000;
static const struct span domains[] = { { (const uint8_t *)"example.org", 11 },
	{ (const uint8_t *)"example.net", 11 } };

struct made {
	struct cert *cert;
	EVP_PKEY *key;
	struct buf spki;
};

static void made_done(struct made *m)
{
	cert_unref(m->cert);
	EVP_PKEY_free(m->key);
	buf_done(&m->spki);
}

static struct made make_key(enum key_type type)
{
	struct made m = {};

	assert_int_equal(key_generate(&m.key, type), 0);
	assert_int_equal(key_to_spki(m.key, &m.spki), 0);
	return m;
}

static struct authority_order authority_order(const struct made *m)
{
	return (struct authority_order){ .signer = m->key,
		.spki = buf_span(&m->spki),
		.subject = { .common_name = SPAN("S/MIME CA of example.org"),
			.organization = SPAN("Example"),
			.names = domains,
			.n_names = 2 },
		.now_us = now_us,
		.days = 3650 };
}

static struct made make_authority(enum key_type type)
{
	struct made m = make_key(type);
	struct authority_order o = authority_order(&m);
	struct why why = {};

	assert_int_equal(authority_make(&m.cert, &o, &why), 0);
	return m;
}

static const struct span alice[] = { { (const uint8_t *)"alice@example.org", 17 } };

static struct mailcert_order order_for(const struct made *issuer, const struct made *person)
{
	return (struct mailcert_order){ .issuer = issuer->cert,
		.signer = issuer->key,
		.spki = buf_span(&person->spki),
		.name = SPAN("Alice Example"),
		.addresses = alice,
		.n_addresses = 1,
		.serial = SPAN("\x41\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"),
		.now_us = now_us,
		.days = 397,
		.crl_url = SPAN("http://example.org/ca.crl"),
		.ocsp_url = SPAN("http://example.org/ocsp"),
		.issuer_url = SPAN("http://example.org/ca.der") };
}

static void expect_text(const char *have, struct buf *text)
{
	buf_add_octet(text, 0);
	assert_string_equal((const char *)buf_span(text).p, have);
	buf_done(text);
}

static void test_authority_profile(void **state)
{
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P384);
	X509 *x = cert_x509(ca.cert);
	struct buf text = {};
	int critical;

	(void)state;
	cert_add_subject(ca.cert, &text);
	expect_text("CN=S/MIME CA of example.org,O=Example", &text);
	assert_true(cert_is_self_signed(ca.cert));
	assert_true(cert_is_ca(ca.cert));
	assert_int_equal(X509_get_pathlen(x), 0);
	assert_int_equal(X509_get_key_usage(x),
		KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_int_equal(X509_get_extended_key_usage(x), XKU_SMIME | XKU_SSL_CLIENT);
	assert_non_null(X509_get0_subject_key_id(x));
	/* RFC 5280 section 4.2.1.10: critical. */
	NAME_CONSTRAINTS_free(X509_get_ext_d2i(x, NID_name_constraints, &critical, NULL));
	assert_int_equal(critical, 1);
	assert_int_equal(cert_not_after_us(ca.cert) - cert_not_before_us(ca.cert), 3650 * day_us);
	assert_int_equal(authority_check(ca.cert, NULL), 0);
	assert_int_equal(authority_covers(ca.cert, domains[0], NULL), 0);
	assert_int_equal(authority_covers(ca.cert, domains[1], NULL), 0);
	assert_int_equal(authority_covers(ca.cert, SPAN("sub.example.org"), NULL),
		AUTHORITY_E_REFUSED);
	assert_int_equal(authority_covers(ca.cert, SPAN("example.com"), NULL), AUTHORITY_E_REFUSED);
}

static void test_authority_refused(void **state)
{
	CLEANUP(made_done) struct made ed = make_key(KEY_ED25519);
	CLEANUP(made_done) struct made ec = make_key(KEY_EC_P256);
	struct authority_order o = authority_order(&ed);
	struct span star = SPAN("*.example.org");
	struct cert *cert;
	struct why why = {};

	(void)state;
	assert_int_equal(authority_make(&cert, &o, &why), AUTHORITY_E_REFUSED);
	o = authority_order(&ec);
	o.days = 0;
	assert_int_equal(authority_make(&cert, &o, &why), AUTHORITY_E_REFUSED);
	o = authority_order(&ec);
	o.days = AUTHORITY_DAYS_MAX + 1;
	assert_int_equal(authority_make(&cert, &o, &why), AUTHORITY_E_REFUSED);
	o = authority_order(&ec);
	o.subject.names = &star;
	o.subject.n_names = 1;
	assert_int_equal(authority_make(&cert, &o, &why), AUTHORITY_E_REFUSED);
	o = authority_order(&ec);
	o.subject.n_names = 0;
	assert_int_equal(authority_make(&cert, &o, &why), AUTHORITY_E_REFUSED);
}

/* Refreshed, it speaks for the domains of today; subject and key stay, so what it has issued holds.
 */
static void test_authority_refresh(void **state)
{
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P256);
	CLEANUP(made_done) struct made person = make_key(KEY_EC_P256);
	CLEANUP(cert_unrefp) struct cert *new = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct authority_order o = authority_order(&ca);
	struct mailcert_order i = order_for(&ca, &person);
	struct why why = {};

	(void)state;
	assert_int_equal(mailcert_make(&cert, &i, &why), 0);
	o.old = ca.cert;
	o.subject = (struct subject){ .names = domains, .n_names = 1 };
	o.now_us += 30 * day_us;
	assert_int_equal(authority_make(&new, &o, &why), 0);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(cert_x509(new)),
				 X509_get_subject_name(cert_x509(ca.cert))),
		0);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(cert_x509(new)),
				     X509_get0_serialNumber(cert_x509(ca.cert))),
		0);
	assert_int_equal(authority_covers(new, domains[1], NULL), AUTHORITY_E_REFUSED);
	assert_int_equal(X509_verify(cert_x509(cert), X509_get0_pubkey(cert_x509(new))), 1);
}

static void test_authority_request(void **state)
{
	CLEANUP(made_done) struct made ca = make_key(KEY_RSA_2048);
	CLEANUP(request_freep) struct request *request = NULL;
	CLEANUP(buf_done) struct buf der = {};
	struct authority_order o = authority_order(&ca);
	STACK_OF(X509_EXTENSION) *extensions;
	BASIC_CONSTRAINTS *basic;
	const uint8_t *p;
	X509_REQ *req;
	struct why why = {};

	(void)state;
	assert_int_equal(authority_request(&o, &der, &why), 0);
	assert_int_equal(request_read(&request, buf_span(&der), &why), 0);
	p = buf_span(&der).p;
	req = d2i_X509_REQ(NULL, &p, (long)buf_size(&der));
	extensions = X509_REQ_get_extensions(req);
	basic = X509V3_get_d2i(extensions, NID_basic_constraints, NULL, NULL);
	assert_non_null(basic);
	assert_true(basic->ca);
	assert_true(X509v3_get_ext_by_NID(extensions, NID_name_constraints, -1) >= 0);
	assert_true(X509v3_get_ext_by_NID(extensions, NID_key_usage, -1) >= 0);
	BASIC_CONSTRAINTS_free(basic);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(req);
}

static void expect_url(const GENERAL_NAME *name, const char *url)
{
	struct span text = altname_text(name);

	assert_int_equal(name->type, GEN_URI);
	assert_true(span_is(text, url));
}

static void expect_urls(X509 *x)
{
	CLEANUP(AUTHORITY_INFO_ACCESS_freep)
	AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(x, NID_info_access, NULL, NULL);
	CLEANUP(CRL_DIST_POINTS_freep)
	CRL_DIST_POINTS *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);

	assert_int_equal(sk_ACCESS_DESCRIPTION_num(access), 2);
	assert_int_equal(OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access, 0)->method), NID_ad_OCSP);
	expect_url(sk_ACCESS_DESCRIPTION_value(access, 0)->location, "http://example.org/ocsp");
	assert_int_equal(OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access, 1)->method),
		NID_ad_ca_issuers);
	expect_url(sk_ACCESS_DESCRIPTION_value(access, 1)->location, "http://example.org/ca.der");
	assert_int_equal(sk_DIST_POINT_num(points), 1);
	expect_url(
		sk_GENERAL_NAME_value(sk_DIST_POINT_value(points, 0)->distpoint->name.fullname, 0),
		"http://example.org/ca.crl");
}

static void expect_issuer_key(X509 *x, X509 *issuer)
{
	CLEANUP(AUTHORITY_KEYID_freep)
	AUTHORITY_KEYID *id = X509_get_ext_d2i(x, NID_authority_key_identifier, NULL, NULL);

	assert_non_null(id);
	assert_int_equal(ASN1_OCTET_STRING_cmp(id->keyid, X509_get0_subject_key_id(issuer)), 0);
	assert_null(id->issuer);
}

static void expect_profile(const struct made *ca, const struct made *person, uint32_t usage)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct mailcert_order o = order_for(ca, person);
	struct cert_name name;
	struct why why = {};
	struct buf text = {};
	X509 *x;

	assert_int_equal(mailcert_make(&cert, &o, &why), 0);
	x = cert_x509(cert);
	assert_int_equal(cert_version(cert), 3);
	cert_add_serial(cert, &text);
	expect_text("4102030405060708090a0b0c0d0e0f10", &text);
	cert_add_subject(cert, &text);
	expect_text("CN=Alice Example", &text);
	assert_false(cert_is_ca(cert));
	assert_int_equal(X509_get_key_usage(x), usage);
	assert_int_equal(X509_get_extended_key_usage(x), XKU_SMIME);
	assert_true(cert_alt_name(cert, 0, &name));
	assert_int_equal(name.type, CERT_NAME_EMAIL);
	assert_true(span_is(name.text, "alice@example.org"));
	assert_false(cert_alt_name(cert, 1, &name));
	assert_true(cert_has_key(cert, buf_span(&person->spki)));
	assert_non_null(X509_get0_subject_key_id(x));
	expect_issuer_key(x, cert_x509(ca->cert));
	expect_urls(x);
	assert_true(X509_get_ext_by_NID(x, NID_SMIMECapabilities, -1) >= 0);
	assert_int_equal(X509_get_ext_by_NID(x, NID_certificate_policies, -1), -1);
	assert_true(cert_not_before_us(cert) <= now_us);
	/* RFC 5280 section 4.1.2.5: both ends count. */
	assert_int_equal(cert_not_after_us(cert) - cert_not_before_us(cert),
		397 * day_us - 1000000);
}

static void test_profile(void **state)
{
	CLEANUP(made_done) struct made ec_ca = make_authority(KEY_EC_P256);
	CLEANUP(made_done) struct made rsa_ca = make_authority(KEY_RSA_2048);
	CLEANUP(made_done) struct made ec = make_key(KEY_EC_P384);
	CLEANUP(made_done) struct made rsa = make_key(KEY_RSA_2048);

	(void)state;
	expect_profile(&ec_ca, &ec, KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT);
	expect_profile(&ec_ca, &rsa, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
	expect_profile(&rsa_ca, &ec, KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT);
}

/* The extension is DER that OpenSSL's own reader of capabilities takes. */
static void test_capabilities(void **state)
{
	static const int expected[] = { NID_aes_256_gcm, NID_aes_128_gcm, NID_aes_256_cbc,
		NID_aes_128_cbc };
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P256);
	CLEANUP(made_done) struct made person = make_key(KEY_EC_P256);
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct mailcert_order o = order_for(&ca, &person);
	const ASN1_OCTET_STRING *octets;
	struct why why = {};
	const uint8_t *p;
	X509_ALGORS *list;
	int at;

	(void)state;
	assert_int_equal(mailcert_make(&cert, &o, &why), 0);
	at = X509_get_ext_by_NID(cert_x509(cert), NID_SMIMECapabilities, -1);
	octets = X509_EXTENSION_get_data(X509_get_ext(cert_x509(cert), at));
	p = ASN1_STRING_get0_data(octets);
	list = d2i_X509_ALGORS(NULL, &p, ASN1_STRING_length(octets));
	assert_non_null(list);
	assert_ptr_equal(p, ASN1_STRING_get0_data(octets) + ASN1_STRING_length(octets));
	assert_int_equal(sk_X509_ALGOR_num(list), 4);
	for (int i = 0; i < 4; i++) {
		const ASN1_OBJECT *oid;
		int type;

		X509_ALGOR_get0(&oid, &type, NULL, sk_X509_ALGOR_value(list, i));
		assert_int_equal(OBJ_obj2nid(oid), expected[i]);
		assert_int_equal(type, V_ASN1_UNDEF);
	}
	sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *address;
		const char *stands; /* NULL: refused */
		bool utf8;
	} cases[] = {
		{ "alice@example.org", "alice@example.org", false },
		{ "Alice.B+c@EXAMPLE.org", "Alice.B+c@example.org", false },
		{ "j\xc3\xb6rg@example.org", "j\xc3\xb6rg@example.org", true },
		{ "alice@example.net", "alice@example.net", false },
		{ "alice@example.com", NULL, false },
		{ "alice@sub.example.org", NULL, false },
		{ "j\xc3\xb6rg@example.com", NULL, false },
		{ "alice@xn--bcher-kva.example", NULL, false },
		{ "alice", NULL, false },
		{ "@example.org", NULL, false },
		{ "alice@", NULL, false },
		{ "a b@example.org", NULL, false },
		{ "alice@exa mple.org", NULL, false },
		{ "alice@[127.0.0.1]", NULL, false },
		{ "alice@example.org\n", NULL, false },
		{ "j\xf6rg@example.org", NULL, false },
	};
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P256);
	CLEANUP(made_done) struct made person = make_key(KEY_EC_P256);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		struct span address = span_str(cases[i].address), text;
		struct mailcert_order o = order_for(&ca, &person);
		const GENERAL_NAME *name;
		struct why why = {};
		int r;

		o.addresses = &address;
		r = mailcert_make(&cert, &o, &why);
		if (r != (cases[i].stands ? 0 : MAILCERT_E_REFUSED))
			fail_msg("%s: %d %s", cases[i].address, r, why.text);
		if (r) {
			assert_true(why.text[0]);
			continue;
		}
		name = sk_GENERAL_NAME_value(cert_alt_names(cert), 0);
		if (cases[i].utf8)
			assert_true(altname_is_utf8_mailbox(name, &text));
		else
			text = altname_text(name);
		assert_true(span_is(text, cases[i].stands));
	}
}

static void test_refused(void **state)
{
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P256);
	CLEANUP(made_done) struct made person = make_key(KEY_EC_P256);
	CLEANUP(made_done) struct made ed = make_key(KEY_ED25519);
	struct cert_made plain = cert_make(
		&(struct cert_order){ .subject = "CN=Plain", .till_us = now_us + 1000 * day_us });
	struct made leaf = { .cert = plain.cert, .key = plain.key };
	struct mailcert_order good = order_for(&ca, &person), o;
	struct cert *cert = NULL;
	struct why why = {};
	char name[70];

	(void)state;
	memset(name, 'x', sizeof name);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		o = good;                                                                          \
		change;                                                                            \
		assert_int_equal(mailcert_make(&cert, &o, &why), MAILCERT_E_REFUSED);                    \
		assert_true(why.text[0]);                                                          \
	} while (0)
	REFUSED(o.days = 0);
	REFUSED(o.days = 826);
	REFUSED(o.serial = SPAN("\x41\x02\x03\x04\x05\x06\x07"));
	REFUSED(o.serial = SPAN("\x81\x02\x03\x04\x05\x06\x07\x08"));
	REFUSED(o.serial = SPAN("\0\x02\x03\x04\x05\x06\x07\x08"));
	REFUSED(o.serial = SPAN(
			"\x41\x02\x03\x04\x05\x06\x07\x08\x41\x02\x03\x04\x05\x06\x07\x08\x41"
			"\x02\x03\x04\x05"));
	REFUSED(o.n_addresses = 0);
	REFUSED(o.n_addresses = MAILCERT_ADDRESSES_MAX + 1);
	REFUSED(o.spki = buf_span(&ed.spki));
	REFUSED(o.spki = SPAN("junk"));
	REFUSED(o.issuer = leaf.cert);
	REFUSED(o.now_us = now_us + 3651 * day_us);
	REFUSED(o.now_us = now_us - day_us);
	REFUSED(o.name = SPAN("Alice\r\nBob"));
	REFUSED(o.name = SPAN("\xff"));
	REFUSED(o.name = span_of(name, sizeof name));
#undef REFUSED
	cert_made_done(&plain);
}

/* It ends with its issuer at the latest. */
static void test_clipped(void **state)
{
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P256);
	CLEANUP(made_done) struct made person = make_key(KEY_EC_P256);
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct mailcert_order o = order_for(&ca, &person);
	struct why why = {};

	(void)state;
	o.now_us += 3600 * day_us;
	assert_int_equal(mailcert_make(&cert, &o, &why), 0);
	assert_int_equal(cert_not_after_us(cert), cert_not_after_us(ca.cert));
}

static void test_renewal_time(void **state)
{
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P256);
	CLEANUP(made_done) struct made person = make_key(KEY_EC_P256);
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct mailcert_order o = order_for(&ca, &person);
	struct why why = {};
	int64_t life_us;

	(void)state;
	assert_int_equal(mailcert_make(&cert, &o, &why), 0);
	life_us = cert_not_after_us(cert) - cert_not_before_us(cert);
	for (uint64_t i = 0; i < 20; i++) {
		int64_t at = mailcert_renewal_us(cert, i * 0x123456789abcdefULL) -
			     cert_not_before_us(cert);

		assert_true(at <= life_us / 3 * 2);
		assert_true(at > life_us / 3 * 2 - life_us / 20);
	}
}

static void test_our_path(void **state)
{
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P256);
	CLEANUP(made_done) struct made person = make_key(KEY_RSA_2048);
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	CLEANUP(verdict_done) struct verdict good = {};
	CLEANUP(verdict_done) struct verdict other = {};
	CLEANUP(verdict_done) struct verdict server = {};
	struct mailcert_order o = order_for(&ca, &person);
	struct path_name name = { PATH_EMAIL, SPAN("alice@example.org") };
	struct path_request q = { .trust = trust,
		.time_us = now_us,
		.purposes = TRUST_MAIL,
		.names = &name,
		.n_names = 1,
		.key_usage = KU_DIGITAL_SIGNATURE };
	struct why why = {};

	(void)state;
	assert_int_equal(mailcert_make(&cert, &o, &why), 0);
	trust_add(trust, ca.cert, TRUST_MAIL);
	q.leaf = cert;
	assert_int_equal(path_validate(&q, &good), 0);
	assert_true(good.valid);
	assert_int_equal(good.n, 0);
	name.text = SPAN("bob@example.org");
	assert_int_equal(path_validate(&q, &other), 0);
	assert_false(other.valid);
	q.n_names = 0;
	q.purposes = TRUST_SERVER;
	assert_int_equal(path_validate(&q, &server), 0);
	assert_false(server.valid);
}

/* OpenSSL, as mail programs on it ask: for signing and for encrypting. */
static void expect_openssl(struct cert *cert, struct cert *ca, const char *purpose)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;

	assert_int_equal(X509_STORE_add_cert(store, cert_x509(ca)), 1);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, cert_x509(cert), NULL), 1);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)(now_us / 1000000));
	X509_VERIFY_PARAM_set_flags(param,
		X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	assert_int_equal(X509_VERIFY_PARAM_set1_email(param, "alice@example.org", 0), 1);
	assert_int_equal(X509_STORE_CTX_set_default(ctx, purpose), 1);
	if (X509_verify_cert(ctx) != 1)
		fail_msg("%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
}

static gnutls_x509_crt_t gnutls_of(struct cert *cert)
{
	gnutls_datum_t der = { (unsigned char *)(uintptr_t)cert_der(cert).p,
		(unsigned)cert_der(cert).n };
	gnutls_x509_crt_t x;

	assert_int_equal(gnutls_x509_crt_init(&x), 0);
	assert_int_equal(gnutls_x509_crt_import(x, &der, GNUTLS_X509_FMT_DER), 0);
	return x;
}

static time_t fixed_time(time_t *t)
{
	time_t now = (time_t)(now_us / 1000000);

	if (t)
		*t = now;
	return now;
}

static void expect_gnutls(struct cert *cert, struct cert *ca)
{
	static char oid[] = GNUTLS_KP_EMAIL_PROTECTION, email[] = "alice@example.org";
	gnutls_typed_vdata_st wanted[] = {
		{ .type = GNUTLS_DT_RFC822NAME, .data = (unsigned char *)email },
		{ .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)oid },
	};
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t leaf = gnutls_of(cert), root = gnutls_of(ca);
	gnutls_datum_t text = {};
	unsigned status = 0;

	gnutls_global_set_time_function(fixed_time);
	assert_int_equal(gnutls_x509_trust_list_init(&list, 0), 0);
	assert_int_equal(gnutls_x509_trust_list_add_cas(list, &root, 1, 0), 1);
	assert_int_equal(
		gnutls_x509_trust_list_verify_crt2(list, &leaf, 1, wanted, 2, 0, &status, NULL), 0);
	if (status) {
		(void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text,
			0);
		fail_msg("%s", (char *)text.data);
	}
	gnutls_x509_crt_deinit(leaf);
	gnutls_x509_trust_list_deinit(list, 1);
}

static void test_opinions(void **state)
{
	static const enum key_type types[] = { KEY_RSA_2048, KEY_EC_P256, KEY_EC_P384 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(made_done) struct made ca = make_authority(types[i]);
		CLEANUP(made_done) struct made person = make_key(types[2 - i]);
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		struct mailcert_order o = order_for(&ca, &person);
		struct why why = {};

		assert_int_equal(mailcert_make(&cert, &o, &why), 0);
		expect_openssl(cert, ca.cert, "smime_sign");
		expect_gnutls(cert, ca.cert);
	}
}

static void test_checks(void **state)
{
	CLEANUP(made_done) struct made ca = make_authority(KEY_EC_P256);
	static const struct span three[] = { { (const uint8_t *)"example.org", 11 },
		{ (const uint8_t *)"example.com", 11 } };
	struct cert_made plain = cert_make(&(struct cert_order){ .subject = "CN=Plain" });
	struct arena arena = {};
	struct check_list good = { .arena = &arena }, bad = good, over = good, not_ca = good;

	(void)state;
	authority_checks(&good, ca.cert, domains, 2, now_us);
	assert_int_equal(check_worst(&good), CHECK_OK);
	authority_checks(&bad, ca.cert, three, 2, now_us);
	assert_int_equal(check_worst(&bad), CHECK_WARNING);
	authority_checks(&over, ca.cert, domains, 2, now_us + 3651 * day_us);
	assert_int_equal(check_worst(&over), CHECK_ERROR);
	authority_checks(&not_ca, plain.cert, domains, 2, clock_now_us());
	assert_int_equal(check_worst(&not_ca), CHECK_ERROR);
	cert_made_done(&plain);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_authority_profile),
		cmocka_unit_test(test_authority_refused),
		cmocka_unit_test(test_authority_refresh),
		cmocka_unit_test(test_authority_request),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_clipped),
		cmocka_unit_test(test_renewal_time),
		cmocka_unit_test(test_our_path),
		cmocka_unit_test(test_opinions),
		cmocka_unit_test(test_checks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
