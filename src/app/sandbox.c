/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Confinement by the kernel's own means. Landlock is a list of what may be touched: everything else
 * in the file system is out of reach, whoever owns it; it also keeps us from tracing processes
 * outside. seccomp takes away calls that a mail server never makes and an intruder wants first. The
 * list of allowed files is what libraries open late: character sets, OpenSSL modules, resolver and
 * time zone data.
 */

#include "app/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc has no wrappers for these. */
static int landlock_create(const struct landlock_ruleset_attr *attributes, size_t size,
	uint32_t flags)
{
	return (int)syscall(SYS_landlock_create_ruleset, attributes, size, flags);
}

enum {
	FILE_RIGHTS = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
		LANDLOCK_ACCESS_FS_READ_FILE,
	READ_RIGHTS = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	WRITE_RIGHTS = READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE |
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG,
	/* Everything Landlock's first version knows: what is not granted below is refused. */
	ALL_RIGHTS = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
};

static const char *const readable[] = {
	/* Character sets and what they are loaded with */
	"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib/gconv",
	"/etc/ld.so.cache", "/usr/lib/locale", "/usr/share/locale",
	/* OpenSSL and its trust anchors */
	"/etc/ssl", "/usr/share/ca-certificates", "/usr/lib/ssl",
	/* Names and addresses */
	"/etc/resolv.conf", "/run/systemd/resolve", "/etc/hosts", "/etc/host.conf",
	"/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
	"/usr/share/dns", "/var/lib/unbound", "/usr/share/publicsuffix",
	/* Time */
	"/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo",
	/* Devices without content */
	"/dev/null", "/dev/urandom", "/dev/random",
	/* How many processors there are: glibc asks when it makes arenas */
	"/sys/devices/system/cpu",
};

static int allow(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	struct stat st;
	int r = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : err_fault(errno, path);
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		r = err_fault(errno, "landlock_add_rule");
	(void)close(rule.parent_fd);
	return r;
}

static int restrict_files(const struct sandbox *s, bool *ret_landlock)
{
	struct landlock_ruleset_attr attributes = { .handled_access_fs = ALL_RIGHTS };
	int abi = landlock_create(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset, r;

	*ret_landlock = abi > 0;
	if (abi <= 0)
		return 0;
	/* The second version can refuse links and renames between folders. What the third adds,
	 * truncation by name, is among the forbidden calls, for older kernels too. */
	if (abi >= 2)
		attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	ruleset = landlock_create(&attributes, sizeof attributes, 0);
	if (ruleset < 0)
		return err_fault(errno, "landlock_create_ruleset");
	r = allow(ruleset, s->store, WRITE_RIGHTS);
	if (!r)
		r = allow(ruleset, s->run, WRITE_RIGHTS);
	if (!r && s->database)
		r = allow(ruleset, s->database, WRITE_RIGHTS);
	for (size_t i = 0; i < sizeof readable / sizeof readable[0] && !r; i++)
		r = allow(ruleset, readable[i], READ_RIGHTS);
	if (!r && syscall(SYS_landlock_restrict_self, ruleset, 0))
		r = err_fault(errno, "landlock_restrict_self");
	(void)close(ruleset);
	return r;
}

/* One number on all architectures, and newer than the headers of some systems. */
enum { SYS_FCHMODAT2 = 452 };

/* Not a list of what is allowed: libraries of this size make new calls with each release, and a
 * server that dies of a call nobody foresaw loses more than it gains. keyd, which calls little, has
 * such a list. */
static const int forbidden[] = {
	/* other programs and processes */
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(personality),
	/* the system */
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(open_tree), SCMP_SYS(move_mount),
	SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(syslog), SCMP_SYS(acct),
	SCMP_SYS(quotactl), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(iopl),
	SCMP_SYS(ioperm), SCMP_SYS(nfsservctl), SCMP_SYS(lookup_dcookie), SCMP_SYS(vhangup),
	/* parts of the kernel with a history */
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl),
	SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(modify_ldt),
	SCMP_SYS(name_to_handle_at), SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init),
	/* files by name, where Landlock has no say (truncation: before its third version) */
	SCMP_SYS(truncate), SCMP_SYS(chmod), SCMP_SYS(fchmodat), SYS_FCHMODAT2, SCMP_SYS(chown),
	SCMP_SYS(lchown), SCMP_SYS(fchownat),
	/* identity */
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setfsuid),
	SCMP_SYS(setfsgid), SCMP_SYS(capset),
	SCMP_SYS(mknod), SCMP_SYS(mknodat),
};

/* Typing for whoever started us from a terminal, which is our standard input then. */
static int restrict_terminal(scmp_filter_ctx filter)
{
	static const unsigned requests[] = { TIOCSTI, TIOCLINUX };
	int r = 0;

	for (size_t i = 0; i < sizeof requests / sizeof requests[0] && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
			SCMP_A1_32(SCMP_CMP_EQ, requests[i]));
	return r;
}

/* Threads yes, processes no. The flags of clone3 lie in memory where no filter can see them: glibc
 * takes clone when the kernel seems not to have it. */
static int restrict_clone(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (r)
		return r;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

static int restrict_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? restrict_clone(filter) : -ENOMEM;

	if (!r)
		r = restrict_terminal(filter);
	for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0] && !r; i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
		/* Not every architecture has every call. */
		if (r == -EDOM)
			r = 0;
	}
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r ? err_fault(-r, "seccomp") : 0;
}

int sandbox_enter(const struct sandbox *s, bool *ret_landlock)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return err_fault(errno, "prctl");
	TRY(restrict_files(s, ret_landlock));
	TRY(restrict_calls());
	return 0;
}
