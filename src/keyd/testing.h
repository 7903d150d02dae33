/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: a keyd as a child process, and a client connected to it. */

#include "base/folder_fixture.h"
#include "keyd/client.h"
#include "keyd/keyd.h"

#include <sys/types.h>

struct testing {
	enum keyd_role role;
	pid_t pid;
	int control;
	int dir; /* its folder, open; removed by testing_done */
	char path[FOLDER_FIXTURE_MAX];
	struct keyd_client *client;
};

/* Starts keyd with a new folder (so a new KEK) and n channels; fails the test if it does not. */
void testing_start(struct testing *t, enum keyd_role role, size_t n_channels);

/* Another keyd with the same folder, as the supervisor would after the first has died. */
void testing_restart(struct testing *t, size_t n_channels);

/* Makes a channel to the running keyd over its control socket and returns our end. */
int testing_channel(struct testing *t);

/* Waits for keyd's end and returns its wait status. */
int testing_wait(struct testing *t);

void testing_done(struct testing *t);
