/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A function for each structure of the standard's ASN.1, with the same order of members. Members
 * that are optional are taken when their tag is next.
 */

#include "smime/cms.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "pki/der.h"

#include <stdlib.h>

enum {
	TAG_0 = 0xa0, /* [0], constructed; the numbers after it follow */
	TAG_1 = 0xa1,
	TAG_2 = 0xa2,
	TAG_3 = 0xa3,
	TAG_4 = 0xa4,
	TAG_0_PRIMITIVE = 0x80,
};

/* Content octets of the object identifiers. */
static const struct span oid_data = SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01");
static const struct {
	enum cms_kind kind;
	struct span oid;
} types[] = {
	{ CMS_SIGNED, SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") },
	{ CMS_ENVELOPED, SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03") },
	{ CMS_AUTH_ENVELOPED, SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17") },
	{ CMS_COMPRESSED, SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09") },
};

bool cms_is_data(struct span content_type)
{
	return span_equal(content_type, oid_data);
}

/* The value at the front if it has that tag; its content. */
static bool take(struct span *s, uint8_t tag, struct span *ret_content)
{
	struct span rest = *s;
	struct der v;

	if (!der_next(&rest, &v) || v.tag != tag)
		return false;
	*s = rest;
	*ret_content = v.content;
	return true;
}

static bool is_next(struct span s, uint8_t tag)
{
	return s.n > 0 && s.p[0] == tag;
}

/* A value that may be there and is of no interest. */
static bool pass_optional(struct span *s, uint8_t tag)
{
	struct span ignored;

	return !is_next(*s, tag) || take(s, tag, &ignored);
}

bool cms_algorithm_next(struct span *s, struct cms_algorithm *ret)
{
	struct span rest = *s, content;
	struct der parameter;

	*ret = (struct cms_algorithm){};
	if (!take(s, DER_SEQUENCE, &content))
		return false;
	ret->whole = span_head(rest, rest.n - s->n);
	if (!take(&content, DER_OID, &ret->oid) || ret->oid.n == 0)
		return false;
	if (content.n == 0)
		return true;
	if (!der_next(&content, &parameter) || content.n)
		return false;
	ret->parameter = parameter.whole;
	return true;
}

/* IssuerAndSerialNumber, its content. */
static bool issuer_and_serial(struct span s, struct cms_identity *ret)
{
	struct der name;

	if (!der_next(&s, &name) || name.tag != DER_SEQUENCE)
		return false;
	ret->issuer = name.whole;
	return take(&s, DER_INTEGER, &ret->serial) && ret->serial.n > 0 && s.n == 0;
}

/* SignerIdentifier, RecipientIdentifier. */
static bool identity(struct span *s, struct cms_identity *ret)
{
	struct span content;

	*ret = (struct cms_identity){};
	if (is_next(*s, DER_SEQUENCE))
		return take(s, DER_SEQUENCE, &content) && issuer_and_serial(content, ret);
	return take(s, TAG_0_PRIMITIVE, &ret->key_id) && ret->key_id.n > 0;
}

/* Section 5.3. */
static bool signer_info(struct span s, struct cms_signer *ret)
{
	struct span version;

	if (!take(&s, DER_INTEGER, &version) || !identity(&s, &ret->id) ||
		!cms_algorithm_next(&s, &ret->digest))
		return false;
	if (is_next(s, TAG_0)) {
		ret->has_attributes = true;
		if (!take(&s, TAG_0, &ret->attributes))
			return false;
	}
	if (!cms_algorithm_next(&s, &ret->signature_algorithm) ||
		!take(&s, DER_OCTET_STRING, &ret->signature))
		return false;
	return (!is_next(s, TAG_1) || take(&s, TAG_1, &ret->unsigned_attributes)) && s.n == 0;
}

static int signers(struct span set, struct cms_signed *ret)
{
	struct span one;

	while (set.n) {
		if (ret->n_signers == LIMIT_SMIME_SIGNERS)
			return CMS_E_LIMIT;
		ret->signers = alloc_array(ret->signers, ret->n_signers + 1, sizeof *ret->signers);
		ret->signers[ret->n_signers] = (struct cms_signer){};
		if (!take(&set, DER_SEQUENCE, &one) ||
			!signer_info(one, &ret->signers[ret->n_signers]))
			return CMS_E_SYNTAX;
		ret->n_signers++;
	}
	return 0;
}

/* Section 10.2.3: of the kinds of certificates, X.509 is the one without a tag of its own. */
static int certificates(struct span set, struct cms_signed *ret)
{
	struct der one;

	while (set.n) {
		if (!der_next(&set, &one))
			return CMS_E_SYNTAX;
		if (one.tag != DER_SEQUENCE)
			continue;
		if (ret->n_certs == LIMIT_SMIME_CERTS)
			return CMS_E_LIMIT;
		ret->certs = alloc_array(ret->certs, ret->n_certs + 1, sizeof *ret->certs);
		ret->certs[ret->n_certs++] = one.whole;
	}
	return 0;
}

/* Section 5.2: eContent is an OCTET STRING; PKCS #7 allowed for others, which are no MIME entity.
 */
static bool encapsulated(struct span s, struct cms_signed *ret)
{
	struct span content;

	if (!take(&s, DER_OID, &ret->content_type))
		return false;
	if (s.n == 0)
		return true;
	ret->has_content = true;
	return take(&s, TAG_0, &content) && s.n == 0 &&
	       take(&content, DER_OCTET_STRING, &ret->content) && content.n == 0;
}

/* Section 5.1. */
static int signed_data(struct span s, struct cms_signed *ret)
{
	struct span version, digests, content, certs = {}, infos;
	int r;

	if (!take(&s, DER_INTEGER, &version) || !take(&s, DER_SET, &digests) ||
		!take(&s, DER_SEQUENCE, &content) || !encapsulated(content, ret))
		return CMS_E_SYNTAX;
	if (is_next(s, TAG_0) && !take(&s, TAG_0, &certs))
		return CMS_E_SYNTAX;
	if (!pass_optional(&s, TAG_1) || !take(&s, DER_SET, &infos) || s.n)
		return CMS_E_SYNTAX;
	r = certificates(certs, ret);
	return r ? r : signers(infos, ret);
}

/* Section 6.2.1. */
static bool key_transport(struct span s, struct cms_recipient *ret)
{
	struct span version;

	ret->kind = CMS_KEY_TRANSPORT;
	return take(&s, DER_INTEGER, &version) && identity(&s, &ret->id) &&
	       cms_algorithm_next(&s, &ret->method) &&
	       take(&s, DER_OCTET_STRING, &ret->encrypted_key) && s.n == 0;
}

/* Section 6.2.2: OriginatorIdentifierOrKey, of which the key made for this message is what is in
 * use. */
static bool originator(struct span s, struct cms_recipient *ret)
{
	struct span content, bits;

	if (!is_next(s, TAG_1))
		return true;
	ret->has_originator_key = true;
	if (!take(&s, TAG_1, &content) || s.n ||
		!cms_algorithm_next(&content, &ret->originator_algorithm) ||
		!take(&content, DER_BIT_STRING, &bits) || content.n || bits.n < 2 || bits.p[0] != 0)
		return false;
	ret->originator_key = span_skip(bits, 1);
	return true;
}

/* KeyAgreeRecipientIdentifier: here the key identifier is in a structure with other members. */
static bool agreement_identity(struct span *s, struct cms_identity *ret)
{
	struct span content;

	*ret = (struct cms_identity){};
	if (is_next(*s, DER_SEQUENCE))
		return take(s, DER_SEQUENCE, &content) && issuer_and_serial(content, ret);
	return take(s, TAG_0, &content) && take(&content, DER_OCTET_STRING, &ret->key_id) &&
	       ret->key_id.n > 0;
}

static int add_recipient(struct cms_enveloped *e, const struct cms_recipient *one)
{
	if (e->n_recipients == LIMIT_SMIME_RECIPIENTS)
		return CMS_E_LIMIT;
	/* Room is doubled. */
	if ((e->n_recipients & (e->n_recipients - 1)) == 0)
		e->recipients = alloc_array(e->recipients,
			e->n_recipients ? 2 * e->n_recipients : 1, sizeof *e->recipients);
	e->recipients[e->n_recipients++] = *one;
	return 0;
}

static int key_agreement(struct span s, struct cms_enveloped *e)
{
	struct cms_recipient common = { .kind = CMS_KEY_AGREEMENT };
	struct span version, content, keys, one;

	if (!take(&s, DER_INTEGER, &version) || !take(&s, TAG_0, &content) ||
		!originator(content, &common))
		return CMS_E_SYNTAX;
	if (is_next(s, TAG_1) &&
		(!take(&s, TAG_1, &content) || !take(&content, DER_OCTET_STRING, &common.ukm) ||
			content.n))
		return CMS_E_SYNTAX;
	if (!cms_algorithm_next(&s, &common.method) || !take(&s, DER_SEQUENCE, &keys) || s.n)
		return CMS_E_SYNTAX;
	while (keys.n) {
		if (!take(&keys, DER_SEQUENCE, &one) || !agreement_identity(&one, &common.id) ||
			!take(&one, DER_OCTET_STRING, &common.encrypted_key) || one.n)
			return CMS_E_SYNTAX;
		if (add_recipient(e, &common))
			return CMS_E_LIMIT;
	}
	return 0;
}

/* Section 6.2: what is not read further is counted with its kind. */
static int recipient(struct der info, struct cms_enveloped *e)
{
	struct cms_recipient one = {};

	switch (info.tag) {
	case DER_SEQUENCE:
		if (!key_transport(info.content, &one))
			return CMS_E_SYNTAX;
		break;
	case TAG_1:
		return key_agreement(info.content, e);
	case TAG_2:
		one.kind = CMS_KEY_WRAP;
		break;
	case TAG_3:
		one.kind = CMS_PASSWORD;
		break;
	case TAG_4:
		one.kind = CMS_OTHER_RECIPIENT;
		if (!take(&info.content, DER_OID, &one.method.oid))
			return CMS_E_SYNTAX;
		break;
	default:
		return CMS_E_SYNTAX;
	}
	return add_recipient(e, &one);
}

/* X.690 section 8.7.3: the pieces of an OCTET STRING are such strings. */
static bool are_pieces(struct span s)
{
	struct der piece;

	while (s.n) {
		if (!der_next(&s, &piece) || piece.tag != DER_OCTET_STRING)
			return false;
	}
	return true;
}

/* EncryptedContentInfo. */
static bool encrypted_content(struct span s, struct cms_enveloped *e)
{
	if (!take(&s, DER_OID, &e->content_type) || !cms_algorithm_next(&s, &e->algorithm))
		return false;
	if (s.n == 0)
		return true;
	e->encrypted_in_pieces = is_next(s, TAG_0);
	return take(&s, e->encrypted_in_pieces ? TAG_0 : TAG_0_PRIMITIVE, &e->encrypted) &&
	       s.n == 0 && (!e->encrypted_in_pieces || are_pieces(e->encrypted));
}

/* Section 6.1; RFC 5083 section 2.1. */
static int enveloped_data(struct span s, bool is_authenticated, struct cms_enveloped *e)
{
	struct span version, infos, content;
	struct der info;

	if (!take(&s, DER_INTEGER, &version) || !pass_optional(&s, TAG_0) ||
		!take(&s, DER_SET, &infos) || infos.n == 0)
		return CMS_E_SYNTAX;
	while (infos.n) {
		int r = der_next(&infos, &info) ? recipient(info, e) : CMS_E_SYNTAX;

		if (r)
			return r;
	}
	if (!take(&s, DER_SEQUENCE, &content) || !encrypted_content(content, e))
		return CMS_E_SYNTAX;
	if (is_authenticated && is_next(s, TAG_1) && !take(&s, TAG_1, &e->attributes))
		return CMS_E_SYNTAX;
	if (is_authenticated && !take(&s, DER_OCTET_STRING, &e->tag))
		return CMS_E_SYNTAX;
	/* Attributes that nothing protects. */
	return pass_optional(&s, is_authenticated ? TAG_2 : TAG_1) && s.n == 0 ? 0 : CMS_E_SYNTAX;
}

/* RFC 3274 section 1.1. */
static int compressed_data(struct span s, struct cms_compressed *ret)
{
	struct span version, info, content;

	if (!take(&s, DER_INTEGER, &version) || !cms_algorithm_next(&s, &ret->algorithm) ||
		!take(&s, DER_SEQUENCE, &info) || s.n ||
		!take(&info, DER_OID, &ret->content_type) || !take(&info, TAG_0, &content) ||
		info.n || !take(&content, DER_OCTET_STRING, &ret->content) || content.n)
		return CMS_E_SYNTAX;
	return 0;
}

static int parse_kind(struct span s, struct cms *c)
{
	switch (c->kind) {
	case CMS_SIGNED:
		return signed_data(s, &c->signed_data);
	case CMS_ENVELOPED:
	case CMS_AUTH_ENVELOPED:
		return enveloped_data(s, c->kind == CMS_AUTH_ENVELOPED, &c->enveloped);
	case CMS_COMPRESSED:
		return compressed_data(s, &c->compressed);
	default:
		return 0;
	}
}

static int parse(struct span der, struct cms *c)
{
	struct span info, content, value;

	if (!der_only(der, DER_SEQUENCE, &info) || !take(&info, DER_OID, &c->type))
		return CMS_E_SYNTAX;
	c->kind = CMS_OTHER;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (span_equal(c->type, types[i].oid))
			c->kind = types[i].kind;
	}
	if (c->kind == CMS_OTHER)
		return 0;
	if (!take(&info, TAG_0, &content) || info.n || !take(&content, DER_SEQUENCE, &value) ||
		content.n)
		return CMS_E_SYNTAX;
	return parse_kind(value, c);
}

int cms_parse(struct span der, struct cms *ret_cms, struct why *why)
{
	struct cms c = {};
	int r = parse(der, &c);

	if (r) {
		cms_done(&c);
		why_set(why,
			r == CMS_E_LIMIT
				? "it has more signers, recipients or certificates than are read"
				: "it is not a CMS object, or a damaged one");
		return r;
	}
	*ret_cms = c;
	return 0;
}

void cms_done(struct cms *c)
{
	free(c->signed_data.certs);
	free(c->signed_data.signers);
	free(c->enveloped.recipients);
	*c = (struct cms){};
}

/* One Attribute: its type, and the content of the SET of its values. */
static bool attribute_next(struct span *s, struct span *ret_oid, struct span *ret_values)
{
	struct span one;

	return take(s, DER_SEQUENCE, &one) && take(&one, DER_OID, ret_oid) &&
	       take(&one, DER_SET, ret_values) && one.n == 0;
}

int cms_attribute(struct span attributes, struct span oid, struct span *ret_value)
{
	struct span type, values;
	struct der value = {};
	size_t n = 0, n_found = 0;

	while (attributes.n) {
		if (++n > LIMIT_SMIME_ATTRIBUTES || !attribute_next(&attributes, &type, &values))
			return CMS_ATTRIBUTE_E_SYNTAX;
		if (!span_equal(type, oid))
			continue;
		if (n_found++ || !der_next(&values, &value) || values.n)
			return CMS_ATTRIBUTE_E_SYNTAX;
	}
	if (!n_found)
		return CMS_ATTRIBUTE_E_NONE;
	*ret_value = value.whole;
	return 0;
}
