/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is signed verifies by OpenSSL, with everything that the standard wants in it; what may not
 * sign says why. */

#include "smime/sign.h"

#include "base/clock.h"
#include "base/test.h"
#include "mime/encode.h"
#include "mime/header.h"
#include "mime/part.h"
#include "mime/word.h"
#include "pki/cert_fixture.h"
#include "smime/capability.h"

#include <openssl/err.h>
#include <openssl/ess.h>
#include <openssl/rsa.h>

static struct cert_made root, between, rsa, ec, ec384;

static struct cert_made person(const char *subject, const char *key, EVP_PKEY *use_key)
{
	const struct cert_order order = { .subject = subject,
		.names = "email:a@example.org",
		.usage = "emailProtection",
		.issuer = &between,
		.key = key,
		.use_key = use_key };

	return cert_make(&order);
}

static int setup(void **state)
{
	const struct cert_order top = { .subject = "CN=Root", .is_authority = true };
	const struct cert_order middle = { .subject = "CN=Between",
		.is_authority = true,
		.issuer = &root };
	EVP_PKEY *key = EVP_EC_gen("P-384");

	(void)state;
	root = cert_make(&top);
	between = cert_make(&middle);
	rsa = person("CN=rsa", "rsa:2048", NULL);
	ec = person("CN=ec", NULL, NULL);
	ec384 = person("CN=ec384", NULL, key);
	EVP_PKEY_free(key);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cert_made_done(&root);
	cert_made_done(&between);
	cert_made_done(&rsa);
	cert_made_done(&ec);
	cert_made_done(&ec384);
	return 0;
}

#define MESSAGE                                                                                    \
	"From: a@example.org\nSubject: s\nMIME-Version: 1.0\n"                                     \
	"Content-Type: text/plain; charset=utf-8\n\nGr\xc3\xbc\xc3\x9f"                            \
	"e aus dem Norden und noch mehr Text\n"

/* The body of a part, its encoding removed. */
static struct buf content_of(struct span message, const struct part *p)
{
	struct decoder d = { .encoding = p->encoding };
	struct buf out = {};

	decoder_feed(&d,
		span_head(span_skip(message, p->body_offset), p->end_offset - p->body_offset),
		&out);
	decoder_end(&d, &out);
	return out;
}

/* Verifies by OpenSSL alone; the caller frees the structure. */
static CMS_ContentInfo *verify(struct span message, size_t n_certs, struct buf *ret_entity)
{
	CLEANUP(part_tree_freep) struct part_tree *tree = part_parse(message);
	const struct part *top = &tree->parts[0];
	bool detached = span_is(top->type, "multipart");
	const struct part *first = detached ? &tree->parts[top->first_child] : NULL;
	CLEANUP(buf_done)
	struct buf der = content_of(message, detached ? &tree->parts[first->next] : top);
	BIO *in = first ? BIO_new_mem_buf(message.p + first->header_offset,
				  (int)(first->end_offset - first->header_offset))
			: NULL;
	BIO *out = BIO_new(BIO_s_mem());
	const uint8_t *p = buf_span(&der).p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)buf_size(&der));
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *certs;
	char *data;
	long n;

	assert_non_null(cms);
	X509_STORE_add_cert(store, cert_x509(root.cert));
	if (CMS_verify(cms, NULL, store, in, out, CMS_BINARY) != 1)
		fail_msg("%s", ERR_error_string(ERR_peek_last_error(), NULL));
	n = BIO_get_mem_data(out, &data);
	buf_add(ret_entity, span_of(data, (size_t)n));
	certs = CMS_get1_certs(cms);
	assert_int_equal(sk_X509_num(certs), n_certs);
	sk_X509_pop_free(certs, X509_free);
	X509_STORE_free(store);
	BIO_free(in);
	BIO_free(out);
	return cms;
}

static const ASN1_STRING *attribute(CMS_SignerInfo *si, int nid, int type)
{
	return CMS_signed_get0_data_by_OBJ(si, OBJ_nid2obj(nid), -3, type);
}

static void check_attributes(CMS_SignerInfo *si, int64_t now_us)
{
	const ASN1_STRING *time = attribute(si, NID_pkcs9_signingTime, V_ASN1_UTCTIME);
	const ASN1_STRING *ess = attribute(si, NID_id_smime_aa_signingCertificateV2,
		V_ASN1_SEQUENCE);
	struct capabilities capabilities;
	const unsigned char *p;
	ESS_SIGNING_CERT_V2 *signing;
	int64_t time_us;

	assert_non_null(time);
	assert_true(cert_time_us((const ASN1_TIME *)time, &time_us));
	assert_int_equal(time_us, now_us / 1000000 * 1000000);
	assert_non_null(ess);
	p = ASN1_STRING_get0_data(ess);
	signing = d2i_ESS_SIGNING_CERT_V2(NULL, &p, ASN1_STRING_length(ess));
	assert_non_null(signing);
	ESS_SIGNING_CERT_V2_free(signing);
	assert_true(capability_parse(capability_of_signer(si), &capabilities));
	assert_string_equal(capabilities.ciphers[0]->name, "aes-256-gcm");
	for (size_t i = 0; i < capabilities.n; i++)
		assert_false(capabilities.ciphers[i]->is_weak);
}

/* The algorithm of the signature, and of the digest. */
static void check_algorithms(CMS_SignerInfo *si, int signature, const char *digest)
{
	X509_ALGOR *md, *sig;

	CMS_SignerInfo_get0_algs(si, NULL, NULL, &md, &sig);
	assert_int_equal(OBJ_obj2nid(sig->algorithm), signature);
	assert_int_equal(OBJ_obj2nid(md->algorithm), smime_digest_by_name(span_str(digest))->nid);
}

static void forms(void **state)
{
	const struct cert_list chain = { (struct cert *[]){ root.cert, between.cert }, 2 };
	const struct {
		const struct cert_made *who;
		bool opaque, pss;
		const char *digest;
		int signature;
		const char *expected_digest;
	} rows[] = {
		{ &rsa, false, false, NULL, NID_rsaEncryption, "sha-256" },
		{ &rsa, true, false, "sha-512", NID_rsaEncryption, "sha-512" },
		{ &rsa, false, true, NULL, NID_rsassaPss, "sha-256" },
		{ &rsa, true, true, "sha-384", NID_rsassaPss, "sha-384" },
		{ &ec, false, false, NULL, NID_ecdsa_with_SHA256, "sha-256" },
		{ &ec, true, true, NULL, NID_ecdsa_with_SHA256, "sha-256" },
		{ &ec384, false, false, NULL, NID_ecdsa_with_SHA384, "sha-384" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct smime_key key = { rows[i].who->cert, rows[i].who->key, &chain };
		const struct sign_request s = { .signers = &key,
			.n_signers = 1,
			.opaque = rows[i].opaque,
			.pss = rows[i].pss,
			.now_us = clock_now_us(),
			.digest = rows[i].digest ? smime_digest_by_name(span_str(rows[i].digest))
						 : NULL };
		CLEANUP(buf_done) struct buf out = {}, entity = {};
		struct why why = {};
		CMS_ContentInfo *cms;
		CMS_SignerInfo *si;

		if (sign_message(&s, SPAN(MESSAGE), &out, &why))
			fail_msg("row %zu: %s", i, why.text);
		assert_true(encode_is_7bit(buf_span(&out)) && encode_is_crlf(buf_span(&out)));
		assert_true(span_starts(buf_span(&out),
			SPAN("From: a@example.org\r\nSubject: s\r\nMIME-Version: "
			     "1.0\r\nContent-Type: ")));
		/* Itself and the one between, not the root. */
		cms = verify(buf_span(&out), 2, &entity);
		assert_true(span_is(buf_span(&entity),
			"Content-Type: text/plain; charset=utf-8\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
			"Gr=C3=BC=C3=9Fe aus dem Norden und noch mehr Text\r\n"));
		si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
		check_attributes(si, s.now_us);
		check_algorithms(si, rows[i].signature, rows[i].expected_digest);
		CMS_ContentInfo_free(cms);
	}
}

static void several(void **state)
{
	const struct smime_key keys[] = { { rsa.cert, rsa.key, NULL },
		{ ec384.cert, ec384.key, NULL }, { rsa.cert, rsa.key, NULL } };
	const struct cert_list chain = { &between.cert, 1 };
	const struct smime_key chained[] = { { rsa.cert, rsa.key, &chain },
		{ ec384.cert, ec384.key, &chain } };
	const struct sign_request s = { .signers = chained,
		.n_signers = 2,
		.now_us = clock_now_us() };
	const struct sign_request same = { .signers = keys,
		.n_signers = 3,
		.now_us = clock_now_us() };
	CLEANUP(buf_done) struct buf out = {}, entity = {}, again = {};
	CMS_ContentInfo *cms;

	(void)state;
	assert_int_equal(sign_message(&s, SPAN(MESSAGE), &out, NULL), 0);
	assert_true(span_find_span(buf_span(&out), SPAN("micalg=\"sha-256,sha-384\";")) <
		    buf_size(&out));
	cms = verify(buf_span(&out), 3, &entity);
	assert_int_equal(sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)), 2);
	CMS_ContentInfo_free(cms);
	assert_int_equal(sign_message(&same, SPAN(MESSAGE), &again, NULL), 0);
}

/* Every octet of a CRLF entity is signed as it stands, and altering one is seen. */
static void octets(void **state)
{
	const struct cert_list chain = { &between.cert, 1 };
	const struct smime_key key = { rsa.cert, rsa.key, &chain };
	const struct sign_request s = { .signers = &key, .n_signers = 1, .now_us = clock_now_us() };
	const struct span entity = SPAN(
		"Content-Type: text/plain\r\n\r\n trailing \r\n\r\n--=_\r\nx");
	CLEANUP(buf_done) struct buf out = {}, back = {};

	(void)state;
	assert_int_equal(sign_entity(&s, entity, &out, NULL), 0);
	CMS_ContentInfo_free(verify(buf_span(&out), 2, &back));
	assert_true(span_equal(buf_span(&back), entity));
}

static void keep_8bit(void **state)
{
	const struct cert_list chain = { &between.cert, 1 };
	const struct smime_key key = { rsa.cert, rsa.key, &chain };
	const struct sign_request s = { .signers = &key,
		.n_signers = 1,
		.now_us = clock_now_us(),
		.keep_8bit = true };
	CLEANUP(buf_done) struct buf out = {}, back = {};

	(void)state;
	assert_int_equal(sign_message(&s, SPAN(MESSAGE), &out, NULL), 0);
	CMS_ContentInfo_free(verify(buf_span(&out), 2, &back));
	assert_true(span_find_span(buf_span(&back), SPAN("Gr\xc3\xbc\xc3\x9f")) < buf_size(&back));
}

static void eight_bit_header(void **state)
{
	const struct smime_key key = { rsa.cert, rsa.key, NULL };
	struct sign_request s = { .signers = &key, .n_signers = 1, .now_us = clock_now_us() };
	const struct span message = SPAN("From: a@example.org\nSubject: Gr\xc3\xbc\xc3\x9f"
					 "e\nContent-Type: text/plain\n\ntext\n");
	CLEANUP(buf_done) struct buf out = {};
	struct why why = {};

	(void)state;
	/* Outside of what is signed it is as it came. */
	assert_int_equal(sign_message(&s, message, &out, &why), 0);
	buf_clear(&out);
	s.protect_header = true;
	assert_int_equal(sign_message(&s, message, &out, &why), SIGN_E_REFUSED);
	assert_non_null(strstr(why.text, "Subject"));
	assert_int_equal(buf_size(&out), 0);
	s.keep_8bit = true;
	assert_int_equal(sign_message(&s, message, &out, &why), 0);
}

static void refused(void **state)
{
	EVP_PKEY *ed = NULL;
	const int64_t now = clock_now_us();
	const struct cert_order usages[] = {
		{ .subject = "CN=x",
			.usage = "emailProtection",
			.more = { { "keyUsage", "critical,keyEncipherment" } } },
		{ .subject = "CN=x", .usage = "serverAuth" },
		{ .subject = "CN=x", .till_us = now - 1000000 },
		{ .subject = "CN=x", .from_us = now + 60000000 },
		{ .subject = "CN=x" },
	};
	static const char *const expected[] = { "key usage lacks digitalSignature",
		"lacks emailProtection", "has expired", "not valid yet", "another key" };

	(void)state;
	for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++) {
		struct cert_made made = cert_make(&usages[i]);
		const struct smime_key key = { made.cert, i == 4 ? ec.key : made.key, NULL };
		const struct sign_request s = { .signers = &key, .n_signers = 1, .now_us = now };
		CLEANUP(buf_done) struct buf out = {};
		struct why why = {};

		assert_int_equal(sign_message(&s, SPAN(MESSAGE), &out, &why), SIGN_E_REFUSED);
		if (!strstr(why.text, expected[i]) || !strstr(why.text, "CN=x"))
			fail_msg("row %zu: %s", i, why.text);
		assert_int_equal(buf_size(&out), 0);
		assert_int_equal(ERR_peek_error(), 0);
		cert_made_done(&made);
	}
	assert_int_equal(key_generate(&ed, KEY_ED25519), 0);
	{
		struct cert_made made = person("CN=ed", NULL, ed);
		const struct smime_key key = { made.cert, made.key, NULL };
		const struct sign_request s = { .signers = &key, .n_signers = 1, .now_us = now };
		const struct sign_request none = { .now_us = now };
		CLEANUP(buf_done) struct buf out = {};
		struct why why = {};

		assert_int_equal(sign_message(&s, SPAN(MESSAGE), &out, &why), SIGN_E_REFUSED);
		assert_non_null(strstr(why.text, "Ed25519"));
		assert_int_equal(sign_message(&none, SPAN(MESSAGE), &out, &why), SIGN_E_REFUSED);
		cert_made_done(&made);
	}
	EVP_PKEY_free(ed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(several),
		cmocka_unit_test(octets),
		cmocka_unit_test(keep_8bit),
		cmocka_unit_test(eight_bit_header),
		cmocka_unit_test(refused),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
