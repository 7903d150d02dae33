/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Keys and certificates as rows: wrapped keys (only keyd can open them), certificates with their
 * chains, and which certificate serves what. Octets in, octets out: pki/ reads them.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct store_conn;

enum key_use { KEY_TLS, KEY_SMIME, KEY_DKIM, KEY_CA };

struct store_key {
	int64_t id;
	int64_t domain;
	enum key_use use;
	struct span alias;     /* unique in the domain */
	struct span type;      /* "ec:p256", "rsa:2048", ... */
	struct span key_id;    /* associated data of the wrapping; text */
	struct span wrapped;
	struct span spki;      /* public key, DER SubjectPublicKeyInfo */
	int64_t created_us;
};

/* Writes. STORE_E_EXISTS (alias). */
int store_key_add(struct store_conn *c, const struct store_key *key, int64_t *ret_id) MUST_CHECK;
/* Writes: its certificates go with it (CGP-13). */
int store_key_remove(struct store_conn *c, int64_t id) MUST_CHECK;
/* Reads, in the order in which they were made. domain 0: all. Spans are valid during each(). */
int store_key_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_key *key, void *context), void *context) MUST_CHECK;
int store_key_get(struct store_conn *c, struct arena *a, int64_t id, struct store_key *ret_key)
	MUST_CHECK;

struct store_cert {
	int64_t id;
	int64_t domain;
	int64_t key;           /* 0: none of ours */
	struct span alias;     /* unique in the domain */
	struct span der;
	struct span chain;     /* DER certificates behind each other, nearest issuer first */
	struct span services;  /* "all", or a comma-separated list: smtp, imap, pop3, http; empty: not
	                        * active. Of one service and key type one certificate is active. */
	int64_t created_us;
};

/* Services that may have a certificate of their own, as bits. */
enum cert_service { CERT_SMTP = 1, CERT_IMAP = 2, CERT_POP3 = 4, CERT_HTTP = 8 };

/* The bits of services as above; STORE_E_REFUSED: one is not known. */
int store_cert_services(struct span services, unsigned *ret_bits) MUST_CHECK;

/* Writes. STORE_E_EXISTS (alias). Activating takes the services away from the domain's other
 * certificates of the same key type. */
int store_cert_add(struct store_conn *c, const struct store_cert *cert, int64_t *ret_id) MUST_CHECK;
int store_cert_remove(struct store_conn *c, int64_t id) MUST_CHECK;
/* Writes: another certificate (a refreshed or renewed one) in the place of the old. STORE_E_NOT_FOUND. */
int store_cert_replace(struct store_conn *c, int64_t id, struct span der, struct span chain) MUST_CHECK;

/* Writes: what is sent behind it. STORE_E_NOT_FOUND. */
int store_cert_set_chain(struct store_conn *c, int64_t id, struct span chain) MUST_CHECK;
int store_cert_activate(struct store_conn *c, int64_t id, struct span services) MUST_CHECK;
/* Reads: whom that would take services away from, and which of them. Spans are valid during each(). */
int store_cert_displaces(struct store_conn *c, int64_t id, struct span services,
	int (*each)(struct span alias, struct span lost, void *context), void *context) MUST_CHECK;
/* Appends what none of the domain's other certificates of the same key type serves. */
int store_cert_free_services(struct store_conn *c, int64_t id, struct buf *services) MUST_CHECK;
int store_cert_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_cert *cert, void *context), void *context) MUST_CHECK;

/* Reads: all certificates that serve something, with their keys (domain and certificate decide the
 * order), by one pass over the table. Spans are valid during each(). */
int store_active_cert_each(struct store_conn *c,
	int (*each)(const struct store_cert *cert, const struct store_key *key, void *context),
	void *context) MUST_CHECK;
