/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A file of README.md's form, read into steps. */

#include "base/buf.h"
#include "base/err.h"

enum { CONNECTIONS = 9 };

/* EXPECT_ANY and those before it are lines of the two sides, the others are directives. */
enum kind { SEND, EXPECT, EXPECT_OCTETS, EXPECT_ANY, TLS, END_OF_INPUT, CLOSED, WAIT, WAKE, STOP };

struct step {
	enum kind kind;
	unsigned connection; /* 0 to 8 */
	unsigned line;
	struct buf text; /* as written, or the octets of C+ and S+ */
	bool add_crlf;
	bool is_raw;
	uint64_t number; /* of milliseconds, for WAIT */
};

struct transcript {
	struct step *steps;
	size_t n;
	bool is_stepwise;
	bool is_tls_first;
	bool is_certified;
};

void transcript_done(struct transcript *t);

/* Says on stderr what is wrong with a file. */
int transcript_read(struct transcript *t, const char *path) MUST_CHECK;
