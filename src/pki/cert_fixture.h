/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: certificates of any shape from an authority of the tests' own. Calls that fail end the
 * test. */

#include "pki/cert.h"

/* A certificate with its key. */
struct cert_made {
	struct cert *cert;
	EVP_PKEY *key;
};
void cert_made_done(struct cert_made *m);

struct cert_order {
	const char *subject; /* "CN=Alice,UID=alice": no escapes, most general last */
	const char *names;   /* subjectAltName as OpenSSL's configuration writes it: "email:a@b,DNS:c" */
	const char *usage;   /* extendedKeyUsage: "clientAuth"; NULL: none */
	const char *access;  /* authorityInfoAccess: "OCSP;URI:http://..."; NULL: none */
	const char *points;  /* crlDistributionPoints: "URI:http://..."; NULL: none */
	bool must_staple;    /* RFC 7633 */
	bool is_authority;
	int64_t from_us, till_us; /* 0: an hour ago, in a year */
	const struct cert_made *issuer; /* NULL: itself */
	long serial;        /* 0: random */
	const char *digest; /* of the issuer's signature; NULL: SHA-256 */
	const char *key;    /* "rsa:1024"; NULL: EC on P-256 */
	EVP_PKEY *use_key;  /* this one instead of a new one; NULL: none */
	/* Extensions by name or object identifier, in place of those above of the same name or more of
	 * them; two that are the same are there twice. */
	struct cert_extension {
		const char *name; /* NULL: no more */
		const char *value;
	} more[4];
};

/* With a new key. */
struct cert_made cert_make(const struct cert_order *order);
