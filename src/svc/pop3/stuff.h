/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A message on its way into a multi-line response (RFC 1939 section 3), octets in as they come.
 * Pure.
 */

#include "base/buf.h"

struct stuffer {
	uint64_t body_lines;  /* to be sent; UINT64_MAX: the whole message */
	size_t line_octets;   /* of the line so far */
	bool in_body;
	bool ends_in_cr;      /* the last octet was one */
	bool bare_lf_waits;   /* a line ended in LF alone; whether that is the end is not known yet */
	bool full;            /* enough lines: what comes is passed over */
};

/* body_lines as in TOP; UINT64_MAX for RETR. */
void stuffer_init(struct stuffer *s, uint64_t body_lines);

void stuffer_add(struct stuffer *s, struct span data, struct buf *out);

/* Ends the last line, if need be, and the response. */
void stuffer_end(struct stuffer *s, struct buf *out);
