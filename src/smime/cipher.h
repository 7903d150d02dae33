/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The algorithms of S/MIME (RFC 8551 section 2): which there are, what they are called, which of
 * them are weak and which of them we write. What is not in these tables can neither be read nor
 * written here.
 */

#include "base/span.h"

#include <openssl/x509.h>

/* What encrypts a message's content. */
struct cipher {
	const char *name; /* for options and settings: "aes-256-gcm" */
	const char *text; /* for people: "AES-256-GCM" */
	const char *oid;  /* with dots; the three of RC2 share one (RFC 3370 section 5.2) */
	int nid;
	unsigned key_bits;     /* effective bits */
	bool is_authenticated; /* in AuthEnvelopedData (RFC 5083), else in EnvelopedData */
	bool is_weak;          /* readable with a warning (RFC 8551 appendix B) */
	bool may_write;
};

/* Strongest first; NULL behind the last. */
const struct cipher *cipher_at(size_t i);

/* By the name, compared without case; by OpenSSL's number. NULL: there is none. */
const struct cipher *cipher_by_name(struct span name);
const struct cipher *cipher_by_nid(int nid);

/* That of a message: by the identifier and, for RC2, the parameter's version number. NULL: not one
 * of these. */
const struct cipher *cipher_of_algorithm(const X509_ALGOR *algorithm);

/* What a signature is made over (RFC 8551 section 2.1). */
struct smime_digest {
	const char *name; /* for options and micalg (RFC 8551 section 3.5.3.2): "sha-256" */
	const char *text; /* "SHA-256" */
	int nid;
	unsigned bits;
	bool is_weak;
	bool may_write;
};

const struct smime_digest *smime_digest_at(size_t i);

/* The name with or without its hyphen: "sha-256", "SHA256". */
const struct smime_digest *smime_digest_by_name(struct span name);
const struct smime_digest *smime_digest_by_nid(int nid);

/* How the content's key reaches a recipient (RFC 8551 section 2.3). */
struct key_method {
	const char *name;  /* "rsa", "rsa-oaep", "ecdh-sha256" */
	const char *text;  /* "RSA (PKCS #1 v1.5)" */
	int nid;           /* of the key encryption algorithm */
	int digest_nid;    /* of the key derivation (RFC 5753 section 7.1.4); NID_undef: none */
	bool is_agreement; /* KeyAgreeRecipientInfo with AES key wrap, else KeyTransRecipientInfo */
	bool is_weak;
	bool may_write;
};

const struct key_method *key_method_at(size_t i);
const struct key_method *key_method_by_name(struct span name);
const struct key_method *key_method_by_nid(int nid);
