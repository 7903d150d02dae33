/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the handlers of contacts and of their certificates share. */

#include "store/account.h"
#include "svc/http/api.h"

struct contact_trust;
struct recipient_cert;

/* The address book of that name; a problem with the field if there is none. */
int api_named_book(struct http_request *q, struct store_conn *c, int64_t account, struct span name,
	const char *field, int64_t *ret_book) MUST_CHECK;

/* For the audit record: somebody other than the account has changed its contacts. */
int api_contact_audit(struct http_request *q, struct store_conn *c,
	const struct store_account *account, const char *action, struct span detail) MUST_CHECK;

/* Outside of a transaction: the account of parameter 0, and what is trusted in its domain. */
int api_contact_trust(struct http_request *q, struct store_account *ret_account,
	struct contact_trust **ret_trust) MUST_CHECK;

/* What was found for an address that mail is to be encrypted to. */
json_t *api_recipient_json(const struct recipient_cert *found);
