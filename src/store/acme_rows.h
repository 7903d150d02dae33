/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Accounts with authorities, what is ordered from them for which domain and how far that is, and
 * the proofs that are laid out meanwhile. Octets and numbers: what they mean is svc/acme.h's.
 */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

struct store_acme_account {
	int64_t id;
	int64_t domain;        /* 0: the server's */
	struct span directory;
	struct span contact;   /* addresses, a comma between */
	bool terms;            /* agreed to */
	struct span kid;       /* external account binding; empty: none */
	struct span mac_key;   /* sealed */
	struct span roots;     /* PEM; empty: whom the server trusts */
	struct span key_id, wrapped, spki;
	struct span url;       /* empty: not registered */
	bool contact_sent;
	int64_t created_us;
};

/* Writes: the domain's account (0: the server's), in place of one that is there. */
int store_acme_account_put(struct store_conn *c,
	const struct store_acme_account *account) MUST_CHECK;

/* Writes: what is known after talking to the authority. */
int store_acme_account_registered(struct store_conn *c, int64_t id, struct span url,
	bool contact_sent) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND. */
int store_acme_account_remove(struct store_conn *c, int64_t domain) MUST_CHECK;

/* Reads: the domain's own (0: the server's); with fallback the server's where it has none.
 * STORE_E_NOT_FOUND. Spans live in the arena. */
int store_acme_account_get(struct store_conn *c, struct arena *a, int64_t domain, bool fallback,
	struct store_acme_account *ret_account) MUST_CHECK;

enum store_acme_state {
	ACME_STATE_IDLE,    /* nothing is under way */
	ACME_STATE_WANTED,  /* an order is to be made */
	ACME_STATE_ORDERED, /* it is made: url */
};

struct store_acme_order {
	int64_t id;
	int64_t domain;
	struct span type;       /* of the key */
	struct span names;      /* a comma between; empty: the domain and its aliases */
	unsigned challenge;     /* enum acme_challenge */
	int64_t revision;
	enum store_acme_state state;
	struct span url;
	int64_t key;            /* for the order under way; 0: none */
	int64_t cert;           /* the newest; 0: none */
	int64_t next_us;
	int64_t renew_us;       /* 0: there was no certificate yet */
	int64_t advice_us;      /* 0: not offered */
	unsigned failures;
	struct span last_error;
	int64_t told_us;
	int64_t created_us;
};

/* Writes: a certificate with a key of that type is wanted for the domain, now; what was wanted
 * before is changed. Uses domain, type, names, challenge. */
int store_acme_order_put(struct store_conn *c, const struct store_acme_order *order, int64_t now_us)
	MUST_CHECK;

/* Writes: the domain's certificates are to be renewed now. STORE_E_NOT_FOUND: none is kept up. */
int store_acme_order_renew(struct store_conn *c, int64_t domain, int64_t now_us) MUST_CHECK;

/* Writes: everything but what people say. STORE_E_STALE: they have said something else meanwhile,
 * or it is gone. */
int store_acme_order_save(struct store_conn *c, const struct store_acme_order *order) MUST_CHECK;

/* Writes: nothing is kept up any more; certificates stay. STORE_E_NOT_FOUND. */
int store_acme_order_remove(struct store_conn *c, int64_t domain) MUST_CHECK;

/* Writes: one of them. */
int store_acme_order_drop(struct store_conn *c, int64_t id) MUST_CHECK;

/* Reads. STORE_E_NOT_FOUND. Spans live in the arena. */
int store_acme_order_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_acme_order *ret_order) MUST_CHECK;

/* Reads; domain 0: all. Spans are valid during each(). */
int store_acme_order_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_acme_order *order, void *context), void *context) MUST_CHECK;

/* Reads: orders that are due, the longest first, at most max. */
struct store_acme_due {
	int64_t id;
	int64_t domain;
};
int store_acme_order_due(struct store_conn *c, int64_t now_us, struct store_acme_due *due,
	size_t max, size_t *ret_n) MUST_CHECK;

struct store_acme_proof {
	int64_t id;
	int64_t order;
	unsigned challenge;
	struct span token;
	struct span name;  /* that is proved */
	struct span value; /* the key authorization */
};

/* Writes; one that is there already stays. */
int store_acme_proof_add(struct store_conn *c, const struct store_acme_proof *proof) MUST_CHECK;
int store_acme_proof_remove(struct store_conn *c, int64_t id) MUST_CHECK;
int store_acme_proof_each(struct store_conn *c, int64_t order,
	int (*each)(const struct store_acme_proof *proof, void *context), void *context) MUST_CHECK;

/* Reads: the value for a token of that kind. STORE_E_NOT_FOUND. The span lives in the arena. */
int store_acme_proof_find(struct store_conn *c, struct arena *a, unsigned challenge,
	struct span token, struct span *ret_value) MUST_CHECK;

/* Writes: a certificate came from the order. Others of it that have expired go, with their keys,
 * but for one that serves something. */
int store_acme_cert_add(struct store_conn *c, int64_t order, int64_t cert, int64_t not_after_us,
	int64_t now_us) MUST_CHECK;

/* Reads: how many certificates came from the order since then. */
int store_acme_cert_recent(struct store_conn *c, int64_t order, int64_t since_us, unsigned *ret_n)
	MUST_CHECK;

/* Reads: the order that keeps a certificate up. STORE_E_NOT_FOUND: none does. Spans live in the
 * arena. */
int store_acme_order_of_cert(struct store_conn *c, struct arena *a, int64_t cert,
	struct store_acme_order *ret_order) MUST_CHECK;
