/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A message's structure as the database keeps it, and as IMAP shows it. */

#include "mime/part.h"

/* Appends the compact form of the tree: everything but the top envelope and the facts. */
void structure_pack(const struct part_tree *t, struct buf *out);

/* Octets that are not what structure_pack writes are refused: all of part.h's promises hold for the
 * tree that comes back. The caller frees it. */
enum structure_outcome { STRUCTURE_E_DAMAGED = 1 };
int structure_unpack(struct span packed, struct part_tree **ret_tree) MUST_CHECK;

/* Appends IMAP's BODY, or with `extended` BODYSTRUCTURE (RFC 9051 section 7.5.2), parentheses
 * included. */
void structure_add_imap(const struct part_tree *t, bool extended, struct buf *out);

/* The part that an IMAP section number such as 2.1.3 names, or NULL. n 0: the message. A message
 * that is no multipart has one part, 1, its body (RFC 9051 section 6.4.5.1). */
const struct part *structure_part(const struct part_tree *t, const uint32_t *path, size_t n);

enum section {
	SECTION_BODY,   /* nothing behind the number; n 0: the whole message */
	SECTION_HEADER, /* with its empty line: of the message, or of the message in the part */
	SECTION_TEXT,   /* what follows it */
	SECTION_MIME,   /* the part's own header; n > 0 */
};

/* Where the section lies in the message's octets; false if there is none. */
bool structure_find(const struct part_tree *t, const uint32_t *path, size_t n, enum section section,
	uint64_t *ret_offset, uint64_t *ret_length);
