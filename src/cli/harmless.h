/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What users, senders and certificates have named, as a terminal may be given it: they must not
 * steer it, turn the order of what stands around them, or say something in our name on a line of
 * their own. Pure.
 */

#include "base/buf.h"

/* Appends the text as one line: "?" for each control character and what is no UTF-8, spaces for the
 * ends of lines. */
void harmless_add_line(struct buf *out, struct span text);

/* The same, and the ends of lines stay: for who looks at a whole text. */
void harmless_add_text(struct buf *out, struct span text);

/* Whether it is blocks of PEM (RFC 7468) and nothing else: no line of it can be taken for another
 * member. */
bool harmless_is_pem(struct span text);
