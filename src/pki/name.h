/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* DNS names as certificates carry them: A-labels, no dot at the end. */

#include "base/buf.h"

/* Letters, digits and inner hyphens in labels of 1 to 63 octets, at most LIMIT_NAME in all (RFC 1123
 * section 2.1), and not an IPv4 address. With `wildcard` the left-most label may be "*". */
bool name_is_dns(struct span name, bool wildcard);

/* RFC 9525 section 6.3: equal but for case, or the presented name has "*" as its whole left-most
 * label and the rest is equal. The reference must be a DNS name; one dot at its end is dropped. */
bool name_matches(struct span presented, struct span reference);

/* Appends the name with A-labels in place of U-labels (RFC 5891 section 5); ASCII stays as it is.
 * False, and nothing appended, where it is not a name that can be looked up. */
bool name_to_ascii(struct span name, struct buf *out);

/* An A-label that holds letters of writing systems which are not used together, such as Latin and
 * Cyrillic: made to be taken for another name. */
bool name_mixes_scripts(struct span name);
