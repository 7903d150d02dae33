/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Header protection (RFC 9788): the message's fields are part of what is signed or encrypted, and
 * of an encrypted message the subject is not seen outside.
 */

#include "base/buf.h"

/* Fields that servers on the way write: they are the header's outside, never the author's. */
bool protect_is_trace(struct span name);

/*
 * From an entity that is canonical and the fields that stand outside (smime/entity.h), both with
 * CRLF: appends the entity with the fields in it and its type marked, and the fields as they go
 * outside. For what is only signed those are the same (hp="clear"); for what is encrypted (signed
 * before, or not) it is hcp_baseline: Subject becomes [...], Comments and Keywords go
 * (section 3.2.1), and HP-Outer fields say what was left (section 2.2). Fields of transport
 * (Received, ...) stay outside and are not protected.
 *
 * False, and nothing appended, if the entity has no type, or says already that its header is
 * protected.
 */
bool protect_header(struct span outer, struct span entity, bool encrypted, struct buf *ret_outer,
	struct buf *ret_entity);
