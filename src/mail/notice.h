/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the messages have in common that the server sends to its own people: head and facts. What they
 * say besides is in expiry_notice, renewal_notice and own_cert_notice. */

#include "base/buf.h"

struct arena;

struct notice_head {
	struct span hostname;      /* of the server */
	struct span local, domain; /* whom it goes to */
	struct span subject;       /* ASCII */
	struct span unique;        /* notice_unique */
	int64_t now_us;
};

/* Letters and digits that nobody can guess, for Message-ID. */
struct span notice_unique(struct arena *a);

/* Appends the fields and the empty line behind them: text/plain in UTF-8 follows. */
void notice_add_head(const struct notice_head *h, struct buf *out);

/* Appends a line for a fact. The text comes from certificates and from other servers: it may hold
 * anything, and becomes neither lines nor fields; what is too long for a line is cut. */
void notice_add_fact(struct buf *out, const char *name, struct span text);

/* The same with a time. */
void notice_add_time(struct buf *out, const char *name, int64_t time_us);

/* Appends "in 7 days", "in 5 hours", "within the hour"; the part of a day or an hour that has begun does
 * not count. until_us is not before now_us. */
void notice_add_left(struct buf *out, int64_t until_us, int64_t now_us);
