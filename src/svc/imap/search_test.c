/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* SEARCH: its grammar, what a tree of keys says at each stage, and what is found in messages. */

#include "svc/imap/search.h"

#include "base/clock.h"
#include "mime/date.h"
#include "mime/envelope.h"
#include "mime/structure.h"
#include "mime/word.h"
#include "svc/imap/commands.h"
#include "svc/imap/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The only message of a mailbox of three; it is the second. */
static const char message[] =
	"From: \"Andr\xC3\xA9 Gide\" <andre@example.org>, Bob <bob@example.net>\r\n"
	"To: a group: x@example.com, y@example.com;\r\n"
	"Cc: =?iso-8859-1?Q?J=F6rg?= <joerg@example.org>\r\n"
	"Subject: =?utf-8?B?R3LDvMOfZQ==?= from\r\n Paris\r\n"
	"Date: Thu, 1 Jan 2026 00:30:00 +0200\r\n"
	"Message-ID: <one@example.org>\r\n"
	"In-Reply-To: <zero@example.org>\r\n"
	"X-Empty:\r\n"
	"X-Long: first\r\n\tsecond\r\n"
	"X-Twice: one\r\n"
	"X-Twice: two\r\n"
	"MIME-Version: 1.0\r\n"
	"Content-Type: multipart/mixed; boundary=b\r\n"
	"\r\n"
	"preamble\r\n"
	"--b\r\n"
	"Content-Type: text/plain; charset=iso-8859-1\r\n"
	"Content-Transfer-Encoding: quoted-printable\r\n"
	"\r\n"
	"Caf=E9 au la=\r\n"
	"it\r\n"
	"--b\r\n"
	"Content-Type: text/html; charset=utf-8\r\n"
	"Content-Transfer-Encoding: base64\r\n"
	"\r\n"
	"PHA+RmVuw6p0cmU8L3A+\r\n"
	"--b\r\n"
	"Content-Type: application/pdf; name=report.pdf\r\n"
	"\r\n"
	"hidden\r\n"
	"--b\r\n"
	"Content-Type: message/rfc822\r\n"
	"\r\n"
	"Subject: =?utf-8?Q?inn=C3=A9r?=\r\n"
	"\r\n"
	"within\r\n"
	"--b--\r\n"
	"epilogue\r\n";

static const int64_t NOW_US = INT64_C(1767312000000000); /* 2026-01-02 00:00:00 */
static const uint8_t id_key[PRINT_ID_KEY] = { 1 };

struct world {
	struct view view;
	struct keywords keywords;
	struct store_message row;
	struct envelope envelope;
	struct arena arena;
	struct buf structure, envelope_text;
};

static void world_init(struct world *w)
{
	static const uint32_t uids[] = { 10, 20, 30 };
	static const uint64_t modseqs[] = { 5, 100, 7 };
	static const uint64_t flags[] = {
		0,
		FLAG_SEEN | FLAG_FLAGGED | 2ull << FLAG_KEYWORD_SHIFT,
		FLAG_DRAFT,
	};
	static char junk[] = "$Junk", work[] = "Work";
	struct span octets = span_of(message, sizeof message - 1);
	struct part_tree *tree = part_parse(octets);

	w->view = (struct view){
		.n = 3,
		.uids = uids,
		.flags = flags,
		.modseqs = modseqs,
		.uidnext = 31,
	};
	w->keywords = (struct keywords){ .n = 2, .names = { junk, work } };
	structure_pack(tree, &w->structure);
	buf_add(&w->envelope_text, tree->envelope);
	part_tree_free(tree);
	assert_int_equal(envelope_parse(buf_span(&w->envelope_text), &w->arena, &w->envelope), 0);
	w->row = (struct store_message){
		.id = 1,
		.content = 2,
		.thread = 3,
		.uid = 20,
		.size = octets.n,
		.received_us = NOW_US - 3600 * INT64_C(1000000), /* 2026-01-01 23:00 */
		.saved_us = NOW_US + 5,
		.structure = buf_span(&w->structure),
		.data = octets,
	};
}

static void world_done(struct world *w)
{
	buf_done(&w->structure);
	buf_done(&w->envelope_text);
	arena_done(&w->arena);
}

static const char *parse(struct imap_command *c, const char *text)
{
	struct imap_parser p = { .rest = span_str(text), .arena = &c->arena };

	if (imap_parse_search(&p, c) && parse_end(&p))
		return NULL;
	assert_non_null(p.error);
	return p.error;
}

/* What search_start does with a session. */
static void bind(struct imap_command *c, struct search *q)
{
	for (struct search_key *k = q->first; k; k = k->later) {
		if (k->op == SEARCH_SET)
			assert_true(set_resolve(&c->arena, &k->set, c->view, k->by_uid, SPAN(""),
				&k->positions));
		if (k->op == SEARCH_KEYWORD)
			search_bind_keyword(c->keywords, k);
	}
}

/* The answers at the four stages: N, Y or ? each. */
static void answers(struct world *w, const char *text, char ret[static 5])
{
	bool found[SEARCH_TEXTS] = {};
	struct imap_command c = {
		.view = &w->view,
		.keywords = &w->keywords,
		.recent_from = 20,
		.account = 9,
		.owner = 9,
		.id_key = id_key,
	};
	struct search_facts facts = {
		.c = &c,
		.position = 1,
		.row = &w->row,
		.envelope = &w->envelope,
		.found = found,
	};
	const char *error = parse(&c, text);
	struct search *q = c.args;

	if (error)
		fail_msg("%s: %s", text, error);
	bind(&c, q);
	assert_int_equal(search_scan(q, NULL, &w->row, found), 0);
	for (facts.stage = SEARCH_VIEW; facts.stage <= SEARCH_BODY; facts.stage++)
		ret[facts.stage] = "NY?"[search_match(q->root, &facts)];
	ret[4] = 0;
	arena_done(&c.arena);
}

static void keys(void **state)
{
	static const struct {
		const char *text, *answers;
	} rows[] = {
		{ " ALL", "YYYY" },
		{ " all", "YYYY" },
		{ " 2", "YYYY" },
		{ " 1,3", "NNNN" },
		{ " 1:*", "YYYY" },
		{ " *", "NNNN" },
		{ " UID 20", "YYYY" },
		{ " UID 11:19,21:99", "NNNN" },
		{ " $", "NNNN" },
		{ " SEEN", "YYYY" },
		{ " UNSEEN", "NNNN" },
		{ " FLAGGED ANSWERED", "NNNN" },
		{ " FLAGGED UNANSWERED UNDELETED UNDRAFT", "YYYY" },
		{ " DELETED", "NNNN" },
		{ " UNFLAGGED", "NNNN" },
		{ " DRAFT", "NNNN" },
		{ " KEYWORD work", "YYYY" },
		{ " KEYWORD $Junk", "NNNN" },
		{ " KEYWORD unheard", "NNNN" },
		{ " UNKEYWORD unheard", "YYYY" },
		{ " UNKEYWORD Work", "NNNN" },
		{ " RECENT", "YYYY" },
		{ " OLD", "NNNN" },
		{ " NEW", "NNNN" },
		{ " NOT SEEN", "NNNN" },
		{ " NOT NOT SEEN", "YYYY" },
		{ " OR SEEN DELETED", "YYYY" },
		{ " OR UNSEEN DELETED", "NNNN" },
		{ " (SEEN (FLAGGED))", "YYYY" },
		{ " OR (UNSEEN SEEN) (2 SEEN)", "YYYY" },
		{ " MODSEQ 100", "YYYY" },
		{ " MODSEQ 101", "NNNN" },
		{ " MODSEQ \"/flags/\\\\draft\" all 100", "YYYY" },
		{ " MODSEQ 0", "YYYY" },

		{ " LARGER 0", "?YYY" },
		{ " LARGER 99999", "?NNN" },
		{ " LARGER 9223372036854775807", "NNNN" },
		{ " SMALLER 99999", "?YYY" },
		{ " SMALLER 0", "?NNN" },
		{ " ON 1-Jan-2026", "?YYY" },
		{ " ON \"01-Jan-2026\"", "?YYY" },
		{ " ON 2-Jan-2026", "?NNN" },
		{ " BEFORE 1-Jan-2026", "?NNN" },
		{ " BEFORE 2-Jan-2026", "?YYY" },
		{ " SINCE 1-Jan-2026", "?YYY" },
		{ " SINCE 2-Jan-2026", "?NNN" },
		{ " SAVEDON 2-Jan-2026", "?YYY" },
		{ " SAVEDBEFORE 2-Jan-2026", "?NNN" },
		{ " SAVEDSINCE 2-Jan-2026", "?YYY" },
		{ " SAVEDATESUPPORTED", "YYYY" },
		{ " YOUNGER 3600", "?YYY" },
		{ " YOUNGER 3599", "?NNN" },
		{ " OLDER 3600", "?YYY" },
		{ " OLDER 3601", "?NNN" },
		{ " EMAILID nonsense", "?NNN" },
		{ " THREADID nonsense", "?NNN" },

		/* The sender's day: in UTC it was still 2025. */
		{ " SENTON 1-Jan-2026", "??YY" },
		{ " SENTON 31-Dec-2025", "??NN" },
		{ " SENTBEFORE 1-Jan-2026", "??NN" },
		{ " SENTSINCE 1-Jan-2026", "??YY" },
		{ " SENTSINCE 2-Jan-2026", "??NN" },
		{ " FROM gide", "??YY" },
		{ " FROM \"andr\xC3\x89 g\"", "??YY" },
		{ " FROM \"<bob@EXAMPLE.net>\"", "??YY" },
		{ " FROM \"org>, Bob\"", "??NN" },
		{ " FROM zola", "??NN" },
		{ " FROM \"\"", "??YY" },
		{ " BCC \"\"", "??NN" },
		{ " TO y@example.com", "??YY" },
		{ " TO \"a group\"", "??YY" },
		{ " CC \"j\xC3\xB6rg\"", "??YY" },
		{ " SUBJECT \"gr\xC3\x9C\xC3\x9F"
		  "E\"",
			"??YY" },
		{ " SUBJECT \"from paris\"", "??YY" },
		{ " SUBJECT london", "??NN" },
		{ " HEADER Message-ID <one@example.org>", "??YY" },
		{ " HEADER message-id two@", "??NN" },
		{ " HEADER In-Reply-To zero", "??YY" },

		{ " HEADER Message-ID \"\"", "???Y" },
		{ " HEADER X-Empty \"\"", "???Y" },
		{ " HEADER X-Empty x", "???N" },
		{ " HEADER X-None \"\"", "???N" },
		{ " HEADER x-long \"first second\"", "???Y" },
		{ " HEADER X-Twice two", "???Y" },
		{ " HEADER X-Twice X-Twice", "???N" },
		{ " HEADER Subject \"gr\xC3\xBC\xC3\x9F"
		  "e\"",
			"???Y" },
		{ " BODY \"caf\xC3\xA9 au lait\"", "???Y" },
		{ " BODY \"fen\xC3\xAAtre\"", "???Y" },
		{ " BODY hidden", "???N" },
		{ " BODY report.pdf", "???Y" },
		{ " BODY \"inn\xC3\xA9r\"", "???Y" },
		{ " BODY WITHIN", "???Y" },
		{ " BODY paris", "???N" },
		{ " BODY \"\"", "???Y" },
		{ " TEXT \"\"", "???Y" },
		{ " TEXT paris", "???Y" },
		{ " TEXT \"x-long: first\"", "???Y" },
		{ " TEXT within", "???Y" },
		{ " TEXT nowhere", "???N" },

		/* Cheap keys decide whatever else is asked. */
		{ " TEXT nowhere SEEN UNSEEN", "NNNN" },
		{ " OR TEXT nowhere SEEN", "YYYY" },
		{ " NOT (TEXT paris UNSEEN)", "YYYY" },
		{ " TEXT paris FROM gide SMALLER 1", "?NNN" },
		{ " NOT TEXT paris", "???N" },
		{ " OR FROM zola (TEXT paris LARGER 1)", "???Y" },

		{ " CHARSET UTF-8 SUBJECT \"gr\xC3\xBC\"", "??YY" },
		{ " CHARSET us-ascii SUBJECT paris", "??YY" },
		{ " CHARSET iso-8859-1 SUBJECT \"{3}\"", "??NN" },
		{ " CHARSET iso-8859-1 SUBJECT {3}\r\ngr\xFC", "??YY" },
		{ " CHARSET KOI8-R SUBJECT {3}\r\ngr\xFC", "??NN" },
	};
	struct world w = {};

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char found[5];

		answers(&w, rows[i].text, found);
		if (strcmp(found, rows[i].answers) != 0)
			fail_msg("%s: %s, not %s", rows[i].text, found, rows[i].answers);
	}
	world_done(&w);
}

static void object_ids(void **state)
{
	struct world w = {};

	(void)state;
	world_init(&w);
	for (char kind = 'M'; kind; kind = kind == 'M' ? 'T' : 0) {
		struct buf text = {};
		char found[5], *s;

		buf_add_string(&text, kind == 'M' ? " EMAILID " : " THREADID ");
		print_object_id(&text, id_key, kind, 9, kind == 'M' ? 2 : 3);
		s = buf_steal_string(&text);
		answers(&w, s, found);
		assert_string_equal(found, "?YYY");
		free(s);
	}
	world_done(&w);
}

static void returns(void **state)
{
	static const struct {
		const char *text;
		unsigned returns;
	} rows[] = {
		{ " ALL", 0 },
		{ " RETURN () ALL", RETURN_GIVEN | RETURN_ALL },
		{ " RETURN (ALL) ALL", RETURN_GIVEN | RETURN_ALL },
		{ " return (min max) CHARSET UTF-8 ALL", RETURN_GIVEN | RETURN_MIN | RETURN_MAX },
		{ " RETURN (COUNT SAVE) ALL", RETURN_GIVEN | RETURN_COUNT | RETURN_SAVE },
		{ " RETURN (SAVE) ALL", RETURN_GIVEN | RETURN_SAVE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_command c = {};
		const char *error = parse(&c, rows[i].text);

		if (error)
			fail_msg("%s: %s", rows[i].text, error);
		assert_int_equal(((struct search *)c.args)->returns, rows[i].returns);
		arena_done(&c.arena);
	}
}

static void bad(void **state)
{
	static const struct {
		const char *text;
		unsigned enabled;
	} rows[] = {
		{ "" },
		{ " " },
		{ "ALL" },
		{ " ALL " },
		{ " ALL  SEEN" },
		{ " SEENX" },
		{ " 0" },
		{ " 1:" },
		{ " ()" },
		{ " (ALL" },
		{ " ALL)" },
		{ " NOT" },
		{ " NOT " },
		{ " OR ALL" },
		{ " OR ALL " },
		{ " KEYWORD" },
		{ " KEYWORD \\Seen" },
		{ " KEYWORD \"a\"" },
		{ " UID" },
		{ " UID x" },
		{ " LARGER" },
		{ " LARGER x" },
		{ " LARGER -1" },
		{ " LARGER 9223372036854775808" },
		{ " ON" },
		{ " ON 2026-01-01" },
		{ " ON 30-Feb-2026" },
		{ " OLDER 0" },
		{ " YOUNGER x" },
		{ " MODSEQ" },
		{ " MODSEQ \"/flags/x\" 1" },
		{ " MODSEQ \"/flags/x\" nobody 1" },
		{ " MODSEQ \"/other\" all 1" },
		{ " FROM" },
		{ " FROM (" },
		{ " HEADER x" },
		{ " HEADER (a) b" },
		{ " TEXT {9}\r\nshort" },
		{ " SUBJECT {1}\r\n\xFF" },
		{ " RETURN ALL" },
		{ " RETURN (ALL)" },
		{ " RETURN (WHAT) ALL" },
		{ " RETURN (ALL  MIN) ALL" },
		{ " RETURN (ALL MIN ALL" },
		{ " CHARSET" },
		{ " CHARSET UTF-8" },
		{ " CHARSET UTF-8 RETURN (ALL) ALL" },
		{ " CHARSET iso-2022-jp SUBJECT {2}\r\n\xFF\xFF" },
		{ " CHARSET UTF-8 ALL", IMAP_UTF8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_command c = { .enabled = rows[i].enabled };

		if (!parse(&c, rows[i].text))
			fail_msg("accepted:%s", rows[i].text);
		arena_done(&c.arena);
	}
}

static void charsets(void **state)
{
	static const struct {
		const char *text;
		bool unknown;
		unsigned enabled;
	} rows[] = {
		{ " CHARSET klingon TEXT {1}\r\n\xFF", true },
		{ " CHARSET \"\" ALL", true },
		{ " CHARSET utf-8 ALL", false },
		{ " CHARSET UTF-8 ALL", false, IMAP_UTF8 | IMAP_REV2 },
		{ " CHARSET koi8-r ALL", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_command c = { .enabled = rows[i].enabled };

		assert_null(parse(&c, rows[i].text));
		assert_int_equal(((struct search *)c.args)->bad_charset, rows[i].unknown);
		arena_done(&c.arena);
	}
}

static void limits(void **state)
{
	static const struct {
		const char *begin, *each, *end;
		unsigned most;
	} rows[] = {
		/* One key is the list itself. */
		{ " ALL", " ALL", "", SEARCH_KEYS - 2 },
		{ " ALL", " TEXT x", "", SEARCH_TEXTS },
		{ " ", "NOT ", "ALL", PARSE_DEPTH },
		{ " ", "OR ALL ", "ALL", PARSE_DEPTH },
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
			if ((parse(&c, s) != NULL) != over)
				fail_msg("row %zu, %u over", i, over);
			free(s);
			arena_done(&c.arena);
		}
	}
	for (unsigned depth = PARSE_DEPTH; depth <= PARSE_DEPTH + 1; depth++) {
		struct imap_command c = {};
		char text[256] = " ";

		memset(text + 1, '(', depth);
		memcpy(text + 1 + depth, "ALL", 3);
		memset(text + 4 + depth, ')', depth);
		assert_int_equal(parse(&c, text) != NULL, depth > PARSE_DEPTH);
		arena_done(&c.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(object_ids),
		cmocka_unit_test(returns),
		cmocka_unit_test(bad),
		cmocka_unit_test(charsets),
		cmocka_unit_test(limits),
	};

	word_init();
	clock_set(NOW_US, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
