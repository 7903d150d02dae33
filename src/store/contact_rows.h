/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Address books of accounts and the cards in them, and the certificates of mail addresses. Octets
 * in, octets out: what a card says is the caller's to read (contact/card.h). Every change takes a
 * modification number of the account, which is also the state of its contacts; what is gone is on
 * record.
 *
 * A certificate is one of three things for an address: trusted (it was verified for it), taken
 * anyway by a decision of the user, or waiting for such a decision. One that waits is used for
 * nothing. An address that has a certificate gets no other without a decision.
 */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

enum {
	BOOKS_MAX = 100,                    /* of an account */
	BOOK_NAME_MAX = 255,                /* octets */
	CONTACTS_MAX = 10000,               /* cards of an account */
	CONTACT_OCTETS_MAX = 64 << 20,      /* of all its cards */
	CONTACT_REMOVED_MAX = 5000,         /* records of what is gone */
	CONTACT_CERTS_MAX = 20,             /* certificates of one address of an account */
	CONTACT_CHAIN_MAX = 256 << 10,      /* octets of what came along with one */
	CONTACT_CAPABILITIES_MAX = 4 << 10, /* octets */
};

struct store_book {
	int64_t id;
	struct span name;
	bool is_default;
	uint64_t n_cards;
	uint64_t modseq;
	int64_t created_us;
};

/* Writes: the account's first book, made if there is none. STORE_E_NOT_FOUND (account). */
int store_book_default(struct store_conn *c, int64_t account, int64_t *ret_book) MUST_CHECK;

/* Writes. STORE_E_EXISTS, STORE_E_LIMIT, STORE_E_REFUSED with why (no name, too long, a control
 * character). */
int store_book_add(struct store_conn *c, int64_t account, struct span name, int64_t *ret_book,
	struct why *why) MUST_CHECK;
int store_book_rename(struct store_conn *c, int64_t account, int64_t book, struct span name,
	struct why *why) MUST_CHECK;

/* Writes: with its cards. STORE_E_NOT_FOUND, STORE_E_REFUSED (the default one). */
int store_book_remove(struct store_conn *c, int64_t account, int64_t book,
	struct why *why) MUST_CHECK;

/* Reads. STORE_E_NOT_FOUND. */
int store_book_find(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	struct store_book *ret_book) MUST_CHECK;
/* Reads, the default one first, then by name. Spans are valid during each(). */
int store_book_each(struct store_conn *c, int64_t account,
	int (*each)(const struct store_book *book, void *context), void *context) MUST_CHECK;

struct store_contact {
	int64_t id;
	int64_t book;
	struct span uid, kind, name;
	struct span card;      /* JSON; empty in lists */
	struct span addresses; /* LF between, in the order of the card; in lists only */
	uint64_t n_certs;      /* that may be used; in lists only */
	uint64_t modseq;
	int64_t created_us, updated_us;
};

enum cert_state { CERT_TRUSTED, CERT_ANYWAY, CERT_WAITING };
enum cert_source { CERT_FROM_CARD, CERT_FROM_MESSAGE, CERT_FROM_FILE };

struct store_contact_cert {
	int64_t id;
	int64_t contact;
	struct span address; /* in the form in which addresses are compared */
	struct span sha256;  /* of the certificate */
	struct span der;
	struct span chain;        /* DER, one behind the other */
	struct span capabilities; /* DER; may be empty */
	struct span reason;       /* in words; empty if it is trusted */
	enum cert_state state;
	enum cert_source source;
	bool in_card; /* it stands in the card itself */
	int64_t not_before_us, not_after_us, created_us;
};

/* A card to be written, and the certificates that stand in it. contact, id and created_us of these
 * are not looked at; in_card is set. */
struct contact_put {
	int64_t book; /* 0: where it is, a new one in the default book */
	struct span uid, kind, name, card;
	const struct span *addresses;
	size_t n_addresses;
	const struct store_contact_cert *certs;
	size_t n_certs;
	uint64_t if_modseq; /* the card's that the change was made from; 0: any, UINT64_MAX: it is
			       new */
};

/* Writes: a new card, or another one of that uid instead. Certificates that stood in the card and
 * do not any more are gone; those that came otherwise stay. STORE_E_STALE, STORE_E_EXISTS,
 * STORE_E_LIMIT with why, STORE_E_NOT_FOUND (book). */
int store_contact_put(struct store_conn *c, int64_t account, const struct contact_put *put,
	int64_t *ret_id, struct why *why) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND. */
int store_contact_remove(struct store_conn *c, int64_t account, struct span uid) MUST_CHECK;

/* Reads. STORE_E_NOT_FOUND. Spans live in the arena. */
int store_contact_get(struct store_conn *c, struct arena *a, int64_t account, struct span uid,
	struct store_contact *ret_contact) MUST_CHECK;

/* Reads: the card of that kind and name. STORE_E_NOT_FOUND; STORE_E_EXISTS: there are several. */
int store_contact_named(struct store_conn *c, struct arena *a, int64_t account, struct span kind,
	struct span name, struct store_contact *ret_contact) MUST_CHECK;

/* Reads: the uid of a card by its id. STORE_E_NOT_FOUND. */
int store_contact_uid(struct store_conn *c, struct arena *a, int64_t account, int64_t id,
	struct span *ret_uid) MUST_CHECK;

/* Reads: the oldest card that has the address. STORE_E_NOT_FOUND. */
int store_contact_of(struct store_conn *c, struct arena *a, int64_t account, struct span address,
	struct store_contact *ret_contact) MUST_CHECK;

/* Reads, by name; book 0: all. Spans are valid during each(). */
int store_contact_each(struct store_conn *c, int64_t account, int64_t book,
	int (*each)(const struct store_contact *contact, void *context), void *context) MUST_CHECK;

/* Reads: the newest modification number among the account's contacts, 0 if it never had any. */
int store_contact_state(struct store_conn *c, int64_t account, uint64_t *ret_modseq) MUST_CHECK;

/* Reads what changed after a state, in the order of the changes. *ret_complete is false if the
 * record does not reach back that far: then everything is to be read anew. */
struct contact_change {
	uint64_t modseq;
	bool is_book;
	bool removed;
	bool created;    /* not there at that state */
	struct span uid; /* of a book: its name */
};
int store_contact_changes(struct store_conn *c, int64_t account, uint64_t since,
	int (*each)(const struct contact_change *change, void *context), void *context,
	bool *ret_complete) MUST_CHECK;

/* Writes: a certificate beside the card, or a new state, chain and capabilities of one that is
 * there. Without `decided` one that differs from what the address has waits, whatever its state
 * says, and one that was decided about stays as it is. *ret_state: what it is now.
 * STORE_E_NOT_FOUND (contact), STORE_E_LIMIT with why. */
int store_contact_cert_put(struct store_conn *c, int64_t account,
	const struct store_contact_cert *cert, bool decided, enum cert_state *ret_state,
	struct why *why) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND. */
int store_contact_cert_remove(struct store_conn *c, int64_t account, struct span address,
	struct span sha256) MUST_CHECK;

/* Reads. STORE_E_NOT_FOUND. */
int store_contact_cert_get(struct store_conn *c, struct arena *a, int64_t account,
	struct span address, struct span sha256, struct store_contact_cert *ret_cert) MUST_CHECK;

/* Reads, the newest first; address p NULL: of all. state -1: of all. Spans are valid during each().
 */
int store_contact_cert_each(struct store_conn *c, int64_t account, struct span address, int state,
	int (*each)(const struct store_contact_cert *cert, void *context),
	void *context) MUST_CHECK;

/* The form in which mail addresses are compared: case never matters (store/name.h). Pure. */
struct span store_address_key(struct arena *a, struct span address);
