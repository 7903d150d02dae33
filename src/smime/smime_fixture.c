/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/smime_fixture.h"

#include "base/clock.h"
#include "base/enc.h"
#include "mime/word.h"

#include <openssl/cms.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

static const int64_t year_us = INT64_C(365) * 86400 * 1000000;

struct cert_made people_cert(const struct people *p, const char *subject, const char *email)
{
	const struct cert_order order = {
		.subject = subject,
		.names = email,
		.usage = "emailProtection",
		.issuer = &p->ca,
	};

	return cert_make(&order);
}

void people_make(struct people *p)
{
	const struct cert_order ca = {
		.subject = "CN=Test Authority",
		.is_authority = true,
		.from_us = clock_now_us() - year_us,
		.till_us = clock_now_us() + 10 * year_us,
	};
	struct cert_order bob = {
		.subject = "CN=Bob",
		.names = "email:bob@example.org",
		.usage = "emailProtection",
		.key = "rsa:2048",
	};

	word_init();
	*p = (struct people){ .now_us = clock_now_us() };
	p->ca = cert_make(&ca);
	bob.issuer = &p->ca;
	p->bob = cert_make(&bob);
	p->alice = people_cert(p, "CN=Alice", "email:alice@example.org");
	p->mallory = people_cert(p, "CN=Mallory", "email:mallory@example.net");
	p->carol = people_cert(p, "CN=Carol", "email:carol@example.org");
	p->trust = trust_new(TRUST_DOMAIN, NULL);
	trust_add(p->trust, p->ca.cert, TRUST_ALL_PURPOSES);
}

void people_done(struct people *p)
{
	cert_made_done(&p->ca);
	cert_made_done(&p->alice);
	cert_made_done(&p->mallory);
	cert_made_done(&p->bob);
	cert_made_done(&p->carol);
	trust_unref(p->trust);
}

struct smime_result people_read(const struct people *p, const struct buf *message)
{
	const struct smime_key bobs_key = { p->bob.cert, p->bob.key, NULL };
	const struct smime_request q = {
		.message = buf_span(message),
		.keys = &bobs_key,
		.n_keys = 1,
		.trust = p->trust,
		.time_us = p->now_us,
	};
	struct smime_result result;

	MUST(smime_read(&q, &result) == 0);
	return result;
}

bool fixture_has_note(const struct smime_report *r, const char *rule)
{
	for (size_t i = 0; i < r->n_notes; i++) {
		if (strcmp(r->notes[i].rule, rule) == 0)
			return true;
	}
	return false;
}

static void add_der(CMS_ContentInfo *cms, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_CMS_ContentInfo(cms, &der);

	MUST(n > 0);
	buf_add(out, span_of(der, (size_t)n));
	OPENSSL_free(der);
}

static void add_signer(CMS_ContentInfo *cms, const struct cert_made *signer, unsigned flags)
{
	const EVP_MD *md = flags & FIXTURE_SHA1 ? EVP_sha1() : EVP_sha256();
	unsigned how = CMS_BINARY;
	CMS_SignerInfo *info;

	how |= flags & FIXTURE_NO_CERTS ? CMS_NOCERTS : 0;
	how |= flags & FIXTURE_NO_ATTRIBUTES ? CMS_NOATTR : 0;
	how |= flags & FIXTURE_PSS ? CMS_KEY_PARAM : 0;
	info = CMS_add1_signer(cms, cert_x509(signer->cert), signer->key, md, how);
	MUST(info);
	if (flags & FIXTURE_PSS)
		MUST(EVP_PKEY_CTX_set_rsa_padding(CMS_SignerInfo_get0_pkey_ctx(info),
			     RSA_PKCS1_PSS_PADDING) > 0);
}

void fixture_sign_der(struct span content, const struct cert_made *signer, unsigned flags,
	struct buf *out)
{
	fixture_sign_often_der(content, signer, 1, flags, out);
}

void fixture_sign_often_der(struct span content, const struct cert_made *signer, size_t n,
	unsigned flags, struct buf *out)
{
	unsigned how = CMS_PARTIAL | CMS_BINARY | (flags & FIXTURE_DETACHED ? CMS_DETACHED : 0);
	CMS_ContentInfo *cms;
	BIO *in = BIO_new_mem_buf(content.n ? (const void *)content.p : "", (int)content.n);
	BIO *stream = BIO_new(BIO_s_mem());
	char *data;

	cms = CMS_sign(NULL, NULL, NULL, NULL, how | (flags & FIXTURE_STREAM ? CMS_STREAM : 0));
	MUST(cms);
	for (size_t i = 0; i < n; i++)
		add_signer(cms, signer, flags | (i ? FIXTURE_NO_CERTS : 0));
	if (flags & FIXTURE_STREAM) {
		MUST(i2d_CMS_bio_stream(stream, cms, in, CMS_STREAM | CMS_BINARY));
		buf_add(out, span_of(data, (size_t)BIO_get_mem_data(stream, &data)));
	} else {
		MUST(CMS_final(cms, in, NULL, CMS_BINARY));
		add_der(cms, out);
	}
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	BIO_free(stream);
}

void fixture_sign_with_der(struct span content, const struct cert_made *signer,
	const struct cert_made *certs, size_t n, struct buf *out)
{
	BIO *in = BIO_new_mem_buf(content.p, (int)content.n);
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);

	MUST(cms);
	add_signer(cms, signer, 0);
	for (size_t i = 0; i < n; i++)
		MUST(CMS_add1_cert(cms, cert_x509(certs[i].cert)));
	MUST(CMS_final(cms, in, NULL, CMS_BINARY));
	add_der(cms, out);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
}

void fixture_wrap(struct span der, struct buf *out)
{
	buf_add_string(out, "Content-Type: application/pkcs7-mime\r\n"
			    "Content-Transfer-Encoding: base64\r\n\r\n");
	enc_base64(out, der);
	buf_add_string(out, "\r\n");
}

void fixture_unwrap(struct span entity, struct buf *out)
{
	struct span body = span_skip(entity, span_find_span(entity, SPAN("\r\n\r\n")) + 4);

	MUST(enc_base64_decode(out, span_trim(body)));
}

void fixture_multipart(struct span entity, struct span signature, struct buf *out)
{
	buf_add_string(out, "Content-Type: multipart/signed; boundary=sig;\r\n"
			    " protocol=\"application/pkcs7-signature\"\r\n\r\n--sig\r\n");
	buf_add(out, entity);
	buf_add_string(out, "\r\n--sig\r\nContent-Type: application/pkcs7-signature\r\n"
			    "Content-Transfer-Encoding: base64\r\n\r\n");
	enc_base64(out, signature);
	buf_add_string(out, "\r\n--sig--\r\n");
}

void fixture_sign(struct span entity, const struct cert_made *signer, unsigned flags,
	struct buf *out)
{
	CLEANUP(buf_done) struct buf der = {};

	fixture_sign_der(entity, signer, flags, &der);
	if (flags & FIXTURE_DETACHED)
		fixture_multipart(entity, buf_span(&der), out);
	else
		fixture_wrap(buf_span(&der), out);
}

static void add_recipient(CMS_ContentInfo *cms, const struct cert_made *to, unsigned flags)
{
	CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, cert_x509(to->cert),
		flags & FIXTURE_OAEP ? CMS_KEY_PARAM : 0);
	EVP_PKEY_CTX *ctx;

	MUST(info);
	if (!(flags & FIXTURE_OAEP))
		return;
	ctx = CMS_RecipientInfo_get0_pkey_ctx(info);
	MUST(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
		EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0);
}

void fixture_encrypt(struct span entity, const EVP_CIPHER *cipher,
	const struct cert_made *const *to, size_t n, unsigned flags, struct buf *out)
{
	CLEANUP(buf_done) struct buf der = {};
	bool is_gcm = EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE;
	unsigned how = CMS_PARTIAL | CMS_BINARY;
	BIO *in = BIO_new_mem_buf(entity.p, (int)entity.n);
	CMS_ContentInfo *cms = is_gcm ? CMS_AuthEnvelopedData_create(cipher)
				      : CMS_encrypt(NULL, NULL, cipher, how);

	MUST(cms && CMS_set_detached(cms, 0));
	for (size_t i = 0; i < n; i++)
		add_recipient(cms, to[i], flags);
	MUST(CMS_final(cms, in, NULL, CMS_BINARY));
	add_der(cms, &der);
	fixture_wrap(buf_span(&der), out);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
}

static void deflate_to(struct span entity, struct buf *out)
{
	uLongf n = compressBound(entity.n);

	MUST(compress(buf_room(out, n), &n, entity.p, entity.n) == Z_OK);
	buf_added(out, n);
}

void fixture_compress(struct span entity, struct buf *out)
{
	/* ContentInfo, CompressedData and their members around zlib's output, whose length has four
	 * octets everywhere. */
	static const uint8_t info[] = "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09";
	static const uint8_t head[] = "\x02\x01\x00\x30\x0d\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01"
				      "\x09\x10\x03\x08";
	static const uint8_t data[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
	const struct {
		uint8_t tag;
		struct span prefix; /* what stands in it before the next */
	} levels[] = {
		{ 0x30, { info, sizeof info - 1 } },
		{ 0xa0, {} },
		{ 0x30, { head, sizeof head - 1 } },
		{ 0x30, { data, sizeof data - 1 } },
		{ 0xa0, {} },
		{ 0x04, {} },
	};
	enum { N = sizeof levels / sizeof levels[0] };
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf packed = {};
	size_t sizes[N], size;

	deflate_to(entity, &packed);
	size = buf_size(&packed);
	for (size_t i = N; i-- > 0;) {
		sizes[i] = levels[i].prefix.n + size;
		size = sizes[i] + 6;
	}
	for (size_t i = 0; i < N; i++) {
		buf_add_octet(&der, levels[i].tag);
		buf_add_octet(&der, 0x84);
		for (int shift = 24; shift >= 0; shift -= 8)
			buf_add_octet(&der, (uint8_t)(sizes[i] >> shift));
		buf_add(&der, levels[i].prefix);
	}
	buf_add(&der, buf_span(&packed));
	fixture_wrap(buf_span(&der), out);
}

void fixture_change(struct buf *message, const char *text)
{
	size_t at = span_find_span(buf_span(message), span_str(text));

	MUST(at < buf_size(message));
	message->p[message->start + at] ^= 1;
}
