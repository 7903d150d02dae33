/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Whom a card of the kind "group" stands for (RFC 9553 section 2.1.6): its members, and for members
 * that are groups theirs. Each card counts once, so groups that are in each other end. Pure: cards
 * are fetched by a function of the caller's.
 */

#include "contact/card.h"

struct group_member {
	struct span uid;
	struct span name;    /* of its card; may be empty */
	struct span address; /* the one that the card prefers; empty: it has none */
	const char *fault;   /* why it has none; NULL: it has one */
};

struct group {
	struct group_member *members; /* in the order of the cards, those of inner groups behind */
	size_t n;
};

/* The card of that uid, the caller's to free; GROUP_E_NO_CARD: there is none. */
enum group_find_outcome { GROUP_E_NO_CARD = 1 };
typedef int group_find_fn(void *context, struct span uid, struct card **ret_card);

/* The group's members, in the arena. At most max cards are fetched, groups among them; TOO_LARGE:
 * there are more. *ret_n_cards: how many were. */
enum group_outcome { GROUP_E_TOO_LARGE = 1 };
int group_expand(const struct card *card, size_t max, group_find_fn *find, void *context,
	struct arena *a, struct group *ret_group, size_t *ret_n_cards) MUST_CHECK;
