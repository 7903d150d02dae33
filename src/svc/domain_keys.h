/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A domain's keys and certificates between the store's rows, keyd and OpenSSL: the one place that
 * knows how a row is opened and made.
 */

#include "store/key_rows.h"

#include <openssl/evp.h>

struct env;
struct buf;
struct subject;

/* Appends the owner text that a domain's keys are wrapped under. By id: names change. */
void domain_key_owner(int64_t domain, struct buf *out);

/* The key of a row, usable through keyd; nothing is sent to keyd before the first use. */
int domain_key_open(struct env *e, const struct store_key *row, EVP_PKEY **ret_key) MUST_CHECK;

/* The same with its public half read already (of a certificate); NULL: the row's. */
int domain_key_open_as(struct env *e, const struct store_key *row, EVP_PKEY *public,
	EVP_PKEY **ret_key) MUST_CHECK;

/* Makes a key in keyd; the row's strings live in the arena. Blocks: seconds for RSA 4096. type is a
 * name of pki/key.h. */
enum domain_key_outcome { DOMAIN_KEY_E_TYPE = 1, DOMAIN_KEY_E_REFUSED };
int domain_key_make(struct env *e, struct arena *a, int64_t domain, enum key_use use,
	struct span alias, struct span type, struct store_key *ret_row, struct why *why) MUST_CHECK;

/* Takes over a PKCS#8 for the domain; the caller wipes its copy. KEYD_E_REFUSED (> 0): a kind of key
 * that is not worked with. Blocks. */
struct keyd_made;
int domain_key_take(struct env *e, int64_t domain, enum key_use use, struct span pkcs8,
	struct keyd_made *ret_made) MUST_CHECK;

/* The private key as a file under a password (keyd_key_export); an outcome of keyd if it cannot be. */
int domain_key_export(struct env *e, const struct store_key *row, unsigned form, struct span certs,
	struct span name, struct span file_password, struct buf *out) MUST_CHECK;

/* A self-signed certificate for the key and subject, as a row that is active for all services. Strings
 * live in the arena. */
int domain_cert_self_sign(struct env *e, struct arena *a, const struct store_key *key,
	struct span alias, const struct subject *subject, unsigned days,
	struct store_cert *ret_row, struct why *why) MUST_CHECK;

/* The certificate of ret_row, which its key has signed, again for another time (pki/selfsign.h): der is
 * replaced. DOMAIN_KEY_E_REFUSED with why. */
int domain_cert_refresh(struct env *e, struct arena *a, const struct store_key *key, unsigned days,
	bool new_serial, struct store_cert *ret_row, struct why *why) MUST_CHECK;
