/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Sequence sets (RFC 9051 section 9): as the client wrote them, and as positions in a view. */

#include "base/arena.h"
#include "base/buf.h"

#include <stdint.h>

struct view;

enum { SET_STAR = 0 }; /* "*": the largest number in use */

struct imap_range {
	uint32_t first, last; /* in either order; SET_STAR */
};

struct imap_set {
	bool saved;           /* "$" (RFC 5182); then n is 0 */
	size_t n;
	struct imap_range *ranges;
};

/* Positions [first, end) in a view. */
struct imap_stretch {
	uint32_t first, end;
};

struct imap_positions {
	size_t n;
	struct imap_stretch *stretches;
	uint32_t total;
};

/* imap_resolve and imap_uids (imap.h) are these with the command's view; `saved` are the UIDs of
 * "$". False: a sequence number beyond the mailbox. */
bool set_resolve(struct arena *a, const struct imap_set *set, const struct view *view, bool by_uid,
	struct span saved, struct imap_positions *ret_positions);

/* The numbers themselves, up to `largest` (below UINT32_MAX), as ascending stretches that do not
 * touch. */
void set_order(struct arena *a, const struct imap_set *set, uint32_t largest,
	struct imap_positions *ret_numbers);

/* A set that is compared with numbers which are no view's: UIDs of the past, SEARCH UIDs. Does it
 * hold the number, where "*" is `largest`? */
bool set_holds(const struct imap_set *set, uint32_t number, uint32_t largest);

/* Appends numbers (ascending) as a set: 1:3,7. */
void set_add_numbers(struct buf *out, const uint32_t *numbers, size_t n);
