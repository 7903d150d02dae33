/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/verdict.h"

#include "base/alloc.h"

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

	if (v->n == FINDINGS_MAX)
		return;
	va_start(ap, format);
	f.text = alloc_format_list(format, ap);
	va_end(ap);
	if (cert)
		(void)cert_ref(cert);
	append(v, f);
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
