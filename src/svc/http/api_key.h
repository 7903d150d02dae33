/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the handlers of certificates need of keys. */

#include "store/key_rows.h"
#include "svc/http/api.h"

struct imported;

/* Reads the member "file" with "passphrase", of several keys the one that "which" says, in an importer;
 * a problem that says what is wrong with it. public_only: the private key is not wanted. Blocks. */
int api_import(struct http_request *q, bool public_only, struct imported *ret_imported) MUST_CHECK;

/* An imported key as a row of the domain, in the arena; a problem if it is too weak or not for this
 * use. An empty alias: the start of its id. Blocks. */
int api_key_wrap(struct http_request *q, int64_t domain, enum key_use use, struct span alias,
	const struct imported *imported, struct store_key *ret_key) MUST_CHECK;

/* Before a private key is given out, or given up: the member is the caller's own password. Blocks. */
int api_confirm_password(struct http_request *q, const char *member) MUST_CHECK;

/* A problem if the main domain would be left without a certificate in use when this key with its
 * certificates, or this certificate, goes (0: none). */
int api_check_last(struct http_request *q, struct store_conn *c, const struct store_domain *domain,
	int64_t key, int64_t cert) MUST_CHECK;
