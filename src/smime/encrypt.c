/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * All recipients are checked before anything is encrypted, so that a sender learns of all that are
 * missing at once. Everything here works on public keys.
 */

#include "smime/encrypt.h"

#include "base/alloc.h"
#include "pki/key.h"
#include "smime/capability.h"
#include "smime/protect.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>

CLEANUP_POINTER(BIO, BIO_free)
CLEANUP_POINTER(CMS_ContentInfo, CMS_ContentInfo_free)

void encrypt_faults_done(struct encrypt_faults *f)
{
	free(f->faults);
	*f = (struct encrypt_faults){};
}

void encrypt_check(const struct encrypt_request *e, struct encrypt_faults *faults)
{
	for (size_t i = 0; i < e->n_recipients; i++) {
		const struct encrypt_recipient *to = &e->recipients[i];
		const struct cert_list certs = { (struct cert **)&to->cert, to->cert ? 1 : 0 };
		struct encrypt_fault fault = { .recipient = i };
		struct cert *cert;

		fault.fault = recipient_choose(&certs, to->address, e->now_us, &cert, &fault.why);
		if (!fault.fault)
			continue;
		faults->faults = alloc_array(faults->faults, faults->n + 1, sizeof fault);
		faults->faults[faults->n++] = fault;
	}
}

static bool reads(const struct encrypt_recipient *to, const struct cipher *cipher)
{
	struct capabilities c;

	if (to->capabilities.n)
		return capability_parse(to->capabilities, &c) && capability_has(&c, cipher);
	return to->cert && capability_parse(capability_of_cert(to->cert), &c) &&
	       capability_has(&c, cipher);
}

const struct cipher *encrypt_cipher(const struct encrypt_request *e)
{
	const struct cipher *gcm = cipher_by_nid(NID_aes_256_gcm);

	for (size_t i = 0; i < e->n_recipients; i++) {
		if (!reads(&e->recipients[i], gcm))
			return cipher_by_nid(NID_aes_256_cbc);
	}
	return gcm;
}

/* RFC 5753 section 7.1.4 with SHA-256, which all that know more than SHA-1 read, for all curves;
 * the key wrap that goes with the content's cipher is OpenSSL's choice. */
static bool set_method(CMS_RecipientInfo *info, bool oaep)
{
	EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(info);

	if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE)
		return EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) > 0;
	if (!oaep)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) > 0;
}

/* The same certificate twice (a sender who writes to himself) is one recipient. */
static bool is_repeated(const struct encrypt_request *e, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (span_equal(cert_der(e->recipients[k].cert), cert_der(e->recipients[i].cert)))
			return true;
	}
	return false;
}

static int make_cms(const struct encrypt_request *e, const struct cipher *cipher,
	struct span entity, CMS_ContentInfo **ret_cms)
{
	CLEANUP(BIO_freep) BIO *in = BIO_new_mem_buf(entity.p, (int)entity.n);
	CLEANUP(CMS_ContentInfo_freep)
	CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_get_cipherbynid(cipher->nid),
		CMS_BINARY | CMS_PARTIAL);

	if (!cms || !in)
		return key_openssl_fault("CMS_encrypt");
	for (size_t i = 0; i < e->n_recipients; i++) {
		CMS_RecipientInfo *info;

		if (is_repeated(e, i))
			continue;
		info = CMS_add1_recipient_cert(cms, cert_x509(e->recipients[i].cert),
			CMS_KEY_PARAM);
		if (!info || !set_method(info, e->oaep))
			return key_openssl_fault("CMS_add1_recipient_cert");
	}
	if (!CMS_final(cms, in, NULL, CMS_BINARY))
		return key_openssl_fault("CMS_final");
	*ret_cms = TAKE(cms);
	return 0;
}

static int check(const struct encrypt_request *e, const struct cipher *cipher, struct span entity,
	struct encrypt_faults *faults, struct why *why)
{
	if (!cipher->may_write) {
		why_set(why, "%s can be read but is not written", cipher->text);
		return ENCRYPT_E_REFUSED;
	}
	if (e->n_recipients == 0 || e->n_recipients > ENCRYPT_RECIPIENTS_MAX) {
		why_set(why, "a message is encrypted to 1 to %d recipients",
			ENCRYPT_RECIPIENTS_MAX);
		return ENCRYPT_E_REFUSED;
	}
	if (entity.n > ENTITY_OCTETS_MAX) {
		why_set(why, "the message is larger than %d octets", ENTITY_OCTETS_MAX);
		return ENCRYPT_E_REFUSED;
	}
	encrypt_check(e, faults);
	return faults->n ? ENCRYPT_E_RECIPIENTS : 0;
}

int encrypt_entity(const struct encrypt_request *e, struct span entity, struct buf *out,
	struct encrypt_faults *ret_faults, struct why *why)
{
	const struct cipher *cipher = e->cipher ? e->cipher : encrypt_cipher(e);
	CLEANUP(CMS_ContentInfo_freep) CMS_ContentInfo *cms = NULL;
	CLEANUP(buf_done) struct buf der = {};
	int r;

	*ret_faults = (struct encrypt_faults){};
	r = check(e, cipher, entity, ret_faults, why);
	if (r)
		return r;
	TRY(make_cms(e, cipher, entity, &cms));
	TRY(entity_cms_der(cms, &der));
	entity_add_cms(cipher->is_authenticated ? "authEnveloped-data" : "enveloped-data",
		buf_span(&der), out);
	return 0;
}

static void split(const struct encrypt_request *e, struct span message, struct buf *outer,
	struct buf *entity)
{
	CLEANUP(buf_done) struct buf fields = {}, plain = {};

	entity_split(message, &fields, &plain);
	if (e->protect_header &&
		protect_header(buf_span(&fields), buf_span(&plain), true, outer, entity))
		return;
	buf_add(outer, buf_span(&fields));
	buf_add(entity, buf_span(&plain));
}

int encrypt_message(const struct encrypt_request *e, struct span message, struct buf *out,
	struct encrypt_faults *ret_faults, struct why *why)
{
	CLEANUP(buf_done) struct buf canonical = {}, outer = {}, entity = {}, encrypted = {};
	int r;

	/* Nothing on the way sees the octets inside, so they stay 8-bit. */
	(void)entity_canonical(message, ENTITY_8BIT, &canonical);
	split(e, buf_span(&canonical), &outer, &entity);
	r = encrypt_entity(e, buf_span(&entity), &encrypted, ret_faults, why);
	if (r)
		return r;
	entity_join(buf_span(&outer), buf_span(&encrypted), out);
	return 0;
}
