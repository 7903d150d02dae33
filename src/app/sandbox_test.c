/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The confinement, tried from inside: a child enters it and then does what an intruder would, and
 * what the server must still be able to do. Each case is a function that runs in such a child; every
 * "cannot" is first shown to be possible outside, so that a case cannot pass for another reason.
 */

#include "app/sandbox.h"

#include "base/alloc.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	char root[64];
	char *store, *run, *keyd, *kek;
	pid_t keeper; /* a process of the same user, as keyd is */
} place;

static bool can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

static bool reads_kek(void)
{
	return can_open(place.kek, O_RDONLY);
}

static bool lists_keyd(void)
{
	return can_open(place.keyd, O_RDONLY | O_DIRECTORY);
}

static bool makes_file_in_keyd(void)
{
	CLEANUP(alloc_freep) char *path = alloc_format("%s/new", place.keyd);

	return can_open(path, O_WRONLY | O_CREAT);
}

static bool reads_keepers_memory(void)
{
	CLEANUP(alloc_freep) char *path = alloc_format("/proc/%d/mem", place.keeper);

	return can_open(path, O_RDONLY);
}

static bool empties_kek(void)
{
	return truncate(place.kek, 0) == 0;
}

static bool opens_kek_to_others(void)
{
	return chmod(place.kek, 0644) == 0 || fchmodat(AT_FDCWD, place.kek, 0644, 0) == 0 ||
		syscall(452 /* fchmodat2 */, AT_FDCWD, place.kek, 0644, 0) == 0;
}

/* What is no terminal says so; here it is not even asked. */
static bool types_for_its_user(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool asked = fd >= 0 && ioctl(fd, TIOCSTI, "x") && errno == ENOTTY;

	(void)close(fd);
	return asked;
}

static bool reads_passwd(void)
{
	return can_open("/etc/passwd", O_RDONLY);
}

static bool traces_keeper(void)
{
	if (ptrace(PTRACE_SEIZE, place.keeper, NULL, NULL))
		return false;
	(void)ptrace(PTRACE_DETACH, place.keeper, NULL, NULL);
	return true;
}

static bool forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return pid > 0;
}

/* In a process of its own outside, and in the confined child itself inside: there fork fails. */
static bool executes(void)
{
	char *const argv[] = { (char *)(uintptr_t)"true", NULL };
	pid_t pid = fork();
	int status = 1;

	if (pid <= 0) {
		(void)execv("/bin/true", argv);
		if (pid == 0)
			_exit(1);
		return false;
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static bool writes_store(void)
{
	CLEANUP(alloc_freep) char *path = alloc_format("%s/file", place.store);

	return can_open(path, O_RDWR | O_CREAT) && unlink(path) == 0;
}

static bool writes_run(void)
{
	CLEANUP(alloc_freep) char *path = alloc_format("%s/file", place.run);

	return can_open(path, O_RDWR | O_CREAT) && unlink(path) == 0;
}

static void *thread_main(void *arg)
{
	return arg;
}

static bool starts_threads(void)
{
	pthread_t thread;
	void *result = NULL;

	return pthread_create(&thread, NULL, thread_main, &place) == 0 &&
		pthread_join(thread, &result) == 0 && result == &place;
}

static bool converts(const char *charset, const char *in, size_t n, const char *utf8)
{
	char out[64] = "";
	char *from = (char *)(uintptr_t)in, *to = out;
	size_t left = sizeof out - 1;
	iconv_t cd = iconv_open("UTF-8", charset);
	bool ok;

	if (cd == (iconv_t)-1)
		return false;
	ok = iconv(cd, &from, &n, &to, &left) != (size_t)-1 && strcmp(out, utf8) == 0;
	(void)iconv_close(cd);
	return ok;
}

static bool reads_koi8(void)
{
	return converts("KOI8-R", "\xD0\xCF", 2, "\u043F\u043E");
}

static bool reads_iso2022jp(void)
{
	return converts("ISO-2022-JP", "\x1b$BF|\x1b(B", 8, "\u65E5");
}

static bool has_rc2(void)
{
	OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy");
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "RC2-40-CBC", NULL);
	bool ok = cipher != NULL;

	EVP_CIPHER_free(cipher);
	if (legacy)
		(void)OSSL_PROVIDER_unload(legacy);
	return ok;
}

static bool resolves(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int r = getaddrinfo("localhost", "25", &hints, &found);

	if (found)
		freeaddrinfo(found);
	return r == 0 && can_open("/etc/resolv.conf", O_RDONLY) && can_open("/etc/hosts", O_RDONLY);
}

static bool reads_trust_anchors(void)
{
	return can_open("/etc/ssl/certs", O_RDONLY | O_DIRECTORY);
}

static bool opens_sockets(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

/* Runs the case in a child; true if it could. */
static bool tried(bool (*what)(void), bool confined)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		bool landlock = false;

		if (confined && sandbox_enter(&(struct sandbox){ .store = place.store,
			.run = place.run }, &landlock))
			_exit(3);
		_exit(what() ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, 1);
	return WEXITSTATUS(status) == 0;
}

static bool kernel_has_landlock(void)
{
	int pipe_fds[2];
	char answer = 0;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		bool landlock = false;

		if (sandbox_enter(&(struct sandbox){ .store = place.store, .run = place.run },
			&landlock))
			_exit(1);
		_exit(write(pipe_fds[1], landlock ? "y" : "n", 1) != 1);
	}
	assert_int_equal(read(pipe_fds[0], &answer, 1), 1);
	(void)waitpid(pid, NULL, 0);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return answer == 'y';
}

static void an_intruder_cannot(void **state)
{
	static const struct {
		const char *name;
		bool (*what)(void);
		bool by_landlock;
	} cases[] = {
		{ "read the key-encryption key", reads_kek, true },
		{ "list DIR/keyd", lists_keyd, true },
		{ "write in DIR/keyd", makes_file_in_keyd, true },
		{ "empty the key-encryption key", empties_kek, false },
		{ "open the key-encryption key to others", opens_kek_to_others, false },
		{ "type for its user", types_for_its_user, false },
		{ "read another process's memory", reads_keepers_memory, true },
		{ "read /etc/passwd", reads_passwd, true },
		{ "trace another process", traces_keeper, false },
		{ "fork", forks, false },
		{ "execute a program", executes, false },
	};
	bool landlock = kernel_has_landlock();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (cases[i].by_landlock && !landlock) {
			print_message("# SKIPPED, no Landlock here: %s\n", cases[i].name);
			continue;
		}
		print_message("# %s\n", cases[i].name);
		assert_true(tried(cases[i].what, false));
		assert_false(tried(cases[i].what, true));
	}
}

static void the_server_still_can(void **state)
{
	static const struct {
		const char *name;
		bool (*what)(void);
	} cases[] = {
		{ "write in DIR/store", writes_store },
		{ "write in DIR/run", writes_run },
		{ "start threads", starts_threads },
		{ "open sockets", opens_sockets },
		{ "read KOI8-R", reads_koi8 },
		{ "read ISO-2022-JP", reads_iso2022jp },
		{ "use RC2 of the legacy provider", has_rc2 },
		{ "look names up", resolves },
		{ "read the trust anchors", reads_trust_anchors },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		print_message("# %s\n", cases[i].name);
		assert_true(tried(cases[i].what, true));
	}
}

static int make_place(void **state)
{
	(void)state;
	(void)strcpy(place.root, "/tmp/signet-sandbox-XXXXXX");
	if (!mkdtemp(place.root))
		return -1;
	place.store = alloc_format("%s/store", place.root);
	place.run = alloc_format("%s/run", place.root);
	place.keyd = alloc_format("%s/keyd", place.root);
	place.kek = alloc_format("%s/kek", place.keyd);
	if (mkdir(place.store, 0700) || mkdir(place.run, 0700) || mkdir(place.keyd, 0700))
		return -1;
	if (!can_open(place.kek, O_WRONLY | O_CREAT))
		return -1;
	place.keeper = fork();
	if (place.keeper == 0) {
		(void)pause();
		_exit(0);
	}
	return place.keeper > 0 ? 0 : -1;
}

static int remove_place(void **state)
{
	CLEANUP(alloc_freep) char *left = alloc_format("%s/new", place.keyd);

	(void)state;
	(void)kill(place.keeper, SIGKILL);
	(void)waitpid(place.keeper, NULL, 0);
	(void)unlink(left);
	(void)unlink(place.kek);
	(void)rmdir(place.keyd);
	(void)rmdir(place.store);
	(void)rmdir(place.run);
	(void)rmdir(place.root);
	free(place.store);
	free(place.run);
	free(place.keyd);
	free(place.kek);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_intruder_cannot),
		cmocka_unit_test(the_server_still_can),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_place, remove_place);
}
