/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: mail in alice's INBOX, and Secure Mail keys that are unlocked. Calls that fail end the
 * test. */

#include "svc/env_fixture.h"
#include "svc/secure_mail.h"

/* The id of a message with these octets. */
int64_t mail_fixture_deliver(struct env_fixture *f, const char *octets);

/* The only message that there is in alice's INBOX; fails if there are more or none. */
int64_t mail_fixture_only(struct env_fixture *f);

/* A new key of the account (local part), unlocked: its authority is made with the first. */
void mail_fixture_key(struct env_fixture *f, const char *local, struct secure_keys *ret_keys);
