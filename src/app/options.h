/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The command line of signetd. Fixed by its manual page; administrators' unit files depend on it. */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { OPTIONS_LISTEN_MAX = 32 };

struct options {
	const char *data;
	const char *domain;            /* NULL: the host's name */
	const char *listen[OPTIONS_LISTEN_MAX];
	size_t n_listen;               /* 0: 0.0.0.0 and [::] */
	unsigned port_offset;
	const char *database;          /* NULL: DATA/store/signet.db */
	const char *key_password_file; /* NULL: DATA/keyd/kek or a systemd credential */
	const char *user;              /* NULL: chosen (privilege.h) */
	const char *keyd_user;
	const char *acme_hook;         /* a program for DNS records; NULL: none */
	bool help;
	bool version;
};

enum options_outcome { OPTIONS_E_USAGE = 1 };

/* Strings point into argv. */
int options_parse(struct options *ret_options, int argc, char **argv, struct why *why) MUST_CHECK;

extern const char options_help[];
