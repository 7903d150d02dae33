/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A stored message as its owner reads it: its S/MIME layers opened with the keys that are unlocked,
 * its signers judged by what the account's domain trusts, and the parts that are to be shown.
 * Blocks, and takes as long as smime_read.
 */

#include "base/arena.h"
#include "mime/part.h"
#include "smime/read.h"
#include "svc/stored.h"

struct revocation;
struct trust;

struct mail_reader {
	int64_t account;
	int64_t domain; /* the account's */
	const struct smime_key *keys;
	size_t n_keys;
};

struct mail_read {
	struct store_message row; /* without its octets */
	struct smime_result result;

	/* What is to be shown: the payload of the envelope, or the message that has none. p NULL:
	 * it is not open. Parts of layers further down are not opened here. */
	struct span shown;
	struct part_tree *parts; /* of it; NULL where there is nothing */

	/* Private. */
	struct buf message;
	struct trust *trust;
	struct revocation *revocation;
};
void mail_read_done(struct mail_read *m);

/* Outcomes of enum stored_outcome: NOT_FOUND, TOO_LARGE, with why. */
int mail_read(struct env *e, const struct mail_reader *who, int64_t id, struct mail_read *ret_read,
	struct why *why) MUST_CHECK;

/* Appends a part's content, its transfer encoding removed; text as UTF-8 (is_text), without
 * the copy of hidden fields that it may begin with (smime/legacy_display.h). At most max octets of
 * the encoded form are looked at. */
void mail_part_add(const struct mail_read *m, const struct part *part, bool is_text, size_t max,
	struct buf *out);

/* Appends a part's number (IMAP section, RFC 9051 section 6.4.5.1), attached messages not entered:
 * "1", "2.1". */
void mail_part_add_number(const struct part_tree *tree, const struct part *part, struct buf *out);

/* The part of that number; NULL if there is none that counts. */
const struct part *mail_part_find(const struct part_tree *tree, struct span number);

/* Whether the part is one that is shown or saved: a leaf or an attached message, and in none. */
bool mail_part_counts(const struct part_tree *tree, const struct part *part);
