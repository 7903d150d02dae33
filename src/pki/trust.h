/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Sets of trusted certificates, laid over each other: a domain's over the server's (or the
 * cluster's) over the built-in one. A set never changes once it is used or has another above it; it
 * is shared by count. A certificate that is denied in any set of the pile is not trusted, whoever
 * else trusts it; of those that trust it, all count: their purposes add up.
 *
 * Who is denied is the holder, subject and key together: an authority that nobody wants is not let
 * in again by another certificate for the same key, such as one that another authority gave it.
 */

#include "pki/cert.h"

enum trust_purpose {
	TRUST_SERVER = 1, /* of servers that we connect to */
	TRUST_CLIENT = 2, /* of clients that log in with a certificate */
	TRUST_MAIL = 4,   /* of signers and recipients of mail */
};
enum { TRUST_ALL_PURPOSES = TRUST_SERVER | TRUST_CLIENT | TRUST_MAIL };

/* What the built-in set is made of, where it is installed, and what it is trusted for: nobody logs
 * in with a certificate because some public authority issued it. */
#define TRUST_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
enum { TRUST_BUILT_IN_PURPOSES = TRUST_SERVER | TRUST_MAIL };

/* In the order in which they are searched. */
enum trust_scope { TRUST_DOMAIN, TRUST_CLUSTER, TRUST_SERVER_WIDE, TRUST_BUILT_IN, TRUST_SCOPES };

/* "domain", "cluster", "server", "built-in". */
const char *trust_scope_name(enum trust_scope scope);

/* "server,client,mail" or a part of it, in any order; "all". parse: false if a word is none of
 * these or there is none. */
bool trust_purposes_parse(struct span text, unsigned *ret_purposes);
void trust_purposes_print(unsigned purposes, struct buf *out);

struct trust;

/* An empty set over another (NULL: over nothing), of which it takes a reference of its own. */
struct trust *trust_new(enum trust_scope scope, struct trust *below);
struct trust *trust_ref(struct trust *t);
struct trust *trust_unref(struct trust *t);
CLEANUP_POINTER(struct trust, trust_unref)

/* Adds to the set itself while it is being made; takes a reference of the certificate. What is
 * added again gains purposes, what is denied stays so. */
void trust_add(struct trust *t, struct cert *cert, unsigned purposes);
void trust_deny(struct trust *t, struct cert *cert);

/* The certificates of a PEM bundle (Debian's ca-certificates) that can be read, each for these
 * purposes; what cannot be read is left out and counted. */
void trust_add_bundle(struct trust *t, struct span pem, unsigned purposes,
	size_t *ret_n_unreadable);

/* What the pile says of a certificate: the purposes it is trusted for, 0 if it is denied or not in
 * it. ret_scope (may be NULL): the nearest set that trusts it, written if the result is not 0. */
unsigned trust_purposes(const struct trust *t, const struct cert *cert,
	enum trust_scope *ret_scope);
bool trust_is_denied(const struct trust *t, const struct cert *cert);

/* Trusted certificates with that subject (RFC 5280 section 7.1: case and spaces do not count),
 * nearest set first, each once, those that are denied left out; false behind the last. Borrowed. */
bool trust_by_subject(const struct trust *t, const X509_NAME *subject, size_t i,
	struct cert **ret_cert);

/* Every entry of the pile, nearest set first, denied ones and those hidden by them too. Stops at
 * the first each() that does not return 0, and returns that. */
struct trust_entry {
	struct cert *cert; /* borrowed */
	enum trust_scope scope;
	unsigned purposes; /* in this set; 0: denied by it */
};
int trust_each(const struct trust *t, int (*each)(const struct trust_entry *entry, void *context),
	void *context) MUST_CHECK;

/* The entry, denied or not, with that fingerprint as text (cert_has_fingerprint); false if there is
 * none. A reference for the caller. */
bool trust_by_fingerprint(const struct trust *t, struct span text, struct cert **ret_cert);

/* The certificates trusted for one of these purposes as PEM: for libraries that want a bundle. */
void trust_print_pem(const struct trust *t, unsigned purposes, struct buf *out);
