/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Read by hand rather than by OpenSSL's CMS: only the frame around the certificates is of interest,
 * and in this way it is DER to the last octet, nothing is kept of what is passed over, and each
 * certificate goes through the one place that reads certificates.
 */

#include "pki/pkcs7.h"

#include "pki/der.h"

enum {
	TAG_EXPLICIT = 0xa0,     /* [0] EXPLICIT */
	TAG_CERTIFICATES = 0xa0, /* [0] IMPLICIT SET */
	TAG_CRLS = 0xa1,         /* [1] IMPLICIT SET */
};

/* 1.2.840.113549.1.7.2 and .1 (RFC 5652 sections 5.1 and 4). */
static const uint8_t signed_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02 };
static const uint8_t data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };

static int refuse(struct why *why, const char *text)
{
	why_set(why, "%s", text);
	return CERT_E_SYNTAX;
}

/* The next value, if it has the tag. */
static bool take(struct span *s, uint8_t tag, struct span *ret_content)
{
	struct span rest = *s;
	struct der value;

	if (!der_next(&rest, &value) || value.tag != tag)
		return false;
	*s = rest;
	*ret_content = value.content;
	return true;
}

bool pkcs7_is(struct span der)
{
	struct der outer;
	struct span oid;

	if (!der_next(&der, &outer) || outer.tag != DER_SEQUENCE)
		return false;
	return take(&outer.content, DER_OID, &oid) &&
	       span_equal(oid, span_of(signed_data, sizeof signed_data));
}

/* The SignedData in a ContentInfo. */
static bool open_frame(struct span der, struct span *ret_signed)
{
	struct span info, oid, content;

	return der_only(der, DER_SEQUENCE, &info) && take(&info, DER_OID, &oid) &&
	       span_equal(oid, span_of(signed_data, sizeof signed_data)) &&
	       der_only(info, TAG_EXPLICIT, &content) &&
	       der_only(content, DER_SEQUENCE, ret_signed);
}

/* Past version, digest algorithms and content to the certificates. A content that is there, or is
 * not "data", belongs to a message. */
static int find_certs(struct span *s, struct span *ret_certs, struct why *why)
{
	struct span version, digests, content, oid;

	if (!take(s, DER_INTEGER, &version) || !take(s, DER_SET, &digests) ||
		!take(s, DER_SEQUENCE, &content) || !take(&content, DER_OID, &oid))
		return refuse(why, "the PKCS #7 file is damaged or not in DER");
	if (content.n || !span_equal(oid, span_of(data, sizeof data)))
		return refuse(why, "the PKCS #7 file is a message, not a bundle of certificates");
	if (!take(s, TAG_CERTIFICATES, ret_certs) || ret_certs->n == 0)
		return refuse(why, "there is no certificate in the PKCS #7 file");
	return 0;
}

static int check_end(struct span s, struct why *why)
{
	struct span crls, signers;

	(void)take(&s, TAG_CRLS, &crls);
	if (!take(&s, DER_SET, &signers) || s.n)
		return refuse(why, "the PKCS #7 file is damaged or not in DER");
	if (signers.n)
		return refuse(why,
			"the PKCS #7 file is a signed message, not a bundle of certificates");
	return 0;
}

/* RFC 5652 section 10.2.2: of the forms of CertificateChoices only the first is a certificate. */
static int add_cert(struct cert_list *list, struct span *certs, struct why *why)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct der value;
	int r;

	if (!der_next(certs, &value))
		return refuse(why, "the PKCS #7 file is damaged or not in DER");
	if (value.tag != DER_SEQUENCE)
		return refuse(why, "there is something in the PKCS #7 file that is no certificate");
	if (list->n == CERT_LIST_MAX) {
		why_set(why, "more than %d certificates", CERT_LIST_MAX);
		return CERT_E_SYNTAX;
	}
	r = cert_from_der(&cert, value.whole, why);
	if (r)
		return r;
	cert_list_add(list, cert);
	return 0;
}

int pkcs7_add_certs(struct cert_list *list, struct span der, struct why *why)
{
	struct span s, certs = {};
	int r;

	if (!open_frame(der, &s))
		return refuse(why, "the PKCS #7 file is damaged or not in DER");
	r = find_certs(&s, &certs, why);
	if (!r)
		r = check_end(s, why);
	while (!r && certs.n)
		r = add_cert(list, &certs, why);
	return r;
}
