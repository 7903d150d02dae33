/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Who runs as whom, and the folders they may use. */

#include "app/options.h"

#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
};

struct privilege {
	bool root;              /* started as root: children change identity */
	struct identity server;
	struct identity keyd;
	struct identity hook;   /* of the administrator's program for DNS records */
};

struct folders {
	char *data; /* absolute */
	int data_fd;
	int keyd_fd;
	int store_fd;
	int run_fd;
};

enum privilege_outcome { PRIVILEGE_E_REFUSED = 1 };

int privilege_choose(struct privilege *ret_privilege, const struct options *o, struct why *why)
	MUST_CHECK;

/* Makes DATA, DATA/keyd, DATA/store and DATA/run with their owners and modes, and takes the lock
 * that keeps a second server out (held by run_fd until the process ends). */
int folders_make(struct folders *ret_folders, const struct options *o,
	const struct privilege *privilege, struct why *why) MUST_CHECK;

/* In a child, before exec: becomes that identity for good. Aborts on failure: going on as root
 * would be worse than not starting. */
void privilege_drop(const struct privilege *privilege, struct identity identity);
