/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests and fuzz targets: IMAP sessions in memory on a real store with its threads, logged in
 * without a password. Calls that fail end the program. */

#include "store/fixture.h"
#include "svc/session_drive.h"

struct imap_client {
	struct session_carrier carrier;
	struct session *session; /* NULL: it has ended */
	struct buf input;        /* not yet given to the session */
	struct buf output;
	bool by_octet;
};

/* A fresh store; also opens what lasts as long as the process, the first time. */
struct fixture *imap_clients_begin(void);
void imap_clients_end(void);

/* account 0: not logged in. */
void imap_client_open(struct imap_client *c, int64_t account);
void imap_client_close(struct imap_client *c);

/* Until all input is taken and nothing moves. end: then the clients hang up. */
void imap_clients_run(struct imap_client *clients, size_t n, bool end);
