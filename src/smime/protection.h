/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The header that counts: that of the payload where the payload protects one (RFC 9788; RFC 8551
 * section 3.1; draft-autocrypt-lamps-protected-headers), else the message's own. Private to
 * smime/read.
 */

#include "smime/report.h"

struct protection {
	enum smime_header_source source;
	struct span outer;   /* the message's header block */
	struct span inner;   /* the payload's, or of the message wrapped in it; p NULL: none */
	struct span payload; /* without such a wrapping */
	bool is_for_cipher;  /* hp="cipher" */
};

/* outer: the message's header; payload: what the innermost layer holds, p NULL if there is no
 * envelope. Points into both. */
struct protection protection_find(struct span outer, struct span payload);

/* The block whose From is who wrote the message. */
struct span protection_header(const struct protection *p);

/* Once the report's status is known: fields, header and from_mismatch, and notes. */
void protection_apply(const struct protection *p, struct smime_report *report);

/* Adds a note; rule is a literal. */
void report_note(struct smime_report *report, const char *rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
