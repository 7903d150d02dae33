/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What the fields of a header say about its part: the half of the parser that part.c drives and
 * that knows no offsets. Private to mime/. */

#include "mime/part.h"

struct fields;
struct fields *fields_new(struct part_tree *tree);
struct fields *fields_free(struct fields *f);

/* A header begins: the message's own (root), or that of any message (else of a part of one). */
void fields_begin(struct fields *f, bool root, bool message);

/* A line of it, not the empty one. */
void fields_line(struct fields *f, struct span line);

/* The header is over: fills the part in, the envelope of its parent if this is the message in it,
 * and the tree's envelope and facts if this is the root. */
void fields_end(struct fields *f, struct part *part, struct part *parent);

/* The boundary parameter, in the tree's arena; n 0 if there is none. */
struct span fields_boundary(struct fields *f, const struct part *part);

bool fields_is_message(const struct part *part);

/* The part is not what its type says: it becomes text/plain, or application/octet-stream. */
void fields_make_plain(struct part *part);
void fields_make_octets(struct part *part);
