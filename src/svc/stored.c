/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Reading, making and committing are three steps, so that no transaction waits for cryptography;
 * the last one looks whether the message is still what was read.
 */

#include "svc/stored.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "mail/intake.h"
#include "mail/own_cert.h"
#include "mime/header.h"
#include "smime/encrypt.h"
#include "smime/read.h"
#include "store/sharing.h"
#include "store/store.h"
#include "svc/env.h"

#include <string.h>

struct reading {
	int64_t account;
	int64_t id;
	bool may_be_shared; /* also a message of somebody else's mailbox, with the right to read it */
	struct store_place place;
	struct store_message row;
	uint64_t offset;
	struct buf *out;
};

static int note_row(const struct store_message *m, void *context)
{
	struct reading *r = context;

	r->row = *m;
	return 0;
}

static int find(struct store_conn *c, void *arg)
{
	struct reading *r = arg;
	int found = store_message_find(c, r->id, &r->place);
	unsigned rights;

	r->row.uid = 0;
	if (found)
		return found;
	if (r->place.account != r->account) {
		if (!r->may_be_shared)
			return STORE_E_NOT_FOUND;
		TRY(store_mailbox_rights(c, r->account, r->place.mailbox, &rights));
		if (!(rights & ACL_READ))
			return STORE_E_NOT_FOUND;
	}
	TRY(store_messages(c, r->place.mailbox, &r->place.uid, 1, 0, note_row, r, NULL));
	return r->row.uid ? 0 : STORE_E_NOT_FOUND;
}

/* A bounded part, so that no read transaction is long. */
static int read_part(struct store_conn *c, void *arg)
{
	struct reading *r = arg;

	buf_cut(r->out, r->offset);
	return store_content_read(c, r->row.content, r->offset, CONTENT_INLINE, r->out);
}

static int read_all(struct env *e, struct reading *r)
{
	size_t start = buf_size(r->out);

	(void)buf_room(r->out, r->row.size);
	while (buf_size(r->out) - start < r->row.size) {
		int got;

		r->offset = buf_size(r->out);
		got = store_read(e->store, read_part, r);
		if (got)
			return got;
	}
	return 0;
}

static int reading_run(struct env *e, struct reading *r, uint64_t max)
{
	int found = store_read(e->store, find, r);

	if (!found && r->row.size > max)
		return STORED_E_TOO_LARGE;
	if (!found)
		found = read_all(e, r);
	return found == STORE_E_NOT_FOUND ? STORED_E_NOT_FOUND : err_fold(found);
}

int stored_read(struct env *e, int64_t account, int64_t id, uint64_t max, struct buf *out,
	struct store_message *ret_row)
{
	struct reading r = { .account = account, .id = id, .may_be_shared = true, .out = out };
	int found = reading_run(e, &r, max);

	if (found)
		return found;
	*ret_row = r.row;
	return 0;
}

struct replacing {
	const struct reading *reading;
	struct content_draft *draft;
	struct message_replaced done;
};

static int commit(struct store_conn *c, void *arg)
{
	struct replacing *p = arg;
	struct message_replace replace = {
		.mailbox = p->reading->place.mailbox,
		.uid = p->reading->place.uid,
		.content = p->reading->row.content,
		.draft = p->draft,
	};

	return store_message_replace(c, &replace, &p->done);
}

static int replace(struct env *e, const struct reading *reading, struct span message,
	struct message_replaced *ret_replaced)
{
	CLEANUP(intake_freep) struct intake *intake = intake_new(UINT64_MAX);
	struct replacing p = { .reading = reading };
	int r;

	TRY(intake_feed(intake, e->store, message));
	TRY(intake_finish(intake, e->store, &p.draft));
	r = store_write(e->store, commit, &p);
	if (r == STORE_E_NOT_FOUND || r == STORE_E_STALE)
		return STORED_E_CHANGED;
	TRY(r);
	*ret_replaced = p.done;
	return 0;
}

/* The outermost encrypted layer of the envelope; NULL: there is none. */
static const struct smime_layer *encrypted_layer(const struct smime_report *r)
{
	for (size_t i = 0; i < r->n_envelope; i++) {
		const struct smime_layer *layer = &r->layers[i];

		if (layer->kind == SMIME_ENCRYPTED || layer->kind == SMIME_ENCRYPTED_AUTHENTICATED)
			return layer;
	}
	return NULL;
}

static int read_layers(struct span message, const struct smime_key *keys, size_t n_keys,
	struct smime_result *ret_result)
{
	struct smime_request request = {
		.message = message,
		.keys = keys,
		.n_keys = n_keys,
		.time_us = clock_now_us(),
		.expect = SMIME_EXPECT_ANYBODY,
	};

	return smime_read(&request, ret_result);
}

static int check_clear(struct span message, struct why *why)
{
	CLEANUP(smime_result_done) struct smime_result result = {};

	TRY(read_layers(message, NULL, 0, &result));
	if (!encrypted_layer(&result.report))
		return 0;
	why_set(why, "the message is encrypted already");
	return STORED_E_ALREADY;
}

struct own_finding {
	struct own_cert_wish wish;
	struct own_cert own;
};

static int find_own(struct store_conn *c, void *arg)
{
	struct own_finding *f = arg;

	own_cert_done(&f->own);
	return own_cert_find(c, &f->wish, &f->own);
}

static int encrypt_to(const struct own_cert *own, int64_t now_us, struct span message,
	struct buf *out, struct why *why)
{
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	struct encrypt_recipient recipient = { .cert = own->cert };
	struct encrypt_request request = {
		.recipients = &recipient,
		.n_recipients = 1,
		.now_us = now_us,
		.cipher = cipher_by_name(span_str(store_secure_ciphers[own->cipher])),
	};
	int r = encrypt_message(&request, message, out, &faults, why);

	if (r == ENCRYPT_E_RECIPIENTS)
		why_set(why, "%s", faults.faults[0].why.text);
	return r > 0 ? STORED_E_NO_CERT : r;
}

static int encrypt_own(struct env *e, const struct own_cert *own, int64_t now_us,
	struct reading *reading, struct message_replaced *ret_replaced, struct why *why)
{
	CLEANUP(buf_done) struct buf encrypted = {};
	int r = reading_run(e, reading, ENTITY_OCTETS_MAX);

	if (r == STORED_E_TOO_LARGE)
		why_set(why, "the message is larger than %d octets", ENTITY_OCTETS_MAX);
	if (!r)
		r = check_clear(buf_span(reading->out), why);
	if (!r)
		r = encrypt_to(own, now_us, buf_span(reading->out), &encrypted, why);
	if (r)
		return r;
	return replace(e, reading, buf_span(&encrypted), ret_replaced);
}

int stored_encrypt(struct env *e, int64_t account, int64_t id,
	struct message_replaced *ret_replaced, struct why *why)
{
	CLEANUP(buf_done) struct buf message = {};
	struct reading reading = { .account = account, .id = id, .out = &message };
	struct own_finding f = { .wish = { .account = account,
					 .use = OWN_CERT_ENCRYPT,
					 .now_us = clock_now_us(),
					 .cache = e->mail_certs } };
	const char *remedy;
	int r = store_read(e->store, find_own, &f);

	if (!r && f.own.fault) {
		remedy = own_cert_remedy(&f.own);
		why_set(why, "%s%s%s", f.own.why.text, remedy[0] ? ": " : "", remedy);
		r = STORED_E_NO_CERT;
	} else if (r == STORE_E_NOT_FOUND) {
		r = STORED_E_NOT_FOUND;
	} else if (!r) {
		r = encrypt_own(e, &f.own, f.wish.now_us, &reading, ret_replaced, why);
	}
	own_cert_done(&f.own);
	return r;
}

static bool was_encrypted(const struct smime_field *f)
{
	return f->protection == SMIME_FIELD_ENCRYPTED ||
	       f->protection == SMIME_FIELD_SIGNED_ENCRYPTED;
}

/* The report's field for this one outside, each once: those of a name follow each other in both.
 * NULL: there is none. */
static const struct smime_field *take_field(const struct smime_report *report, bool *taken,
	struct span name)
{
	for (size_t i = 0; i < report->n_fields; i++) {
		if (taken[i] || !span_equal_nocase(name, span_str(report->fields[i].name)))
			continue;
		taken[i] = true;
		return &report->fields[i];
	}
	return NULL;
}

static void add_field(struct buf *out, const struct smime_field *f)
{
	buf_add_format(out, "%s: %s\r\n", f->name, f->value);
}

/* The header as it was before it was encrypted: RFC 9788's values in the places of what stood for
 * them outside, and behind the others those that were left out there. */
static void restore_header(const struct smime_report *report, struct span outer, struct buf *out)
{
	CLEANUP(alloc_freep) bool *taken = alloc_zero(report->n_fields + 1);
	struct span rest = outer;
	struct header_field field;

	for (size_t i = 0; i < LIMIT_HEADERS && header_next(&rest, &field); i++) {
		const struct smime_field *inner = take_field(report, taken, field.name);

		if (inner && was_encrypted(inner) && inner->differs)
			add_field(out, inner);
		else
			buf_add(out, field.whole);
	}
	buf_add(out, rest);
	for (size_t i = 0; i < report->n_fields; i++) {
		const struct smime_field *f = &report->fields[i];

		if (was_encrypted(f) && !f->outer && !header_find(outer, f->name, &field))
			add_field(out, f);
	}
}

static int why_not_open(const struct smime_layer *layer, struct why *why)
{
	why_set(why, "%s", layer->reason ? layer->reason : smime_layer_state_name(layer->state));
	return layer->state == SMIME_LOCKED ? STORED_E_LOCKED : STORED_E_UNREADABLE;
}

/* It says that it is a CMS object, of which nobody can tell which. */
static bool is_damaged(const struct smime_report *r)
{
	return r->n_layers && r->layers[0].kind == SMIME_UNKNOWN_LAYER &&
	       r->layers[0].state == SMIME_MALFORMED;
}

static int decrypt(struct span message, const struct smime_key *keys, size_t n_keys,
	struct buf *out, struct why *why)
{
	CLEANUP(smime_result_done) struct smime_result result = {};
	CLEANUP(buf_wipe) struct buf outer = {}, inner = {}, header = {}, entity = {};
	const struct smime_layer *layer;

	TRY(read_layers(message, keys, n_keys, &result));
	layer = encrypted_layer(&result.report);
	if (!layer && is_damaged(&result.report)) {
		why_set(why, "the message is damaged: nothing of it can be decrypted");
		return STORED_E_UNREADABLE;
	}
	if (!layer) {
		why_set(why, "the message is not encrypted");
		return STORED_E_ALREADY;
	}
	if (layer->state != SMIME_OPEN)
		return why_not_open(layer, why);
	entity_split(message, &outer, &entity);
	restore_header(&result.report, buf_span(&outer), &header);
	/* Of the header inside only what is about the body: the rest is restore_header's. */
	buf_clear(&entity);
	entity_split(smime_layer_entity(&result, (size_t)(layer - result.report.layers)), &inner,
		&entity);
	entity_join(buf_span(&header), buf_span(&entity), out);
	return 0;
}

int stored_decrypt(struct env *e, int64_t account, int64_t id, const struct smime_key *keys,
	size_t n_keys, struct message_replaced *ret_replaced, struct why *why)
{
	CLEANUP(buf_done) struct buf message = {};
	CLEANUP(buf_wipe) struct buf clear = {};
	struct reading reading = { .account = account, .id = id, .out = &message };
	int r = reading_run(e, &reading, LIMIT_SMIME_MESSAGE);

	if (r == STORED_E_TOO_LARGE)
		why_set(why, "the message is larger than %d octets", LIMIT_SMIME_MESSAGE);
	if (!r)
		r = decrypt(buf_span(&message), keys, n_keys, &clear, why);
	if (r)
		return r;
	return replace(e, &reading, buf_span(&clear), ret_replaced);
}
