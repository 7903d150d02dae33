/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The CMS is OpenSSL's; what is signed, by whom, with which attributes and how it stands in a
 * message is decided here. No octet of the entity changes between the digest and the output.
 */

#include "smime/sign.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "base/random.h"
#include "mime/encode.h"
#include "pki/chain.h"
#include "smime/capability.h"
#include "mime/header.h"
#include "smime/protect.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

CLEANUP_POINTER(BIO, BIO_free)
CLEANUP_POINTER(ASN1_TIME, ASN1_TIME_free)
CLEANUP_POINTER(CMS_ContentInfo, CMS_ContentInfo_free)

/* The reason behind the certificate's name. */
static int refuse(struct why *why, const struct cert *cert, const char *reason)
{
	CLEANUP(buf_done) struct buf subject = {};

	cert_add_subject(cert, &subject);
	why_set(why, "the certificate of %.*s %s",
		(int)(buf_size(&subject) > 200 ? 200 : buf_size(&subject)),
		(const char *)buf_span(&subject).p, reason);
	ERR_clear_error();
	return SIGN_E_REFUSED;
}

int sign_check_cert(const struct cert *cert, int64_t now_us, struct why *why)
{
	X509 *x = cert_x509(cert);
	EVP_PKEY *public = X509_get0_pubkey(x);

	if (now_us < cert_not_before_us(cert))
		return refuse(why, cert, "is not valid yet");
	if (now_us > cert_not_after_us(cert))
		return refuse(why, cert, "has expired: get a new one");
	if (!(X509_get_key_usage(x) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		return refuse(why, cert,
			"is not for signing (its key usage lacks digitalSignature)");
	if (!cert_allows(cert, CERT_USE_MAIL))
		return refuse(why, cert,
			"is not for mail (its extended key usage lacks emailProtection)");
	if (public && key_is_ed25519(public))
		return refuse(why, cert,
			"has an Ed25519 key, which cannot sign mail here: use RSA or EC");
	return 0;
}

static int check_signer(const struct sign_request *s, const struct smime_key *k, struct why *why)
{
	int r = sign_check_cert(k->cert, s->now_us, why);

	if (r || X509_check_private_key(cert_x509(k->cert), k->key) == 1)
		return r;
	return refuse(why, k->cert, "is for another key than the one that was given");
}

static const EVP_MD *digest_of(const struct sign_request *s, const struct smime_key *k)
{
	return s->digest ? EVP_get_digestbynid(s->digest->nid) : key_digest(k->key);
}

static int add_cert(CMS_ContentInfo *cms, struct cert_list *added, struct cert *c)
{
	for (size_t i = 0; i < added->n; i++) {
		if (span_equal(cert_der(added->certs[i]), cert_der(c)))
			return 0;
	}
	if (!CMS_add1_cert(cms, cert_x509(c)))
		return key_openssl_fault("CMS_add1_cert");
	cert_list_add(added, c);
	return 0;
}

/* The signer's certificate and what leads from it to a root, which who trusts it has. */
static int add_chain(CMS_ContentInfo *cms, struct cert_list *added, const struct smime_key *k)
{
	CLEANUP(chain_done) struct chain chain = {};
	const struct cert_list none = {};

	TRY(add_cert(cms, added, k->cert));
	if (!k->chain)
		return 0;
	TRY(chain_build(k->cert, k->chain, &none, NULL, &chain));
	for (size_t i = 0; i < chain.sent.n; i++)
		TRY(add_cert(cms, added, chain.sent.certs[i]));
	return 0;
}

/* Besides contentType, messageDigest (RFC 5652 section 11.1, 11.2) and signingCertificateV2 (RFC
 * 5035 section 3), which OpenSSL adds: signingTime (RFC 5652 section 11.3), capabilities. */
static int add_attributes(const struct sign_request *s, CMS_SignerInfo *si)
{
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *time = ASN1_TIME_set(NULL, s->now_us / 1000000);
	CLEANUP(buf_done) struct buf capabilities = {};

	TRY(capability_add(&capabilities));
	if (!time ||
		!CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime, time->type, time, -1) ||
		!CMS_signed_add1_attr_by_NID(si, NID_SMIMECapabilities, V_ASN1_SEQUENCE,
			buf_span(&capabilities).p, (int)buf_size(&capabilities)))
		return key_openssl_fault("CMS_signed_add1_attr_by_NID");
	return 0;
}

/* RFC 4056 section 3: the salt is as long as the digest. */
static bool set_pss(CMS_SignerInfo *si)
{
	EVP_PKEY_CTX *ctx = CMS_SignerInfo_get0_pkey_ctx(si);

	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static int add_signer(const struct sign_request *s, CMS_ContentInfo *cms, struct cert_list *added,
	const struct smime_key *k, struct why *why)
{
	bool pss = key_is_rsa(k->key) && (s->pss || EVP_PKEY_is_a(k->key, "RSA-PSS"));
	unsigned flags = CMS_BINARY | CMS_NOCERTS | CMS_NOSMIMECAP | CMS_CADES |
			 (pss ? CMS_KEY_PARAM : 0);
	CMS_SignerInfo *si;
	int r = check_signer(s, k, why);

	if (r)
		return r;
	si = CMS_add1_signer(cms, cert_x509(k->cert), k->key, digest_of(s, k), flags);
	if (!si || (pss && !set_pss(si))) {
		key_openssl_why(why, "the key cannot sign");
		return SIGN_E_REFUSED;
	}
	TRY(add_chain(cms, added, k));
	return add_attributes(s, si);
}

static int make_cms(const struct sign_request *s, struct span entity, CMS_ContentInfo **ret_cms,
	struct why *why)
{
	unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOCERTS | (s->opaque ? 0 : CMS_DETACHED);
	CLEANUP(CMS_ContentInfo_freep)
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
	CLEANUP(BIO_freep) BIO *in = BIO_new_mem_buf(entity.p, (int)entity.n);
	CLEANUP(cert_list_done) struct cert_list added = {};

	if (!cms || !in)
		return key_openssl_fault("CMS_sign");
	for (size_t i = 0; i < s->n_signers; i++) {
		int r = add_signer(s, cms, &added, &s->signers[i], why);

		if (r)
			return r;
	}
	if (!CMS_final(cms, in, NULL, flags)) {
		/* The key's process says no, or is not there. */
		key_openssl_why(why, "the key does not sign");
		return SIGN_E_REFUSED;
	}
	*ret_cms = TAKE(cms);
	return 0;
}

/* A line that is in no entity: encodings do not have it, and plain text is looked at. */
static void make_boundary(struct span entity, struct buf *out)
{
	do {
		uint8_t random[16];

		buf_clear(out);
		random_fill(random, sizeof random);
		buf_add_string(out, "=_");
		enc_hex(out, span_of(random, sizeof random));
	} while (span_find_span(entity, buf_span(out)) < entity.n);
}

/* Each digest once; several in quotes, since a comma may not stand bare (RFC 2045 section 5.1). */
static void add_micalg(const struct sign_request *s, struct buf *out)
{
	CLEANUP(buf_done) struct buf names = {};
	const struct smime_digest *d;
	size_t n = 0;

	for (size_t i = 0; (d = smime_digest_at(i)); i++) {
		bool used = false;

		for (size_t k = 0; k < s->n_signers; k++)
			used |= EVP_MD_get_type(digest_of(s, &s->signers[k])) == d->nid;
		if (used)
			buf_add_format(&names, "%s%s", n++ ? "," : "", d->name);
	}
	buf_add_string(out, n > 1 ? "\"" : "");
	buf_add(out, buf_span(&names));
	buf_add_string(out, n > 1 ? "\"" : "");
}

static void add_multipart(const struct sign_request *s, struct span entity, struct span der,
	struct buf *out)
{
	CLEANUP(buf_done) struct buf boundary = {};

	make_boundary(entity, &boundary);
	buf_add_string(out,
		"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n"
		" micalg=");
	add_micalg(s, out);
	buf_add_string(out, ";\r\n boundary=\"");
	buf_add(out, buf_span(&boundary));
	buf_add_string(out, "\"\r\n\r\nThis is a message with an S/MIME signature.\r\n\r\n--");
	buf_add(out, buf_span(&boundary));
	buf_add_string(out, "\r\n");
	buf_add(out, entity);
	/* This line end belongs to the boundary (RFC 2046 section 5.1.1). */
	buf_add_string(out, "\r\n--");
	buf_add(out, buf_span(&boundary));
	buf_add_string(out, "\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
			    "Content-Transfer-Encoding: base64\r\n"
			    "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n");
	encode_base64(der, out);
	buf_add_string(out, "\r\n--");
	buf_add(out, buf_span(&boundary));
	buf_add_string(out, "--\r\n");
}

int sign_entity(const struct sign_request *s, struct span entity, struct buf *out, struct why *why)
{
	CLEANUP(CMS_ContentInfo_freep) CMS_ContentInfo *cms = NULL;
	CLEANUP(buf_done) struct buf der = {};
	int r;

	if (s->n_signers == 0 || s->n_signers > SIGNERS_MAX) {
		why_set(why, "a message has 1 to %d signers", SIGNERS_MAX);
		return SIGN_E_REFUSED;
	}
	if (entity.n > ENTITY_OCTETS_MAX) {
		why_set(why, "the message is larger than %d octets", ENTITY_OCTETS_MAX);
		return SIGN_E_REFUSED;
	}
	r = make_cms(s, entity, &cms, why);
	if (r)
		return r;
	TRY(entity_cms_der(cms, &der));
	if (s->opaque)
		entity_add_cms("signed-data", buf_span(&der), out);
	else
		add_multipart(s, entity, buf_span(&der), out);
	return 0;
}

static void split(const struct sign_request *s, struct span message, struct buf *outer,
	struct buf *entity)
{
	CLEANUP(buf_done) struct buf fields = {}, plain = {};

	entity_split(message, &fields, &plain);
	if (s->protect_header &&
		protect_header(buf_span(&fields), buf_span(&plain), false, outer, entity))
		return;
	buf_add(outer, buf_span(&fields));
	buf_add(entity, buf_span(&plain));
}

/* RFC 8551 section 3.1.3: what stands beside its signature has to survive servers that know seven bits
 * only. Bodies were encoded for that; how a field of the header is, is for its author to say. Parts that
 * are not to be touched, and headers of parts, are as they came. */
static int check_header(const struct sign_request *s, struct span entity, struct why *why)
{
	struct span rest = span_head(entity, header_size(entity));
	struct header_field f;

	while (!s->keep_8bit && !s->opaque && header_next(&rest, &f)) {
		if (span_is_ascii(f.whole))
			continue;
		why_set(why,
			"the header field %.*s has octets that are not ASCII, and would not "
			"survive every server: write it in encoded words (RFC 2047), do not have "
			"the header protected, or keep 8 bits",
			(int)(f.name.n > 100 ? 100 : f.name.n), (const char *)f.name.p);
		return SIGN_E_REFUSED;
	}
	return 0;
}

int sign_message(const struct sign_request *s, struct span message, struct buf *out,
	struct why *why)
{
	CLEANUP(buf_done) struct buf canonical = {}, outer = {}, entity = {}, signed_entity = {};
	int r;

	(void)entity_canonical(message, s->keep_8bit ? ENTITY_8BIT : ENTITY_7BIT, &canonical);
	split(s, buf_span(&canonical), &outer, &entity);
	r = check_header(s, buf_span(&entity), why);
	if (r)
		return r;
	r = sign_entity(s, buf_span(&entity), &signed_entity, why);
	if (r)
		return r;
	entity_join(buf_span(&outer), buf_span(&signed_entity), out);
	return 0;
}
