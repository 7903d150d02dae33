/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * With hp= the payload's header is the whole header: what only the outer one has is none of the
 * author's, and what HP-Outer repeats was never confidential (RFC 9788 section 4.2 and 4.3). The
 * older forms are read by what is common to them.
 */

#include "smime/protection.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/header.h"
#include "mime/param.h"
#include "smime/entity.h"
#include "smime/protect.h"
#include "smime/sender.h"

#include <stdlib.h>

enum { FIELDS_MAX = 500, NOTES_MAX = 50 };

void report_note(struct smime_report *report, const char *rule, const char *format, ...)
{
	struct smime_note *n;
	va_list ap;

	if (report->n_notes == NOTES_MAX)
		return;
	report->notes = alloc_array(report->notes, report->n_notes + 1, sizeof *report->notes);
	n = &report->notes[report->n_notes++];
	n->rule = rule;
	va_start(ap, format);
	n->text = alloc_format_list(format, ap);
	va_end(ap);
}

/* What people are shown of a header. The rest of an outer header is the postman's. */
static bool is_for_people(struct span name)
{
	static const char *const names[] = { "From", "Sender", "Reply-To", "To", "Cc", "Bcc",
		"Subject", "Date", "Message-ID", "In-Reply-To", "References", "Comments",
		"Keywords", "Followup-To" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (span_is_nocase(name, names[i]))
			return true;
	}
	return false;
}

/* RFC 9788 section 1.1: fields that are about the body's form, and those of this mechanism. */
static bool is_structural(struct span name)
{
	return entity_owns_field(name) || span_is_nocase(name, "MIME-Version") ||
	       span_is_nocase(name, "HP-Outer");
}

static bool is_same_author(struct span outer, struct span inner)
{
	struct sender a, b;
	bool same;

	sender_of(outer, &a);
	sender_of(inner, &b);
	same = !a.is_odd && !b.is_odd && sender_is_same(&a, &b);
	sender_done(&a);
	sender_done(&b);
	return same;
}

/* The payload's Content-Type, whether or not its body is what that says. */
struct root_type {
	struct span type; /* "multipart/mixed" */
	const struct param *params;
	size_t n_params;
};

static struct root_type root_type_of(struct span header, struct arena *a)
{
	CLEANUP(buf_wipe) struct buf text = {};
	struct root_type root = {};
	struct header_field f;
	struct span rest;

	if (!header_find(header, "Content-Type", &f))
		return root;
	header_unfold(span_head(f.value, LIMIT_HEADER_VALUE), &text);
	rest = arena_span(a, buf_span(&text));
	root.type = span_trim(span_head(rest, span_find(rest, ';')));
	param_parse(span_skip(rest, span_find(rest, ';')), a, &root.params, &root.n_params);
	return root;
}

/* RFC 8551 section 3.1. A message that is passed on is signed in the same form: it is one if it
 * says so, or if its author is another. */
static bool is_wrapping(const struct root_type *root, const struct protection *p, struct span inner)
{
	struct span forwarded = param_raw(root->params, root->n_params, "forwarded");
	struct span header = span_head(p->payload, header_size(p->payload));
	struct header_field disposition;

	if (!span_is_nocase(root->type, "message/rfc822") &&
		!span_is_nocase(root->type, "message/global"))
		return false;
	if (forwarded.n)
		return span_is_nocase(forwarded, "no");
	return !header_find(header, "Content-Disposition", &disposition) &&
	       is_same_author(p->outer, inner);
}

static void find_source(struct protection *p, struct span header, const struct root_type *root)
{
	struct span hp = param_raw(root->params, root->n_params, "hp");
	struct span v1 = param_raw(root->params, root->n_params, "protected-headers");
	struct span body = span_skip(p->payload, header.n);
	struct span inner = span_head(body, header_size(body));

	if (span_is_nocase(hp, "clear") || span_is_nocase(hp, "cipher")) {
		p->source = SMIME_HEADER_HP;
		p->inner = header;
		p->is_for_cipher = span_is_nocase(hp, "cipher");
	} else if (is_wrapping(root, p, inner)) {
		p->source = SMIME_HEADER_WRAPPED;
		p->payload = body;
		p->inner = inner;
	} else if (span_is_nocase(v1, "v1")) {
		p->source = SMIME_HEADER_PROTECTED_V1;
		p->inner = header;
	}
}

struct protection protection_find(struct span outer, struct span payload)
{
	struct protection p = { .outer = outer, .payload = payload };
	struct arena arena = {};
	struct root_type root;
	struct span header;

	if (!payload.p)
		return p;
	header = span_head(payload, header_size(payload));
	root = root_type_of(header, &arena);
	find_source(&p, header, &root);
	arena_done(&arena);
	return p;
}

static bool has_from(struct span header)
{
	struct header_field f;

	return header_find(header, "From", &f);
}

struct span protection_header(const struct protection *p)
{
	return p->inner.p && has_from(p->inner) ? p->inner : p->outer;
}

static char *value_text(struct span value)
{
	CLEANUP(buf_wipe) struct buf text = {};
	struct span s;
	char *copy;

	header_unfold(span_head(value, LIMIT_HEADER_VALUE), &text);
	s = buf_span(&text);
	copy = alloc_zero(s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		copy[i] = s.p[i] && s.p[i] != '\r' ? (char)s.p[i] : ' ';
	return copy;
}

static struct smime_field *field_add(struct smime_report *r, struct span name, struct span value)
{
	struct smime_field *f;

	if (r->n_fields == FIELDS_MAX)
		return NULL;
	r->fields = alloc_array(r->fields, r->n_fields + 1, sizeof *r->fields);
	f = &r->fields[r->n_fields++];
	*f = (struct smime_field){ .value = value_text(value) };
	f->name = value_text(name);
	return f;
}

/* The field of the same name and place among those of its name. */
static bool find_nth(struct span header, struct span name, size_t n, struct span *ret_value)
{
	struct header_field f;

	for (size_t i = 0; i < LIMIT_HEADERS && header_next(&header, &f); i++) {
		if (f.name.n && span_equal_nocase(f.name, name) && n-- == 0) {
			*ret_value = f.value;
			return true;
		}
	}
	return false;
}

/* RFC 9788 section 4.2: an HP-Outer with this name and value says that the field went out openly.
 */
static bool was_open(struct span inner, const struct smime_field *field)
{
	struct header_field f;

	for (size_t i = 0; i < LIMIT_HEADERS && header_next(&inner, &f); i++) {
		struct span value = f.value, name;
		CLEANUP(alloc_freep) char *text = NULL;

		if (!span_is_nocase(f.name, "HP-Outer"))
			continue;
		name = span_trim(span_cut(&value, ':'));
		text = value_text(value);
		if (span_is_nocase(name, field->name) && strcmp(text, field->value) == 0)
			return true;
	}
	return false;
}

/* RFC 9788 section 4.3. */
static enum smime_field_protection protection_of(const struct protection *p,
	const struct smime_report *r, const struct smime_field *f)
{
	bool is_signed = r->status == SMIME_STATUS_SIGNED ||
			 r->status == SMIME_STATUS_SIGNED_ENCRYPTED;
	bool is_hidden = r->is_encrypted;

	if (p->source == SMIME_HEADER_HP)
		is_hidden = is_hidden && p->is_for_cipher && !was_open(p->inner, f);
	else
		is_hidden = is_hidden && (!f->outer || f->differs);
	if (is_signed)
		return is_hidden ? SMIME_FIELD_SIGNED_ENCRYPTED : SMIME_FIELD_SIGNED;
	return is_hidden ? SMIME_FIELD_ENCRYPTED : SMIME_FIELD_UNPROTECTED;
}

static size_t n_before(const struct smime_report *r, struct span name)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_fields; i++)
		n += span_is_nocase(name, r->fields[i].name);
	return n;
}

static void add_inner(const struct protection *p, struct smime_report *r)
{
	struct span rest = p->inner;
	struct header_field f;

	for (size_t i = 0; i < LIMIT_HEADERS && header_next(&rest, &f); i++) {
		size_t nth = n_before(r, f.name);
		struct smime_field *field;
		struct span outer;

		/* A field of the other header takes the place of this one: see add_from. What
		 * servers found out about the message is not for its author to say. */
		if (f.name.n == 0 || is_structural(f.name) || protect_is_trace(f.name) ||
			(r->from_mismatch && span_is_nocase(f.name, "From")))
			continue;
		field = field_add(r, f.name, f.value);
		if (!field)
			return;
		if (find_nth(p->outer, f.name, nth, &outer)) {
			field->outer = value_text(outer);
			field->differs = strcmp(field->outer, field->value) != 0;
		}
		field->protection = protection_of(p, r, field);
	}
}

/* Fields of the outer header: all that people see, or those that the inner one leaves open. */
static void add_outer(const struct protection *p, struct smime_report *r, bool only_missing)
{
	struct span rest = p->outer, ignored;
	struct header_field f;

	for (size_t i = 0; i < LIMIT_HEADERS && header_next(&rest, &f); i++) {
		if (!is_for_people(f.name) ||
			(only_missing && find_nth(p->inner, f.name, 0, &ignored)))
			continue;
		if (!field_add(r, f.name, f.value))
			return;
	}
}

/* RFC 9788 section 4.4: the outer From is shown, because a server may have checked that one. */
static void add_from(const struct protection *p, struct smime_report *r)
{
	struct span value;

	if (!r->from_mismatch || !find_nth(p->outer, SPAN("From"), 0, &value))
		return;
	(void)field_add(r, SPAN("From"), value);
	report_note(r, "from-mismatch",
		"the message names another author inside than outside, and no signature vouches "
		"for that one");
}

/* RFC 9788 section 4.4.1. */
static void find_mismatch(const struct protection *p, bool vouched, struct smime_report *r)
{
	if (!p->inner.p || !has_from(p->inner))
		return;
	r->from_mismatch = !vouched && has_from(p->outer) && !is_same_author(p->outer, p->inner);
}

void protection_apply(const struct protection *p, struct smime_report *r)
{
	bool is_signed = r->status == SMIME_STATUS_SIGNED ||
			 r->status == SMIME_STATUS_SIGNED_ENCRYPTED;

	/* A header that nothing protects is worth no more than the other. */
	r->header = is_signed || r->is_encrypted ? p->source : SMIME_HEADER_OUTER;
	if (r->header == SMIME_HEADER_OUTER) {
		add_outer(p, r, false);
		return;
	}
	find_mismatch(p, is_signed, r);
	add_from(p, r);
	add_inner(p, r);
	if (p->source == SMIME_HEADER_PROTECTED_V1)
		add_outer(p, r, true);
	if (p->is_for_cipher && !r->is_encrypted)
		report_note(r, "not-encrypted",
			"the sender made the message for encryption, and it came without");
}
