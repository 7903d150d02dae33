/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Other forms of a message, taken in like one that arrives: staged in the store if they are large
 * or many, so that the transaction itself stays short. What is encrypted is written in one piece in
 * memory; what only has another header comes from the store piece by piece. */

#include "mail/plan_parts.h"

#include "base/alloc.h"
#include "mail/intake.h"
#include "mime/header.h"
#include "mime/part.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

enum { LIGHT_FORMS = 2, LIGHT_OCTETS = 64 << 10 };

struct plan *plan_free(struct plan *p)
{
	if (p) {
		for (uint32_t i = 0; i < p->n_forms; i++)
			intake_free(p->forms[i].built.intake);
		free(p->forms);
		free(p->entries);
		free(p->notes);
		map_done(&p->forms_by, NULL);
		map_done(&p->entries_by, NULL);
		map_done(&p->headers_by, NULL);
		buf_done(&p->octets);
		arena_done(&p->arena);
		free(p);
	}
	return NULL;
}

bool plan_needs_build(const struct plan *p)
{
	return (p->n_forms > 0 || p->packs) && !p->built_all;
}

bool plan_is_light(const struct plan *p)
{
	uint64_t octets = p->n_building + (p->packs ? intake_size(p->request.intake) : 0);

	if (p->n_forms > LIGHT_FORMS || !intake_in_memory(p->request.intake))
		return false;
	for (uint32_t i = 0; i < p->n_forms; i++) {
		if (p->forms[i].n_to > 1)
			return false;
	}
	return octets <= LIGHT_OCTETS;
}

size_t plan_n_forms(const struct plan *p)
{
	return p->n_forms;
}

const struct plan_form *plan_form(const struct plan *p, uint32_t form)
{
	assert(form < p->n_forms && p->forms[form].built.draft);
	return &p->forms[form].built;
}

int plan_load(struct plan *p, struct store_conn *conn)
{
	if (p->loaded)
		return 0;
	if (intake_in_memory(p->request.intake)) {
		p->message = intake_head(p->request.intake);
	} else {
		buf_clear(&p->octets);
		TRY(intake_read(p->request.intake, conn, &p->octets));
		p->message = buf_span(&p->octets);
	}
	p->loaded = true;
	return 0;
}

static int load(struct store_conn *c, void *arg)
{
	return plan_load(arg, c);
}

static int load_from(struct plan *p, struct store *store)
{
	if (intake_in_memory(p->request.intake))
		return plan_load(p, NULL);
	if (!p->loaded)
		TRY(store_read(store, load, p));
	return 0;
}

struct piece_reading {
	const struct intake *intake;
	uint64_t offset;
	struct buf *out;
};

static int read_piece(struct store_conn *c, void *arg)
{
	struct piece_reading *piece = arg;

	buf_clear(piece->out);
	return intake_read_part(piece->intake, c, piece->offset, CONTENT_PIECE, piece->out);
}

/* The message, or all behind its header, from the store piece by piece: whatever its size. */
static int feed_message(const struct plan *p, const struct form *f, struct store *store)
{
	CLEANUP(buf_done) struct buf octets = {};
	const struct intake *in = p->request.intake;
	struct piece_reading piece = { .intake = in, .out = &octets };

	if (f->header.n)
		piece.offset = intake_tree(in)->parts[0].body_offset;
	for (; piece.offset < intake_size(in); piece.offset += CONTENT_PIECE) {
		TRY(store_read(store, read_piece, &piece));
		TRY(intake_feed(f->built.intake, store, buf_span(&octets)));
	}
	return 0;
}

/* The message as the form wants it, but for encryption. */
static void compose(const struct plan *p, const struct form *f, struct buf *out)
{
	struct span message = p->message;
	size_t n = header_size(message);

	buf_add(out, f->front);
	buf_add(out, f->header.n ? f->header : span_head(message, n));
	buf_add(out, span_skip(message, n));
}

/* All acts of this form become others: the message stays in clear, or is refused. */
static void replace(struct plan *p, uint32_t form, struct span reason)
{
	static const struct span refusal = SPAN(
		"this mailbox takes encrypted mail only, and it could not be encrypted");

	for (size_t i = 0; i < p->n_entries; i++) {
		for (size_t j = 0; j < p->entries[i].n; j++) {
			struct plan_act *a = &p->entries[i].acts[j];

			if (a->form != form)
				continue;
			plan_note_add(p, NOTE_CLEAR, p->entries[i].recipient, "account", reason);
			a->owner_only = false;
			if (!a->mandatory)
				continue;
			a->kind = PLAN_REJECT;
			a->form = PLAN_SAME;
			a->reason = refusal;
			a->status = "5.7.10";
		}
	}
}

static int seal(struct plan *p, uint32_t form, struct buf *text)
{
	CLEANUP(buf_done) struct buf sealed = {}, clear = {};
	struct form *f = &p->forms[form];
	struct why why = {};
	int r = seal_message(f->to, f->n_to, buf_span(text), p->request.certs, p->request.now_us,
		&sealed, &why);

	if (r < 0)
		return r;
	if (r == 0) {
		buf_done(text);
		*text = sealed;
		sealed = (struct buf){};
		return 0;
	}
	replace(p, form, span_str(why.text));
	buf_add_string(&clear, "Signet-Not-Encrypted: the certificate cannot be used\r\n");
	buf_add(&clear, buf_span(text));
	buf_done(text);
	*text = clear;
	clear = (struct buf){};
	return 0;
}

static int build(struct plan *p, uint32_t form, struct store *store)
{
	CLEANUP(buf_done) struct buf text = {};
	struct form *f = &p->forms[form];

	f->built.intake = intake_new(UINT64_MAX);
	if (p->drafts > PLAN_DRAFTS_INLINE_MAX)
		intake_stage(f->built.intake);
	if (f->n_to || intake_in_memory(p->request.intake))
		TRY(load_from(p, store));
	if (f->whole.n) {
		TRY(intake_feed(f->built.intake, store, f->whole));
	} else if (p->loaded) {
		compose(p, f, &text);
		if (f->n_to)
			TRY(seal(p, form, &text));
		TRY(intake_feed(f->built.intake, store, buf_span(&text)));
	} else {
		TRY(intake_feed(f->built.intake, store, f->front));
		TRY(intake_feed(f->built.intake, store, f->header));
		TRY(feed_message(p, f, store));
	}
	TRY(intake_finish(f->built.intake, store, &f->built.draft));
	p->drafts += intake_keep_draft(f->built.intake);
	return 0;
}

/* Packed here rather than by the writer, on which everybody waits. */
static int pack(const struct plan *p)
{
	struct content_draft *draft;

	return intake_end(p->request.intake, &draft);
}

int plan_build(struct plan *p, struct store *store)
{
	if (p->packs)
		TRY(pack(p));
	for (uint32_t i = 0; i < p->n_forms; i++) {
		TRY(build(p, i, store));
		if (p->drafts > PLAN_DRAFTS_MAX)
			return PLAN_E_TOO_MUCH;
	}
	p->built_all = true;
	return 0;
}
