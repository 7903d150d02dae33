/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/verdict.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdlib.h>

static void finding_done(struct finding *f)
{
	cert_unref(f->cert);
	free(f->text);
}

void verdict_cut(struct verdict *v, size_t i)
{
	while (v->n > i)
		finding_done(&v->findings[--v->n]);
}

void verdict_done(struct verdict *v)
{
	verdict_cut(v, 0);
	free(v->findings);
	cert_list_done(&v->path);
	*v = (struct verdict){};
}

static void append(struct verdict *v, struct finding f)
{
	v->findings = alloc_array(v->findings, v->n + 1, sizeof *v->findings);
	v->findings[v->n++] = f;
}

void verdict_add(struct verdict *v, enum finding_severity severity, const char *rule,
	const char *standard, struct cert *cert, size_t depth, const char *format, ...)
{
	struct finding f = { severity, rule, standard, cert, depth, NULL };
	va_list ap;

	if (v->n >= (severity == FINDING_ERROR ? FINDINGS_MAX : WARNINGS_MAX))
		return;
	va_start(ap, format);
	f.text = alloc_format_list(format, ap);
	va_end(ap);
	if (cert)
		(void)cert_ref(cert);
	append(v, f);
}

void verdict_add_all(struct verdict *v, const struct verdict *from, size_t depth)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct finding *f = &from->findings[i];

		verdict_add(v, f->severity, f->rule, f->standard, f->cert, depth, "%s", f->text);
	}
}

struct verdict verdict_copy(const struct verdict *v)
{
	struct verdict copy = { .valid = v->valid };

	for (size_t i = 0; i < v->n; i++) {
		struct finding f = v->findings[i];

		f.text = alloc_string(f.text);
		if (f.cert)
			(void)cert_ref(f.cert);
		append(&copy, f);
	}
	copy.path.certs = alloc_array(NULL, v->path.n, sizeof(struct cert *));
	for (size_t i = 0; i < v->path.n; i++)
		copy.path.certs[copy.path.n++] = cert_ref(v->path.certs[i]);
	return copy;
}

size_t verdict_n_errors(const struct verdict *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += v->findings[i].severity == FINDING_ERROR;
	return n;
}

const struct finding *verdict_error(const struct verdict *v)
{
	for (size_t i = 0; i < v->n; i++) {
		if (v->findings[i].severity == FINDING_ERROR)
			return &v->findings[i];
	}
	return NULL;
}

const char *finding_severity_name(enum finding_severity severity)
{
	return severity == FINDING_ERROR ? "error" : "warning";
}

void finding_add_text(const struct finding *f, struct buf *out)
{
	buf_add_string(out, f->text);
	if (f->standard[0])
		buf_add_format(out, " (%s)", f->standard);
	if (!f->cert)
		return;
	buf_add_format(out, "; certificate %zu, ", f->depth);
	cert_add_subject(f->cert, out);
}

/* How many octets the UTF-8 sequence at the front has; 0 if there is none. */
static size_t utf8_length(struct span text)
{
	for (size_t n = 1; n <= 4 && n <= text.n; n++) {
		if (span_is_utf8(span_head(text, n)))
			return n;
	}
	return 0;
}

void verdict_add_json_string(struct span text, struct buf *out)
{
	buf_add_octet(out, '"');
	while (text.n) {
		uint8_t c = text.p[0];
		size_t n = 1;

		if (c == '"' || c == '\\')
			buf_add_format(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_add_format(out, "\\u%04x", c);
		else if ((n = utf8_length(text)) > 0)
			buf_add(out, span_head(text, n));
		else
			buf_add_string(out, "\xef\xbf\xbd");
		text = span_skip(text, n ? n : 1);
	}
	buf_add_octet(out, '"');
}

static void add_member(struct buf *out, const char *name, struct span text)
{
	buf_add_format(out, "\"%s\":", name);
	verdict_add_json_string(text, out);
}

typedef void cert_text_fn(const struct cert *c, struct buf *out);

static void add_cert_member(struct buf *out, const char *name, cert_text_fn *add,
	const struct cert *c)
{
	CLEANUP(buf_done) struct buf text = {};

	add(c, &text);
	add_member(out, name, buf_span(&text));
}

static void add_not_before(const struct cert *c, struct buf *out)
{
	clock_add_rfc3339(out, cert_not_before_us(c));
}

static void add_not_after(const struct cert *c, struct buf *out)
{
	clock_add_rfc3339(out, cert_not_after_us(c));
}

static void add_finding(const struct finding *f, struct buf *out)
{
	buf_add_octet(out, '{');
	add_member(out, "rule", span_str(f->rule));
	buf_add_octet(out, ',');
	add_member(out, "standard", span_str(f->standard));
	buf_add_octet(out, ',');
	add_member(out, "text", span_str(f->text));
	buf_add_octet(out, ',');
	add_member(out, "severity", span_str(finding_severity_name(f->severity)));
	if (f->cert) {
		buf_add_octet(out, ',');
		add_cert_member(out, "certificate", cert_add_subject, f->cert);
		buf_add_format(out, ",\"depth\":%zu", f->depth);
	}
	buf_add_octet(out, '}');
}

void verdict_add_findings_json(const struct verdict *v, struct buf *out)
{
	buf_add_octet(out, '[');
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			buf_add_octet(out, ',');
		add_finding(&v->findings[i], out);
	}
	buf_add_octet(out, ']');
}

static void add_cert(const struct cert *c, struct buf *out)
{
	static const struct {
		const char *name;
		cert_text_fn *add;
	} members[] = {
		{ "subject", cert_add_subject },
		{ "issuer", cert_add_issuer },
		{ "serial", cert_add_serial },
		{ "not_before", add_not_before },
		{ "not_after", add_not_after },
		{ "fingerprint", cert_add_fingerprint_text },
	};

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		buf_add_octet(out, i ? ',' : '{');
		add_cert_member(out, members[i].name, members[i].add, c);
	}
	buf_add_octet(out, '}');
}

void verdict_add_json(const struct verdict *v, struct buf *out)
{
	buf_add_format(out, "{\"valid\":%s,\"findings\":", v->valid ? "true" : "false");
	verdict_add_findings_json(v, out);
	buf_add_string(out, ",\"path\":[");
	for (size_t i = 0; i < v->path.n; i++) {
		if (i)
			buf_add_octet(out, ',');
		add_cert(v->path.certs[i], out);
	}
	buf_add_string(out, "]}");
}
