/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "app/hook.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limit.h"
#include "base/span.h"
#include "pki/name.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A SHA-256 digest in base64url. */
enum { VALUE_LENGTH = 43, FILES_MAX = 1024 };

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static int refuse(struct why *why, const char *path, const char *what)
{
	why_set(why, "--acme-hook: %s %s", path, what);
	return HOOK_E_REFUSED;
}

/* In a folder with the sticky bit others can make files, but not replace ours. */
static int check_folders(const char *path, struct why *why)
{
	CLEANUP(alloc_freep) char *copy = alloc_string(path);
	const char *folder = copy;

	do {
		struct stat st;

		folder = dirname((char *)(uintptr_t)folder);
		if (stat(folder, &st))
			return refuse(why, folder, strerrordesc_np(errno));
		if (!is_ours(&st) ||
			((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX)))
			return refuse(why, folder, "is a folder that others may write to");
	} while (strcmp(folder, "/") != 0);
	return 0;
}

int hook_check(const char *path, char **ret_path, struct why *why)
{
	CLEANUP(alloc_freep) char *resolved = NULL;
	struct stat st;
	int r;

	if (path[0] != '/')
		return refuse(why, path, "is not an absolute path");
	resolved = realpath(path, NULL);
	if (!resolved || stat(resolved, &st))
		return refuse(why, path, strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode) || !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return refuse(why, path, "is not a program (chmod +x)");
	if (!is_ours(&st) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return refuse(why, path,
			"must be owned by root or by who starts signetd, and writable by nobody"
			" else"
			" (chown root, chmod go-w)");
	r = check_folders(resolved, why);
	if (r)
		return r;
	*ret_path = TAKE(resolved);
	return 0;
}

static bool is_text(const char *p, size_t n)
{
	return memchr(p, '\0', n) != NULL;
}

bool hook_request_fits(const struct control_hook *request)
{
	static const char prefix[] = "_acme-challenge.";
	size_t n_prefix = sizeof prefix - 1;

	if (request->clean > 1 || !is_text(request->domain, sizeof request->domain) ||
		!is_text(request->record, sizeof request->record) ||
		!is_text(request->value, sizeof request->value))
		return false;
	/* A name has letters, digits, hyphens and dots only, and does not begin with a hyphen, so
	 * it cannot be taken for an option. */
	if (!name_is_dns(span_str(request->domain), false) ||
		strncmp(request->record, prefix, n_prefix) != 0 ||
		strcmp(request->record + n_prefix, request->domain) != 0)
		return false;
	for (const char *p = request->value; *p; p++) {
		if (!octet_is_alpha((uint8_t)*p) && !octet_is_digit((uint8_t)*p) && *p != '-' &&
			*p != '_')
			return false;
	}
	return strlen(request->value) == VALUE_LENGTH;
}

/* In the child. It knows nothing of us but what it is told. */
static void become(const char *path, const struct privilege *privilege,
	const struct control_hook *request, int error_fd, const sigset_t *signals)
{
	const char *argv[] = { path, request->clean ? "clean" : "deploy", request->domain,
		request->record, request->value, NULL };
	char *const no_environment[] = { NULL };
	struct rlimit files = { FILES_MAX, FILES_MAX };
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0 || dup2(error_fd, 2) < 0 ||
		close_range(3, ~0U, 0) || chdir("/"))
		_exit(126);
	(void)umask(077);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	privilege_drop(privilege, privilege->hook);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* Behind the change of user, which clears it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, signals, NULL);
	(void)execve(path, (char *const *)argv, no_environment);
	perror("cannot execute");
	_exit(126);
}

int hook_start(struct hook *h, const char *path, const struct privilege *privilege,
	const struct control_hook *request, const sigset_t *signals)
{
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK))
		return err_fault(errno, "pipe2");
	pid = fork();
	if (pid == 0) {
		/* The program's end is an ordinary one. */
		(void)fcntl(pair[1], F_SETFL, 0);
		become(path, privilege, request, pair[1], signals);
	}
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return err_fault(errno, "fork");
	}
	*h = (struct hook){ .pid = pid, .error_fd = pair[0],
		.kill_at_ms = clock_monotonic_ms() + HOOK_LIMIT_MS,
		.result.serial = request->serial };
	return 0;
}

void hook_listen(struct hook *h)
{
	char octets[4096];
	ssize_t n = read(h->error_fd, octets, sizeof octets);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		(void)close(h->error_fd);
		h->error_fd = -1;
		return;
	}
	for (ssize_t i = 0; i < n && h->n_text + 1 < sizeof h->result.text; i++)
		h->result.text[h->n_text++] = octets[i] >= ' ' && octets[i] < 0x7F ? octets[i]
										   : ' ';
}

void hook_kill(struct hook *h)
{
	h->killed = true;
	/* Its whole session: what it has started too. */
	(void)kill(-h->pid, SIGKILL);
	(void)kill(h->pid, SIGKILL);
}

void hook_ended(struct hook *h, int status)
{
	static const char late[] = "it took longer than 120 seconds and was ended";

	(void)kill(-h->pid, SIGKILL);
	if (h->error_fd >= 0) {
		hook_listen(h);
		if (h->error_fd >= 0)
			(void)close(h->error_fd);
	}
	h->error_fd = -1;
	h->pid = 0;
	h->result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	if (h->killed)
		memcpy(h->result.text, late, sizeof late);
}
