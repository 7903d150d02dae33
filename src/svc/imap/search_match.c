/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Does a message match? Pure. The tree is evaluated in three-valued logic: a key that needs more
 * than is known is "unknown", a conjunction with a "no" in it is "no" whatever the rest may be. So
 * cheap keys decide wherever they can, in any order the client wrote them.
 */

#include "svc/imap/search.h"

#include "mime/date.h"
#include "mime/word.h"
#include "svc/imap/print.h"

static enum search_answer answer(bool yes)
{
	return yes ? SEARCH_YES : SEARCH_NO;
}

void search_bind_keyword(const struct keywords *keywords, struct search_key *key)
{
	key->op = SEARCH_NEVER;
	for (unsigned i = 0; i < keywords->n; i++) {
		if (span_is_nocase(key->name, keywords->names[i])) {
			key->op = SEARCH_FLAGS;
			key->mask = key->wanted = UINT64_C(1) << (FLAG_KEYWORD_SHIFT + i);
		}
	}
}

static bool positions_hold(const struct imap_positions *positions, uint32_t at)
{
	size_t low = 0, high = positions->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (positions->stretches[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < positions->n && positions->stretches[low].first <= at;
}

static bool in_range(const struct search_key *key, int64_t value)
{
	return key->low <= value && value <= key->high;
}

static bool match_recent(const struct search_facts *facts)
{
	const struct imap_command *c = facts->c;

	return c->recent_from && c->view->uids[facts->position] >= c->recent_from;
}

static bool match_id(const struct search_key *key, const struct search_facts *facts, char kind,
	int64_t id)
{
	CLEANUP(buf_done) struct buf text = {};

	print_object_id(&text, facts->c->id_key, kind, facts->c->owner, id);
	return span_equal(buf_span(&text), key->text);
}

/* RFC 9051 section 6.4.4: "disregarding time and timezone", so it is the day the sender wrote. */
static bool match_sent(const struct search_key *key, const struct search_facts *facts)
{
	int64_t us = 0;
	int zone = 0;

	if (!facts->envelope->date.p || !date_parse(facts->envelope->date, &us, &zone))
		return false;
	return in_range(key, us + (int64_t)zone * 60 * 1000000);
}

static bool folded_has(struct span text, struct span needle)
{
	CLEANUP(buf_done) struct buf folded = {};

	fold_text(text, &folded);
	return span_find_span(buf_span(&folded), needle) < buf_size(&folded);
}

void search_decode(struct span value, struct buf *out)
{
	size_t begun = buf_size(out);

	word_decode(value, out);
	for (uint8_t *c = out->p + out->start + begun; c < out->p + out->end; c++) {
		if (*c == '\t')
			*c = ' ';
	}
}

static bool match_string(const struct search_key *key, struct span s)
{
	CLEANUP(buf_done) struct buf text = {};

	if (!s.p)
		return false;
	if (key->folded.n == 0)
		return true;
	search_decode(s, &text);
	return folded_has(buf_span(&text), key->folded);
}

/* Each address as people write it: Name <mailbox@host>. */
static bool match_addresses(const struct search_key *key, const struct envelope_list *list)
{
	CLEANUP(buf_done) struct buf text = {};

	if (key->folded.n == 0)
		return list->n > 0;
	for (size_t i = 0; i < list->n; i++) {
		const struct envelope_address *a = &list->addresses[i];

		word_decode_phrase(a->name, &text);
		buf_add_string(&text, " <");
		word_add_utf8(&text, a->mailbox);
		buf_add_octet(&text, '@');
		word_add_utf8(&text, a->host);
		/* A needle must not reach over into the next address. */
		buf_add(&text, SPAN(">\n"));
	}
	return folded_has(buf_span(&text), key->folded);
}

static bool match_field(const struct search_key *key, const struct search_facts *facts)
{
	const struct envelope *e = facts->envelope;

	switch (key->field) {
	case ENVELOPE_SUBJECT:
		return match_string(key, e->subject);
	case ENVELOPE_MESSAGE_ID:
		return match_string(key, e->message_id);
	case ENVELOPE_IN_REPLY_TO:
		return match_string(key, e->in_reply_to);
	case ENVELOPE_FROM:
		return match_addresses(key, &e->from);
	case ENVELOPE_TO:
		return match_addresses(key, &e->to);
	case ENVELOPE_CC:
		return match_addresses(key, &e->cc);
	default: /* no other key is parsed */
		return match_addresses(key, &e->bcc);
	}
}

enum search_stage search_stage_of(enum search_op op)
{
	switch (op) {
	case SEARCH_SIZE:
	case SEARCH_RECEIVED:
	case SEARCH_SAVED:
	case SEARCH_EMAILID:
	case SEARCH_THREADID:
		return SEARCH_ROW;
	case SEARCH_SENT:
	case SEARCH_FIELD:
		return SEARCH_ENVELOPE;
	case SEARCH_HEADER:
	case SEARCH_BODY_TEXT:
	case SEARCH_TEXT:
		return SEARCH_BODY;
	default:
		return SEARCH_VIEW;
	}
}

/* A leaf whose stage is reached. */
static bool match_leaf(const struct search_key *key, const struct search_facts *facts)
{
	const struct view *v = facts->c->view;
	const struct store_message *row = facts->row;

	switch (key->op) {
	case SEARCH_ALL:
		return true;
	case SEARCH_SET:
		return positions_hold(&key->positions, facts->position);
	case SEARCH_FLAGS:
		return (v->flags[facts->position] & key->mask) == key->wanted;
	case SEARCH_RECENT:
		return match_recent(facts);
	case SEARCH_MODSEQ:
		return in_range(key, (int64_t)v->modseqs[facts->position]);
	case SEARCH_SIZE:
		return in_range(key, (int64_t)row->size);
	case SEARCH_RECEIVED:
		return in_range(key, row->received_us);
	case SEARCH_SAVED:
		return in_range(key, row->saved_us);
	case SEARCH_EMAILID:
		return match_id(key, facts, 'M', row->content);
	case SEARCH_THREADID:
		return match_id(key, facts, 'T', row->thread);
	case SEARCH_SENT:
		return match_sent(key, facts);
	case SEARCH_FIELD:
		return match_field(key, facts);
	case SEARCH_HEADER:
	case SEARCH_BODY_TEXT:
	case SEARCH_TEXT:
		return facts->found[key->slot];
	default: /* SEARCH_NEVER */
		return false;
	}
}

/* All operands with `deciding` as the answer that ends the matter: NO for AND, YES for OR. */
static enum search_answer match_operands(const struct search_key *key,
	const struct search_facts *facts, enum search_answer deciding)
{
	enum search_answer all = deciding == SEARCH_NO ? SEARCH_YES : SEARCH_NO;

	for (const struct search_key *k = key->keys; k; k = k->next) {
		enum search_answer a = search_match(k, facts);

		if (a == deciding)
			return a;
		if (a == SEARCH_UNKNOWN)
			all = a;
	}
	return all;
}

enum search_answer search_match(const struct search_key *key, const struct search_facts *facts)
{
	enum search_answer a;

	switch (key->op) {
	case SEARCH_AND:
		return match_operands(key, facts, SEARCH_NO);
	case SEARCH_OR:
		return match_operands(key, facts, SEARCH_YES);
	case SEARCH_NOT:
		a = search_match(key->keys, facts);
		return a == SEARCH_UNKNOWN ? a : answer(a == SEARCH_NO);
	default:
		if (facts->stage < search_stage_of(key->op))
			return SEARCH_UNKNOWN;
		return answer(match_leaf(key, facts));
	}
}
