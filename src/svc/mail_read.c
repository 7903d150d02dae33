/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/mail_read.h"

#include "base/clock.h"
#include "mime/charset.h"
#include "mime/decode.h"
#include "smime/legacy_display.h"
#include "svc/env.h"
#include "svc/revocation.h"
#include "svc/trust.h"

#include <string.h>

static int read_layers(struct env *e, const struct mail_reader *who, struct mail_read *m)
{
	struct smime_request request = {
		.message = buf_span(&m->message),
		.keys = who->keys,
		.n_keys = who->n_keys,
		.time_us = clock_now_us(),
		.received_us = m->row.received_us,
		.expect = SMIME_EXPECT_FROM,
		.cache = e->mail_certs,
	};

	/* Before trust is read: a change in between is not kept under the new number. */
	m->revocation = revocation_of_domain(e, who->domain);
	request.generation = trust_view(e, who->domain, m->revocation);
	TRY(trust_of_domain(e, who->domain, &m->trust));
	request.trust = m->trust;
	request.crls = revocation_crls(m->revocation);
	return smime_read(&request, &m->result);
}

int mail_read(struct env *e, const struct mail_reader *who, int64_t id, struct mail_read *ret_read,
	struct why *why)
{
	struct mail_read m = {};
	int r = stored_read(e, who->account, id, LIMIT_SMIME_MESSAGE, &m.message, &m.row);

	if (r == STORED_E_TOO_LARGE)
		why_set(why, "the message is larger than %d octets", LIMIT_SMIME_MESSAGE);
	if (!r)
		r = read_layers(e, who, &m);
	if (r) {
		mail_read_done(&m);
		return r;
	}
	m.shown = m.result.report.n_envelope ? smime_payload(&m.result) : buf_span(&m.message);
	if (m.shown.p)
		m.parts = part_parse(m.shown);
	*ret_read = m;
	return 0;
}

void mail_read_done(struct mail_read *m)
{
	(void)part_tree_free(m->parts);
	smime_result_done(&m->result);
	(void)trust_unref(m->trust);
	(void)revocation_unref(m->revocation);
	buf_done(&m->message);
	*m = (struct mail_read){};
}

static void add_text(const struct part *part, struct span octets, struct buf *out)
{
	CLEANUP(charset_freep)
	struct charset *charset = charset_new(param_raw(part->params, part->n_params, "charset"));

	if (!charset)
		charset = charset_new(SPAN("utf-8"));
	charset_feed(charset, octets, out);
	charset_end(charset, out);
}

void mail_part_add(const struct mail_read *m, const struct part *part, bool is_text, size_t max,
	struct buf *out)
{
	CLEANUP(buf_wipe) struct buf octets = {};
	struct decoder decoder = { .encoding = part->encoding };
	struct span body = { m->shown.p + part->body_offset, part->end_offset - part->body_offset };

	body = span_head(body, max);
	(void)buf_room(&octets, body.n + sizeof decoder);
	decoder_feed(&decoder, body, &octets);
	decoder_end(&decoder, &octets);
	(void)buf_room(out, buf_size(&octets));
	if (is_text && legacy_display_is_in(m->parts, part)) {
		CLEANUP(buf_wipe) struct buf text = {};

		(void)buf_room(&text, buf_size(&octets));
		add_text(part, buf_span(&octets), &text);
		legacy_display_leave_out(part, buf_span(&text), out);
	} else if (is_text) {
		add_text(part, buf_span(&octets), out);
	} else {
		buf_add(out, buf_span(&octets));
	}
}

static unsigned place_of(const struct part_tree *tree, const struct part *part)
{
	uint32_t self = (uint32_t)(part - tree->parts);
	unsigned n = 1;

	for (uint32_t i = tree->parts[part->parent].first_child; i != self; i = tree->parts[i].next)
		n++;
	return n;
}

void mail_part_add_number(const struct part_tree *tree, const struct part *part, struct buf *out)
{
	unsigned places[LIMIT_MIME_DEPTH + 2];
	size_t n = 0;

	for (; part->parent != PART_NONE && n < LIMIT_MIME_DEPTH + 1;
		part = &tree->parts[part->parent])
		places[n++] = place_of(tree, part);
	if (!n)
		places[n++] = 1;
	while (n) {
		buf_add_u64(out, places[--n]);
		if (n)
			buf_add_octet(out, '.');
	}
}

bool mail_part_counts(const struct part_tree *tree, const struct part *part)
{
	if (part->kind == PART_MULTIPART)
		return false;
	while (part->parent != PART_NONE) {
		part = &tree->parts[part->parent];
		if (part->kind == PART_MESSAGE)
			return false;
	}
	return true;
}

/* The next place of a number such as "2.1"; 0: it is none. */
static unsigned next_place(struct span *number)
{
	unsigned place = 0;
	size_t i = 0;

	for (; i < number->n && number->p[i] >= '0' && number->p[i] <= '9'; i++) {
		place = place * 10 + (unsigned)(number->p[i] - '0');
		if (place > LIMIT_MIME_PARTS)
			return 0;
	}
	if (i < number->n && (number->p[i] != '.' || i + 1 == number->n))
		return 0;
	i += i < number->n;
	number->p += i;
	number->n -= i;
	return place;
}

const struct part *mail_part_find(const struct part_tree *tree, struct span number)
{
	const struct part *part = &tree->parts[0];

	if (part->kind != PART_MULTIPART)
		return span_is(number, "1") ? part : NULL;
	while (number.n) {
		unsigned place = next_place(&number);
		uint32_t i = part->first_child;

		if (!place || part->kind != PART_MULTIPART)
			return NULL;
		while (--place && i != PART_NONE)
			i = tree->parts[i].next;
		if (i == PART_NONE)
			return NULL;
		part = &tree->parts[i];
	}
	return mail_part_counts(tree, part) ? part : NULL;
}
