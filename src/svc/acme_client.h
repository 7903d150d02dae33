/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A conversation with one directory server under one account: requests are signed, nonces kept and
 * replaced, the account registered when it is not yet. All of it blocks.
 *
 * What the server says is hostile. Answers are bounded; only https is spoken; the certificate must
 * come from whom the account names, else from whom the server trusts. The directory's URL is the
 * administrator's and may lead anywhere; a URL that the server names is followed to the directory's
 * own origin, or to a public address.
 */

#include "acme/message.h"
#include "net/fetch.h"
#include "store/acme_rows.h"

struct env;

struct acme_client {
	struct env *env;
	const atomic_bool *stop;
	struct arena arena;
	struct store_acme_account account;
	struct acme_directory directory;

	/* Of the last answer. */
	int64_t retry_after_us;      /* a time; 0: none was said */
	struct acme_problem problem; /* with ACME_CLIENT_E_PROBLEM */

	struct acme_client_private *private;
};

/* UNREACHABLE: no answer, or none that is ACME; PROBLEM: the server says no; REFUSED: not sent,
 * because a person has to do something first. Each with why. */
enum acme_client_outcome {
	ACME_CLIENT_E_UNREACHABLE = 1,
	ACME_CLIENT_E_PROBLEM,
	ACME_CLIENT_E_REFUSED,
};

/* Reads the directory, and registers the account or tells the server of another contact; saves what
 * came of that. *stop ends what is waited for. */
int acme_client_open(struct acme_client *c, struct env *e, const struct store_acme_account *account,
	const atomic_bool *stop, struct why *why) MUST_CHECK;
void acme_client_close(struct acme_client *c);

/* A signed request to a URL that the server named. payload.p NULL: POST-as-GET. location (may be
 * NULL): the answer's Location, in the client's arena, NULL if there is none. */
enum acme_client_kind { ACME_CLIENT_JSON, ACME_CLIENT_CHAIN };
int acme_client_post(struct acme_client *c, const char *url, struct span payload,
	enum acme_client_kind kind, struct buf *ret_body, const char **ret_location,
	struct why *why) MUST_CHECK;

/* Not signed: renewal information (RFC 9773 section 4.1). */
int acme_client_get(struct acme_client *c, const char *url, struct buf *ret_body, struct why *why)
	MUST_CHECK;

/* The thumbprint of the account's key. */
int acme_client_thumbprint(struct acme_client *c, struct buf *out) MUST_CHECK;
