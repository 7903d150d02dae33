/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* keyd as a process and its client: starting, ending, dying with a request under way, coming back,
 * and what it can no longer do. */

#include "keyd/keyd.h"

#include "base/clock.h"
#include "keyd/confine.h"
#include "keyd/testing.h"
#include "keyd/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_MALFORMED = 3 };

static void test_start_and_end(void **state)
{
	uint8_t check[KEYD_CHECK], again[KEYD_CHECK];
	struct testing t, other;

	(void)state;
	testing_start(&t, KEYD_DOMAIN, 1);
	assert_int_equal(keyd_hello(t.client, check), 0);

	/* The control socket's end is its end. */
	(void)close(t.control);
	t.control = -1;
	assert_int_equal(testing_wait(&t), 0);

	/* Started again it has the same KEK; SIGTERM ends it too. */
	testing_restart(&t, 1);
	assert_int_equal(keyd_hello(t.client, again), 0);
	assert_memory_equal(check, again, sizeof check);
	assert_int_equal(kill(t.pid, SIGTERM), 0);
	assert_int_equal(testing_wait(&t), 0);
	testing_done(&t);

	testing_start(&other, KEYD_USER, 1);
	assert_int_equal(keyd_hello(other.client, again), 0);
	assert_memory_not_equal(check, again, sizeof check);
	testing_done(&other);
}

static void test_no_kek(void **state)
{
	char path[FOLDER_FIXTURE_MAX];
	struct why why = {};
	int pair[2], dir;
	pid_t pid;

	(void)state;
	folder_fixture(path, "keyd");
	dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		const struct keyd_options o = { .role = KEYD_DOMAIN, .dir = dir, .control = pair[1] };

		(void)close(pair[0]);
		_exit(keyd_main(&o));
	}
	(void)close(pair[1]);
	assert_int_equal(keyd_control_wait_ready(pair[0], 30000, &why), KEYD_CONTROL_E_REFUSED);
	assert_non_null(strstr(why.text, "put it back"));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(pair[0]);
	(void)close(dir);
	assert_int_equal(rmdir(path), 0);
}

/* Each of these ends keyd, and its status says why. */
static void test_malformed_ends(void **state)
{
	static uint8_t big[KEYD_MESSAGE_MAX + 1];
	static const struct keyd_header hello = { .serial = 1, .request = KEYD_HELLO };
	static const struct keyd_header unlock = { .serial = 1, .request = KEYD_UNLOCK };
	static const struct keyd_header unknown = { .serial = 1, .request = KEYD_REQUESTS };
	const struct span messages[] = {
		SPAN("x"),
		span_of(&unknown, sizeof unknown),
		span_of(&unlock, sizeof unlock),
		span_of(big, sizeof big),
	};

	(void)state;
	memcpy(big, &hello, sizeof hello);
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		struct testing t;
		uint8_t check[KEYD_CHECK];
		int fd, status;

		testing_start(&t, KEYD_DOMAIN, 1);
		fd = testing_channel(&t);
		assert_int_equal(send(fd, messages[i].p, messages[i].n, MSG_NOSIGNAL), messages[i].n);
		status = testing_wait(&t);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), EXIT_MALFORMED);
		/* The others notice at once. */
		assert_true(keyd_hello(t.client, check) < 0);
		assert_false(keyd_client_is_up(t.client));
		(void)close(fd);
		testing_done(&t);
	}
}

static void test_new_channels(void **state)
{
	uint8_t check[KEYD_CHECK];
	struct testing t;
	int fds[2];

	(void)state;
	testing_start(&t, KEYD_DOMAIN, 0);
	assert_false(keyd_client_is_up(t.client));
	assert_int_equal(keyd_hello(t.client, check), -ENOTCONN);
	fds[0] = testing_channel(&t);
	fds[1] = testing_channel(&t);
	keyd_client_set_channels(t.client, fds, 2);
	assert_int_equal(keyd_hello(t.client, check), 0);
	testing_done(&t);
}

struct slow {
	struct keyd_client *client;
	int result;
	int64_t ended_ms;
};

static void *slow_run(void *context)
{
	struct slow *s = context;
	struct keyd_made made = {};

	do {
		keyd_made_done(&made);
		s->result = keyd_generate(s->client, KEY_RSA_3072, SPAN("d"), KEYD_TLS, &made);
	} while (!s->result);
	s->ended_ms = clock_monotonic_ms();
	return NULL;
}

/* keyd is killed while it makes a key: who waits is told at once, and so is who waits for a channel. */
static void test_killed_in_flight(void **state)
{
	/* Not on the stack: a failed assertion leaves while the threads still run. */
	static struct slow slow[3];
	pthread_t threads[3];
	uint8_t check[KEYD_CHECK];
	struct testing t;
	int64_t began_ms, killed_ms;
	unsigned n_cut = 0;

	(void)state;
	testing_start(&t, KEYD_DOMAIN, 2);
	for (int i = 0; i < 3; i++) {
		slow[i] = (struct slow){ .client = t.client };
		assert_int_equal(pthread_create(&threads[i], NULL, slow_run, &slow[i]), 0);
	}
	/* When this thread had to wait for a channel, the others have them all. */
	do {
		began_ms = clock_monotonic_ms();
		assert_int_equal(keyd_hello(t.client, check), 0);
	} while (clock_monotonic_ms() - began_ms < 20);
	killed_ms = clock_monotonic_ms();
	assert_int_equal(kill(t.pid, SIGKILL), 0);
	(void)testing_wait(&t);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(slow[i].result < 0);
		assert_true(slow[i].ended_ms - killed_ms < 1000);
		n_cut += slow[i].result == -ECONNRESET;
	}
	assert_true(n_cut > 0);
	testing_restart(&t, 2);
	assert_int_equal(keyd_hello(t.client, check), 0);
	testing_done(&t);
}

/* A keyd that answers late: an answer to an earlier request is not taken for this one's. */
static void *late_run(void *context)
{
	int fd = *(int *)context;
	static const uint8_t check[KEYD_CHECK] = { 1, 2, 3 };
	struct span field = span_of(check, sizeof check);
	struct keyd_header header;
	uint8_t message[256];
	size_t n;

	assert_true(recv(fd, message, sizeof message, 0) >= (ssize_t)sizeof header);
	memcpy(&header, message, sizeof header);
	header.serial--;
	field.p = message;
	n = keyd_message_write(message + 64, sizeof message - 64, &header, &field, 1);
	assert_int_equal(send(fd, message + 64, n, 0), n);
	header.serial++;
	field.p = check;
	n = keyd_message_write(message, sizeof message, &header, &field, 1);
	assert_int_equal(send(fd, message, n, 0), n);
	return NULL;
}

static void test_late_answer(void **state)
{
	struct keyd_client *client = keyd_client_new(KEYD_DOMAIN);
	uint8_t check[KEYD_CHECK];
	pthread_t thread;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pthread_create(&thread, NULL, late_run, &pair[1]), 0);
	keyd_client_set_channels(client, &pair[0], 1);
	assert_int_equal(keyd_hello(client, check), 0);
	assert_int_equal(check[0], 1);
	assert_int_equal(check[2], 3);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(pair[1]);
	keyd_client_free(client);
}

enum { SIGNERS = 8, SIGNATURES = 50 };

static void *signer_run(void *context)
{
	const struct keyd_sign how = { .digest = "SHA256" };
	const uint8_t digest[32] = { 5 };

	for (int i = 0; i < SIGNATURES; i++) {
		CLEANUP(buf_done) struct buf out = {};

		if (keyd_key_sign(context, &how, span_of(digest, sizeof digest), &out) ||
			buf_size(&out) == 0)
			return context;
	}
	return NULL;
}

/* More threads than channels, all with one key that none has loaded yet. */
static void test_many_threads(void **state)
{
	pthread_t threads[SIGNERS];
	struct keyd_made made = {};
	struct keyd_key *key;
	struct testing t;

	(void)state;
	testing_start(&t, KEYD_DOMAIN, 2);
	assert_int_equal(keyd_generate(t.client, KEY_EC_P256, SPAN("d"), KEYD_TLS, &made), 0);
	key = keyd_key_new(t.client, buf_span(&made.wrapped), span_str(made.key_id), SPAN("d"), KEYD_TLS);
	for (int i = 0; i < SIGNERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, signer_run, key), 0);
	for (int i = 0; i < SIGNERS; i++) {
		void *result = NULL;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	keyd_key_unref(key);
	keyd_made_done(&made);
	testing_done(&t);
}

/* The client's calls on a user's keyd, and that a new one knows no unlocked key. */
static void test_user(void **state)
{
	const struct keyd_sign how = { .digest = "SHA256" };
	const uint8_t digest[32] = { 5 };
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(buf_done) struct buf wrapped = {};
	struct keyd_made made = {};
	struct keyd_key *key = NULL;
	uint32_t left_ms;
	struct testing t;
	struct span id;

	(void)state;
	testing_start(&t, KEYD_USER, 1);
	assert_int_equal(keyd_user_generate(t.client, KEY_EC_P256, SPAN("u"), SPAN("one"), &made), 0);
	id = span_str(made.key_id);
	assert_int_equal(keyd_user_rewrap(t.client, SPAN("u"), id, buf_span(&made.wrapped), SPAN("one"),
				 SPAN("two"), &wrapped),
		0);
	assert_int_equal(keyd_unlock(t.client, buf_span(&wrapped), id, SPAN("u"), SPAN("one"),
				 SPAN("s"), 60000, &key),
		KEYD_E_PASSWORD);
	assert_int_equal(keyd_unlock(t.client, buf_span(&wrapped), id, SPAN("u"), SPAN("two"),
				 SPAN("s"), 60000, &key),
		0);
	assert_int_equal(keyd_key_sign(key, &how, span_of(digest, 32), &out), 0);
	assert_int_equal(keyd_key_export(key, KEYD_FORM_PKCS12, (struct span){}, SPAN("n"), SPAN("file"), &out), 0);
	assert_int_equal(keyd_key_left(key, &left_ms), 0);
	assert_in_range(left_ms, 30000, 60000);
	assert_int_equal(keyd_lock(key), 0);
	assert_int_equal(keyd_key_left(key, &left_ms), KEYD_E_GONE);
	assert_int_equal(keyd_key_sign(key, &how, span_of(digest, 32), &out), KEYD_E_GONE);
	keyd_key_unref(key);

	assert_int_equal(keyd_unlock(t.client, buf_span(&wrapped), id, SPAN("u"), SPAN("two"),
				 SPAN("s"), 60000, &key),
		0);
	assert_int_equal(kill(t.pid, SIGKILL), 0);
	(void)testing_wait(&t);
	testing_restart(&t, 1);
	assert_int_equal(keyd_key_sign(key, &how, span_of(digest, 32), &out), KEYD_E_GONE);
	keyd_key_unref(key);
	/* A request of the other role is stopped here: it would end keyd. */
	assert_true(keyd_seal(t.client, SPAN("x"), SPAN("u"), KEYD_SCRAM, &out) < 0);
	assert_true(keyd_client_is_up(t.client));
	keyd_made_done(&made);
	testing_done(&t);
}

static void *thread_nothing(void *context)
{
	return context;
}

/* In a child, after confinement. The exit codes name the step that went wrong. */
static int confined(int step)
{
	struct rlimit core;
	pthread_t thread;
	bool locked;
	uint8_t key[32];
	const struct wrap_cost cost = { 17, 8, 1 }; /* as in wrap_cost.c, for its memory */
	void *page;

	if (confine_memory(&locked) || confine_calls())
		return 10;
	switch (step) {
	case 0:
		if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM)
			return 11;
		if (open("/proc/self/mem", O_RDWR) >= 0 || errno != EPERM)
			return 12;
		if (unlink("/nonexistent") == 0 || errno != EPERM)
			return 13;
		return 0;
	case 1:
		/* What it needs still works. */
		if (pthread_create(&thread, NULL, thread_nothing, NULL) || pthread_join(thread, NULL))
			return 14;
		return wrap_scrypt(SPAN("password"), SPAN("salt"), &cost, key, sizeof key) ? 15 : 0;
	case 2:
		/* Asked by number: prctl and getrlimit themselves are not on the list. */
		return getrlimit(RLIMIT_CORE, &core) == 0 || errno != EPERM ? 16 : 0;
	case 3:
		/* No new code, neither mapped nor made of what is there. */
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page != MAP_FAILED || errno != EPERM)
			return 20;
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED || mprotect(page, 4096, PROT_READ) != 0)
			return 21;
		return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 || errno != EPERM ? 22 : 0;
	case 4:
		(void)socket(AF_INET, SOCK_STREAM, 0);
		return 17;
	case 5:
		(void)execl("/bin/true", "true", (char *)NULL);
		return 18;
	default:
		return 19;
	}
}

static int confined_status(int step)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(confined(step));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_confined(void **state)
{
	(void)state;
	assert_int_equal(confined_status(0), 0);
	assert_int_equal(confined_status(1), 0);
	assert_int_equal(confined_status(2), 0);
	assert_int_equal(confined_status(3), 0);
	for (int step = 4; step < 6; step++) {
		int status = confined_status(step);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static void test_not_dumpable(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct rlimit core;
		bool locked;

		_exit(confine_memory(&locked) || prctl(PR_GET_DUMPABLE) != 0 ||
			prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
			getrlimit(RLIMIT_CORE, &core) || core.rlim_max != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_and_end),
		cmocka_unit_test(test_no_kek),
		cmocka_unit_test(test_malformed_ends),
		cmocka_unit_test(test_new_channels),
		cmocka_unit_test(test_killed_in_flight),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_not_dumpable),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keyd", tests, NULL, NULL);
}
