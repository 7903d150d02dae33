/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The supervisor keeps what must outlive the others: the listening sockets, the folders, the right to
 * become another user. It parses nothing but fixed-size messages of its own children. keyd that ends
 * is started again at once and the server is handed channels to the new one; a server that ends is
 * started again with the same sockets, unless it says that a person is needed. Children are executed
 * anew from the same program file, so none inherits another's memory, and end with the supervisor.
 */

#include "app/supervise.h"

#include "app/control.h"
#include "app/hook.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "keyd/keyd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum supervise_outcome { SUPERVISE_E_REFUSED = 1 };

enum role { ROLE_KEYD_DOMAIN, ROLE_KEYD_USER, ROLE_SERVER, ROLES };

enum {
	CHANNELS = 16,          /* to each keyd: more threads than that wait for each other */
	KEYD_START_MS = 20000,  /* a password file costs it a scrypt */
	DRAIN_MS = 12000,       /* the server drains for 10 s */
	FAST_ENDS = 5,          /* so many ends ... */
	FAST_ENDS_MS = 10000,   /* ... in this time, and the next start waits ... */
	SLOW_START_MS = 1000,   /* ... so long */
	IMPORTERS_MAX = 4,      /* at a time, whatever a server that was taken over asks for */
	CHILD_FDS_MAX = CHILD_LISTENERS + BOUND_MAX,
};

struct child {
	pid_t pid; /* 0: not running */
	int control;
	int64_t ends_ms[FAST_ENDS]; /* a ring */
	unsigned n_ends;
	int64_t start_at_ms; /* when not running */
};

struct supervisor {
	const struct options *options;
	const struct privilege *privilege;
	const struct folders *folders;
	const struct bound *bound;
	size_t n_bound;
	int program; /* ourselves, opened before anything could replace the file */
	int key_file; /* a password or credential for keyd; -1: none */
	char *key_file_name;
	sigset_t old_signals;
	struct child children[ROLES];
	unsigned n_importers;
	char *hook_program; /* resolved; NULL: none */
	struct hook hook;
	bool was_ready;
	bool ending;
	int64_t kill_at_ms;
	int exit_code;
};

static const char *const role_names[ROLES] = { "keyd-domain", "keyd-user", "server" };

static const char role_title[][24] = { "signetd: keyd-domain", "signetd: keyd-user",
	"signetd: server", "signetd: importer" };

/* In the child: its descriptors to their places, everything else closed. */
static void place_fds(int program, const int *fds, size_t n_fds)
{
	int above = CHILD_FDS_MAX + 1;
	int moved[CHILD_FDS_MAX];
	int moved_program = fcntl(program, F_DUPFD_CLOEXEC, above);

	for (size_t i = 0; i < n_fds; i++)
		moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, above);
	for (size_t i = 0; i < n_fds; i++)
		(void)dup2(moved[i], CHILD_CONTROL + (int)i);
	(void)dup2(moved_program, CHILD_CONTROL + (int)n_fds);
	(void)fcntl(CHILD_CONTROL + (int)n_fds, F_SETFD, FD_CLOEXEC);
	(void)close_range((unsigned)CHILD_CONTROL + (unsigned)n_fds + 1, ~0U, 0);
}

/* 0 if there is no new process: a pid that is no process must never reach kill(). */
static pid_t spawn(struct supervisor *s, struct identity identity, const char *const *argv,
	const int *fds, size_t n_fds)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? 0 : pid;
	place_fds(s->program, fds, n_fds);
	privilege_drop(s->privilege, identity);
	/* Behind the change of user, which clears it. The parent may have ended in between. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)sigprocmask(SIG_SETMASK, &s->old_signals, NULL);
	(void)fexecve(CHILD_CONTROL + (int)n_fds, (char *const *)argv, environ);
	perror("signetd: cannot execute itself");
	_exit(127);
}

static void child_ended(struct supervisor *s, enum role role, int status)
{
	struct child *c = &s->children[role];
	int64_t now = clock_monotonic_ms();
	int64_t oldest = c->ends_ms[c->n_ends % FAST_ENDS];

	c->ends_ms[c->n_ends++ % FAST_ENDS] = now;
	c->start_at_ms = now;
	if (c->n_ends > FAST_ENDS && now - oldest < FAST_ENDS_MS)
		c->start_at_ms = now + SLOW_START_MS;
	if (c->control >= 0)
		(void)close(c->control);
	c->control = -1;
	c->pid = 0;
	if (!s->ending)
		LOG(NULL, LOG_ERROR, "SUPERVISOR", "process.ended", log_str("role", role_names[role]),
			log_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
			log_int("code", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
}

static void end_all(struct supervisor *s, int exit_code)
{
	if (s->ending)
		return;
	s->ending = true;
	s->exit_code = exit_code;
	s->kill_at_ms = clock_monotonic_ms() + DRAIN_MS;
	if (s->children[ROLE_SERVER].pid)
		(void)kill(s->children[ROLE_SERVER].pid, SIGTERM);
}

/* How telling a child something has gone: one that does not read is ended, and started again. */
static int tell(const struct child *c, int r)
{
	if (r && c->pid)
		(void)kill(c->pid, SIGKILL);
	return r;
}

/* Both ends of new channels between the server and a keyd. A side that is not there gets its own
 * when it starts. */
static int connect_keyd(struct supervisor *s, enum role role)
{
	struct child *keyd = &s->children[role];
	struct child *server = &s->children[ROLE_SERVER];
	int ours[CHANNELS], theirs[CHANNELS];
	size_t n = 0;
	int r = 0;

	if (!keyd->pid || !server->pid)
		return 0;
	for (; n < CHANNELS; n++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
			r = err_fault(errno, "socketpair");
			break;
		}
		ours[n] = pair[0];
		theirs[n] = pair[1];
	}
	if (!r)
		r = tell(keyd, keyd_control_add_channels(keyd->control, theirs, n));
	if (!r)
		r = tell(server, control_send(server->control, role == ROLE_KEYD_DOMAIN ?
			CONTROL_CHANNELS_DOMAIN : CONTROL_CHANNELS_USER, ours, n));
	while (n--) {
		(void)close(ours[n]);
		(void)close(theirs[n]);
	}
	return err_fold(r);
}

/* Of a database that is no file it is not known: then it is said to be there. */
static bool database_exists(const struct supervisor *s)
{
	const char *url = s->options->database;

	if (!url)
		return faccessat(s->folders->store_fd, "signet.db", F_OK,
			AT_SYMLINK_NOFOLLOW) == 0;
	if (strstr(url, "://"))
		return true;
	if (span_starts(span_str(url), SPAN("sqlite:")))
		url += strlen("sqlite:");
	return access(url, F_OK) == 0 || errno != ENOENT;
}

/* The password file, or the systemd credential signet.kek where there is one. It may be root's alone,
 * so keyd is given it open. One that cannot be opened is refused: without it keyd would make another
 * key-encryption key. */
static int open_key_file(struct supervisor *s, struct why *why)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	s->key_file = -1;
	if (s->options->key_password_file)
		s->key_file_name = alloc_string(s->options->key_password_file);
	else if (folder)
		s->key_file_name = alloc_format("%s/signet.kek", folder);
	else
		return 0;
	s->key_file = open(s->key_file_name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (s->key_file >= 0 || (errno == ENOENT && !s->options->key_password_file))
		return 0;
	why_set(why, "%s: %s", s->key_file_name, strerrordesc_np(errno));
	return SUPERVISE_E_REFUSED;
}

/* spawn made none. */
static int no_child(struct child *c)
{
	int error = errno;

	(void)close(c->control);
	c->control = -1;
	return err_fault(error, "fork");
}

static int start_keyd(struct supervisor *s, enum role role)
{
	struct child *c = &s->children[role];
	const char *argv[8] = { role_title[role], "--role", role_names[role] };
	size_t n = 3;
	int pair[2], fds[3];
	struct why why = {};
	int r;

	TRY(control_pair(pair));
	/* A lost key-encryption key must not be replaced by a new one: none is made where there is a
	 * database already. */
	if (!database_exists(s))
		argv[n++] = "--create";
	if (s->key_file >= 0) {
		argv[n++] = s->options->key_password_file ? "--password-file" : "--credential";
		argv[n++] = s->key_file_name;
	}
	argv[n] = NULL;
	fds[0] = pair[1];
	fds[1] = s->folders->keyd_fd;
	fds[2] = s->key_file;
	c->pid = spawn(s, s->privilege->keyd, argv, fds, s->key_file >= 0 ? 3 : 2);
	c->control = pair[0];
	(void)close(pair[1]);
	if (!c->pid)
		return no_child(c);
	r = keyd_control_wait_ready(c->control, KEYD_START_MS, &why);
	if (r) {
		/* One that hangs is no better than one that ended: reaped, it is started again. */
		(void)kill(c->pid, SIGKILL);
		LOG(NULL, LOG_ERROR, "SUPERVISOR", "keyd.refused",
			log_str("role", role_names[role]), log_str("reason", why.text));
		if (!s->was_ready) {
			(void)fprintf(stderr, "signetd: %s: %s\n", role_names[role],
				why.text[0] ? why.text : "did not start");
			end_all(s, 1);
		}
		return 0;
	}
	return connect_keyd(s, role);
}

/* The listeners' services stand in one argument, in the order of their descriptors. */
static char *listener_list(const struct supervisor *s)
{
	CLEANUP(buf_done) struct buf list = {};

	for (size_t i = 0; i < s->n_bound; i++)
		buf_add_format(&list, "%s%s", i ? "," : "", services[s->bound[i].service].name);
	return buf_steal_string(&list);
}

static int start_server(struct supervisor *s)
{
	struct child *c = &s->children[ROLE_SERVER];
	CLEANUP(alloc_freep) char *listeners = listener_list(s);
	CLEANUP(alloc_freep) char *owner = alloc_format("%u", getuid());
	const char *argv[20] = { role_title[ROLE_SERVER], "--role", role_names[ROLE_SERVER],
		"--data", s->folders->data, "--listeners", listeners, "--owner", owner };
	size_t n = 9;
	int fds[CHILD_FDS_MAX];
	int pair[2];

	if (s->options->domain) {
		argv[n++] = "--domain";
		argv[n++] = s->options->domain;
	}
	if (s->options->database) {
		argv[n++] = "--database";
		argv[n++] = s->options->database;
	}
	if (s->hook_program) {
		argv[n++] = "--acme-hook";
		argv[n++] = "yes";
	}
	argv[n] = NULL;
	TRY(control_pair(pair));
	fds[0] = pair[1];
	fds[1] = s->folders->store_fd;
	for (size_t i = 0; i < s->n_bound; i++)
		fds[2 + i] = s->bound[i].fd;
	c->pid = spawn(s, s->privilege->server, argv, fds, 2 + s->n_bound);
	c->control = pair[0];
	(void)close(pair[1]);
	if (!c->pid)
		return no_child(c);
	TRY(connect_keyd(s, ROLE_KEYD_DOMAIN));
	TRY(connect_keyd(s, ROLE_KEYD_USER));
	return 0;
}

/* systemd's notification protocol: one datagram. Nothing depends on it, so a failure is no fault. */
static void notify_ready(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof address.sun_path)
		return;
	(void)strcpy(address.sun_path, path);
	if (path[0] == '@')
		address.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (const struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	(void)close(fd);
}

/* An importer lives for one file: it is given a socket to the server and nothing else. */
static int start_importer(struct supervisor *s)
{
	const char *argv[] = { role_title[ROLES], "--role", "importer", NULL };
	int pair[2];
	int r;

	if (s->n_importers >= IMPORTERS_MAX)
		return err_fault(EBUSY, "importers");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_fault(errno, "socketpair");
	r = spawn(s, s->privilege->keyd, argv, &pair[1], 1) ? 0 : err_fault(errno, "fork");
	(void)close(pair[1]);
	s->n_importers += !r;
	if (!r)
		r = control_send(s->children[ROLE_SERVER].control, CONTROL_IMPORTER, pair, 1);
	(void)close(pair[0]);
	return err_fold(r);
}

/* The server that asked may have ended, or not read: then it is not told, and gives up by itself. */
static void hook_tell(struct supervisor *s, const struct control_hook_result *result)
{
	union control_payload payload = { .result = *result };
	int r = 0;

	if (s->children[ROLE_SERVER].control >= 0)
		r = control_tell(s->children[ROLE_SERVER].control, CONTROL_HOOK, &payload);
	if (r)
		log_fault(NULL, "SUPERVISOR", "hook", r);
}

static int hook_refuse(struct supervisor *s, const struct control_hook *request, const char *why)
{
	struct control_hook_result result = { .serial = request->serial,
		.code = CONTROL_HOOK_NOT_RUN };

	(void)snprintf(result.text, sizeof result.text, "%.*s",
		(int)sizeof result.text - 1, why);
	hook_tell(s, &result);
	return 0;
}

/* The file is looked at before each run, too: it may have changed hands since the start. */
static int start_hook(struct supervisor *s, const struct control_hook *request)
{
	CLEANUP(alloc_freep) char *path = NULL;
	struct why why = {};

	if (!s->hook_program)
		return hook_refuse(s, request, "signetd was started without --acme-hook");
	if (!hook_request_fits(request))
		return hook_refuse(s, request, "what is asked for cannot be a record for a challenge");
	if (s->hook.pid)
		return hook_refuse(s, request, "the program is running already");
	if (hook_check(s->hook_program, &path, &why))
		return hook_refuse(s, request, why.text);
	return hook_start(&s->hook, path, s->privilege, request, &s->old_signals);
}

static int server_says(struct supervisor *s)
{
	struct control_message m;
	int r = control_receive(s->children[ROLE_SERVER].control, &m);

	/* Its end is seen by waiting for it, not here. */
	if (r) {
		(void)close(s->children[ROLE_SERVER].control);
		s->children[ROLE_SERVER].control = -1;
		return r == CONTROL_E_END ? 0 : r;
	}
	for (uint32_t i = 0; i < m.n_fds; i++)
		(void)close(m.fds[i]);
	if (m.kind == CONTROL_IMPORTER)
		return start_importer(s);
	if (m.kind == CONTROL_HOOK)
		return start_hook(s, &m.payload.hook);
	if (m.kind == CONTROL_READY && !s->was_ready) {
		s->was_ready = true;
		(void)puts("ready");
		(void)fflush(stdout);
		notify_ready();
	}
	return 0;
}

static void role_ended(struct supervisor *s, enum role role, int status)
{
	child_ended(s, role, status);
	if (role != ROLE_SERVER || s->ending)
		return;
	if (!s->was_ready || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_REFUSED))
		end_all(s, 1);
}

static void end_hook(struct supervisor *s, int status)
{
	hook_ended(&s->hook, status);
	LOG(NULL, LOG_INFO, "SUPERVISOR", "hook.ended", log_int("code", s->hook.result.code));
	hook_tell(s, &s->hook.result);
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		enum role role = 0;

		while (role < ROLES && s->children[role].pid != pid)
			role++;
		if (role < ROLES)
			role_ended(s, role, status);
		else if (pid == s->hook.pid)
			end_hook(s, status);
		else
			s->n_importers--;
	}
}

static void take_signal(struct supervisor *s, int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof info) != sizeof info)
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		reap(s);
		break;
	case SIGHUP:
		if (s->children[ROLE_SERVER].pid)
			(void)kill(s->children[ROLE_SERVER].pid, SIGHUP);
		break;
	default:
		end_all(s, 0);
		break;
	}
}

/* Starts what is not running and due. Returns the milliseconds until something is due; -1: nothing. */
static int start_due(struct supervisor *s)
{
	int64_t now = clock_monotonic_ms();
	int wait = -1;

	for (enum role role = 0; role < ROLES && !s->ending; role++) {
		struct child *c = &s->children[role];
		int r;

		if (c->pid)
			continue;
		if (c->start_at_ms > now) {
			wait = (int)(c->start_at_ms - now);
			continue;
		}
		r = role == ROLE_SERVER ? start_server(s) : start_keyd(s, role);
		if (r)
			log_fault(NULL, "SUPERVISOR", "start", r);
		if (!c->pid) {
			c->start_at_ms = now + SLOW_START_MS;
			wait = SLOW_START_MS;
		}
	}
	return wait;
}

/* The server has drained: keyd is not needed any more. Returns whether all have ended. */
static bool ended(struct supervisor *s)
{
	bool all = true;

	if (s->children[ROLE_SERVER].pid && clock_monotonic_ms() >= s->kill_at_ms)
		(void)kill(s->children[ROLE_SERVER].pid, SIGKILL);
	for (enum role role = 0; role < ROLES; role++) {
		if (!s->children[role].pid)
			continue;
		all = false;
		if (role != ROLE_SERVER && !s->children[ROLE_SERVER].pid)
			(void)kill(s->children[role].pid, SIGTERM);
	}
	return all;
}

/* The time until the hook's limit, if that is sooner; one that has passed it is ended. */
static int hook_wait(struct supervisor *s, int wait)
{
	int64_t left = s->hook.kill_at_ms - clock_monotonic_ms();

	if (!s->hook.pid || s->hook.killed)
		return wait;
	if (left <= 0)
		hook_kill(&s->hook);
	return left > 0 && (wait < 0 || left < wait) ? (int)left : wait;
}

static int watch(struct supervisor *s, int signals)
{
	while (!(s->ending && ended(s))) {
		int wait = hook_wait(s, s->ending ? 100 : start_due(s));
		struct pollfd fds[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = s->children[ROLE_SERVER].control, .events = POLLIN },
			{ .fd = s->hook.error_fd, .events = POLLIN },
		};
		int r = 0;

		/* keyd may have refused: then there is no server to wait for. */
		if (s->ending)
			wait = 100;
		if (poll(fds, 3, wait) < 0 && errno != EINTR)
			return err_fault(errno, "poll");
		if (fds[2].revents)
			hook_listen(&s->hook);
		if (fds[0].revents)
			take_signal(s, signals);
		if (fds[1].revents && s->children[ROLE_SERVER].control == fds[1].fd)
			r = server_says(s);
		if (r)
			log_fault(NULL, "SUPERVISOR", "control", r);
	}
	return 0;
}

int supervise(const struct options *o, const struct privilege *privilege,
	const struct folders *folders, const struct bound *bound, size_t n_bound)
{
	struct supervisor s = { .options = o, .privilege = privilege, .folders = folders,
		.bound = bound, .n_bound = n_bound };
	struct why why = {};
	sigset_t signals;
	int fd, r;

	if (open_key_file(&s, &why) ||
		(o->acme_hook && hook_check(o->acme_hook, &s.hook_program, &why))) {
		(void)fprintf(stderr, "signetd: %s\n", why.text);
		free(s.key_file_name);
		return 1;
	}
	for (enum role role = 0; role < ROLES; role++)
		s.children[role].control = -1;
	s.hook.error_fd = -1;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, &s.old_signals);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	s.program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || s.program < 0) {
		perror("signetd");
		return 1;
	}
	r = watch(&s, fd);
	if (r)
		log_fault(NULL, "SUPERVISOR", "watch", r);
	(void)close(fd);
	(void)close(s.program);
	if (s.key_file >= 0)
		(void)close(s.key_file);
	free(s.key_file_name);
	if (s.hook.pid)
		hook_kill(&s.hook);
	free(s.hook_program);
	return r ? 1 : s.exit_code;
}
