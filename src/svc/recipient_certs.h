/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * To which certificate a message to somebody is encrypted: looked for in the account's address
 * book, then among the accounts of this server, then in directories; the first that has one fit for
 * it is it. Within one, the newest.
 */

#include "base/arena.h"
#include "pki/cert.h"
#include "smime/recipient.h"

struct env;

enum recipient_source {
	RECIPIENT_FROM_NOWHERE,
	RECIPIENT_FROM_BOOK,
	RECIPIENT_FROM_ACCOUNT,
	RECIPIENT_FROM_DIRECTORY,
};

/* "none", "address-book", "account", "directory". */
const char *recipient_source_name(enum recipient_source source);

struct recipient_cert {
	struct span address; /* as it was asked for */
	enum recipient_source source;
	struct cert *cert;        /* NULL: there is none */
	struct span capabilities; /* of its holder's mail program (smime/capability.h), DER; may be
				     empty */
	enum recipient_fault fault;
	struct span reason; /* why there is none, one sentence; empty if there is one */
	bool taken_anyway;  /* by the user's word, not by a path */
	bool waiting;       /* another one waits for the user's decision */
};

enum { RECIPIENTS_ASKED_MAX = 1000 };

/* For mail of the account; ret has room for n. Results live in the arena, the certificates until
 * recipient_certs_done. Blocks, some milliseconds for each address. */
int recipient_certs_find(struct env *e, struct arena *a, int64_t account,
	const struct span *addresses, size_t n, struct recipient_cert *ret_certs) MUST_CHECK;
void recipient_certs_done(struct recipient_cert *certs, size_t n);

/* A directory that is asked: appends the certificates of an address, and needs not verify them.
 * Blocks. */
struct recipient_directory {
	const char *name; /* NULL ends the table */
	int (*find)(struct env *e, int64_t domain, struct span address, struct cert_list *certs);
};
