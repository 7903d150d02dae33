/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The body test (RFC 5173). What one test looks at is bounded by SIEVE_BODY_MAX decoded octets of
 * all parts together: what a mail has beyond a megabyte of text is no letter.
 */

#include "mime/charset.h"
#include "mime/part.h"
#include "mime/word.h"
#include "sieve/expand.h"
#include "sieve/match.h"

struct looking {
	struct sieve_matcher m;
	struct sieve_run *run;
	const struct part_tree *tree;
	struct span message;
	size_t left; /* octets that may still be looked at */
};

static struct span octets(const struct looking *l, uint64_t from, uint64_t to)
{
	struct span rest = span_skip(l->message, from < l->message.n ? (size_t)from : l->message.n);

	return span_head(rest, to > from ? (size_t)(to - from) : 0);
}

static int look_at(struct looking *l, struct span text)
{
	text = span_head(text, l->left);
	l->left -= text.n;
	return sieve_matcher_value(&l->m, text);
}

/* The part without its encoding; a text in UTF-8. */
static void decode(const struct looking *l, const struct part *p, struct buf *out)
{
	CLEANUP(buf_done) struct buf plain = {}, name = {};
	CLEANUP(charset_freep) struct charset *charset = NULL;
	struct decoder decoder = { .encoding = p->encoding };
	/* base64 is a third longer than what it stands for, and has line ends. */
	size_t most = l->left + l->left / 2 + 256;

	decoder_feed(&decoder, span_head(octets(l, p->body_offset, p->end_offset), most), &plain);
	decoder_end(&decoder, &plain);
	if (!span_is(p->type, "text")) {
		buf_add(out, buf_span(&plain));
		return;
	}
	(void)param_get(p->params, p->n_params, "charset", &name);
	charset = charset_new(buf_span(&name));
	if (!charset) {
		word_add_utf8(out, buf_span(&plain));
		return;
	}
	charset_feed(charset, buf_span(&plain), out);
	charset_end(charset, out);
}

/* RFC 5173 section 5.2: of a multipart what is before its first and behind its last part, of a
 * message its header. */
static int look_at_container(struct looking *l, const struct part *p)
{
	const struct part *child = p->first_child == PART_NONE ? NULL
							       : &l->tree->parts[p->first_child];
	struct span text;
	int r;

	if (!child)
		return 0;
	if (p->kind == PART_MESSAGE)
		return look_at(l, octets(l, child->header_offset, child->body_offset));
	text = octets(l, p->body_offset, child->header_offset);
	while (text.n && text.p[text.n - 1] == '\n') /* the boundary's line */
		text.n--;
	while (text.n && text.p[text.n - 1] != '\n')
		text.n--;
	r = look_at(l, text);
	while (child->next != PART_NONE)
		child = &l->tree->parts[child->next];
	text = octets(l, child->end_offset, p->end_offset);
	(void)span_cut(&text, '\n'); /* the line end before the last boundary, and its line */
	(void)span_cut(&text, '\n');
	return r ? r : look_at(l, text);
}

static int look_at_part(struct looking *l, const struct part *p)
{
	CLEANUP(buf_done) struct buf text = {};
	int r;

	if (p->kind != PART_LEAF)
		return look_at_container(l, p);
	r = run_spend(l->run, octets(l, p->body_offset, p->end_offset).n);
	if (r)
		return r;
	decode(l, p, &text);
	return look_at(l, buf_span(&text));
}

/* RFC 5173 section 5.2: "" is everything, "text" all of that type, "text/html" one; what has a
 * slash too many is nothing. */
static bool type_is(const struct part *p, struct span wanted)
{
	struct span type = span_cut(&wanted, '/');

	if (type.n == 0)
		return wanted.n == 0;
	return span_equal_nocase(p->type, type) &&
	       (wanted.n == 0 || span_equal_nocase(p->subtype, wanted));
}

static int is_wanted(struct sieve_run *r, const struct sieve_node *n, const struct part *p,
	bool *ret_wanted)
{
	const struct sieve_argument *types = n->slots[SLOT_BODY].value;
	struct span type;
	int result = 0;

	*ret_wanted = !types && p->kind == PART_LEAF && span_is(p->type, "text");
	for (size_t i = 0; types && i < types->n_strings && result == 0 && !*ret_wanted; i++) {
		result = sieve_expand(r, &types->strings[i], &type);
		if (result == 0)
			*ret_wanted = type_is(p, type);
	}
	return result;
}

static int look_at_all(struct looking *l, const struct sieve_node *n)
{
	bool wanted;
	int r = 0;

	for (uint32_t i = 0; i < l->tree->n && r == 0 && !l->m.found && l->left; i++) {
		r = run_spend(l->run, 0);
		if (r == 0)
			r = is_wanted(l->run, n, &l->tree->parts[i], &wanted);
		if (r == 0 && wanted)
			r = look_at_part(l, &l->tree->parts[i]);
	}
	return r;
}

int test_body(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct looking l = {
		.run = r,
		.message = r->input->message,
		.tree = r->input->tree,
		.left = SIEVE_BODY_MAX,
	};
	int result = sieve_matcher_init(&l.m, r, n, n->positional[0]);

	l.m.capture = false; /* RFC 5173 section 6 */
	if (result)
		return result;
	if (!l.tree) {
		if (!r->tree)
			r->tree = part_parse(l.message);
		l.tree = r->tree;
	}
	if (n->slots[SLOT_BODY].tag == TAG_RAW)
		result = look_at(&l, span_skip(l.message, (size_t)l.tree->parts[0].body_offset));
	else
		result = look_at_all(&l, n);
	return result ? result : sieve_matcher_end(&l.m, ret_true);
}
