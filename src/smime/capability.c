/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A list in order of preference of SEQUENCE { capabilityID OBJECT IDENTIFIER, parameters ANY
 * OPTIONAL }. Most entries in the wild are of no interest (signature algorithms, vendors' own):
 * they are passed over.
 */

#include "smime/capability.h"

#include "pki/der.h"
#include "pki/key.h"

#include <openssl/err.h>

typedef STACK_OF(X509_ALGOR) capability_list;

static void capability_list_free(capability_list *l)
{
	sk_X509_ALGOR_pop_free(l, X509_ALGOR_free);
}
CLEANUP_POINTER(capability_list, capability_list_free)

int capability_add(struct buf *out)
{
	CLEANUP(capability_list_freep) capability_list *list = NULL;
	const struct cipher *c;
	uint8_t *p;
	int n;

	for (size_t i = 0; (c = cipher_at(i)); i++) {
		if (!c->is_weak && !CMS_add_simple_smimecap(&list, c->nid, -1))
			return key_openssl_fault("CMS_add_simple_smimecap");
	}
	n = i2d_X509_ALGORS(list, NULL);
	if (n <= 0)
		return key_openssl_fault("i2d_X509_ALGORS");
	p = buf_room(out, (size_t)n);
	(void)i2d_X509_ALGORS(list, &p);
	buf_added(out, (size_t)n);
	return 0;
}

/* RFC 8551 section 2.5.2.1, RFC 3370 section 5.2: RC2's parameter is the number of effective bits.
 */
static const struct cipher *rc2_of(struct span parameter)
{
	struct span bits;
	unsigned value = 0;

	if (!der_only(parameter, DER_INTEGER, &bits) || bits.n == 0 || bits.n > 2)
		return NULL;
	for (size_t i = 0; i < bits.n; i++)
		value = value << 8 | bits.p[i];
	return value == 128  ? cipher_by_nid(NID_rc2_cbc)
	       : value == 64 ? cipher_by_nid(NID_rc2_64_cbc)
	       : value == 40 ? cipher_by_nid(NID_rc2_40_cbc)
			     : NULL;
}

static const struct cipher *cipher_of_entry(struct span entry)
{
	struct der id;
	const uint8_t *p;
	ASN1_OBJECT *object;
	int nid;

	if (!der_next(&entry, &id) || id.tag != DER_OID)
		return NULL;
	p = id.whole.p;
	object = d2i_ASN1_OBJECT(NULL, &p, (long)id.whole.n);
	nid = object ? OBJ_obj2nid(object) : NID_undef;
	ASN1_OBJECT_free(object);
	ERR_clear_error();
	return nid == NID_rc2_cbc ? rc2_of(entry) : cipher_by_nid(nid);
}

bool capability_parse(struct span der, struct capabilities *ret_capabilities)
{
	struct capabilities found = {};
	struct span list;

	if (der.n > CAPABILITY_OCTETS_MAX || !der_only(der, DER_SEQUENCE, &list))
		return false;
	for (size_t i = 0; list.n && i < CAPABILITY_ENTRIES_MAX; i++) {
		const struct cipher *cipher;
		struct der entry;

		if (!der_next(&list, &entry) || entry.tag != DER_SEQUENCE)
			return false;
		cipher = cipher_of_entry(entry.content);
		if (cipher && !capability_has(&found, cipher) && found.n < CAPABILITY_CIPHERS_MAX)
			found.ciphers[found.n++] = cipher;
	}
	*ret_capabilities = found;
	return true;
}

bool capability_has(const struct capabilities *c, const struct cipher *cipher)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->ciphers[i] == cipher)
			return true;
	}
	return false;
}

static struct span string_span(const ASN1_STRING *s)
{
	return span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

struct span capability_of_signer(const CMS_SignerInfo *signer)
{
	/* -3: once, and with one value. */
	const ASN1_STRING *list = CMS_signed_get0_data_by_OBJ(signer,
		OBJ_nid2obj(NID_SMIMECapabilities), -3, V_ASN1_SEQUENCE);

	ERR_clear_error();
	return list ? string_span(list) : (struct span){};
}

struct span capability_of_cert(const struct cert *cert)
{
	const X509 *x = cert_x509(cert);
	int at = X509_get_ext_by_NID(x, NID_SMIMECapabilities, -1);

	return at < 0 ? (struct span){} : string_span(X509_EXTENSION_get_data(X509_get_ext(x, at)));
}
