/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The trace fields that go in front of a message: RFC 5321 section 4.4. */

#include "base/buf.h"
#include "mail/transaction.h"

struct trace {
	const struct transaction *transaction;
	struct span helo;     /* as the client called itself; a domain or literal */
	struct span peer;     /* address literal, in [] */
	struct span hostname; /* ours */
	struct span id;
	bool extended; /* EHLO */
	bool authenticated;
	const char *tls_version; /* NULL: no TLS */
	const char *tls_cipher;
	int64_t now_us;
};

/* Appends Return-Path, Received and, if there is just one recipient, Delivered-To: the body is
 * shared by all recipients, and naming them would tell each of the others (Bcc). */
void trace_add(struct buf *out, const struct trace *t);

static inline bool trace_has_delivered_to(const struct transaction *t)
{
	return t->n == 1;
}
