/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The arguments of FETCH (RFC 9051 section 6.4.5, with RFC 3501's RFC822 items, RFC 3516, RFC 7162,
 * RFC 8474 and RFC 8514). Each item becomes a label, the text that is printed for it, and what to
 * print behind; so the three RFC822 items are only labels for sections of BODY.
 */

#include "svc/imap/fetch.h"

#include "svc/imap/commands.h"
#include "svc/imap/print.h"

/* Items that are one word. want: of the row, besides the row itself. */
static const struct fetch_word {
	const char *name;
	enum fetch_kind kind;
	enum section section;
	bool rows;
	bool seen;     /* sets \Seen */
	unsigned want;
} words[] = {
	{ "FLAGS", FETCH_FLAGS },
	{ "UID", FETCH_UID },
	{ "MODSEQ", FETCH_MODSEQ },
	{ "INTERNALDATE", FETCH_INTERNALDATE, .rows = true },
	{ "SAVEDATE", FETCH_SAVEDATE, .rows = true },
	{ "RFC822.SIZE", FETCH_SIZE, .rows = true },
	{ "EMAILID", FETCH_EMAILID, .rows = true },
	{ "THREADID", FETCH_THREADID, .rows = true },
	{ "ENVELOPE", FETCH_ENVELOPE, .rows = true, .want = WANT_ENVELOPE },
	{ "BODY", FETCH_BODY, .rows = true, .want = WANT_STRUCTURE },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE, .rows = true, .want = WANT_STRUCTURE },
	{ "RFC822", FETCH_SECTION, SECTION_BODY, .rows = true, .seen = true, .want = WANT_DATA },
	{ "RFC822.HEADER", FETCH_SECTION, SECTION_HEADER, .rows = true,
		.want = WANT_DATA | WANT_STRUCTURE },
	{ "RFC822.TEXT", FETCH_SECTION, SECTION_TEXT, .rows = true, .seen = true,
		.want = WANT_DATA | WANT_STRUCTURE },
};

static struct fetch_item *fetch_add(struct imap_parser *p, struct fetch *f)
{
	if (f->n_items == FETCH_ITEMS) {
		(void)parse_fail(p, "too many items");
		return NULL;
	}
	return &f->items[f->n_items++];
}

/* What is asked for twice is answered once. */
static bool fetch_add_word(struct imap_parser *p, struct fetch *f, const struct fetch_word *w)
{
	struct fetch_item *item = NULL;

	for (size_t i = 0; i < f->n_items; i++) {
		if (span_is(f->items[i].label, w->name))
			return true;
	}
	item = fetch_add(p, f);
	if (!item)
		return false;
	item->kind = w->kind;
	item->label = span_str(w->name);
	item->section = w->section;
	f->needs_rows |= w->rows;
	f->sets_seen |= w->seen;
	f->want |= w->want;
	f->has_flags |= w->kind == FETCH_FLAGS;
	f->has_modseq |= w->kind == FETCH_MODSEQ;
	return true;
}

static const struct fetch_word *fetch_word_find(struct span name)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (span_is_nocase(name, words[i].name))
			return &words[i];
	}
	return NULL;
}

/* The numbers at the front of a section, "1.2" of "1.2.MIME". What is left is its name. */
static bool parse_path(struct imap_parser *p, struct span *text, struct fetch_item *item)
{
	uint32_t path[FETCH_PATH];

	while (text->n > 0 && octet_is_digit(text->p[0])) {
		uint64_t number = 0;

		if (!span_to_u64(span_cut(text, '.'), UINT32_MAX, &number) || number == 0)
			return parse_fail(p, "part numbers are 1 and up");
		if (item->n_path == FETCH_PATH)
			return parse_fail(p, "section is too deep");
		path[item->n_path++] = (uint32_t)number;
	}
	item->path = arena_alloc(p->arena, item->n_path * sizeof *path + 1);
	memcpy(item->path, path, item->n_path * sizeof *path);
	return true;
}

static bool parse_fields(struct imap_parser *p, struct fetch_item *item)
{
	if (!parse_space(p) || !parse_open(p))
		return false;
	item->fields = arena_alloc(p->arena, FETCH_FIELD_NAMES * sizeof *item->fields);
	do {
		if (item->n_fields == FETCH_FIELD_NAMES)
			return parse_fail(p, "too many header names");
		if (!parse_astring(p, &item->fields[item->n_fields++]))
			return false;
	} while (parse_skip(p, ' '));
	return parse_close(p);
}

/* RFC 9051 section 9, section-text; MIME only behind a number. */
static bool parse_section_name(struct imap_parser *p, struct span name, struct fetch_item *item)
{
	if (span_is_nocase(name, "HEADER"))
		item->section = SECTION_HEADER;
	else if (span_is_nocase(name, "TEXT"))
		item->section = SECTION_TEXT;
	else if (span_is_nocase(name, "MIME") && item->n_path > 0)
		item->section = SECTION_MIME;
	else if (span_is_nocase(name, "HEADER.FIELDS"))
		item->kind = FETCH_FIELDS;
	else if (span_is_nocase(name, "HEADER.FIELDS.NOT"))
		item->kind = FETCH_FIELDS_NOT;
	else
		return parse_fail(p, "unknown section");
	if (item->kind == FETCH_SECTION)
		return true;
	item->section = SECTION_HEADER;
	return parse_fields(p, item);
}

/* "[" has been seen. */
static bool parse_section(struct imap_parser *p, struct fetch_item *item)
{
	struct span text = {};

	if (!parse_octet(p, '['))
		return false;
	if (!parse_at(p, ']') && !parse_word(p, &text))
		return false;
	if (text.n > 0 && text.p[text.n - 1] == '.')
		return parse_fail(p, "unknown section");
	if (!parse_path(p, &text, item))
		return false;
	if (text.n > 0) {
		if (item->kind != FETCH_SECTION)
			return parse_fail(p, "BINARY takes part numbers only");
		if (!parse_section_name(p, text, item))
			return false;
	}
	return parse_octet(p, ']');
}

/* "<0.2048>". RFC 3516 section 4.2: not for BINARY.SIZE. */
static bool parse_partial(struct imap_parser *p, struct fetch_item *item)
{
	if (item->kind == FETCH_BINARY_SIZE || !parse_skip(p, '<'))
		return !p->error;
	item->partial = true;
	if (!parse_number64(p, &item->offset) || !parse_octet(p, '.') ||
		!parse_number64(p, &item->length) || !parse_octet(p, '>'))
		return false;
	return item->length > 0 || parse_fail(p, "length of a partial fetch must not be zero");
}

/* RFC 9051 section 7.5.2: the response names the section and the first octet, not PEEK. */
static struct span section_label(struct arena *a, const char *name, const struct fetch_item *item)
{
	static const char *const texts[] = {
		[SECTION_BODY] = "", [SECTION_HEADER] = "HEADER", [SECTION_TEXT] = "TEXT",
		[SECTION_MIME] = "MIME",
	};
	CLEANUP(buf_done) struct buf label = {};

	buf_add_string(&label, name);
	buf_add_octet(&label, '[');
	for (size_t i = 0; i < item->n_path; i++)
		buf_add_format(&label, "%s%u", i ? "." : "", item->path[i]);
	if (item->n_path > 0 && item->section != SECTION_BODY)
		buf_add_octet(&label, '.');
	buf_add_string(&label, texts[item->section]);
	if (item->n_fields > 0) {
		buf_add_string(&label, item->kind == FETCH_FIELDS ? ".FIELDS (" : ".FIELDS.NOT (");
		for (size_t i = 0; i < item->n_fields; i++) {
			if (i > 0)
				buf_add_octet(&label, ' ');
			print_astring(&label, item->fields[i], false);
		}
		buf_add_octet(&label, ')');
	}
	buf_add_octet(&label, ']');
	if (item->partial)
		buf_add_format(&label, "<%llu>", (unsigned long long)item->offset);
	return arena_span(a, buf_span(&label));
}

static bool parse_section_item(struct imap_parser *p, struct fetch *f, struct span name)
{
	static const struct {
		const char *name, *label;
		enum fetch_kind kind;
		bool peek;
	} forms[] = {
		{ "BODY", "BODY", FETCH_SECTION, false },
		{ "BODY.PEEK", "BODY", FETCH_SECTION, true },
		{ "BINARY", "BINARY", FETCH_BINARY, false },
		{ "BINARY.PEEK", "BINARY", FETCH_BINARY, true },
		{ "BINARY.SIZE", "BINARY.SIZE", FETCH_BINARY_SIZE, true },
	};
	struct fetch_item *item = NULL;
	size_t i = 0;

	while (i < sizeof forms / sizeof forms[0] && !span_is_nocase(name, forms[i].name))
		i++;
	if (i == sizeof forms / sizeof forms[0])
		return parse_fail(p, "unknown item");
	item = fetch_add(p, f);
	if (!item)
		return false;
	item->kind = forms[i].kind;
	if (!parse_section(p, item) || !parse_partial(p, item))
		return false;
	item->label = section_label(p->arena, forms[i].label, item);
	f->needs_rows = true;
	f->sets_seen |= !forms[i].peek;
	f->want |= WANT_DATA;
	if (item->n_path > 0 || item->section != SECTION_BODY)
		f->want |= WANT_STRUCTURE;
	return true;
}

static bool parse_item(struct imap_parser *p, struct fetch *f)
{
	const struct fetch_word *w;
	struct span name = {};

	if (!parse_word(p, &name))
		return false;
	if (parse_at(p, '['))
		return parse_section_item(p, f, name);
	w = fetch_word_find(name);
	return w ? fetch_add_word(p, f, w) : parse_fail(p, "unknown item");
}

/* RFC 9051 section 6.4.5: a macro stands alone. */
static bool parse_macro(struct imap_parser *p, struct fetch *f)
{
	static const char *const items[] = {
		"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY",
	};
	size_t n = 0;

	if (parse_skip_word(p, "FAST"))
		n = 3;
	else if (parse_skip_word(p, "ALL"))
		n = 4;
	else if (parse_skip_word(p, "FULL"))
		n = 5;
	for (size_t i = 0; i < n; i++) {
		if (!fetch_add_word(p, f, fetch_word_find(span_str(items[i]))))
			return false;
	}
	return n > 0;
}

bool fetch_parse_items(struct imap_parser *p, struct fetch *f)
{
	if (parse_macro(p, f))
		return true;
	if (!parse_at(p, '('))
		return parse_item(p, f);
	if (!parse_open(p))
		return false;
	do {
		if (!parse_item(p, f))
			return false;
	} while (parse_skip(p, ' '));
	return parse_close(p);
}

/* RFC 4466 section 2.4, RFC 7162 sections 3.1.4.1 and 3.2.6. */
static bool parse_modifiers(struct imap_parser *p, struct imap_command *c, struct fetch *f)
{
	if (!parse_open(p))
		return false;
	do {
		if (parse_skip_word(p, "CHANGEDSINCE")) {
			if (!parse_space(p) || !parse_number64(p, &f->changed_since))
				return false;
			f->has_changed_since = true;
		} else if (parse_skip_word(p, "VANISHED")) {
			f->vanished = true;
		} else {
			return parse_fail(p, "unknown modifier");
		}
	} while (parse_skip(p, ' '));
	if (f->vanished && (!c->uid || !f->has_changed_since || !(c->enabled & IMAP_QRESYNC)))
		return parse_fail(p, "VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC enabled");
	return parse_close(p);
}

bool imap_parse_fetch(struct imap_parser *p, struct imap_command *c)
{
	struct fetch *f = ARENA_ALLOC(p->arena, struct fetch);

	c->args = f;
	/* RFC 9051 section 6.4.9: UID FETCH always tells the UID; RFC 7162 section 3.1.4.1:
	 * CHANGEDSINCE always the MODSEQ. */
	if (c->uid && !fetch_add_word(p, f, fetch_word_find(SPAN("UID"))))
		return false;
	if (!parse_space(p) || !parse_set(p, &f->set) || !parse_space(p) ||
		!fetch_parse_items(p, f))
		return false;
	if (parse_skip(p, ' ') && !parse_modifiers(p, c, f))
		return false;
	if (f->has_changed_since && !f->has_modseq)
		return fetch_add_word(p, f, fetch_word_find(SPAN("MODSEQ")));
	return !p->error;
}
