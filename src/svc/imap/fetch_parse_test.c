/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What FETCH accepts, and what it makes of it. */

#include "svc/imap/fetch.h"

#include "svc/imap/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *parse(struct imap_command *c, const char *text)
{
	struct imap_parser p = { .rest = span_str(text), .arena = &c->arena };

	if (imap_parse_fetch(&p, c) && parse_end(&p))
		return NULL;
	assert_non_null(p.error);
	return p.error;
}

/* The items' labels with a space between them. */
static void good(void **state)
{
	static const struct {
		const char *text, *labels;
		bool uid, rows, seen;
		unsigned want;
	} rows[] = {
		{ " 1 FLAGS", "FLAGS" },
		{ " 1 flags", "FLAGS" },
		{ " 1:* (FLAGS UID MODSEQ)", "FLAGS UID MODSEQ" },
		{ " 1 (FLAGS FLAGS)", "FLAGS" },
		{ " 1 (UID FLAGS)", "UID FLAGS", .uid = true },
		{ " 1 FLAGS", "UID FLAGS", .uid = true },
		{ " 1 FAST", "FLAGS INTERNALDATE RFC822.SIZE", .rows = true },
		{ " 1 ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE", .rows = true,
			.want = WANT_ENVELOPE },
		{ " 1 full", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY", .rows = true,
			.want = WANT_ENVELOPE | WANT_STRUCTURE },
		{ " $ BODYSTRUCTURE", "BODYSTRUCTURE", .rows = true, .want = WANT_STRUCTURE },
		{ " 1 (SAVEDATE EMAILID THREADID)", "SAVEDATE EMAILID THREADID", .rows = true },
		{ " 1 RFC822", "RFC822", .rows = true, .seen = true, .want = WANT_DATA },
		{ " 1 RFC822.HEADER", "RFC822.HEADER", .rows = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 RFC822.TEXT", "RFC822.TEXT", .rows = true, .seen = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BODY[]", "BODY[]", .rows = true, .seen = true, .want = WANT_DATA },
		{ " 1 body.peek[]", "BODY[]", .rows = true, .want = WANT_DATA },
		{ " 1 BODY.PEEK[]<0.2048>", "BODY[]<0>", .rows = true, .want = WANT_DATA },
		{ " 1 BODY.PEEK[1.2.MIME]<7.1>", "BODY[1.2.MIME]<7>", .rows = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BODY.PEEK[header]", "BODY[HEADER]", .rows = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BODY.PEEK[3.TEXT]", "BODY[3.TEXT]", .rows = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BODY.PEEK[HEADER.FIELDS (From \"to\" {3}\r\na b)]",
			"BODY[HEADER.FIELDS (From to \"a b\")]", .rows = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BODY.PEEK[4.HEADER.FIELDS.NOT (X)]<1.2>", "BODY[4.HEADER.FIELDS.NOT (X)]<1>",
			.rows = true, .want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BINARY[1]", "BINARY[1]", .rows = true, .seen = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BINARY.PEEK[1.1]<3.4>", "BINARY[1.1]<3>", .rows = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BINARY.SIZE[2]", "BINARY.SIZE[2]", .rows = true,
			.want = WANT_DATA | WANT_STRUCTURE },
		{ " 1 BODY.PEEK[]<4294967296.9223372036854775807>", "BODY[]<4294967296>",
			.rows = true, .want = WANT_DATA },
		{ " 1 FLAGS (CHANGEDSINCE 5)", "FLAGS MODSEQ" },
		{ " 1 (MODSEQ FLAGS) (CHANGEDSINCE 5)", "MODSEQ FLAGS" },
		{ " 1 FLAGS (CHANGEDSINCE 5 VANISHED)", "UID FLAGS MODSEQ", .uid = true },
		{ " 1 FLAGS (VANISHED CHANGEDSINCE 5)", "UID FLAGS MODSEQ", .uid = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_command c = { .uid = rows[i].uid, .enabled = IMAP_QRESYNC };
		const char *error = parse(&c, rows[i].text);
		CLEANUP(buf_done) struct buf labels = {};
		const struct fetch *f = c.args;

		if (error)
			fail_msg("%s: %s", rows[i].text, error);
		for (size_t n = 0; n < f->n_items; n++) {
			buf_add_string(&labels, n ? " " : "");
			buf_add(&labels, f->items[n].label);
		}
		if (!span_is(buf_span(&labels), rows[i].labels))
			fail_msg("%s: %.*s", rows[i].text, (int)buf_size(&labels),
				(const char *)buf_span(&labels).p);
		assert_int_equal(f->needs_rows, rows[i].rows);
		assert_int_equal(f->sets_seen, rows[i].seen);
		assert_int_equal(f->want, rows[i].want);
		arena_done(&c.arena);
	}
}

static void bad(void **state)
{
	static const struct {
		const char *text;
		bool uid, no_qresync;
	} rows[] = {
		{ "" }, { " " }, { " 1" }, { " 1 " }, { " 0 FLAGS" }, { "1 FLAGS" },
		{ " 1 ()" }, { " 1 (FLAGS" }, { " 1 (FLAGS  UID)" }, { " 1 (FLAGS )" },
		{ " 1 FLAGS UID" }, { " 1 (ALL)" }, { " 1 ALL FLAGS" }, { " 1 NOTHING" },
		{ " 1 FLAGSX" }, { " 1 FLAGS[]" }, { " 1 BODY[" }, { " 1 BODY[0]" },
		{ " 1 BODY[1" }, { " 1 BODY[1.]" }, { " 1 BODY[.1]" }, { " 1 BODY[1..2]" },
		{ " 1 BODY[4294967296]" }, { " 1 BODY[MIME]" }, { " 1 BODY[HEADERS]" },
		{ " 1 BODY[TEXT.1]" }, { " 1 BODY[1.HEADER.MIME]" }, { " 1 BODY[HEADER.FIELDS]" },
		{ " 1 BODY[HEADER.FIELDS ()]" }, { " 1 BODY[HEADER.FIELDS (a ]" },
		{ " 1 BODY[HEADER.FIELDS a]" }, { " 1 BODY[]<>" }, { " 1 BODY[]<0>" },
		{ " 1 BODY[]<0.0>" }, { " 1 BODY[]<1.2" }, { " 1 BODY[]<.2>" },
		{ " 1 BODY[]<-1.2>" },
		{ " 1 BODY[]<9223372036854775808.1>" }, { " 1 BODY.PEEK" }, { " 1 BINARY" },
		{ " 1 BINARY[TEXT]" }, { " 1 BINARY[1.MIME]" }, { " 1 BINARY.SIZE[1]<0.1>" },
		{ " 1 BODYSTRUCTURE[1]" }, { " 1 FLAGS ()" }, { " 1 FLAGS (CHANGEDSINCE)" },
		{ " 1 FLAGS (CHANGEDSINCE x)" }, { " 1 FLAGS (CHANGEDSINCE 1" },
		{ " 1 FLAGS (NONSENSE 1)" }, { " 1 FLAGS (VANISHED)", .uid = true },
		{ " 1 FLAGS (CHANGEDSINCE 1 VANISHED)" },
		{ " 1 FLAGS (CHANGEDSINCE 1 VANISHED)", .uid = true, .no_qresync = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_command c = {
			.uid = rows[i].uid, .enabled = rows[i].no_qresync ? 0 : IMAP_QRESYNC,
		};

		if (!parse(&c, rows[i].text))
			fail_msg("accepted:%s", rows[i].text);
		arena_done(&c.arena);
	}
}

static void limits(void **state)
{
	static const struct {
		const char *begin, *each, *end;
		unsigned most;
	} rows[] = {
		{ " 1 (BODY[]", " BODY[]", ")", FETCH_ITEMS - 1 },
		{ " 1 BODY[1", ".1", "]", FETCH_PATH - 1 },
		{ " 1 BODY[HEADER.FIELDS (x", " x", ")]", FETCH_FIELD_NAMES - 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned over = 0; over < 2; over++) {
			struct imap_command c = {};
			struct buf text = {};
			char *s;

			buf_add_string(&text, rows[i].begin);
			for (unsigned n = 0; n < rows[i].most + over; n++)
				buf_add_string(&text, rows[i].each);
			buf_add_string(&text, rows[i].end);
			s = buf_steal_string(&text);
			assert_int_equal(parse(&c, s) != NULL, over);
			free(s);
			arena_done(&c.arena);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(limits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
