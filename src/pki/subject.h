/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What a certificate is asked for: who it is for (RFC 5280 section 4.1.2.6) and under which names it
 * is found (section 4.2.1.6). Requests and self-signed certificates are made from the same.
 */

#include "base/buf.h"
#include "base/err.h"

#include <openssl/x509v3.h>

/* All texts are UTF-8; an empty one is left out. */
struct subject {
	struct span common_name; /* at most 64 characters are taken up, else none */
	struct span organization;
	struct span unit;
	struct span city;
	struct span state;
	struct span country;     /* two letters */
	struct span email;       /* contact */
	const struct span *names; /* DNS names for subjectAltName, A-labels, at least one */
	size_t n_names;
};

enum { SUBJECT_NAMES_MAX = 256, SUBJECT_TEXT_MAX = 64 };

/* Whether it can be one. REFUSED with why, and the name of the member that is wrong (ret_field may be
 * NULL). */
enum subject_outcome { SUBJECT_E_REFUSED = 1 };
int subject_check(const struct subject *s, const char **ret_field, struct why *why) MUST_CHECK;

/* Appends the attributes to a name, most general first. */
int subject_add_to(const struct subject *s, X509_NAME *name) MUST_CHECK;

/* Appends a Name as text (RFC 4514, UTF-8). */
void subject_add_text(const X509_NAME *name, struct buf *out);

/* The names as a subjectAltName; the caller frees. */
int subject_alt_names(const struct subject *s, GENERAL_NAMES **ret_names) MUST_CHECK;

/* What a server's certificate is for: keyUsage (RSA keys decipher, too, for TLS 1.2 clients of old)
 * and extendedKeyUsage serverAuth. The caller frees. */
int subject_server_usage(const EVP_PKEY *key, ASN1_BIT_STRING **ret_usage,
	EXTENDED_KEY_USAGE **ret_extended) MUST_CHECK;
