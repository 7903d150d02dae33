/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The base subject of RFC 5256 section 2.1, by which SORT and THREAD compare. */

#include "base/buf.h"

/* Appends the base subject, in UTF-8, of a Subject: field's value (folded, encoded words and all).
 * Returns whether something was taken away that marks a reply or a forwarded message. */
bool subject_base(struct span value, struct buf *out);
