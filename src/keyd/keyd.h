/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The process that holds private keys. The supervisor forks, calls keyd_main in the child and ends
 * it with what that returns.
 */

#include "base/err.h"
#include "base/span.h"
#include "keyd/protocol.h"

/* Where the key-encryption key comes from; the first that is given counts:
 *   password_file   its octets (less one newline) through scrypt. Any node with the same file has
 *                   the same KEK. Refused if others may read it, or under 16 octets.
 *   credential      the name of a systemd credential (32 octets or more, in $CREDENTIALS_DIRECTORY)
 *   dir             the file "kek" in that folder, made if it is not there and `create` is set. */
struct keyd_options {
	enum keyd_role role;
	const char *password_file;
	const char *credential;
	int dir;     /* DIR/keyd, open; -1: none */
	bool create; /* set it only while there is no database yet */

	int control;         /* SOCK_SEQPACKET to the supervisor; its end of file ends keyd */
	const int *channels; /* SOCK_SEQPACKET; may be none, more come over `control` */
	size_t n_channels;
};

enum { KEYD_CHANNELS_MAX = 128 };

/* Runs until the control socket ends or SIGTERM; returns the exit code. Says "ready" or one line of
 * reason over `control`. All descriptors but these and 0-2 must have been closed. */
int keyd_main(const struct keyd_options *o);

/* The supervisor's side of the control socket. Waits for the answer of a keyd that starts. */
enum keyd_control_outcome { KEYD_CONTROL_E_REFUSED = 1 };
int keyd_control_wait_ready(int control, int timeout_ms, struct why *why) MUST_CHECK;

/* Hands over keyd's ends of new channels (at most 16 a call); the caller closes its copies. */
int keyd_control_add_channels(int control, const int *channels, size_t n) MUST_CHECK;
