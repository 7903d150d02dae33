/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Contact cards (JSContact, RFC 9553), of persons and of groups. A card is its JSON: what a card
 * holds that is not known here is kept and written again as it came (section 1.7.3). What is known
 * is checked; what a mail server needs of it is taken out. Pure.
 *
 * A certificate stands among the card's cryptoKeys as a data: URL (RFC 2397) of the type
 * application/pkix-cert, in base64. Keys of other types, or elsewhere, are kept and not looked at.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct json_t;

enum {
	CARD_ADDRESSES_MAX = 100, /* mail addresses of one card */
	CARD_CERTS_MAX = 20,
	CARD_MEMBERS_MAX = 5000,
	CARD_DEPTH_MAX = 20, /* levels of objects and arrays */
	CARD_UID_MAX = 255,  /* octets */
};

/* What a card says, in its own memory: valid until it is changed or freed. */
struct card {
	struct span uid;
	struct span kind; /* "individual" where the card names none */
	struct span name; /* as it is shown: name.full, else the name's components; may be empty */
	size_t n_addresses;
	struct span *addresses; /* as they are written, those that the card prefers first */
	size_t n_certs;
	struct span *certs; /* DER, not looked at */
	size_t n_members;
	struct span *members; /* uids; of groups */

	/* Private. */
	struct json_t *json;
	struct arena arena;
};

/* Reads a card of at most LIMIT_CARD octets. CARD_E_INVALID: why says what is wrong, and where. */
enum card_outcome { CARD_E_INVALID = 1 };
int card_parse(struct card **ret_card, struct span text, struct why *why) MUST_CHECK;

/* A new card of a person; the name may be empty. */
int card_new(struct card **ret_card, struct span uid, struct span name, struct span address,
	struct why *why) MUST_CHECK;

struct card *card_free(struct card *card);
CLEANUP_POINTER(struct card, card_free)

/* Appends the card as one line of JSON. */
void card_print(const struct card *card, struct buf *out);

/* Changes it; the spans it held before are gone. A certificate that it has already is not added
 * again. CARD_E_INVALID with why: the card would be too large, or have too many. */
int card_add_cert(struct card **card, struct span der, struct why *why) MUST_CHECK;
int card_remove_cert(struct card **card, struct span der, struct why *why) MUST_CHECK;
