/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The arguments of SEARCH (RFC 9051 section 6.4.4, RFC 3501's \Recent, RFC 4731, RFC 5032, RFC
 * 5182, RFC 7162, RFC 8474, RFC 8514). The table below has a row for each key: what it takes and
 * which operation of search.h it is. Dates, sizes and modification numbers all become ranges.
 */

#include "svc/imap/search.h"

#include "base/clock.h"
#include "mime/charset.h"
#include "svc/imap/commands.h"

static const int64_t DAY_US = INT64_C(86400) * 1000000;

enum search_argument {
	NO_ARGUMENT, A_FLAG, A_STRING, A_FIELD, A_DATE, A_SIZE, A_AGE, A_KEYWORD, A_SET, A_MODSEQ,
	AN_ID,
};

enum search_order { EXACTLY, BELOW, ABOVE }; /* ABOVE with dates: or on that day */

static const struct search_row {
	const char *name;
	enum search_argument argument;
	enum search_op op;
	uint64_t mask, wanted;       /* A_FLAG */
	enum envelope_field field;   /* SEARCH_FIELD */
	enum search_order order;
	bool not;
} search_rows[] = {
	{ "ALL", NO_ARGUMENT, SEARCH_ALL },
	{ "ANSWERED", A_FLAG, SEARCH_FLAGS, .mask = FLAG_ANSWERED, .wanted = FLAG_ANSWERED },
	{ "DELETED", A_FLAG, SEARCH_FLAGS, .mask = FLAG_DELETED, .wanted = FLAG_DELETED },
	{ "DRAFT", A_FLAG, SEARCH_FLAGS, .mask = FLAG_DRAFT, .wanted = FLAG_DRAFT },
	{ "FLAGGED", A_FLAG, SEARCH_FLAGS, .mask = FLAG_FLAGGED, .wanted = FLAG_FLAGGED },
	{ "SEEN", A_FLAG, SEARCH_FLAGS, .mask = FLAG_SEEN, .wanted = FLAG_SEEN },
	{ "UNANSWERED", A_FLAG, SEARCH_FLAGS, .mask = FLAG_ANSWERED },
	{ "UNDELETED", A_FLAG, SEARCH_FLAGS, .mask = FLAG_DELETED },
	{ "UNDRAFT", A_FLAG, SEARCH_FLAGS, .mask = FLAG_DRAFT },
	{ "UNFLAGGED", A_FLAG, SEARCH_FLAGS, .mask = FLAG_FLAGGED },
	{ "UNSEEN", A_FLAG, SEARCH_FLAGS, .mask = FLAG_SEEN },
	{ "KEYWORD", A_KEYWORD, SEARCH_KEYWORD },
	{ "UNKEYWORD", A_KEYWORD, SEARCH_KEYWORD, .not = true },
	{ "RECENT", NO_ARGUMENT, SEARCH_RECENT },
	{ "OLD", NO_ARGUMENT, SEARCH_RECENT, .not = true },
	{ "UID", A_SET, SEARCH_SET },
	{ "MODSEQ", A_MODSEQ, SEARCH_MODSEQ },
	{ "LARGER", A_SIZE, SEARCH_SIZE, .order = ABOVE },
	{ "SMALLER", A_SIZE, SEARCH_SIZE, .order = BELOW },
	{ "BEFORE", A_DATE, SEARCH_RECEIVED, .order = BELOW },
	{ "ON", A_DATE, SEARCH_RECEIVED },
	{ "SINCE", A_DATE, SEARCH_RECEIVED, .order = ABOVE },
	{ "OLDER", A_AGE, SEARCH_RECEIVED, .order = BELOW },
	{ "YOUNGER", A_AGE, SEARCH_RECEIVED, .order = ABOVE },
	{ "SAVEDBEFORE", A_DATE, SEARCH_SAVED, .order = BELOW },
	{ "SAVEDON", A_DATE, SEARCH_SAVED },
	{ "SAVEDSINCE", A_DATE, SEARCH_SAVED, .order = ABOVE },
	{ "SAVEDATESUPPORTED", NO_ARGUMENT, SEARCH_ALL },
	{ "SENTBEFORE", A_DATE, SEARCH_SENT, .order = BELOW },
	{ "SENTON", A_DATE, SEARCH_SENT },
	{ "SENTSINCE", A_DATE, SEARCH_SENT, .order = ABOVE },
	{ "EMAILID", AN_ID, SEARCH_EMAILID },
	{ "THREADID", AN_ID, SEARCH_THREADID },
	{ "BCC", A_STRING, SEARCH_FIELD, .field = ENVELOPE_BCC },
	{ "CC", A_STRING, SEARCH_FIELD, .field = ENVELOPE_CC },
	{ "FROM", A_STRING, SEARCH_FIELD, .field = ENVELOPE_FROM },
	{ "SUBJECT", A_STRING, SEARCH_FIELD, .field = ENVELOPE_SUBJECT },
	{ "TO", A_STRING, SEARCH_FIELD, .field = ENVELOPE_TO },
	{ "HEADER", A_FIELD, SEARCH_HEADER },
	{ "BODY", A_STRING, SEARCH_BODY_TEXT },
	{ "TEXT", A_STRING, SEARCH_TEXT },
};

static struct search_key *key_new(struct imap_parser *p, struct search *q, enum search_op op)
{
	struct search_key *key;

	if (q->n_keys++ == SEARCH_KEYS) {
		(void)parse_fail(p, "too many search keys");
		return NULL;
	}
	key = ARENA_ALLOC(p->arena, struct search_key);
	key->op = op;
	key->later = q->first;
	q->first = key;
	return key;
}

/* A string of the search's charset, as UTF-8. */
static bool parse_text(struct imap_parser *p, struct search *q, struct span *ret)
{
	CLEANUP(charset_freep) struct charset *charset = NULL;
	CLEANUP(buf_done) struct buf text = {};
	struct span s = {};

	if (!parse_astring(p, &s))
		return false;
	if (q->bad_charset)
		return true;
	if (q->charset.n == 0) {
		*ret = s;
		return span_is_utf8(s) || parse_fail(p, "search string is not UTF-8");
	}
	charset = charset_new(q->charset);
	charset_feed(charset, s, &text);
	charset_end(charset, &text);
	if (charset_damaged(charset))
		return parse_fail(p, "search string is not of its charset");
	*ret = arena_span(p->arena, buf_span(&text));
	return true;
}

/* HEADER Message-ID, which clients ask for most, needs no more than the envelope. */
static void key_prefer_envelope(struct search_key *key)
{
	if (key->text.n == 0)
		return;
	if (span_is_nocase(key->name, "Message-ID"))
		key->field = ENVELOPE_MESSAGE_ID;
	else if (span_is_nocase(key->name, "In-Reply-To"))
		key->field = ENVELOPE_IN_REPLY_TO;
	else
		return;
	key->op = SEARCH_FIELD;
}

static bool key_text(struct imap_parser *p, struct search *q, struct search_key *key)
{
	CLEANUP(buf_done) struct buf folded = {};

	if (!parse_text(p, q, &key->text))
		return false;
	fold_text(key->text, &folded);
	key->folded = arena_span(p->arena, buf_span(&folded));
	if (key->op == SEARCH_HEADER)
		key_prefer_envelope(key);
	if (key->op == SEARCH_FIELD)
		return true;
	if (q->n_texts == SEARCH_TEXTS)
		return parse_fail(p, "too many texts to search for in messages");
	key->slot = q->n_texts;
	q->texts[q->n_texts++] = key;
	return true;
}

static void key_range(struct search_key *key, enum search_order order, int64_t first, int64_t end)
{
	key->low = order == BELOW ? INT64_MIN : first;
	key->high = order == ABOVE ? INT64_MAX : order == BELOW ? first - 1 : end - 1;
}

static bool key_date(struct imap_parser *p, struct search_key *key, enum search_order order)
{
	int64_t day = 0;

	if (!parse_date(p, &day))
		return false;
	key_range(key, order, day * DAY_US, (day + 1) * DAY_US);
	return true;
}

static bool key_size(struct imap_parser *p, struct search_key *key, enum search_order order)
{
	uint64_t size = 0;

	if (!parse_number64(p, &size))
		return false;
	key->low = order == ABOVE && size < INT64_MAX ? (int64_t)size + 1 : 0;
	key->high = order == ABOVE ? INT64_MAX : (int64_t)size - 1;
	if (order == ABOVE && size == INT64_MAX)
		key->op = SEARCH_NEVER;
	return true;
}

/* RFC 5032 section 2: within the last so many seconds, or not. */
static bool key_age(struct imap_parser *p, struct search_key *key, enum search_order order,
	int64_t now_us)
{
	uint32_t seconds = 0;
	int64_t then;

	if (!parse_nonzero(p, &seconds))
		return false;
	then = now_us - (int64_t)seconds * 1000000;
	if (order == BELOW)
		then++;
	key_range(key, order, then, then);
	return true;
}

/* RFC 7162 section 3.1.5: a metadata item's name may come first; all of them share one number. */
static bool key_modseq(struct imap_parser *p, struct search_key *key)
{
	struct span name = {};
	uint64_t value = 0;

	if (parse_at(p, '"')) {
		if (!parse_string(p, &name) || !parse_space(p))
			return false;
		if (!span_starts_nocase(name, SPAN("/flags/")))
			return parse_fail(p, "unknown metadata item");
		if (!parse_skip_word(p, "priv") && !parse_skip_word(p, "shared") &&
			!parse_skip_word(p, "all"))
			return parse_fail(p, "priv, shared or all expected");
		if (!parse_space(p))
			return false;
	}
	if (!parse_number64(p, &value))
		return false;
	key->low = (int64_t)value;
	key->high = INT64_MAX;
	return true;
}

static bool key_argument(struct imap_parser *p, struct search *q, const struct search_row *row,
	struct search_key *key, int64_t now_us)
{
	if (row->argument == NO_ARGUMENT || row->argument == A_FLAG)
		return true;
	if (!parse_space(p))
		return false;
	switch (row->argument) {
	case A_STRING:
		return key_text(p, q, key);
	case A_FIELD:
		return parse_astring(p, &key->name) && parse_space(p) && key_text(p, q, key);
	case A_DATE:
		return key_date(p, key, row->order);
	case A_SIZE:
		return key_size(p, key, row->order);
	case A_AGE:
		return key_age(p, key, row->order, now_us);
	case A_KEYWORD:
		return parse_atom(p, &key->name);
	case A_SET:
		key->by_uid = true;
		return parse_set(p, &key->set);
	case A_MODSEQ:
		q->has_modseq = true;
		return key_modseq(p, key);
	default: /* AN_ID */
		return parse_astring(p, &key->text);
	}
}

static bool parse_row(struct imap_parser *p, struct search *q, const struct search_row *row,
	int64_t now_us, struct search_key **ret)
{
	struct search_key *key = key_new(p, q, row->op), *not;

	if (!key)
		return false;
	key->mask = row->mask;
	key->wanted = row->wanted;
	key->field = row->field;
	if (!key_argument(p, q, row, key, now_us))
		return false;
	q->stages |= 1u << search_stage_of(key->op);
	*ret = key;
	if (!row->not)
		return true;
	not = key_new(p, q, SEARCH_NOT);
	if (!not)
		return false;
	not->keys = key;
	*ret = not;
	return true;
}

static bool parse_key(struct imap_parser *p, struct search *q, int64_t now_us,
	struct search_key **ret);

/* Keys with a space between them: all of them. */
static bool parse_list(struct imap_parser *p, struct search *q, int64_t now_us,
	struct search_key **ret)
{
	struct search_key *all = key_new(p, q, SEARCH_AND), **end;

	if (!all)
		return false;
	end = &all->keys;
	do {
		if (!parse_key(p, q, now_us, end))
			return false;
		end = &(*end)->next;
	} while (parse_skip(p, ' '));
	*ret = all;
	return true;
}

/* NOT and OR count as levels like parentheses: the tree's depth is bounded by PARSE_DEPTH. */
static bool parse_operands(struct imap_parser *p, struct search *q, enum search_op op,
	int64_t now_us, struct search_key **ret)
{
	struct search_key *key = key_new(p, q, op);

	if (!key)
		return false;
	if (++p->depth > PARSE_DEPTH)
		return parse_fail(p, "search keys too deep");
	if (!parse_space(p) || !parse_key(p, q, now_us, &key->keys))
		return false;
	if (op == SEARCH_OR &&
		(!parse_space(p) || !parse_key(p, q, now_us, &key->keys->next)))
		return false;
	p->depth--;
	*ret = key;
	return true;
}

/* NEW: RECENT UNSEEN. */
static bool parse_new(struct imap_parser *p, struct search *q, struct search_key **ret)
{
	struct search_key *both = key_new(p, q, SEARCH_AND);
	struct search_key *recent = key_new(p, q, SEARCH_RECENT);
	struct search_key *unseen = key_new(p, q, SEARCH_FLAGS);

	if (!both || !recent || !unseen)
		return false;
	unseen->mask = FLAG_SEEN;
	recent->next = unseen;
	both->keys = recent;
	*ret = both;
	return true;
}

static bool parse_numbers(struct imap_parser *p, struct search *q, struct search_key **ret)
{
	struct search_key *key = key_new(p, q, SEARCH_SET);

	if (!key || !parse_set(p, &key->set))
		return false;
	*ret = key;
	return true;
}

static bool parse_key(struct imap_parser *p, struct search *q, int64_t now_us,
	struct search_key **ret)
{
	if (parse_at(p, '('))
		return parse_open(p) && parse_list(p, q, now_us, ret) && parse_close(p);
	if (parse_at(p, '*') || parse_at(p, '$') ||
		(p->rest.n > 0 && octet_is_digit(p->rest.p[0])))
		return parse_numbers(p, q, ret);
	if (parse_skip_word(p, "NOT"))
		return parse_operands(p, q, SEARCH_NOT, now_us, ret);
	if (parse_skip_word(p, "OR"))
		return parse_operands(p, q, SEARCH_OR, now_us, ret);
	if (parse_skip_word(p, "NEW"))
		return parse_new(p, q, ret);
	for (size_t i = 0; i < sizeof search_rows / sizeof search_rows[0]; i++) {
		if (parse_skip_word(p, search_rows[i].name))
			return parse_row(p, q, &search_rows[i], now_us, ret);
	}
	return parse_fail(p, "unknown search key");
}

bool search_parse_keys(struct imap_parser *p, struct search *q, int64_t now_us)
{
	return parse_list(p, q, now_us, &q->root);
}

bool search_parse_returns(struct imap_parser *p, struct search *q)
{
	static const struct {
		const char *name;
		unsigned bit;
	} options[] = {
		{ "MIN", RETURN_MIN }, { "MAX", RETURN_MAX }, { "ALL", RETURN_ALL },
		{ "COUNT", RETURN_COUNT }, { "SAVE", RETURN_SAVE },
	};
	struct span name = {};

	q->returns = RETURN_GIVEN;
	if (!parse_open(p))
		return false;
	while (!parse_at(p, ')')) {
		size_t i = 0;

		if (q->returns != RETURN_GIVEN && !parse_space(p))
			return false;
		if (!parse_word(p, &name))
			return false;
		while (i < sizeof options / sizeof options[0] &&
			!span_is_nocase(name, options[i].name))
			i++;
		if (i == sizeof options / sizeof options[0])
			return parse_fail(p, "unknown return option");
		q->returns |= options[i].bit;
	}
	/* RFC 4731 section 3.1: () is (ALL). */
	if (q->returns == RETURN_GIVEN)
		q->returns |= RETURN_ALL;
	return parse_close(p);
}

bool search_parse_charset(struct imap_parser *p, struct search *q)
{
	CLEANUP(charset_freep) struct charset *charset = NULL;
	struct span name = {};

	if (!parse_astring(p, &name))
		return false;
	/* Who says US-ASCII and sends UTF-8 is understood. */
	if (span_is_nocase(name, "UTF-8") || span_is_nocase(name, "US-ASCII"))
		return true;
	charset = charset_new(name);
	q->charset = name;
	q->bad_charset = name.n == 0 || !charset;
	return true;
}

bool imap_parse_search(struct imap_parser *p, struct imap_command *c)
{
	struct search *q = ARENA_ALLOC(p->arena, struct search);

	c->args = q;
	if (!parse_space(p))
		return false;
	if (parse_skip_word(p, "RETURN") &&
		(!parse_space(p) || !search_parse_returns(p, q) || !parse_space(p)))
		return false;
	if (parse_skip_word(p, "CHARSET")) {
		/* RFC 6855 section 3; RFC 9051 section 6.4.4 allows it. */
		if ((c->enabled & (IMAP_UTF8 | IMAP_REV2)) == IMAP_UTF8)
			return parse_fail(p, "no CHARSET with UTF8=ACCEPT");
		if (!parse_space(p) || !search_parse_charset(p, q) || !parse_space(p))
			return false;
	}
	return search_parse_keys(p, q, clock_now_us());
}
