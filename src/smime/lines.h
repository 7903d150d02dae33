/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Line ends of an entity that is read: those of its header decide for all of it, because a binary
 * part of a message with CRLF may hold lone LFs that mean something. */

#include "base/secret.h"

bool lines_are_crlf(struct span entity);

/* Appends the entity with CR LF in place of each lone LF; false if that is more than out may hold.
 */
bool lines_add_crlf(struct span entity, struct secret_buf *out);
