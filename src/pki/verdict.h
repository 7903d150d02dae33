/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The outcome of a validation as data: whether it holds, and what was found on the way, each
 * finding with the rule, the standard and the certificate it is about. The API, the log and the
 * command line print the same one.
 */

#include "pki/cert.h"

enum finding_severity {
	FINDING_ERROR,   /* for this the verdict is "not valid" */
	FINDING_WARNING, /* worth telling, and no more */
};

struct finding {
	enum finding_severity severity;
	const char *rule;     /* a stable word: "expired"; doc/path-validation.md lists them */
	const char *standard; /* "RFC 5280 4.2.1.9"; "" where the rule is our own */
	struct cert *cert;    /* which certificate; NULL: none, or the whole path */
	size_t depth;         /* its place in the path: 0 is the leaf */
	char *text;           /* one sentence without a full stop */
};

/* What comes after these is left out; but an error is never left out for warnings. */
enum { FINDINGS_MAX = 100, WARNINGS_MAX = 50 };

struct verdict {
	bool valid;
	struct finding *findings;
	size_t n;
	struct cert_list path; /* leaf first, the trusted certificate last; of an invalid verdict
				* what came nearest to one, possibly nothing */
};

void verdict_done(struct verdict *v);

/* Adds one; cert may be NULL, of others a reference is taken. rule and standard are literals. */
void verdict_add(struct verdict *v, enum finding_severity severity, const char *rule,
	const char *standard, struct cert *cert, size_t depth, const char *format, ...)
	__attribute__((format(printf, 7, 8)));

/* Drops all findings from the i-th. */
void verdict_cut(struct verdict *v, size_t i);

/* Adds all findings of another again, of a certificate at that place. */
void verdict_add_all(struct verdict *v, const struct verdict *from, size_t depth);

/* The same anew, with everything it holds. */
struct verdict verdict_copy(const struct verdict *v);

size_t verdict_n_errors(const struct verdict *v);

/* The first error, else NULL: what a log line or a reply has room for. */
const struct finding *verdict_error(const struct verdict *v);

/* "error" or "warning". */
const char *finding_severity_name(enum finding_severity severity);

/* "TEXT (RFC 5280 4.2.1.9); certificate 1, CN=An Authority": the certificate where there is one. */
void finding_add_text(const struct finding *f, struct buf *out);

/* The findings as a JSON list: [{"rule", "standard", "text", "severity", "certificate", "depth"}],
 * the last two where there is a certificate. And the whole: {"valid", "findings", "path":
 * [{"subject", "issuer", "serial", "not_before", "not_after", "fingerprint"}]}. */
void verdict_add_findings_json(const struct verdict *v, struct buf *out);
void verdict_add_json(const struct verdict *v, struct buf *out);

/* Text as a JSON string; octets that are not UTF-8 become U+FFFD. */
void verdict_add_json_string(struct span text, struct buf *out);
