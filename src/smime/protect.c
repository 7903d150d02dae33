/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/protect.h"

#include "base/err.h"
#include "mime/header.h"
#include "mime/param.h"

bool protect_is_trace(struct span name)
{
	static const char *const names[] = { "Return-Path", "Received", "Delivered-To",
		"DKIM-Signature", "DomainKey-Signature", "Authentication-Results", "ARC-Seal",
		"ARC-Message-Signature", "ARC-Authentication-Results", "Received-SPF",
		"X-Original-To", "Envelope-To" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (span_is_nocase(name, names[i]))
			return true;
	}
	return false;
}

static bool is_unprotected(struct span name)
{
	return name.n == 0 || protect_is_trace(name) || span_is_nocase(name, "MIME-Version") ||
	       span_is_nocase(name, "HP-Outer");
}

/* hcp_baseline (RFC 9788 section 3.2.1): the field as it goes outside; empty: not at all. */
static struct span outside(const struct header_field *f, bool encrypted)
{
	if (!encrypted)
		return f->whole;
	if (span_is_nocase(f->name, "Subject"))
		return SPAN("Subject: [...]\r\n");
	if (span_is_nocase(f->name, "Comments") || span_is_nocase(f->name, "Keywords"))
		return (struct span){};
	return f->whole;
}

static bool is_protected(const struct header_field *type)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct span rest = type->value;
	const struct param *params;
	size_t n;

	(void)span_cut(&rest, ';');
	param_parse(rest, &arena, &params, &n);
	return param_raw(params, n, "hp").p != NULL;
}

/* The field with hp in it (RFC 9788 section 2.1.1), perhaps behind a semicolon too many. */
static void add_type(struct span whole, bool encrypted, struct buf *out)
{
	while (whole.n && (whole.p[whole.n - 1] == ';' || whole.p[whole.n - 1] <= ' '))
		whole.n--;
	buf_add(out, whole);
	buf_add_format(out, ";\r\n hp=\"%s\"\r\n", encrypted ? "cipher" : "clear");
}

static void add_fields(struct span outer, bool encrypted, struct buf *ret_outer, struct buf *inner,
	struct buf *record)
{
	struct header_field f;

	while (header_next(&outer, &f)) {
		struct span out = is_unprotected(f.name) ? f.whole : outside(&f, encrypted);

		buf_add(ret_outer, out);
		if (is_unprotected(f.name))
			continue;
		buf_add(inner, f.whole);
		if (!encrypted || out.n == 0)
			continue;
		buf_add_string(record, "HP-Outer: ");
		buf_add(record, out);
	}
}

bool protect_header(struct span outer, struct span entity, bool encrypted, struct buf *ret_outer,
	struct buf *ret_entity)
{
	CLEANUP(buf_done) struct buf record = {};
	struct span rest = entity, body = span_skip(entity, header_size(entity));
	struct header_field f;

	if (!header_find(entity, "Content-Type", &f) || is_protected(&f))
		return false;
	add_fields(outer, encrypted, ret_outer, ret_entity, &record);
	buf_add(ret_entity, buf_span(&record));
	while (header_next(&rest, &f)) {
		if (span_is_nocase(f.name, "Content-Type"))
			add_type(f.whole, encrypted, ret_entity);
		else
			buf_add(ret_entity, f.whole);
	}
	buf_add_string(ret_entity, "\r\n");
	buf_add(ret_entity, body);
	return true;
}
