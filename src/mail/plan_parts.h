/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Between plan.c, which runs the scripts, and plan_form.c, which makes what they want. */

#include "base/map.h"
#include "mail/plan.h"
#include "mail/seal.h"

/* What a form is made of. */
struct form {
	struct plan_form built;
	struct span front;         /* fields in front of all others */
	struct span header;        /* in place of the message's; n 0: its own */
	struct span whole;         /* a new message instead: an answer */
	struct seal_recipient *to; /* encrypted for these */
	size_t n_to;
	int64_t accounts[2]; /* whose certificates they are */
};

struct plan {
	struct arena arena;
	struct plan_request request;
	struct plan_entry *entries;
	size_t n_entries;
	struct form *forms;
	uint32_t n_forms;
	struct map forms_by;   /* what a form is made of, to its position + 1 */
	struct map entries_by; /* account and address, to the position + 1 */
	struct map headers_by; /* digests, to the changed header as a span */
	struct plan_note *notes;
	size_t n_notes, n_notes_more;
	struct span message; /* its octets, when they were needed */
	struct buf octets;   /* where those of a large one are */
	bool loaded;
	bool packs; /* the message will be stored as it came, as far as can be foreseen */
	bool built_all;
	bool too_much;       /* the message cannot be taken with so many recipients */
	uint64_t steps;      /* of all scripts */
	size_t held;         /* octets of headers and texts that scripts have made */
	uint64_t n_building; /* octets of all forms */
	size_t drafts;       /* octets of memory of those that are built */
};

enum {
	PLAN_MESSAGE_MAX = 48 << 20, /* octets of a message that rules look into or encrypt */
	PLAN_FORMS_MAX = 20000,
	PLAN_NOTES_MAX = 100,
	PLAN_HELD_MAX = 32 << 20,          /* octets of headers and texts that scripts make */
	PLAN_ENTRY_OCTETS_MAX = 256 << 20, /* of the forms that one entry may want beside two */
	PLAN_DRAFTS_INLINE_MAX = 64 << 20, /* of drafts in memory; more are staged in the store */
	PLAN_DRAFTS_MAX = 256 << 20,       /* of what stays in memory of all drafts */
};
/* Octets of all forms together. */
static const uint64_t PLAN_BUILD_MAX = 8ULL << 30;

/* The message's octets into .message; conn may be NULL for one in memory. */
int plan_load(struct plan *p, struct store_conn *conn) MUST_CHECK;

/* The position of such a form; one that is there already serves again. Sets .too_much. */
uint32_t plan_form_add(struct plan *p, const struct form *form);
void plan_note_add(struct plan *p, enum plan_note_kind kind, struct span account, const char *level,
	struct span text);
