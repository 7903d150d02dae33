/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The server's side of its supervisor: a thread that takes channels to new keyds and sockets of
 * importers as they come, so that a keyd that was started again is found at once.
 */

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>

struct keyd_client;
struct link;

/* Starts the thread. The clients are given channels as they arrive. */
int link_start(struct link **ret_link, int control, struct keyd_client *domain,
	struct keyd_client *user) MUST_CHECK;

/* Waits until both keyds have been reached once; a fault after timeout_ms. */
int link_wait_keyd(struct link *l, int timeout_ms) MUST_CHECK;

/* Tells the supervisor that everything listens. */
int link_ready(struct link *l) MUST_CHECK;

/* A socket to a fresh importer. Blocks; from any thread. */
int link_importer(struct link *l, int *ret_fd) MUST_CHECK;

/* The supervisor runs the hook program; blocks until it has ended, from any thread. A fault if *stop
 * becomes true or the supervisor says nothing. */
struct control_hook;
struct control_hook_result;
int link_hook(struct link *l, struct control_hook *request, const atomic_bool *stop,
	struct control_hook_result *ret_result) MUST_CHECK;

/* Readable once the supervisor is gone: then the server ends. Borrowed. */
int link_gone_fd(const struct link *l);

struct link *link_stop(struct link *l);
