/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Foreign key files: PEM (PKCS#8, encrypted PKCS#8, PKCS#1, SEC1, with certificates beside it), DER
 * of the same, PKCS#12 old and new. In the server keyd/import.h reads them, in a process of its
 * own. */

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

enum { IMPORT_FILE_MAX = 1 << 20, IMPORT_ITERATIONS_MAX = 2000000 };

struct imported {
	struct secret pkcs8; /* empty if it was not wanted */
	struct buf spki;     /* its public half */
	struct buf certs;    /* DER behind each other, the key's own first; may be empty */
	struct buf name;     /* what PKCS #12 calls the key (UTF-8); may be empty */
};
void imported_done(struct imported *i);

/* What is read, all borrowed. */
struct import_order {
	struct span file;
	struct span passphrase; /* UTF-8; empty: none */
	struct span which;      /* of several keys of a PKCS #12 file: its name or number; empty: the one */
	bool public_only;       /* the private key is not wanted */
};

/* A key file to PKCS#8 and certificates, in this process. why names what is wrong and the remedy. */
enum import_outcome {
	IMPORT_E_FILE = 1, /* no key in it, or not readable */
	IMPORT_E_PASSWORD, /* missing or wrong */
	IMPORT_E_KIND,     /* a kind of key or encryption we do not work with */
	IMPORT_E_WHICH,    /* there are several keys, or none of that name; why names them */
};
int import_parse(const struct import_order *order, struct imported *ret_imported, struct why *why)
	MUST_CHECK;

/* Loads the algorithms of old files (RC2 and the like), once in a process that may. Without them
 * such files say that their encryption is not supported: no reason to stop. */
void import_load_legacy(void);
