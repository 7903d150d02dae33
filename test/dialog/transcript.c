/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Reading transcripts. A line that is not understood fails the file: a test must not be skipped
 * because of a slip in writing it. Patterns stay as they are written; dialog.c matches them. */

#include "dialog/transcript.h"

#include "base/alloc.h"
#include "base/enc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void transcript_done(struct transcript *t)
{
	for (size_t i = 0; i < t->n; i++)
		buf_done(&t->steps[i].text);
	free(t->steps);
	*t = (struct transcript){};
}

static struct step *transcript_add(struct transcript *t, enum kind kind, unsigned connection,
	unsigned line)
{
	struct step *step;

	t->steps = alloc_array(t->steps, t->n + 1, sizeof t->steps[0]);
	step = &t->steps[t->n++];
	*step = (struct step){ .kind = kind, .connection = connection, .line = line };
	if (connection)
		t->is_stepwise = true;
	return step;
}

enum parse_outcome { PARSE_E_SYNTAX = 1 };

static int parse_directive(struct transcript *t, struct span text, unsigned line)
{
	static const struct {
		const char *word;
		enum kind kind;
	} kinds[] = {
		{ "tls", TLS },
		{ "eof", END_OF_INPUT },
		{ "closed", CLOSED },
		{ "wait", WAIT },
		{ "wake", WAKE },
		{ "stop", STOP },
	};
	struct span word = span_word(&text);
	uint64_t number = 0;

	if (span_is(word, "stepwise") || span_is(word, "tls-first") ||
		span_is(word, "certificate")) {
		t->is_stepwise |= span_is(word, "stepwise");
		t->is_tls_first |= span_is(word, "tls-first");
		t->is_certified |= span_is(word, "certificate");
		return 0;
	}
	if (text.n && !span_to_u64(span_trim(text), UINT32_MAX, &number))
		return PARSE_E_SYNTAX;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		bool is_wait = kinds[i].kind == WAIT;
		struct step *step;

		if (!span_is(word, kinds[i].word))
			continue;
		if (!is_wait && number > CONNECTIONS)
			return PARSE_E_SYNTAX;
		step = transcript_add(t, kinds[i].kind,
			is_wait || number == 0 ? 0 : (unsigned)number - 1, line);
		step->number = number;
		return 0;
	}
	return PARSE_E_SYNTAX;
}

/* "C2+" and the like; what it says goes into *ret_step. */
static int parse_head(struct transcript *t, struct span head, unsigned line, struct step **ret_step)
{
	bool is_client = head.n && head.p[0] == 'C';
	unsigned connection = 0;
	struct step *step;

	if (!is_client && (head.n == 0 || head.p[0] != 'S'))
		return PARSE_E_SYNTAX;
	head = span_skip(head, 1);
	if (head.n && head.p[0] >= '1' && head.p[0] <= '9') {
		connection = head.p[0] - '1';
		head = span_skip(head, 1);
	}
	step = transcript_add(t, is_client ? SEND : EXPECT, connection, line);
	step->add_crlf = is_client && head.n == 0;
	step->is_raw = span_is(head, "+");
	if (head.n && !step->is_raw && !(is_client && span_is(head, "-")))
		return PARSE_E_SYNTAX;
	*ret_step = step;
	return 0;
}

static int parse_line(struct transcript *t, struct span text, unsigned line)
{
	struct step *step = NULL;
	struct span head;
	int r;

	if (span_trim(text).n == 0 || text.p[0] == '#')
		return 0;
	if (span_starts(text, SPAN("== ")))
		return parse_directive(t, span_skip(text, 3), line);
	head = span_cut(&text, ':');
	r = parse_head(t, head, line, &step);
	if (r)
		return r;
	if (text.n && text.p[0] == ' ')
		text = span_skip(text, 1);
	if (step->is_raw) {
		if (step->kind == EXPECT)
			step->kind = EXPECT_OCTETS;
		return enc_base64_decode(&step->text, span_trim(text)) ? 0 : PARSE_E_SYNTAX;
	}
	if (step->kind == EXPECT && span_is(text, "..."))
		step->kind = EXPECT_ANY;
	buf_add(&step->text, text);
	return 0;
}

int transcript_read(struct transcript *t, const char *path)
{
	CLEANUP(buf_done) struct buf content = {};
	struct span rest;
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return err_fault(errno, "fopen");
	}
	while ((n = fread(buf_room(&content, 4096), 1, 4096, f)) > 0)
		buf_added(&content, n);
	(void)fclose(f);
	rest = buf_span(&content);
	for (unsigned line = 1; rest.n; line++) {
		if (parse_line(t, span_cut(&rest, '\n'), line)) {
			fprintf(stderr, "%s:%u: not a line of a dialog\n", path, line);
			return err_fault(EINVAL, "dialog");
		}
	}
	return 0;
}
