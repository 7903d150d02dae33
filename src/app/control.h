/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What supervisor and server say to each other: messages of one fixed size, with file descriptors
 * where they carry some. Everything else reaches the supervisor as a signal or an exit code.
 */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum control_kind {
	CONTROL_READY = 1,       /* server: everything listens */
	CONTROL_IMPORTER,        /* server: start an importer; supervisor: its socket (0 or 1) */
	CONTROL_CHANNELS_DOMAIN, /* supervisor: channels to a new keyd-domain */
	CONTROL_CHANNELS_USER,
	CONTROL_HOOK,            /* server: run the hook program; supervisor: how it ended */
};

/* Texts end with a NUL within their room; the receiver looks. */
struct control_hook {
	uint32_t serial;   /* the result has it too */
	uint8_t clean;     /* the record is taken away, else made */
	char domain[256];
	char record[272];
	char value[64];
};
struct control_hook_result {
	uint32_t serial;
	int32_t code;      /* of its exit; negative: a signal; CONTROL_HOOK_NOT_RUN */
	char text[448];    /* what it said on stderr, or why it was not run */
};
enum { CONTROL_HOOK_NOT_RUN = -1000 };

union control_payload {
	struct control_hook hook;
	struct control_hook_result result;
};

enum { CONTROL_FDS_MAX = 16 };

struct control_message {
	uint32_t kind;
	uint32_t n_fds;
	int fds[CONTROL_FDS_MAX]; /* filled in on receipt; the receiver owns them */
	union control_payload payload; /* of CONTROL_HOOK; zero for the others */
};

/* A channel to a child: ret_pair[0] is the supervisor's end, on which nothing is sent for longer than
 * CONTROL_SEND_MS: a child that reads nothing must not hold up the others. Both close on exec. */
enum { CONTROL_SEND_MS = 1000 };
int control_pair(int ret_pair[static 2]) MUST_CHECK;

/* Sends; the caller keeps its descriptors. */
int control_send(int control, enum control_kind kind, const int *fds, size_t n_fds) MUST_CHECK;

/* Sends what has a payload and no descriptors. Never waits: a fault if the other side does not read
 * what it was sent before. */
int control_tell(int control, enum control_kind kind, const union control_payload *payload)
	MUST_CHECK;

/* Receives one message. CONTROL_E_END when the other side is gone. A message that is not of this
 * shape is a fault. */
enum control_outcome { CONTROL_E_END = 1 };
int control_receive(int control, struct control_message *ret_message) MUST_CHECK;

/* Exit code of a server that must not be started again: what is wrong needs a person. */
enum { EXIT_REFUSED = 3 };

/* Descriptors of a child, in order behind 0-2. */
enum { CHILD_CONTROL = 3, CHILD_FOLDER = 4, CHILD_KEY_FILE = 5, CHILD_LISTENERS = 5 };
