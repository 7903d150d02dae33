/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The message that tells a domain's postmaster that a certificate could not be obtained from an
 * authority. Facts and a time in, a message out. */

#include "base/buf.h"

struct renewal_notice {
	struct span hostname;  /* of the server */
	struct span domain;
	struct span unique;    /* letters and digits that nobody can guess */
	struct span directory; /* of the authority; empty: none is set */
	struct span type;      /* of the key */
	struct span names;     /* a comma between; empty: the domain and its aliases */
	struct span trouble;
	unsigned n_failures;   /* in a row */
	int64_t next_us;       /* when it is tried again */
	int64_t not_after_us;  /* of the certificate of before; 0: there is none */
	int64_t now_us;
};

void renewal_notice_compose(const struct renewal_notice *n, struct buf *out);
