/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The front of a CMS object whose rest may lie elsewhere: what kind of object it is, told from its
 * structure and not from what a message calls it. BER as mailers write it; nothing is copied.
 */

#include "base/span.h"

/* Whether it is EnvelopedData (RFC 5652 section 6) or AuthEnvelopedData (RFC 5083) for at least one
 * recipient, up to and with the first octets of the encrypted content. is_whole: there is nothing
 * behind these octets; then nothing may be missing, and nothing be left. What has more recipients
 * than fit into the front is none. */
bool cms_front_is_encrypted(struct span ber, bool is_whole);
