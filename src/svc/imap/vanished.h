/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The VANISHED (EARLIER) response of RFC 7162 section 3.2.10.1. */

#include "base/buf.h"
#include "svc/imap/set.h"

struct view;

/* Appends the response for those UIDs of the set (NULL: all) that were expunged, unless there are
 * none. expunged: uint32_t, ascending. Not complete: older records are gone, so all UIDs that are
 * not in the view count. UIDs that are in the view are never told. */
void vanished_add(struct buf *out, struct arena *a, const struct imap_set *set,
	const struct view *view, struct span expunged, bool complete);
