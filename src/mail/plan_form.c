/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Other forms of a message: written in one piece in memory, taken in like one that arrives, and
 * staged in the store if they are large, so that the transaction itself stays short. */

#include "mail/plan_parts.h"

#include "base/alloc.h"
#include "mail/intake.h"
#include "mime/header.h"
#include "store/store.h"

#include <stdlib.h>

enum { LIGHT_FORMS = 2, LIGHT_OCTETS = 64 << 10 };

struct plan *plan_free(struct plan *p)
{
	if (p) {
		for (uint32_t i = 0; i < p->n_forms; i++)
			intake_free(p->forms[i].built.intake);
		free(p->forms);
		free(p->built);
		free(p->entries);
		free(p->notes);
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
	uint64_t octets = p->packs ? intake_size(p->request.intake) : 0;

	if (p->n_forms > LIGHT_FORMS || !intake_in_memory(p->request.intake))
		return false;
	for (uint32_t i = 0; i < p->n_forms; i++) {
		const struct form *f = &p->forms[i];

		if (f->n_to > 1)
			return false;
		octets += f->whole.n ? f->whole.n : f->header.n + intake_size(p->request.intake);
	}
	return octets <= LIGHT_OCTETS;
}

const struct plan_form *plan_forms(const struct plan *p, size_t *ret_n)
{
	*ret_n = p->n_forms;
	return p->built;
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

/* Larger ones than rules look into stay where they are. */
static int load_from(struct plan *p, struct store *store)
{
	if (intake_in_memory(p->request.intake))
		return plan_load(p, NULL);
	if (p->loaded || intake_size(p->request.intake) > PLAN_MESSAGE_MAX)
		return 0;
	TRY(store_read(store, load, p));
	return 0;
}

static int flush(struct store_conn *c, void *arg)
{
	return intake_flush(arg, c);
}

/* A text as a draft, large pieces of it in the store. */
static int take_in(struct plan_form *f, struct store *store, struct span text)
{
	int r = 0;

	f->intake = intake_new(UINT64_MAX);
	while (r == 0 && text.n) {
		struct span piece = span_head(text, CONTENT_PIECE);

		text = span_skip(text, piece.n);
		r = intake_add(f->intake, piece);
		if (r == INTAKE_E_FLUSH)
			r = store_write(store, flush, f->intake);
	}
	if (r == 0)
		r = intake_end(f->intake, &f->draft);
	while (r == INTAKE_E_FLUSH) {
		TRY(store_write(store, flush, f->intake));
		r = intake_end(f->intake, &f->draft);
	}
	return err_fold(r);
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

	if (f->whole.n)
		buf_add(&text, f->whole);
	else
		compose(p, f, &text);
	if (f->n_to)
		TRY(seal(p, form, &text));
	return take_in(&f->built, store, buf_span(&text));
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
	if (p->n_forms)
		TRY(load_from(p, store));
	p->built = alloc_array(NULL, p->n_forms + 1, sizeof p->built[0]);
	for (uint32_t i = 0; i < p->n_forms; i++) {
		if (p->loaded || p->forms[i].whole.n)
			TRY(build(p, i, store));
		p->built[i] = p->forms[i].built;
	}
	p->built_all = true;
	return 0;
}
