/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The threads of RFC 5256: ORDEREDSUBJECT and REFERENCES. Messages are added in mailbox order, the
 * threads built, then printed. Pure; nothing recurses, so the input's shape does not matter. */

#include "base/buf.h"
#include "base/err.h"

enum thread_by { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };

enum { THREAD_NODES_MAX = 2 << 20 }; /* messages, and those that are only referred to */

struct thread_message {
	uint32_t number;        /* as it is printed */
	int64_t date_us;        /* RFC 5256 section 2.2, sent date */
	struct span subject;    /* Subject:, as it is in the message */
	struct span id;         /* normalized (mime/message_id.h); n 0: none. REFERENCES only */
	struct span references; /* normalized, with LF between them, oldest first. As id */
};

struct threads;
struct threads *threads_new(enum thread_by by);
struct threads *threads_free(struct threads *t);
CLEANUP_POINTER(struct threads, threads_free)

enum thread_outcome { THREAD_E_LIMIT = 1 };
int threads_add(struct threads *t, const struct thread_message *m) MUST_CHECK;
void threads_build(struct threads *t);

/* Appends the next thread lists, "(2)(3 6 (4 23)(44 7 96))", until out has max octets; false when
 * all are printed. */
bool threads_print(struct threads *t, struct buf *out, size_t max);
