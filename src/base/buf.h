/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A growing run of octets with a cursor at each end: written behind, taken from the front. Zeroed
 * memory is an empty buffer. The data is always in one piece, so a span of it can be parsed.
 */

#include "base/span.h"

struct buf {
	uint8_t *p;
	size_t start; /* first octet not yet taken */
	size_t end;
	size_t capacity;
};

/* What is in the buffer. Valid until the next call that writes. */
static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->p ? b->p + b->start : NULL, b->end - b->start };
}

static inline size_t buf_size(const struct buf *b)
{
	return b->end - b->start;
}

/* Room for n more octets; returns where they go. buf_added says how many were written. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

void buf_add(struct buf *b, struct span data);
void buf_add_octet(struct buf *b, uint8_t octet);
void buf_add_string(struct buf *b, const char *s);
void buf_add_format(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_add_u64(struct buf *b, uint64_t value);

/* Little-endian fixed and LEB128 variable numbers, for what we store ourselves. */
void buf_add_varint(struct buf *b, uint64_t value);

/* Takes n octets (at most what is there) away from the front. */
void buf_take(struct buf *b, size_t n);

/* Cuts the buffer to its first n octets. */
void buf_cut(struct buf *b, size_t n);

/* Empty, memory kept. */
void buf_clear(struct buf *b);

/* Empty, memory given back. For CLEANUP too. */
void buf_done(struct buf *b);

/* As buf_done, with the memory wiped first. Only what was never moved by growing is covered: ask
 * for the room first when the content is secret. */
void buf_wipe(struct buf *b);

/* Hands the octets over as heap memory with a NUL behind them (not counted); the buffer is empty
 * afterwards. The caller frees. */
uint8_t *buf_steal(struct buf *b, size_t *ret_n);
char *buf_steal_string(struct buf *b);

/* A cursor over octets we stored ourselves: each read checks what is left and sets failed. */
struct reader {
	struct span rest;
	bool failed;
};

uint64_t reader_varint(struct reader *r);
struct span reader_span(struct reader *r, uint64_t n);
