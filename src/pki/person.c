/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Names of people in certificates. Values are taken as they are or not at all: what is cut at a NUL, or
 * chosen among several, would let an authority's customer be somebody else. */

#include "pki/person.h"

#include "base/alloc.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { ATTRIBUTE_NAME_MAX = 64, ATTRIBUTE_VALUE_MAX = 1024 };

/* An address; false for names of other kinds. */
static bool address_of(const GENERAL_NAME *general, struct span *ret_address)
{
	const ASN1_STRING *text;
	int type;
	ASN1_OBJECT *kind;
	ASN1_TYPE *value;

	if (general->type == GEN_EMAIL) {
		text = GENERAL_NAME_get0_value(general, &type);
	} else if (GENERAL_NAME_get0_otherName(general, &kind, &value) == 1 &&
		OBJ_obj2nid(kind) == NID_id_on_SmtpUTF8Mailbox &&
		ASN1_TYPE_get(value) == V_ASN1_UTF8STRING) {
		text = value->value.utf8string;
	} else {
		return false;
	}
	*ret_address = span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
	return true;
}

bool person_address(const struct cert *c, size_t i, struct span *ret_address)
{
	const GENERAL_NAMES *names = cert_alt_names(c);

	for (int k = 0; k < sk_GENERAL_NAME_num(names); k++) {
		struct span address;

		if (!address_of(sk_GENERAL_NAME_value(names, k), &address) || i-- > 0)
			continue;
		*ret_address = address;
		return true;
	}
	return false;
}

/* RFC 4514 has no short name for it, and certificates' viewers have two. */
static int attribute_nid(struct span name)
{
	CLEANUP(alloc_freep) char *text = NULL;
	int nid;

	if (name.n == 0 || name.n > ATTRIBUTE_NAME_MAX)
		return NID_undef;
	if (span_is_nocase(name, "E") || span_is_nocase(name, "email"))
		return NID_pkcs9_emailAddress;
	text = span_to_string(name);
	nid = text ? OBJ_txt2nid(text) : NID_undef;
	ERR_clear_error();
	return nid;
}

bool person_knows_attribute(struct span name)
{
	return attribute_nid(name) != NID_undef;
}

static bool is_plain(struct span text)
{
	if (text.n == 0 || text.n > ATTRIBUTE_VALUE_MAX || !span_is_utf8(text))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < ' ' || text.p[i] == 0x7F)
			return false;
	}
	return true;
}

static int add_value(const ASN1_STRING *value, struct buf *out)
{
	uint8_t *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, value);
	bool plain = n > 0 && is_plain(span_of(text, (size_t)n));

	if (plain)
		buf_add(out, span_of(text, (size_t)n));
	if (n >= 0)
		OPENSSL_free(text);
	ERR_clear_error();
	return plain ? 0 : PERSON_E_UNUSABLE;
}

int person_attribute(const struct cert *c, struct span name, struct buf *out)
{
	const X509_NAME *subject = X509_get_subject_name(cert_x509(c));
	int nid = attribute_nid(name);
	int at = nid == NID_undef ? -1 : X509_NAME_get_index_by_NID(subject, nid, -1);

	if (at < 0)
		return PERSON_E_NONE;
	if (X509_NAME_get_index_by_NID(subject, nid, at) >= 0)
		return PERSON_E_SEVERAL;
	return add_value(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), out);
}
