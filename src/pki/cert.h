/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * One X.509 certificate (RFC 5280), read strictly and never changed, shared by count.
 *
 * Not checked here: that the issuer's signature holds, validity in time, constraints, revocation.
 * Those belong to a path, not to a certificate.
 */

#include "base/buf.h"
#include "base/err.h"

#include <openssl/x509v3.h>

CLEANUP_POINTER(X509, X509_free)

struct arena;
struct cert;

enum cert_outcome { CERT_E_SYNTAX = 1 };

/* From DER: one certificate and nothing behind it, at most LIMIT_CERT octets. */
int cert_from_der(struct cert **ret_cert, struct span der, struct why *why) MUST_CHECK;

/* From PEM with exactly one certificate (RFC 7468); text around it is left alone. */
int cert_from_pem(struct cert **ret_cert, struct span pem, struct why *why) MUST_CHECK;

/* From an object; the caller keeps its reference. */
int cert_from_x509(struct cert **ret_cert, X509 *x509, struct why *why) MUST_CHECK;

struct cert *cert_ref(struct cert *c);
struct cert *cert_unref(struct cert *c);
CLEANUP_POINTER(struct cert, cert_unref)

/* Several, in the order of the file. */
struct cert_list {
	struct cert **certs;
	size_t n;
};

enum { CERT_LIST_MAX = 64 };

/* All CERTIFICATE blocks of a PEM text, and the certificates of its PKCS7 and CMS blocks
 * (pki/pkcs7.h); or DER certificates behind each other (how the store keeps chains). At most
 * CERT_LIST_MAX; a PEM text without any is CERT_E_SYNTAX, empty DER an empty list. */
int cert_list_from_pem(struct cert_list *ret_list, struct span pem, struct why *why) MUST_CHECK;
int cert_list_from_der(struct cert_list *ret_list, struct span der, struct why *why) MUST_CHECK;

/* A file of one or more in whatever form: PEM, DER, PKCS #7. Empty: CERT_E_SYNTAX. */
int cert_list_from_file(struct cert_list *ret_list, struct span file, struct why *why) MUST_CHECK;
void cert_list_done(struct cert_list *l);

/* Appends, with a reference of its own and without that limit. */
void cert_list_add(struct cert_list *l, struct cert *c);

/* Borrowed: valid as long as the certificate. */
X509 *cert_x509(const struct cert *c);
struct span cert_der(const struct cert *c);
struct span cert_spki(const struct cert *c);

void cert_add_pem(const struct cert *c, struct buf *out);

/* Names as text (RFC 4514, UTF-8), the serial number as lower-case hexadecimal. */
void cert_add_subject(const struct cert *c, struct buf *out);
void cert_add_issuer(const struct cert *c, struct buf *out);
void cert_add_serial(const struct cert *c, struct buf *out);

/* The serial number without its sign: big-endian, no zeros in front; borrowed. */
struct span cert_serial(const struct cert *c);

/* What one of the functions that append text appends, in the arena. */
struct span cert_printed(struct arena *a, const struct cert *c,
	void (*print)(const struct cert *c, struct buf *out));

/* Microseconds since 1970. */
bool cert_time_us(const ASN1_TIME *t, int64_t *ret_us);
int64_t cert_not_before_us(const struct cert *c);
int64_t cert_not_after_us(const struct cert *c);

enum cert_name_type { CERT_NAME_DNS, CERT_NAME_EMAIL, CERT_NAME_IP, CERT_NAME_URI };

/* A subject alternative name: text as it stands (IP: 4 or 16 octets). Other kinds of names are left
 * out. Borrowed; false behind the last. */
struct cert_name {
	enum cert_name_type type;
	struct span text;
};
bool cert_alt_name(const struct cert *c, size_t i, struct cert_name *ret_name);

/* All of them; NULL if there are none. Borrowed. */
const STACK_OF(GENERAL_NAME) *cert_alt_names(const struct cert *c);

/* SHA-256 of the certificate, and as the text certificate viewers show: AB:CD:... */
void cert_fingerprint(const struct cert *c, uint8_t ret_digest[static 32]);
void cert_add_fingerprint_text(const struct cert *c, struct buf *out);

/* The same with SHA-1, by which older lists name certificates; for looking up only. */
void cert_add_sha1_text(const struct cert *c, struct buf *out);

/* Whether a text names the certificate: SHA-256 or SHA-1 in hexadecimal, with or without colons. */
bool cert_has_fingerprint(const struct cert *c, struct span text);

/* Its signature's algorithm and its key in words: "ecdsa-with-SHA256", "RSA, 2048 bits". */
void cert_add_signature_name(const struct cert *c, struct buf *out);
void cert_add_key_text(const struct cert *c, struct buf *out);

/* The key itself as several lines of text: a point, or modulus and exponent. */
void cert_add_key_details(const struct cert *c, struct buf *out);

/* 1, 2 or 3: what RFC 5280 section 4.1.2.1 calls v1, v2, v3. */
long cert_version(const struct cert *c);

/* basicConstraints says that it is an authority (RFC 5280 section 4.2.1.9). */
bool cert_is_ca(const struct cert *c);

/* What extendedKeyUsage allows (RFC 5280 section 4.2.1.12): anything, if it is absent or says so. */
enum cert_use { CERT_USE_SERVER, CERT_USE_CLIENT, CERT_USE_MAIL };
bool cert_allows(const struct cert *c, enum cert_use use);

/* Subject and issuer are the same and its own key verifies its signature. */
bool cert_is_self_signed(const struct cert *c);

/* The certificate's key is this one. */
bool cert_has_key(const struct cert *c, struct span spki);

/* RFC 9525 section 6: a DNS-ID equal to the host name (A-labels, a trailing dot is dropped), or with
 * "*" as its whole left-most label. The common name is not looked at. */
bool cert_covers_host(const struct cert *c, struct span host);
