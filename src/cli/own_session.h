/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Commands of an account about its own mail. No administrator may read or write that, so they log in as
 * the account: over the socket, or with --url over HTTPS from elsewhere. The session, and with it
 * what was unlocked, ends with the command.
 */

#include "cli/command.h"

/* Logs in as the command's first word, with the password of --login-password-file or one that is asked
 * for. */
int own_session_begin(struct cli *cli) MUST_CHECK;

/* The same if the call says so (--url, --login-password-file); else it is the socket's administrator. */
int own_session_begin_if_asked(struct cli *cli) MUST_CHECK;

/* Unlocks the account's Secure Mail keys for the session, with the password of --password-file or one that is
 * asked for. */
int own_session_unlock(struct cli *cli) MUST_CHECK;

/* Appends "/accounts/ADDRESS" of the first word. */
void own_session_add_path(const struct cli *cli, struct buf *path);
