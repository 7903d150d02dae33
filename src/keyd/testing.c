/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What the supervisor does, in small: fork, close what the child must not have, call keyd_main, wait
 * until it is ready. Tests of keyd and of what uses its keys share it.
 */

#include "keyd/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANNELS = 16, READY_MS = 30000, FDS_MAX = 1024 };

static void pair(int *ours, int *theirs)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	*ours = fds[0];
	*theirs = fds[1];
}

/* In the child: keyd must not hold what is its tester's. */
static void close_others(const struct keyd_options *o)
{
	for (int fd = 3; fd < (int)sysconf(_SC_OPEN_MAX) && fd < FDS_MAX; fd++) {
		bool keep = fd == o->dir || fd == o->control;

		for (size_t i = 0; i < o->n_channels; i++)
			keep = keep || fd == o->channels[i];
		if (!keep)
			(void)close(fd);
	}
}

static void launch(struct testing *t, size_t n)
{
	int ours[CHANNELS], theirs[CHANNELS], control;
	struct why why = {};

	assert_true(n <= CHANNELS);
	pair(&t->control, &control);
	for (size_t i = 0; i < n; i++)
		pair(&ours[i], &theirs[i]);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		const struct keyd_options o = {
			.role = t->role,
			.dir = t->dir,
			.create = true,
			.control = control,
			.channels = theirs,
			.n_channels = n,
		};

		close_others(&o);
		_exit(keyd_main(&o));
	}
	(void)close(control);
	for (size_t i = 0; i < n; i++)
		(void)close(theirs[i]);
	if (keyd_control_wait_ready(t->control, READY_MS, &why))
		fail_msg("keyd does not start: %s", why.text);
	keyd_client_set_channels(t->client, ours, n);
}

void testing_start(struct testing *t, enum keyd_role role, size_t n_channels)
{
	*t = (struct testing){ .role = role, .client = keyd_client_new(role) };
	folder_fixture(t->path, "keyd");
	t->dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->dir >= 0);
	launch(t, n_channels);
}

void testing_restart(struct testing *t, size_t n_channels)
{
	(void)close(t->control);
	launch(t, n_channels);
}

int testing_channel(struct testing *t)
{
	int ours, theirs;

	pair(&ours, &theirs);
	assert_int_equal(keyd_control_add_channels(t->control, &theirs, 1), 0);
	(void)close(theirs);
	return ours;
}

int testing_wait(struct testing *t)
{
	int status = 0;

	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	t->pid = 0;
	return status;
}

void testing_done(struct testing *t)
{
	(void)close(t->control);
	if (t->pid > 0)
		(void)testing_wait(t);
	keyd_client_free(t->client);
	(void)unlinkat(t->dir, "kek", 0);
	(void)close(t->dir);
	(void)rmdir(t->path);
}
