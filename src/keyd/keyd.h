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

/* Where the key-encryption key comes from. Files come opened: they may be root's alone. Refused if
 * others may read them. */
enum keyd_source {
	/* "kek" in `dir`; made if it is not there and `create` is set. */
	KEYD_SOURCE_FOLDER,
	/* The octets of `file` less one newline, at least 16, through scrypt: any node with the same
	 * file has the same KEK. */
	KEYD_SOURCE_PASSWORD,
	/* The octets of `file`, at least 32. */
	KEYD_SOURCE_CREDENTIAL,
};

struct keyd_options {
	enum keyd_role role;
	enum keyd_source source;
	int file;         /* by source */
	const char *name; /* of `file`, for who reads why it is refused */
	int dir;          /* DIR/keyd, open; -1: none */
	bool create;      /* set it only while there is no database yet */

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
