/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Runs transcripts (README.md) against a protocol in memory: once as they stand, then with all
 * input at once, one octet at a time, and cut at random places.
 */

#include "base/task.h"
#include "net/address.h"

struct session_protocol;
struct tls_client;

struct dialog {
	const struct session_protocol *protocol;
	void *service;
	/* Fresh state before each run, and its end; may be NULL. */
	int (*begin)(struct dialog *d);
	void (*end)(struct dialog *d);
	struct net_address peer;
	struct net_address local;
	const char *tls_domain; /* NULL: example.org */
	struct tls_client *client; /* what "== certificate" shows; set by begin */
	bool is_quiet;          /* does not say on stderr what failed */
};

/* Runs one file in all ways. Returns how many of them failed; says why on stderr. */
unsigned dialog_run_file(struct dialog *d, const char *path);

/* A test's main: each argument is a file, or a folder of them. Prints TAP; returns the status. */
int dialog_main(struct dialog *d, int argc, char **argv);

/* An executor that runs a task at once, on the caller's thread. The session gets the result when
 * its handler has returned. */
struct dialog_executor {
	struct executor executor;
	void *worker; /* what run gets */
};

void dialog_executor_init(struct dialog_executor *e, void *worker);
