/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Paths over certificates made here: an authority, an intermediate, leaves. The suites of vectors
 * are in test/vectors. */

#include "pki/path.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/test.h"
#include "pki/cert_fixture.h"
#include "pki/key.h"
#include "pki/selfsign.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static const int64_t now_us = 1700000000LL * 1000000; /* 2023-11-14T22:13:20Z */
static const int64_t day_us = 86400LL * 1000000;

static EVP_PKEY *key;
static struct cert *server; /* self-signed, for mail.example.org */

static int setup(void **state)
{
	static const struct span names[] = { SPAN("mail.example.org"), SPAN("*.example.net") };
	CLEANUP(buf_done) struct buf spki = {};
	struct selfsign s = { .subject = { .common_name = names[0], .names = names, .n_names = 2 },
		.now_us = now_us,
		.days = 10 };

	(void)state;
	if (key_generate(&key, KEY_EC_P256) || key_to_spki(key, &spki))
		return -1;
	s.signer = key;
	s.spki = buf_span(&spki);
	return selfsign_make(&server, &s, NULL);
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	cert_unref(server);
	return 0;
}

/* A trusted leaf ends its own path, and is held to all that is said of a leaf. */
static void test_trusted_leaf(void **state)
{
	static const struct {
		unsigned trusted, purposes;
		int days;
		struct path_name name;
		const char *rule; /* of the first error; NULL: valid */
	} rows[] = {
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_DNS, SPAN("mail.example.org") },
			NULL },
		{ TRUST_SERVER, TRUST_SERVER, 0, { PATH_DNS, SPAN("MAIL.example.org.") }, NULL },
		{ TRUST_SERVER, TRUST_SERVER, 0, { PATH_DNS, SPAN("a.example.net") }, NULL },
		{ TRUST_SERVER, 0, 0, { PATH_DNS, SPAN("mail.example.org") }, NULL },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_DNS, SPAN("example.org") }, "name" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_DNS, SPAN("a.b.example.net") },
			"name" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_IP, SPAN("192.0.2.1") }, "name" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_EMAIL, SPAN("a@mail.example.org") },
			"name" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 11, { PATH_DNS, SPAN("mail.example.org") },
			"expired" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, -2, { PATH_DNS, SPAN("mail.example.org") },
			"not-yet-valid" },
		{ TRUST_ALL_PURPOSES, TRUST_CLIENT, 0, { PATH_DNS, SPAN("mail.example.org") },
			"extended-key-usage" },
		{ TRUST_MAIL, TRUST_SERVER, 0, { PATH_DNS, SPAN("mail.example.org") },
			"untrusted" },
		{ 0, TRUST_SERVER, 0, { PATH_DNS, SPAN("mail.example.org") }, "untrusted" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
		CLEANUP(verdict_done) struct verdict v = {};
		const struct path_request q = {
			.leaf = server,
			.trust = trust,
			.time_us = now_us + rows[i].days * day_us,
			.purposes = rows[i].purposes,
			.names = &rows[i].name,
			.n_names = 1,
		};

		if (rows[i].trusted)
			trust_add(trust, server, rows[i].trusted);
		assert_int_equal(path_validate(&q, &v), 0);
		assert_int_equal(v.valid, rows[i].rule == NULL);
		if (rows[i].rule)
			assert_string_equal(verdict_error(&v)->rule, rows[i].rule);
		assert_int_equal(v.path.n, 1);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void test_denied(void **state)
{
	CLEANUP(trust_unrefp) struct trust *below = trust_new(TRUST_BUILT_IN, NULL);
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, below);
	CLEANUP(verdict_done) struct verdict v = {};
	const struct path_request q = { .leaf = server, .trust = trust, .time_us = now_us };

	(void)state;
	trust_add(below, server, TRUST_ALL_PURPOSES);
	trust_deny(trust, server);
	assert_int_equal(path_validate(&q, &v), 0);
	assert_false(v.valid);
	assert_string_equal(verdict_error(&v)->rule, "denied");
}

/* Authority, intermediate and leaf; what a row says differs from a path that holds. */
struct shape {
	struct cert_order root, between, leaf;
};

static void shape_make(struct shape *s, struct cert_made made[static 3])
{
	made[2] = cert_make(&s->root);
	s->between.issuer = &made[2];
	made[1] = cert_make(&s->between);
	s->leaf.issuer = &made[1];
	made[0] = cert_make(&s->leaf);
}

static const struct shape usual = {
	{ .subject = "CN=Root", .is_authority = true },
	{ .subject = "CN=Between", .is_authority = true },
	{ .subject = "CN=leaf", .names = "DNS:mail.example.org", .usage = "serverAuth" },
};

static void validate_shape(const struct shape *shape, struct verdict *ret_verdict)
{
	static const struct path_name host = { PATH_DNS, SPAN("mail.example.org") };
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	struct cert_made made[3];
	struct shape s = *shape;
	struct cert *between;
	const struct cert_list untrusted = { &between, 1 };
	struct path_request q = { .untrusted = &untrusted,
		.trust = trust,
		.time_us = clock_now_us(),
		.purposes = TRUST_SERVER,
		.names = &host,
		.n_names = 1 };

	shape_make(&s, made);
	between = made[1].cert;
	q.leaf = made[0].cert;
	trust_add(trust, made[2].cert, TRUST_ALL_PURPOSES);
	assert_int_equal(path_validate(&q, ret_verdict), 0);
	assert_int_equal(ERR_peek_error(), 0);
	for (size_t i = 0; i < 3; i++)
		cert_made_done(&made[i]);
}

static bool has_finding(const struct verdict *v, const char *rule)
{
	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->findings[i].rule, rule) == 0)
			return true;
	}
	return false;
}

/* One thing that is wrong, or only odd, in one of the three. */
static void test_shapes(void **state)
{
	enum { ROOT, BETWEEN, LEAF };
	static const struct {
		int where;
		struct cert_order order; /* instead of the usual one */
		const char *rule;        /* NULL: nothing is found */
		bool valid;
	} rows[] = {
		{ LEAF, { .subject = "CN=leaf", .names = "DNS:mail.example.org" }, NULL, true },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:*.example.org",
				.usage = "clientAuth,serverAuth" },
			NULL, true },
		{ LEAF, { .subject = "CN=other.example.org", .names = "DNS:mail.example.org" },
			"common-name", true },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org,DNS:xn--pypal-4ve.example" },
			"mixed-script", true },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org,DNS:a_b.example.org" },
			"alternative-name", false },
		{ LEAF, { .subject = "CN=leaf", .names = "DNS:mail.example.org,DNS:.example.org" },
			"alternative-name", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org,DNS:a.*.example.org" },
			"alternative-name", false },
		{ LEAF, { .subject = "CN=leaf", .names = "DNS:mail.example.org,email:nobody" },
			"alternative-name", false },
		{ LEAF, { .subject = "CN=leaf", .names = "DNS:mail.example.org,URI:nothing" },
			"alternative-name", false },
		{ LEAF, { .subject = "CN=mail.example.org" }, "name", false },
		{ LEAF, { .subject = "CN=leaf", .names = "DNS:*.org" }, "name", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.usage = "clientAuth" },
			"extended-key-usage", false },
		{ LEAF, { .subject = "CN=leaf", .names = "DNS:mail.example.org", .serial = -5 },
			"serial", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.till_us = 1700000000000000 },
			"expired", false },
		{ LEAF, { .subject = "CN=leaf", .names = "DNS:mail.example.org", .digest = "SHA1" },
			"weak-signature", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.key = "rsa:1024" },
			"weak-key", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.key = "rsa:2047" },
			"weak-key", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.key = "rsa:2048" },
			NULL, true },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "keyUsage", "critical,keyCertSign" } } },
			"key-usage", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "nameConstraints", "permitted;DNS:example.org" } } },
			"misplaced-extension", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "1.2.3.4", "critical,ASN1:NULL" } } },
			"critical-extension", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "1.2.3.4", "ASN1:NULL" } } },
			NULL, true },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "1.2.3.4", "ASN1:NULL" },
					{ "1.2.3.4", "ASN1:NULL" } } },
			"duplicate-extension", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "subjectKeyIdentifier", "critical,hash" } } },
			"criticality", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "authorityInfoAccess", "DER:0500" } } },
			"extension-encoding", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "certificatePolicies", "DER:300630040602050000" } } },
			"extension-encoding", false },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "2.5.29.56", "ASN1:NULL" } } },
			NULL, true },
		{ LEAF,
			{ .subject = "CN=leaf",
				.names = "DNS:mail.example.org",
				.more = { { "2.5.29.56", "ASN1:NULL" },
					{ "crlDistributionPoints", "URI:http://a.example/" } } },
			"no-revocation", false },
		{ BETWEEN, { .subject = "CN=Between" }, "basic-constraints", false },
		{ BETWEEN, { .subject = "CN=Between", .is_authority = true, .usage = "serverAuth" },
			NULL, true },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.usage = "emailProtection" },
			"extended-key-usage", false },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.till_us = 1700000000000000 },
			"expired", false },
		{ BETWEEN, { .subject = "CN=Between", .is_authority = true, .digest = "SHA1" },
			"weak-signature", false },
		{ BETWEEN, { .subject = "CN=Between", .is_authority = true, .serial = -1 },
			"serial", false },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "2.5.29.56", "ASN1:NULL" } } },
			"misplaced-extension", false },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "nameConstraints",
					"critical,permitted;DNS:example.org" } } },
			NULL, true },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "nameConstraints", "permitted;DNS:example.org" } } },
			"criticality", true },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "nameConstraints",
					"critical,permitted;DNS:example.com" } } },
			"name-constraints", false },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "nameConstraints",
					"critical,excluded;DNS:example.org" } } },
			"name-constraints", false },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "nameConstraints",
					"critical,excluded;DNS:ple.org" } } },
			NULL, true },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "nameConstraints",
					"critical,permitted;DNS:.example.org" } } },
			"name-constraints", false },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "nameConstraints",
					"critical,permitted;IP:192.0.2.0/255.0.255.0" } } },
			"name-constraints", false },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "policyConstraints",
					"critical,requireExplicitPolicy:0" } } },
			"policy", false },
		{ ROOT,
			{ .subject = "CN=Root",
				.is_authority = true,
				.digest = "SHA1",
				.serial = -1 },
			"serial", true },
		{ ROOT, { .subject = "CN=Root", .is_authority = true, .usage = "clientAuth" },
			"extended-key-usage", false },
		{ ROOT, { .subject = "CN=Root", .is_authority = true, .till_us = 1700000000000000 },
			"expired", false },
		{ ROOT, { .subject = "CN=Root" }, "basic-constraints", false },
		{ ROOT,
			{ .subject = "CN=Root",
				.is_authority = true,
				.more = { { "basicConstraints", "critical,CA:TRUE,pathlen:0" } } },
			"path-length", false },
		{ ROOT,
			{ .subject = "CN=Root",
				.is_authority = true,
				.more = { { "basicConstraints", "CA:TRUE" } } },
			"criticality", false },
		{ BETWEEN,
			{ .subject = "CN=Between",
				.is_authority = true,
				.more = { { "basicConstraints", "CA:TRUE" } } },
			"criticality", true },
		{ ROOT, { .subject = "CN=Root", .is_authority = true, .key = "rsa:1024" },
			"weak-key", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(verdict_done) struct verdict v = {};
		CLEANUP(buf_done) struct buf json = {};
		struct shape s = usual;

		*(rows[i].where == ROOT            ? &s.root
			: rows[i].where == BETWEEN ? &s.between
						   : &s.leaf) = rows[i].order;
		validate_shape(&s, &v);
		verdict_add_json(&v, &json);
		if (v.valid != rows[i].valid ||
			(rows[i].rule ? !has_finding(&v, rows[i].rule) : v.n > 0))
			fail_msg("row %zu: %.*s", i, (int)buf_size(&json),
				(const char *)buf_span(&json).p);
	}
}

/* n policies, as the extension. */
static char *many_policies(unsigned n)
{
	struct buf text = {};

	buf_add_format(&text, "DER:3082%04x", 8 * n);
	for (unsigned i = 128; i < 128 + n; i++)
		buf_add_format(&text, "300606042a03%02x%02x", 0x80 | i >> 7, i & 0x7f);
	return buf_steal_string(&text);
}

/* More policies than one certificate may have, or than a tree of them: an answer, not an accident.
 */
static void test_many_policies(void **state)
{
	enum { N = 8 };
	static const struct {
		unsigned n_policies;
		size_t n_certs;
		bool valid;
	} rows[] = { { 100, 3, true }, { 200, 3, true }, { 201, 3, false }, { 4000, 3, false },
		{ 200, N, false } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
		CLEANUP(alloc_freep) char *policies = many_policies(rows[i].n_policies);
		CLEANUP(verdict_done) struct verdict v = {};
		struct cert_order order = { .subject = "CN=Root", .is_authority = true };
		struct cert_made made[N];
		struct cert *certs[N];
		const struct cert_list untrusted = { certs, rows[i].n_certs };
		struct path_request q = { .untrusted = &untrusted,
			.trust = trust,
			.time_us = clock_now_us() };
		char name[32];

		for (size_t k = 0; k < rows[i].n_certs; k++) {
			(void)snprintf(name, sizeof name, "CN=%zu", k);
			order.subject = name;
			order.issuer = k ? &made[k - 1] : NULL;
			order.more[0] = (struct cert_extension){ k ? "certificatePolicies" : NULL,
				policies };
			made[k] = cert_make(&order);
			q.leaf = certs[k] = made[k].cert;
		}
		trust_add(trust, certs[0], TRUST_ALL_PURPOSES);
		assert_int_equal(path_validate(&q, &v), 0);
		assert_int_equal(v.valid, rows[i].valid);
		if (!v.valid)
			assert_string_equal(verdict_error(&v)->rule, "limit");
		for (size_t k = 0; k < rows[i].n_certs; k++)
			cert_made_done(&made[k]);
	}
}

/* Of the issuer, for a year from an hour ago or of long ago. */
static void crl_make(struct crl_list *list, const struct cert_made *issuer,
	const struct cert *revoked, bool number, bool old)
{
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *time = ASN1_TIME_new();
	uint8_t *der = NULL;
	X509V3_CTX ctx;
	int n;

	(void)X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	(void)X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert_x509(issuer->cert)));
	(void)X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(time, old ? -86400 : -3600));
	if (revoked) {
		(void)X509_REVOKED_set_serialNumber(entry,
			(ASN1_INTEGER *)X509_get0_serialNumber(cert_x509(revoked)));
		(void)X509_REVOKED_set_revocationDate(entry, time);
		(void)X509_CRL_add0_revoked(crl, entry);
	} else {
		X509_REVOKED_free(entry);
	}
	(void)X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(time, old ? -3600 : 86400));
	X509V3_set_ctx(&ctx, cert_x509(issuer->cert), NULL, NULL, crl, 0);
	for (int i = 0; i < 1 + number; i++) {
		X509_EXTENSION *e = X509V3_EXT_conf(NULL, &ctx,
			i ? "crlNumber" : "authorityKeyIdentifier",
			i ? "DER:020107" : "keyid:always");

		assert_int_equal(X509_CRL_add_ext(crl, e, -1), 1);
		X509_EXTENSION_free(e);
	}
	assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	n = i2d_X509_CRL(crl, &der);
	assert_int_equal(crl_list_add(list, span_of(der, (size_t)n), NULL), 0);
	OPENSSL_free(der);
	ASN1_TIME_free(time);
	X509_CRL_free(crl);
}

enum { NO_LIST, GOOD, REVOKED, OLD, NO_NUMBER, OTHER_KEY };

static void make_list(struct crl_list *list, int kind, const struct cert_made *issuer,
	const struct cert_made *of, const struct cert_made *other)
{
	struct cert_made forged = { issuer->cert, other->key };

	if (kind != NO_LIST)
		crl_make(list, kind == OTHER_KEY ? &forged : issuer,
			kind == REVOKED ? of->cert : NULL, kind != NO_NUMBER, kind == OLD);
}

static void test_revocation(void **state)
{
	static const struct {
		int of_leaf, of_between; /* the lists that there are */
		bool none_available;     /* RFC 9608 */
		enum path_revocation mode;
		const char *rule;
		bool valid;
	} rows[] = {
		{ NO_LIST, NO_LIST, false, PATH_REVOCATION_GIVEN, NULL, true },
		{ NO_LIST, NO_LIST, false, PATH_REVOCATION_IGNORED, NULL, true },
		{ NO_LIST, NO_LIST, false, PATH_REVOCATION_REQUIRED, "no-crl", false },
		{ GOOD, GOOD, false, PATH_REVOCATION_REQUIRED, NULL, true },
		{ GOOD, NO_LIST, false, PATH_REVOCATION_GIVEN, "no-crl", true },
		{ GOOD, NO_LIST, false, PATH_REVOCATION_REQUIRED, "no-crl", false },
		{ NO_LIST, GOOD, true, PATH_REVOCATION_REQUIRED, NULL, true },
		{ REVOKED, GOOD, false, PATH_REVOCATION_REQUIRED, "revoked", false },
		{ REVOKED, NO_LIST, false, PATH_REVOCATION_GIVEN, "revoked", false },
		{ REVOKED, GOOD, false, PATH_REVOCATION_IGNORED, NULL, true },
		{ REVOKED, GOOD, true, PATH_REVOCATION_REQUIRED, "revoked", true },
		{ GOOD, REVOKED, false, PATH_REVOCATION_REQUIRED, "revoked", false },
		{ OLD, GOOD, false, PATH_REVOCATION_GIVEN, "crl-expired", false },
		{ OTHER_KEY, GOOD, false, PATH_REVOCATION_GIVEN, "crl-signature", false },
		{ NO_NUMBER, GOOD, false, PATH_REVOCATION_GIVEN, "crl-number", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
		CLEANUP(crl_list_done) struct crl_list crls = {};
		CLEANUP(verdict_done) struct verdict v = {};
		CLEANUP(buf_done) struct buf json = {};
		struct shape s = usual;
		struct cert_made made[3];
		const struct cert_list untrusted = { &made[1].cert, 1 };
		struct path_request q = { .untrusted = &untrusted,
			.trust = trust,
			.time_us = clock_now_us(),
			.crls = &crls,
			.revocation = rows[i].mode };

		if (rows[i].none_available)
			s.leaf.more[0] = (struct cert_extension){ "2.5.29.56", "ASN1:NULL" };
		shape_make(&s, made);
		trust_add(trust, made[2].cert, TRUST_ALL_PURPOSES);
		q.leaf = made[0].cert;
		make_list(&crls, rows[i].of_leaf, &made[1], &made[0], &made[2]);
		make_list(&crls, rows[i].of_between, &made[2], &made[1], &made[0]);
		assert_int_equal(path_validate(&q, &v), 0);
		verdict_add_json(&v, &json);
		if (v.valid != rows[i].valid ||
			(rows[i].rule ? !has_finding(&v, rows[i].rule) : v.n > 0))
			fail_msg("row %zu: %.*s", i, (int)buf_size(&json),
				(const char *)buf_span(&json).p);
		assert_int_equal(ERR_peek_error(), 0);
		for (size_t k = 0; k < 3; k++)
			cert_made_done(&made[k]);
	}
}

/* Another certificate for the same authority leads on where the first has expired. */
static void test_way_around(void **state)
{
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	CLEANUP(verdict_done) struct verdict v = {};
	struct shape s = usual;
	struct cert_made made[3], expired;
	struct cert *both[2];
	const struct cert_list untrusted = { both, 2 };
	struct path_request q = { .untrusted = &untrusted,
		.trust = trust,
		.time_us = clock_now_us() };

	(void)state;
	shape_make(&s, made);
	s.between.issuer = &made[2];
	s.between.use_key = made[1].key;
	s.between.till_us = now_us;
	expired = cert_make(&s.between);
	trust_add(trust, made[2].cert, TRUST_ALL_PURPOSES);
	q.leaf = made[0].cert;
	for (int first = 0; first < 2; first++) {
		CLEANUP(verdict_done) struct verdict found = {};

		both[first] = expired.cert;
		both[!first] = made[1].cert;
		assert_int_equal(path_validate(&q, &found), 0);
		assert_true(found.valid);
		assert_int_equal(found.n, 0);
		assert_ptr_equal(found.path.certs[1], made[1].cert);
	}
	both[0] = both[1] = expired.cert;
	assert_int_equal(path_validate(&q, &v), 0);
	assert_false(v.valid);
	assert_string_equal(verdict_error(&v)->rule, "expired");
	assert_int_equal(verdict_error(&v)->depth, 1);
	for (size_t k = 0; k < 3; k++)
		cert_made_done(&made[k]);
	cert_made_done(&expired);
}

/* Authorities that all issue each other: given up within the limits. */
static void test_thicket(void **state)
{
	enum { N = 8 };
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	CLEANUP(verdict_done) struct verdict v = {};
	struct cert_made first[N], all[N * N];
	struct cert *certs[N * N];
	const struct cert_list untrusted = { certs, N * N };
	struct path_request q = { .untrusted = &untrusted,
		.trust = trust,
		.time_us = clock_now_us() };
	struct cert_order order = { .is_authority = true };
	struct cert_made leaf;
	char names[N][32];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof names[i], "CN=%zu", i);
		first[i] = cert_make(
			&(struct cert_order){ .subject = names[i], .is_authority = true });
	}
	for (size_t i = 0; i < N * N; i++) {
		order.subject = names[i % N];
		order.use_key = first[i % N].key;
		order.issuer = &first[i / N];
		all[i] = cert_make(&order);
		certs[i] = all[i].cert;
	}
	leaf = cert_make(&(struct cert_order){ .subject = "CN=leaf", .issuer = &first[0] });
	q.leaf = leaf.cert;
	assert_int_equal(path_validate(&q, &v), 0);
	assert_false(v.valid);
	assert_true(has_finding(&v, "limit"));
	for (size_t i = 0; i < N; i++)
		cert_made_done(&first[i]);
	for (size_t i = 0; i < N * N; i++)
		cert_made_done(&all[i]);
	cert_made_done(&leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trusted_leaf),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_many_policies),
		cmocka_unit_test(test_revocation),
		cmocka_unit_test(test_way_around),
		cmocka_unit_test(test_thicket),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("path", tests, setup, teardown);
}
