/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The importer: a process that reads one foreign key file, which is the most hostile parser work
 * there is near keys, holds no other key, and ends. PEM (PKCS#8, encrypted PKCS#8, PKCS#1, SEC1,
 * with certificates beside it), DER of the same, PKCS#12 old and new.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

enum {
	IMPORT_FILE_MAX = 1 << 20,
	IMPORT_ITERATIONS_MAX = 2000000,
	IMPORT_TIMEOUT_MS = 20000,
};

/* The process body: answers one import on a SOCK_STREAM socket, returns the exit code. */
int importer_main(int fd);

struct imported {
	struct secret pkcs8;
	struct buf certs; /* DER behind each other, the key's own first; may be empty */
	struct buf name;  /* what PKCS #12 calls the certificate (UTF-8); may be empty */
};
void imported_done(struct imported *i);

/* The server's side: sends the file over the socket of a fresh importer and reads its answer. The
 * caller closes fd. why names what is wrong and the remedy. */
enum import_outcome {
	IMPORT_E_FILE = 1, /* no key in it, or not readable */
	IMPORT_E_PASSWORD, /* missing or wrong */
	IMPORT_E_KIND,     /* a kind of key or encryption we do not work with */
};
int import_key(int fd, struct span file, struct span passphrase, struct imported *ret_imported,
	struct why *why) MUST_CHECK;
