/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Identities and folders. Started as root, the server and the key processes run as two users of
 * their own, so that one cannot read the other's folder. Named users ("signet", "signet-keyd") are
 * taken where they exist; otherwise two numbers that belong to nobody, as systemd does for services
 * without a user. Started by an ordinary user everything is that user's and Landlock keeps the
 * processes apart.
 */

#include "app/privilege.h"

#include "base/alloc.h"
#include "base/span.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the range that distributions leave to services without a named user. */
enum { SERVER_UID = 61411, KEYD_UID = 61412, HOOK_UID = 61413 };

static int identity_find(struct identity *ret, const char *wanted, const char *usual, uid_t fallback,
	struct why *why)
{
	const struct passwd *user = getpwnam(wanted ? wanted : usual);
	uint64_t number;

	if (user) {
		*ret = (struct identity){ user->pw_uid, user->pw_gid };
	} else if (!wanted) {
		*ret = (struct identity){ fallback, fallback };
	} else if (span_to_u64(span_str(wanted), UINT_MAX - 1, &number) && number > 0) {
		*ret = (struct identity){ (uid_t)number, (gid_t)number };
	} else {
		why_set(why, "there is no user %s (make one: useradd --system --no-create-home %s)",
			wanted, wanted);
		return PRIVILEGE_E_REFUSED;
	}
	return 0;
}

int privilege_choose(struct privilege *ret_privilege, const struct options *o, struct why *why)
{
	struct privilege p = { .root = geteuid() == 0 };
	struct identity self = { geteuid(), getegid() };
	int r;

	if (!p.root) {
		if (o->user || o->keyd_user) {
			why_set(why, "--user and --keyd-user need signetd to be started as root");
			return PRIVILEGE_E_REFUSED;
		}
		p.server = p.keyd = p.hook = self;
		*ret_privilege = p;
		return 0;
	}
	r = identity_find(&p.server, o->user, "signet", SERVER_UID, why);
	if (!r)
		r = identity_find(&p.keyd, o->keyd_user, "signet-keyd", KEYD_UID, why);
	if (!r)
		r = identity_find(&p.hook, NULL, "signet-hook", HOOK_UID, why);
	if (r)
		return r;
	if (p.server.uid == p.keyd.uid || p.server.uid == 0 || p.keyd.uid == 0) {
		why_set(why, "--user and --keyd-user must be two users, neither of them root");
		return PRIVILEGE_E_REFUSED;
	}
	if (p.hook.uid == p.server.uid || p.hook.uid == p.keyd.uid || p.hook.uid == 0) {
		why_set(why, "the user signet-hook must be one of its own");
		return PRIVILEGE_E_REFUSED;
	}
	*ret_privilege = p;
	return 0;
}

/* What lies in a folder of ours belongs to the folder's owner: files of an earlier start as another
 * user stay usable. Links are not followed. */
static int own_entries(int folder_fd, struct identity owner)
{
	int fd = dup(folder_fd);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!folder) {
		if (fd >= 0)
			(void)close(fd);
		return -errno;
	}
	while (!r && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		if (fchownat(folder_fd, entry->d_name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW))
			r = -errno;
	}
	(void)closedir(folder);
	return r;
}

static int folder_open(int *ret_fd, int parent_fd, const char *name, mode_t mode,
	const struct identity *owner)
{
	int fd, r = 0;

	if (mkdirat(parent_fd, name, mode) && errno != EEXIST)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (owner) {
		if (fchown(fd, owner->uid, owner->gid))
			r = -errno;
		else
			r = own_entries(fd, *owner);
	}
	if (!r && fchmod(fd, mode))
		r = -errno;
	if (r) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

void privilege_drop(const struct privilege *privilege, struct identity identity)
{
	if (!privilege->root)
		return;
	if (setgroups(0, NULL) || setresgid(identity.gid, identity.gid, identity.gid) ||
		setresuid(identity.uid, identity.uid, identity.uid) || setuid(0) == 0) {
		perror("signetd: cannot change the user");
		abort();
	}
}

/* Whether the server's user can get to DATA/store: asked by a child that has become that user. */
static bool reachable(const char *data, const struct privilege *privilege)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		CLEANUP(alloc_freep) char *path = alloc_format("%s/store", data);

		privilege_drop(privilege, privilege->server);
		_exit(access(path, R_OK | W_OK | X_OK) ? 1 : 0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int lock_take(int run_fd, struct why *why)
{
	int fd = openat(run_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	/* The descriptor stays open on purpose: the lock ends with the process. */
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		why_set(why, "another signetd uses this folder");
	else
		why_set(why, "cannot lock the file run/lock: %s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return PRIVILEGE_E_REFUSED;
}

int folders_make(struct folders *ret_folders, const struct options *o,
	const struct privilege *privilege, struct why *why)
{
	const struct identity *server = privilege->root ? &privilege->server : NULL;
	const struct identity *keyd = privilege->root ? &privilege->keyd : NULL;
	struct folders f = {};
	int r;

	/* Others may pass through DATA, not look: the folders below have their own owners. */
	r = folder_open(&f.data_fd, AT_FDCWD, o->data, privilege->root ? 0711 : 0700, NULL);
	if (!r)
		r = folder_open(&f.keyd_fd, f.data_fd, "keyd", 0700, keyd);
	if (!r)
		r = folder_open(&f.store_fd, f.data_fd, "store", 0700, server);
	if (!r)
		r = folder_open(&f.run_fd, f.data_fd, "run", 0755, NULL);
	if (r) {
		why_set(why, "cannot use the folder %s: %s", o->data, strerror(-r));
		return PRIVILEGE_E_REFUSED;
	}
	f.data = realpath(o->data, NULL);
	if (!f.data || (privilege->root && !reachable(f.data, privilege))) {
		why_set(why, "the server's user (uid %u) cannot reach %s: a folder above it is closed"
			" to others; open it for passing through (chmod o+x) or choose another --data",
			privilege->server.uid, o->data);
		free(f.data);
		return PRIVILEGE_E_REFUSED;
	}
	r = lock_take(f.run_fd, why);
	if (r) {
		free(f.data);
		return r;
	}
	*ret_folders = f;
	return 0;
}
