/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The administrator's program that makes DNS records for dns-01 challenges. It is run by the
 * supervisor, because the server cannot execute anything: as a user of its own (started as root),
 * with an empty environment, no descriptors but /dev/null and a pipe for what it says on stderr,
 * and a time limit. Its path is fixed at the start; what the server asks for is looked at again
 * here.
 */

#include "app/control.h"
#include "app/privilege.h"

#include <signal.h>

enum { HOOK_LIMIT_MS = 120000 };

/* Whether it may be run: an absolute path to a regular file that only root or we ourselves can have
 * written, in folders of which the same is true. ret_path: resolved; the caller frees. */
enum hook_outcome { HOOK_E_REFUSED = 1 };
int hook_check(const char *path, char **ret_path, struct why *why) MUST_CHECK;

/* Whether a request is one that can be: terminated texts, a DNS name, the record that belongs to
 * it, a digest in base64url. */
bool hook_request_fits(const struct control_hook *request);

/* One that runs. Zeroed memory with error_fd -1 is none. */
struct hook {
	pid_t pid;
	int error_fd; /* what it says */
	int64_t kill_at_ms;
	bool killed;
	struct control_hook_result result;
	size_t n_text;
};

/* Starts the program. signals: the mask it starts with. */
int hook_start(struct hook *h, const char *path, const struct privilege *privilege,
	const struct control_hook *request, const sigset_t *signals) MUST_CHECK;

/* Takes what it said since; the rest of a long speech is dropped. */
void hook_listen(struct hook *h);

/* Its time is over. */
void hook_kill(struct hook *h);

/* It has ended: the result is complete, and nothing of it runs any more. */
void hook_ended(struct hook *h, int status);
