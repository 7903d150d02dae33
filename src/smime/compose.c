/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Recipients are checked before anything is made, so that the sender learns of all that lack a
 * certificate. The payload, the signed entity with its protected header, is made once for
 * everybody, and a second time for the sender's copy if that has a Bcc field.
 */

#include "smime/compose.h"

#include "base/alloc.h"
#include "pki/altname.h"
#include "smime/protect.h"

#include <stdlib.h>

/* What is encrypted, or goes as it is. */
struct payload {
	struct buf outer, entity;
};

static void payload_done(struct payload *p)
{
	buf_done(&p->outer);
	buf_done(&p->entity);
}

struct making {
	const struct compose_request *c;
	struct compose_message message;
	struct composed *composed;
	struct encrypt_faults *faults;
	struct why *why;
};

void composed_done(struct composed *c)
{
	for (size_t i = 0; i < c->n; i++)
		buf_done(&c->copies[i].message);
	free(c->copies);
	*c = (struct composed){};
}

/* Borrowed; empty: there is none. */
static struct span field_value(const struct compose_message *m, const char *name)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		if (span_is_nocase(m->fields[i].name, name))
			return span_trim(m->fields[i].value);
	}
	return (struct span){};
}

/* What nobody would see outside. */
static struct span legacy_subject(const struct compose_request *c)
{
	if (!c->encrypt || c->no_header_protection || c->no_legacy_display)
		return (struct span){};
	return field_value(&c->message, "Subject");
}

/* RFC 8550 section 3: what a recipient compares. */
static bool is_signed_by_sender(const struct compose_request *c)
{
	static const char *const fields[] = { "From", "Sender" };

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		CLEANUP(buf_done) struct buf address = {};
		struct path_name name = { .kind = PATH_EMAIL };

		if (!compose_address(&c->message, fields[i], 0, &address))
			continue;
		name.text = buf_span(&address);
		for (size_t k = 0; k < c->n_signers; k++) {
			if (altname_covers(c->signers[k].cert, &name))
				return true;
		}
	}
	return false;
}

static int check(const struct compose_request *c, struct encrypt_faults *faults, struct why *why)
{
	bool has_sender = false;

	if (c->n_signers && !is_signed_by_sender(c)) {
		why_set(why, "the certificate is not for the address in From: sign with the one "
			     "that is, "
			     "or send from another address");
		return COMPOSE_E_UNFIT;
	}
	for (size_t i = 0; c->encrypt && i < c->n_recipients; i++)
		has_sender |= c->recipients[i].place == COMPOSE_SENDER;
	if (c->encrypt && !has_sender) {
		why_set(why, "the sender's own certificate is needed, or the sent message could "
			     "not be read "
			     "by its sender");
		return COMPOSE_E_UNFIT;
	}
	for (size_t i = 0; c->encrypt && i < c->n_recipients; i++) {
		const struct encrypt_request one = {
			.recipients = &c->recipients[i].to,
			.n_recipients = 1,
			.now_us = c->message.now_us,
		};
		size_t n = faults->n;

		encrypt_check(&one, faults);
		if (faults->n > n)
			faults->faults[n].recipient = i;
	}
	return faults->n ? COMPOSE_E_RECIPIENTS : 0;
}

static int unfit(int r)
{
	return r > 0 ? COMPOSE_E_UNFIT : r;
}

static int sign(const struct making *m, struct payload *p)
{
	const struct sign_request s = {
		.signers = m->c->signers,
		.n_signers = m->c->n_signers,
		.digest = m->c->digest,
		.opaque = m->c->opaque,
		.pss = m->c->pss,
		.now_us = m->c->message.now_us,
	};
	struct buf made = {};
	int r = sign_entity(&s, buf_span(&p->entity), &made, m->why);

	if (r) {
		buf_done(&made);
		return unfit(r);
	}
	buf_done(&p->entity);
	p->entity = made;
	return 0;
}

static int make_payload(const struct making *m, struct span header, struct span body,
	struct payload *p)
{
	bool secure = m->c->n_signers || m->c->encrypt;

	if (!secure || m->c->no_header_protection ||
		!protect_header(header, body, m->c->encrypt, &p->outer, &p->entity)) {
		buf_add(&p->outer, header);
		buf_add(&p->entity, body);
	}
	return m->c->n_signers ? sign(m, p) : 0;
}

static struct compose_copy *add_copy(struct composed *c)
{
	c->copies = alloc_array(c->copies, c->n + 1, sizeof *c->copies);
	c->copies[c->n] = (struct compose_copy){ .recipient = SIZE_MAX };
	return &c->copies[c->n++];
}

/* Which recipients a copy is for. */
static bool is_among(const struct compose_copy *copy, const struct compose_recipient *r, size_t i)
{
	if (copy->recipient != SIZE_MAX)
		return copy->recipient == i;
	return r->place == COMPOSE_SENDER || (copy->is_delivered && r->place == COMPOSE_OPEN);
}

static int encrypt(const struct making *m, const struct payload *p, struct compose_copy *copy)
{
	const struct compose_request *c = m->c;
	CLEANUP(alloc_freep)
	struct encrypt_recipient *to = alloc_zero(c->n_recipients * sizeof *to);
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	CLEANUP(buf_done) struct buf entity = {};
	struct encrypt_request e = { .recipients = to,
		.cipher = c->cipher,
		.oaep = c->oaep,
		.now_us = c->message.now_us };
	int r;

	for (size_t i = 0; i < c->n_recipients; i++) {
		if (is_among(copy, &c->recipients[i], i))
			to[e.n_recipients++] = c->recipients[i].to;
	}
	r = encrypt_entity(&e, buf_span(&p->entity), &entity, &faults, m->why);
	if (r)
		return unfit(r);
	entity_join(buf_span(&p->outer), buf_span(&entity), &copy->message);
	return 0;
}

static int finish(const struct making *m, const struct payload *p, struct compose_copy *copy)
{
	if (m->c->encrypt)
		return encrypt(m, p, copy);
	entity_join(buf_span(&p->outer), buf_span(&p->entity), &copy->message);
	return 0;
}

static bool has_open(const struct compose_request *c)
{
	for (size_t i = 0; c->encrypt && i < c->n_recipients; i++) {
		if (c->recipients[i].place == COMPOSE_OPEN)
			return true;
	}
	return !c->encrypt;
}

/* For everybody who may see who the others are; the sender keeps the same one unless it lacks Bcc.
 */
static int make_open(const struct making *m, const struct payload *p, bool is_sent)
{
	struct compose_copy *copy;

	if (!has_open(m->c) && !is_sent)
		return 0;
	copy = add_copy(m->composed);
	copy->is_delivered = has_open(m->c);
	copy->is_sent = is_sent;
	return finish(m, p, copy);
}

static int make_blind(const struct making *m, const struct payload *p)
{
	for (size_t i = 0; m->c->encrypt && i < m->c->n_recipients; i++) {
		struct compose_copy *copy;
		int r;

		if (m->c->recipients[i].place != COMPOSE_BLIND)
			continue;
		copy = add_copy(m->composed);
		copy->recipient = i;
		r = finish(m, p, copy);
		if (r)
			return r;
	}
	return 0;
}

static int make_sent(const struct making *m, const struct payload *p)
{
	struct compose_copy *copy = add_copy(m->composed);

	copy->is_sent = true;
	return finish(m, p, copy);
}

static int make_copies(const struct making *m, struct span header)
{
	bool bcc = field_value(&m->message, "Bcc").n > 0;
	CLEANUP(payload_done) struct payload open = {}, sent = {};
	CLEANUP(buf_done) struct buf full = {}, body = {};
	int r = compose_entity(&m->message, &body, m->why);

	if (r)
		return unfit(r);
	r = make_payload(m, header, buf_span(&body), &open);
	if (!r)
		r = make_open(m, &open, !bcc);
	if (!r)
		r = make_blind(m, &open);
	if (r || !bcc)
		return r;
	r = compose_header(&m->message, true, &full, m->why);
	if (!r)
		r = make_payload(m, buf_span(&full), buf_span(&body), &sent);
	return r ? unfit(r) : make_sent(m, &sent);
}

int compose_secure(const struct compose_request *c, struct composed *ret_composed,
	struct encrypt_faults *ret_faults, struct why *why)
{
	CLEANUP(composed_done) struct composed composed = {};
	struct making m = { c, c->message, &composed, ret_faults, why };
	CLEANUP(buf_done) struct buf id = {}, header = {};
	int r;

	*ret_faults = (struct encrypt_faults){};
	m.message.legacy_subject = legacy_subject(c);
	compose_make_id(&c->message, &id);
	m.message.message_id = buf_span(&id);
	r = unfit(compose_header(&m.message, false, &header, why));
	if (!r)
		r = check(c, ret_faults, why);
	if (!r)
		r = make_copies(&m, buf_span(&header));
	if (r)
		return r;
	*ret_composed = composed;
	composed = (struct composed){};
	return 0;
}
