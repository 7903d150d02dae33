/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What may be run, what may be asked of it, and what it finds around itself. */

#include "app/hook.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/span.h"
#include "base/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VALUE "ZaJgFtIV4WA0t2MzN7kbSk0sfRd2GZjaxRqaSTAK6lI"

struct bench {
	char folder[40];
	char *program;
};

static int set_up(void **state)
{
	struct bench *b = ALLOC(struct bench);

	(void)strcpy(b->folder, "/tmp/signet-hook-XXXXXX");
	if (!mkdtemp(b->folder) || chmod(b->folder, 0755))
		return -1;
	b->program = alloc_format("%s/hook", b->folder);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	CLEANUP(alloc_freep) char *link = alloc_format("%s/link", b->folder);

	(void)unlink(link);
	(void)unlink(b->program);
	(void)rmdir(b->folder);
	free(b->program);
	free(b);
	return 0;
}

static void write_program(const struct bench *b, const char *text)
{
	FILE *f = fopen(b->program, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(b->program, 0755), 0);
}

static int check(const char *path, struct why *why)
{
	CLEANUP(alloc_freep) char *resolved = NULL;

	return hook_check(path, &resolved, why);
}

static void expect_refused(const char *path, const char *word)
{
	struct why why = {};

	assert_int_equal(check(path, &why), HOOK_E_REFUSED);
	if (!strstr(why.text, word))
		fail_msg("%s: %s", path, why.text);
}

static void test_check(void **state)
{
	struct bench *b = *state;
	CLEANUP(alloc_freep) char *link = alloc_format("%s/link", b->folder);

	write_program(b, "#!/bin/sh\n");
	assert_int_equal(check(b->program, NULL), 0);
	assert_int_equal(check("/bin/sh", NULL), 0);
	assert_int_equal(symlink(b->program, link), 0);
	assert_int_equal(check(link, NULL), 0);

	expect_refused("hook", "absolute");
	expect_refused("", "absolute");
	expect_refused("/nonexistent/hook", "No such file");
	expect_refused(b->folder, "not a program");
	expect_refused("/dev/null", "not a program");
	assert_int_equal(chmod(b->program, 0644), 0);
	expect_refused(b->program, "not a program");
	assert_int_equal(chmod(b->program, 0775), 0);
	expect_refused(b->program, "writable by nobody else");
	assert_int_equal(chmod(b->program, 0757), 0);
	expect_refused(b->program, "writable by nobody else");
	assert_int_equal(chmod(b->program, 0755), 0);
	/* Whoever can write to the folder can put another file there; also through a link. */
	assert_int_equal(chmod(b->folder, 0777), 0);
	expect_refused(b->program, "others may write");
	expect_refused(link, "others may write");
	assert_int_equal(chmod(b->folder, 01777), 0);
	assert_int_equal(check(b->program, NULL), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(b->program, 12345, 0), 0);
		expect_refused(b->program, "owned by root");
		assert_int_equal(chown(b->program, 0, 0), 0);
		assert_int_equal(chown(b->folder, 12345, 0), 0);
		expect_refused(b->program, "others may write");
	}
}

static struct control_hook request(const char *domain, const char *record, const char *value)
{
	struct control_hook r = { .serial = 7 };

	(void)strcpy(r.domain, domain);
	(void)strcpy(r.record, record);
	(void)strcpy(r.value, value);
	return r;
}

static void test_requests(void **state)
{
	static const struct {
		const char *domain, *record, *value;
	} refused[] = {
		{ "", "_acme-challenge.", VALUE },
		{ "example.org", "_acme-challenge.example.net", VALUE },
		{ "example.org", "example.org", VALUE },
		{ "example.org", "_acme-challenge.example.org.", VALUE },
		{ "*.example.org", "_acme-challenge.*.example.org", VALUE },
		{ "-x.example.org", "_acme-challenge.-x.example.org", VALUE },
		{ "--help", "_acme-challenge.--help", VALUE },
		{ "a b.example", "_acme-challenge.a b.example", VALUE },
		{ "a;b.example", "_acme-challenge.a;b.example", VALUE },
		{ "example.org\n", "_acme-challenge.example.org\n", VALUE },
		{ "../etc", "_acme-challenge.../etc", VALUE },
		{ "example.org", "_acme-challenge.example.org", "" },
		{ "example.org", "_acme-challenge.example.org", "short" },
		{ "example.org", "_acme-challenge.example.org",
			"ZaJgFtIV4WA0t2MzN7kbSk0sfRd2GZjaxRqaSTAK6l;" },
		{ "example.org", "_acme-challenge.example.org", VALUE "x" },
	};
	struct control_hook r = request("example.org", "_acme-challenge.example.org", VALUE);

	(void)state;
	assert_true(hook_request_fits(&r));
	r.clean = 1;
	assert_true(hook_request_fits(&r));
	r.clean = 2;
	assert_false(hook_request_fits(&r));
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		r = request(refused[i].domain, refused[i].record, refused[i].value);
		if (hook_request_fits(&r))
			fail_msg("%s %s %s", refused[i].domain, refused[i].record,
				refused[i].value);
	}
	/* Without an end. */
	r = request("example.org", "_acme-challenge.example.org", VALUE);
	memset(r.value, 'a', sizeof r.value);
	assert_false(hook_request_fits(&r));
	memset(r.domain, 'a', sizeof r.domain);
	assert_false(hook_request_fits(&r));
}

/* Runs it to its end as the supervisor does; killed after so many milliseconds. */
static struct control_hook_result run(const struct bench *b, int limit_ms)
{
	struct control_hook r = request("example.org", "_acme-challenge.example.org", VALUE);
	struct privilege privilege = {};
	struct hook h = { .error_fd = -1 };
	int64_t due = clock_monotonic_ms() + limit_ms;
	sigset_t none;
	int status;

	(void)sigemptyset(&none);
	assert_int_equal(hook_start(&h, b->program, &privilege, &r, &none), 0);
	while (waitpid(h.pid, &status, WNOHANG) == 0) {
		struct pollfd fd = { .fd = h.error_fd, .events = POLLIN };

		if (poll(&fd, 1, 20) > 0 && fd.revents)
			hook_listen(&h);
		if (clock_monotonic_ms() > due && !h.killed)
			hook_kill(&h);
	}
	hook_ended(&h, status);
	assert_int_equal(h.pid, 0);
	assert_int_equal(h.error_fd, -1);
	assert_int_equal(h.result.serial, 7);
	return h.result;
}

static void test_around(void **state)
{
	struct bench *b = *state;
	struct control_hook_result result;
	int extra = open("/dev/null", O_RDONLY);

	/* Its arguments, folder and environment, and what else it holds: descriptors that the shell
	 * itself opened (for the script, and for the list) apart. */
	write_program(b, "#!/bin/sh\n"
		"echo \"$# $1 $2 $3 $4 $PWD [$(env -u PWD -u SHLVL -u OLDPWD -u _ 2>&1)]\" >&2\n"
		"held=$(for n in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$n ] &&"
		" readlink /proc/$$/fd/$n; done)\n"
		"echo $held >&2\nexit 7\n");
	assert_true(extra > 2);
	assert_int_equal(fcntl(extra, F_SETFD, 0), 0);
	result = run(b, 20000);
	(void)close(extra);
	assert_int_equal(result.code, 7);
	if (!strstr(result.text, "4 deploy example.org _acme-challenge.example.org " VALUE " / []"))
		fail_msg("%s", result.text);
	if (!strstr(result.text, "] /dev/null /dev/null pipe:[") ||
		strstr(result.text, "/dev/null /dev/null /dev/null"))
		fail_msg("%s", result.text);
}

static void test_speech(void **state)
{
	struct bench *b = *state;
	struct control_hook_result result;

	/* More than a pipe holds, and nothing that a log line may not. */
	write_program(b, "#!/bin/sh\nprintf 'a\\033b\\nc' >&2\n"
			 "i=0; while [ $i -lt 3000 ]; do echo 'a line of fifty octets, so that a "
			 "pipe gets full' >&2;"
			 " i=$((i+1)); done\nexit 0\n");
	result = run(b, 20000);
	assert_int_equal(result.code, 0);
	assert_memory_equal(result.text, "a b ca line", 11);
	assert_int_equal(strlen(result.text), sizeof result.text - 1);
}

static void test_limit(void **state)
{
	struct bench *b = *state;
	struct control_hook_result result;
	int64_t begun = clock_monotonic_ms();

	/* With what it has started: that would hold the pipe open. */
	write_program(b, "#!/bin/sh\nsleep 60 &\nsleep 60\n");
	result = run(b, 200);
	assert_int_equal(result.code, -SIGKILL);
	assert_non_null(strstr(result.text, "longer than 120 seconds"));
	assert_true(clock_monotonic_ms() - begun < 20000);
}

static void test_not_a_program(void **state)
{
	struct bench *b = *state;
	struct control_hook_result result;

	write_program(b, "#!/nonexistent/interpreter\n");
	result = run(b, 20000);
	assert_int_equal(result.code, 126);
	assert_non_null(strstr(result.text, "cannot execute"));
}

#define HOOK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOOK_TEST(test_check),
		HOOK_TEST(test_requests),
		HOOK_TEST(test_around),
		HOOK_TEST(test_speech),
		HOOK_TEST(test_limit),
		HOOK_TEST(test_not_a_program),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
