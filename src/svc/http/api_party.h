/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Those whom a message that is composed is from and goes to, out of its request: addresses one by
 * one, and groups of the account's address books. */

#include "mail/transaction.h"
#include "svc/http/api.h"

/* A recipient; or a member of a group that is none, because it has no address. */
struct party {
	struct mail_address address;
	struct span text;  /* local@domain; empty: it has none */
	const char *field; /* of the request, where it was first */
	struct span group; /* its name, as it is shown; empty: it was named itself */
	struct span name;  /* of a member that has no address: its card's, else its uid */
	struct span uid;   /* of such a member */
	struct span fault; /* why it has none */
};

enum { PARTY_TO, PARTY_CC, PARTY_BCC, PARTY_FIELDS };

struct parties {
	struct party *list; /* who is named several times stands here once */
	size_t n;
	struct party *lost; /* members without an address */
	size_t n_lost;
	struct span values[PARTY_FIELDS]; /* of the header fields To, Cc and Bcc; may be empty */
};

/* One address, with or without a name: what a list or a group would hide is refused. */
int party_read_mailbox(struct http_request *q, const char *field, struct span given,
	struct mail_address *ret_address, struct span *ret_text) MUST_CHECK;

/* The members to, cc and bcc of the request, groups expanded. Everything lives in the request's
 * arena. Outside of a transaction. */
int parties_read(struct http_request *q, int64_t account, struct parties *ret_parties) MUST_CHECK;

/* As an answer shows it, without what was found about it. */
json_t *party_json(const struct party *party);
