/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#pragma once

/* For tests and fuzz targets: what must hold for the tree of any message. Aborts where it does
 * not. */

#include "mime/part.h"

/* The promises of part.h; the tree is packed, unpacked and packed again, and rendered; every
 * section lies within the message. */
void tree_check(const struct part_tree *t, uint64_t size);

/* The tree that parsing the message gives, checked; cut: also in pieces of 1 to `cut` octets, drawn
 * from the seed, which must make no difference. */
struct part_tree *tree_check_message(struct span message, unsigned seed, size_t cut);

/* Whether the text is one parenthesised list of IMAP strings, numbers, NIL and lists. */
bool tree_check_is_imap(struct span text);
