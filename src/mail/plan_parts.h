/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Between plan.c, which runs the scripts, and plan_form.c, which makes what they want. */

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
};

struct plan {
	struct arena arena;
	struct plan_request request;
	struct plan_entry *entries;
	size_t n_entries;
	struct form *forms;
	struct plan_form *built; /* of the forms, after plan_build */
	uint32_t n_forms;
	struct plan_note *notes;
	size_t n_notes;
	struct span message; /* its octets, when they were needed */
	struct buf octets;   /* where those of a large one are */
	bool loaded;
	bool packs; /* the message will be stored as it came, as far as can be foreseen */
	bool built_all;
	uint64_t steps; /* of all scripts */
};

/* The octets of a message that rules look into or change; larger ones are kept as they are. */
enum { PLAN_MESSAGE_MAX = 48 << 20, PLAN_FORMS_MAX = 1000, PLAN_NOTES_MAX = 100 };

/* The message's octets into .message; conn may be NULL for one in memory. */
int plan_load(struct plan *p, struct store_conn *conn) MUST_CHECK;

uint32_t plan_form_add(struct plan *p, const struct form *form);
void plan_note_add(struct plan *p, enum plan_note_kind kind, struct span account, const char *level,
	struct span text);
