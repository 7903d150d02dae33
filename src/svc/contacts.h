/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Cards on their way into an address book, and the certificates of mail addresses that come with
 * them or are taken from messages and files (doc/contacts.md). A certificate is trusted for an
 * address if it is for that address and a path from it holds for mail; any other one waits for the
 * user, who may take it anyway.
 */

#include "pki/cert.h"
#include "store/contact_rows.h"

struct card;
struct contact_trust;
struct env;

enum contact_outcome { CONTACT_E_REFUSED = 1 };

/* What a domain's accounts trust, at this moment. Blocks. */
int contact_trust_new(struct contact_trust **ret_trust, struct env *e, int64_t domain) MUST_CHECK;
struct contact_trust *contact_trust_free(struct contact_trust *t);
CLEANUP_POINTER(struct contact_trust, contact_trust_free)

/* Whether a path from the certificate holds for mail. REFUSED with why. Milliseconds. */
int contact_trust_judge(struct contact_trust *t, struct cert *cert, const struct cert_list *chain,
	struct why *why) MUST_CHECK;

/* Whether the certificate has the mail address (smime/sender.h says how they are compared). */
bool contact_cert_is_for(const struct cert *cert, struct span address);

/* A card as rows, in the arena. trust NULL: nothing is verified, and what is not known yet waits.
 * REFUSED with why: a certificate in it is none. */
int contact_rows_of(const struct card *card, struct contact_trust *t, struct arena *a,
	struct contact_put *ret_put, struct why *why) MUST_CHECK;

/* A certificate that somebody wants to have. Spans live in the arena that it was found with. */
struct contact_take {
	struct cert *cert;
	struct span address; /* from the certificate */
	struct span name;    /* from the certificate; may be empty */
	struct span chain;   /* DER, what came along */
	struct span capabilities;
	struct span reason; /* why it is not trusted; empty: it is */
	enum cert_source source;
	bool anyway; /* the user has said that it shall be taken though it is not trusted */

	/* Of a refusal: whether it could be taken anyway. */
	bool may_anyway;
};
void contact_take_done(struct contact_take *take);

/* From a signed message: the first signer whose signature holds, whose certificate is trusted and
 * who is the author (From:). anyway: the fingerprint of a signer's certificate that is to be taken
 * though it is not; the signature must hold all the same. received_us as in smime/read.h. REFUSED
 * with why. Blocks, and works for as long as smime_read. */
int contact_take_message(struct env *e, struct contact_trust *t, struct arena *a,
	struct span message, int64_t received_us, struct span anyway, struct contact_take *ret_take,
	struct why *why) MUST_CHECK;

/* From a file: the first certificate, with the others as its chain. address: whose it is to be;
 * empty: the certificate's first. REFUSED with why. */
int contact_take_file(struct contact_trust *t, struct arena *a, const struct cert_list *certs,
	struct span address, struct span anyway, struct contact_take *ret_take,
	struct why *why) MUST_CHECK;

/* Writes: into the oldest card that has the address, else a new one in the book (0: the default
 * one). *ret_state: CERT_WAITING if the address has another certificate already. REFUSED with why
 * (a limit), STORE_E_NOT_FOUND is folded into it. */
int contact_take_write(struct store_conn *c, struct arena *a, int64_t account, int64_t book,
	const struct contact_take *take, struct store_contact *ret_contact,
	enum cert_state *ret_state, struct why *why) MUST_CHECK;

/* Writes: the user's word about a certificate that waits. trusted: it was found to be so. Accepted
 * it comes into its card; refused it is gone, from the card too. STORE_E_NOT_FOUND; STORE_E_REFUSED
 * and STORE_E_LIMIT with why. */
int contact_decide(struct store_conn *c, struct arena *a, int64_t account, struct span address,
	struct span sha256, bool accept, bool trusted, struct why *why) MUST_CHECK;
