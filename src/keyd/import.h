/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The importer: a process that reads one foreign key file (pki/import_file.h), which is the most hostile
 * parser work there is near keys, holds no other key, and ends. */

#include "pki/import_file.h"

enum { IMPORT_TIMEOUT_MS = 20000 };

/* The process body: answers one import on a SOCK_STREAM socket, returns the exit code. */
int importer_main(int fd);

/* The server's side: sends the file over the socket of a fresh importer and reads its answer. The
 * caller closes fd. why names what is wrong and the remedy. Outcomes are enum import_outcome. */
int import_key(int fd, const struct import_order *order, struct imported *ret_imported,
	struct why *why) MUST_CHECK;
