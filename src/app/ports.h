/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The services and their ports, and the sockets that wait on them. */

#include "app/options.h"

enum service {
	SERVICE_SMTP, SERVICE_SUBMISSION, SERVICE_SUBMISSIONS, SERVICE_IMAP, SERVICE_IMAPS,
	SERVICE_POP3, SERVICE_POP3S, SERVICE_MANAGESIEVE, SERVICE_HTTP, SERVICE_HTTPS, SERVICE_LOCAL, SERVICES,
};

struct service_row {
	const char *name;
	unsigned port; /* before the offset; 0: the Unix socket */
	bool tls;      /* from the first octet */
};
extern const struct service_row services[SERVICES];

struct bound {
	enum service service;
	int fd;
	char address[64]; /* for messages */
};

enum { BOUND_MAX = OPTIONS_LISTEN_MAX * SERVICES };

enum ports_outcome { PORTS_E_ADDRESS = 1, PORTS_E_BIND };

/* Binds and listens on every port of every address; run_fd is DATA/run, where the Unix socket
 * signet.sock goes. All or none. */
int ports_bind(struct bound *bound, size_t *ret_n, const struct options *o, int run_fd,
	struct why *why) MUST_CHECK;
