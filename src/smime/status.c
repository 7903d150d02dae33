/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A signature counts for the message if it is in the envelope, inside all encryption (a signer
 * outside may never have seen what is inside), if its octets are unaltered and each author is
 * a signer. Everything less is "not verified", with the reason at the signer.
 */

#include "smime/status.h"

#include "base/alloc.h"
#include "mime/date.h"
#include "mime/header.h"
#include "smime/layer.h"
#include "smime/protection.h"
#include "smime/sender.h"

#include <stdlib.h>

static const int64_t date_tolerance_us = INT64_C(86400) * 1000000;

struct expectation {
	const struct smime_request *q;
	struct sender sender;
	bool is_anybody; /* nothing is compared */
};

static void expectation_of(const struct smime_request *q, struct span header,
	struct expectation *ret)
{
	struct header_field from;

	*ret = (struct expectation){ .q = q };
	ret->is_anybody = q->expect == SMIME_EXPECT_ANYBODY ||
			  (q->expect == SMIME_EXPECT_FROM_IF_ANY &&
				  !header_find(header, "From", &from));
	if (q->expect != SMIME_EXPECT_GIVEN) {
		sender_of(header, &ret->sender);
		return;
	}
	ret->sender.authors = alloc_zero(sizeof *ret->sender.authors);
	ret->sender.n_authors = address_normalize(q->address, ret->sender.authors) == 0;
	ret->sender.is_odd = ret->sender.n_authors == 0;
}

static void say_mismatch(const struct expectation *e, struct smime_signer *s)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span address;

	free(s->reason);
	s->reason = NULL;
	if (s->address == SMIME_ADDRESS_SENDER) {
		s->verdict = SMIME_SIGNER_SENDER_ONLY;
		return;
	}
	s->verdict = SMIME_SIGNER_ADDRESS_MISMATCH;
	buf_add_string(&text, "the certificate is for ");
	for (size_t i = 0; i < 3 && sender_cert_address(s->cert, i, &address); i++) {
		buf_add_string(&text, i ? ", " : "");
		buf_add(&text, span_head(address, LIMIT_ADDRESS));
	}
	if (!sender_cert_address(s->cert, 0, &address))
		buf_add_string(&text, "no mail address");
	buf_add_string(&text, e->q->expect == SMIME_EXPECT_GIVEN
				      ? ", not for the address that is asked for"
				      : ", not for who the message says it is from");
	/* A NUL in a name ends the text: nothing but what is shown is cut. */
	s->reason = buf_steal_string(&text);
}

static void compare_signers(const struct expectation *e, struct smime_layer *layer)
{
	for (size_t i = 0; i < layer->n_signers; i++) {
		struct smime_signer *s = &layer->signers[i];

		if (!s->cert || e->is_anybody)
			continue;
		s->address = sender_match(&e->sender, s->cert);
		if (s->verdict == SMIME_SIGNER_OK && s->address != SMIME_ADDRESS_FROM)
			say_mismatch(e, s);
	}
}

void status_bind_errant(const struct smime_request *request, struct smime_layer *layer,
	struct span header)
{
	struct expectation e;

	expectation_of(request, header, &e);
	compare_signers(&e, layer);
	sender_done(&e.sender);
}

/* Every author is a signer whose signature holds. */
static bool authors_are_bound(const struct expectation *e, const struct smime_layer *layer)
{
	size_t n_ok = 0;

	for (size_t i = 0; i < layer->n_signers; i++)
		n_ok += layer->signers[i].verdict == SMIME_SIGNER_OK;
	if (n_ok == 0 || e->is_anybody)
		return n_ok > 0;
	for (size_t a = 0; a < e->sender.n_authors; a++) {
		bool bound = false;

		for (size_t i = 0; i < layer->n_signers; i++)
			bound |= layer->signers[i].verdict == SMIME_SIGNER_OK &&
				 sender_cert_is_for(layer->signers[i].cert, &e->sender.authors[a]);
		if (!bound)
			return false;
	}
	return !e->sender.is_odd;
}

static bool is_altered(const struct smime_layer *layer)
{
	for (size_t i = 0; i < layer->n_signers; i++) {
		if (layer->signers[i].verdict == SMIME_SIGNER_ALTERED ||
			layer->signers[i].verdict == SMIME_SIGNER_INVALID)
			return true;
	}
	return false;
}

/* What the layers of the envelope come to. */
struct sum {
	bool is_signed;  /* there is a layer for signatures */
	bool is_outside; /* one of them has encryption inside */
	bool is_bound, is_altered;
	bool is_encrypted, is_unauthenticated;
	bool is_locked, is_unreadable;
	bool is_weak;
};

static void add_layer(struct sum *sum, const struct expectation *e, const struct smime_layer *l)
{
	bool is_open = l->state == SMIME_OPEN;

	sum->is_weak |= l->is_weak;
	for (size_t i = 0; i < l->n_signers; i++)
		sum->is_weak |= l->signers[i].is_weak;
	if (layer_is_signature(l->kind)) {
		sum->is_signed = true;
		sum->is_altered |= is_altered(l);
		sum->is_bound |= is_open && authors_are_bound(e, l);
	} else if (layer_is_encryption(l->kind)) {
		sum->is_encrypted |= is_open;
		sum->is_unauthenticated |= l->kind == SMIME_ENCRYPTED;
		sum->is_outside |= sum->is_signed;
		sum->is_bound = false;
	}
	/* The first part of a signed multipart is read whatever the signature is. */
	if (l->kind == SMIME_SIGNED_DETACHED)
		return;
	sum->is_locked |= l->state == SMIME_LOCKED;
	sum->is_unreadable |= !is_open && l->state != SMIME_LOCKED;
}

static enum smime_status status_of(const struct sum *sum)
{
	bool verified = sum->is_bound && !sum->is_altered;

	if (sum->is_locked)
		return SMIME_STATUS_LOCKED;
	if (sum->is_unreadable)
		return SMIME_STATUS_UNREADABLE;
	if (verified)
		return sum->is_encrypted ? SMIME_STATUS_SIGNED_ENCRYPTED : SMIME_STATUS_SIGNED;
	if (sum->is_signed)
		return SMIME_STATUS_NOT_VERIFIED;
	return sum->is_encrypted ? SMIME_STATUS_ENCRYPTED : SMIME_STATUS_NONE;
}

static void note_errant(struct smime_report *r)
{
	bool is_signed = false, is_encrypted = false;

	for (size_t i = 0; i < r->n_layers; i++) {
		if (!r->layers[i].is_errant)
			continue;
		is_signed |= layer_is_signature(r->layers[i].kind);
		is_encrypted |= layer_is_encryption(r->layers[i].kind);
	}
	if (is_signed)
		report_note(r, "partly-signed",
			"a part of the message is signed by itself; that says nothing about the "
			"rest");
	if (is_encrypted)
		report_note(r, "partly-encrypted",
			"a part of the message is encrypted by itself; it is not shown together "
			"with the rest, and must not be answered as a part of it");
}

/* When the signer says it was signed, and when the header says it was sent. */
static void note_date(struct smime_report *r, struct span header)
{
	struct header_field f;
	int64_t date;
	int zone;

	if (!header_find(header, "Date", &f) || !date_parse(f.value, &date, &zone))
		return;
	for (size_t i = 0; i < r->n_envelope; i++) {
		for (size_t k = 0; k < r->layers[i].n_signers; k++) {
			const struct smime_signer *s = &r->layers[i].signers[k];

			if (!s->has_signing_time ||
				llabs(s->signing_time_us - date) <= date_tolerance_us)
				continue;
			report_note(r, "date",
				"the message is dated more than a day from when it was signed");
			return;
		}
	}
}

static void note_sender(struct smime_report *r, const struct expectation *e, bool is_signed)
{
	if (e->sender.name_is_address)
		report_note(r, "display-name",
			"the author's name is written like another mail address than the author's");
	if (e->q->expect != SMIME_EXPECT_GIVEN && !e->is_anybody && e->sender.is_odd && is_signed)
		report_note(r, "from",
			"the message names its author twice, or not in a way that "
			"can be compared with a certificate");
	if (e->q->expect == SMIME_EXPECT_GIVEN && e->sender.is_odd)
		report_note(r, "from", "the address that is asked for is none");
}

void status_find(const struct smime_request *request, struct span header,
	struct smime_report *report)
{
	struct expectation e;
	struct sum sum = {};

	expectation_of(request, header, &e);
	for (size_t i = 0; i < report->n_envelope; i++) {
		compare_signers(&e, &report->layers[i]);
		add_layer(&sum, &e, &report->layers[i]);
	}
	report->status = status_of(&sum);
	report->is_encrypted = sum.is_encrypted;
	report->is_authenticated = sum.is_encrypted &&
				   (!sum.is_unauthenticated ||
					   report->status == SMIME_STATUS_SIGNED_ENCRYPTED);
	report->is_weak = sum.is_weak;
	if (sum.is_outside)
		report_note(report, "signed-outside",
			"a signature is around the encryption: who signed may not have known what "
			"is inside");
	if (sum.is_encrypted && !report->is_authenticated)
		report_note(report, "unauthenticated",
			"nothing tells whether what was encrypted was changed on its way");
	note_errant(report);
	note_sender(report, &e, sum.is_signed);
	if (report->n_envelope)
		note_date(report, header);
	sender_done(&e.sender);
}
