/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Delivery status notifications: RFC 3462 around RFC 3464, and RFC 6533 where an address is not
 * ASCII. Octets and a time in, a message out. */

#include "base/buf.h"
#include "mail/transaction.h"

enum bounce_action { BOUNCE_FAILED, BOUNCE_DELIVERED, BOUNCE_ACTIONS };

struct bounce_recipient {
	struct mail_address address; /* the final one */
	struct span original;        /* ORCPT as given, n 0 if none */
	enum bounce_action action;
	const struct verdict_text *verdict;
};

struct bounce {
	struct span hostname;
	struct mail_address to;  /* whoever sent the message */
	struct span envelope_id; /* ENVID as given */
	struct span unique;      /* letters and digits that nobody can guess: boundary and id */
	int64_t arrival_us;
	int64_t now_us;
	const struct bounce_recipient *recipients;
	size_t n;
	struct span message; /* the front of the message, at least its header */
	bool full;           /* return all of `message`, not only its header */
};

void bounce_compose(const struct bounce *b, struct buf *out);
