/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The structures of the Cryptographic Message Syntax (RFC 5652), read from octets with definite
 * lengths (smime/ber.h) into spans of them. Certificates stay octets: who has read one before need
 * not read it again, which is most of the cost of OpenSSL's reader.
 *
 * Nothing is computed here. Counts are bounded by base/limit.h.
 */

#include "base/err.h"
#include "base/span.h"

enum cms_kind {
	CMS_SIGNED,         /* RFC 5652 section 5 */
	CMS_ENVELOPED,      /* section 6 */
	CMS_AUTH_ENVELOPED, /* RFC 5083 */
	CMS_COMPRESSED,     /* RFC 3274 */
	CMS_OTHER,          /* another content type */
};

/* Who signed, or who can decrypt: by issuer and serial number, or by key identifier. */
struct cms_identity {
	struct span issuer; /* Name with its tag; p NULL: by key_id */
	struct span serial; /* content of the INTEGER */
	struct span key_id; /* p NULL: by issuer and serial */
};

struct cms_algorithm {
	struct span whole;     /* the AlgorithmIdentifier */
	struct span oid;       /* content of the OBJECT IDENTIFIER */
	struct span parameter; /* with its tag; p NULL: none */
};

struct cms_signer {
	struct cms_identity id;
	struct cms_algorithm digest, signature_algorithm;
	bool has_attributes;
	struct span attributes; /* content of the SET, as it was sent */
	struct span unsigned_attributes; /* the same; p NULL: none */
	struct span signature;
};

struct cms_signed {
	struct span content_type; /* content of the OBJECT IDENTIFIER */
	bool has_content;
	struct span content;
	struct span *certs; /* X.509 certificates with their tag; other kinds are left out */
	size_t n_certs;
	struct cms_signer *signers;
	size_t n_signers;
};

enum cms_recipient_kind {
	CMS_KEY_TRANSPORT,
	CMS_KEY_AGREEMENT,
	CMS_KEY_WRAP, /* a key both sides have */
	CMS_PASSWORD,
	CMS_OTHER_RECIPIENT,
};

struct cms_recipient {
	enum cms_recipient_kind kind;
	struct cms_identity id;
	struct cms_algorithm method; /* of other recipients: oid alone */
	struct span encrypted_key;

	/* CMS_KEY_AGREEMENT */
	bool has_originator_key;
	struct cms_algorithm originator_algorithm;
	struct span originator_key; /* content of the BIT STRING without its first octet */
	struct span ukm;            /* p NULL: none */
};

struct cms_enveloped {
	struct cms_recipient *recipients; /* each key of a key agreement is one */
	size_t n_recipients;
	struct span content_type;
	struct cms_algorithm algorithm;
	struct span encrypted;    /* p NULL: none */
	bool encrypted_in_pieces; /* it holds OCTET STRINGs and nothing else */
	/* AuthEnvelopedData */
	struct span attributes; /* content of authAttrs; p NULL: none */
	struct span tag;
};

struct cms_compressed {
	struct cms_algorithm algorithm;
	struct span content_type;
	struct span content;
};

struct cms {
	enum cms_kind kind;
	struct span type; /* content of the OBJECT IDENTIFIER */
	struct cms_signed signed_data;
	struct cms_enveloped enveloped;
	struct cms_compressed compressed;
};

enum cms_outcome { CMS_E_SYNTAX = 1, CMS_E_LIMIT };

/* Spans point into der. cms_done it. */
int cms_parse(struct span der, struct cms *ret_cms, struct why *why) MUST_CHECK;
void cms_done(struct cms *c);

/* The one value, with its tag, of the attribute with that object identifier (its content octets).
 * NONE: no such attribute. SYNTAX: attributes that cannot be read, or it occurs twice, or has not
 * one value (RFC 5652 section 11). */
enum cms_attribute_outcome { CMS_ATTRIBUTE_E_NONE = 1, CMS_ATTRIBUTE_E_SYNTAX };
int cms_attribute(struct span attributes, struct span oid, struct span *ret_value) MUST_CHECK;

/* An AlgorithmIdentifier with its tag, from the front of *s. */
bool cms_algorithm_next(struct span *s, struct cms_algorithm *ret);

/* RFC 5652 section 4: the content type of a MIME entity. */
bool cms_is_data(struct span content_type);
