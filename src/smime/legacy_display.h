/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The copy of hidden header fields that an encrypted message carries at the front of its text for
 * programs that do not know header protection. Whoever shows the protected header leaves it out
 * (RFC 9788 section 4.5.3), or quotes in answers what was confidential.
 */

#include "base/buf.h"
#include "mime/part.h"

/* Whether the part of a payload begins with one: the payload's root has hp="cipher", the part is
 * text/plain or text/html and says so. Also of a payload that was decrypted in place, whose
 * signature would not survive that it is taken out. */
bool legacy_display_is_in(const struct part_tree *payload, const struct part *part);

/* Appends the part's text, UTF-8, without it; all of the text where it is not found. */
void legacy_display_leave_out(const struct part *part, struct span text, struct buf *out);
