/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The xtext of RFC 3461 section 4: printable ASCII with "+" and two hexadecimal digits for the
 * rest. */

#include "base/buf.h"

/* Appends what it stands for; false, with nothing appended, if it is none or stands for something
 * that is not printable ASCII (it goes into a message's header). */
bool xtext_decode(struct span text, struct buf *out);
