/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "app/options.h"
#include "app/control.h"
#include "app/ports.h"
#include "base/clock.h"

#include "base/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int parse(struct options *o, struct why *why, const char *line)
{
	static char text[512];
	char *argv[32] = { text };
	int argc = 0;

	(void)strcpy(text, line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return options_parse(o, argc, argv, why);
}

static void options_are_read(void **state)
{
	struct options o = {};

	(void)state;
	assert_int_equal(parse(&o, NULL, "signetd --data /d --domain example.org --listen 127.0.0.1"
		" --listen=[::1] --port-offset=10000 --foreground --user mail"), 0);
	assert_string_equal(o.data, "/d");
	assert_string_equal(o.domain, "example.org");
	assert_int_equal(o.n_listen, 2);
	assert_string_equal(o.listen[1], "[::1]");
	assert_int_equal(o.port_offset, 10000);
	assert_string_equal(o.user, "mail");
	assert_int_equal(parse(&o, NULL, "signetd --help"), 0);
	assert_true(o.help);
}

static void usage_is_said(void **state)
{
	static const struct {
		const char *line, *word;
	} rows[] = {
		{ "signetd", "--data" },
		{ "signetd --data", "--data" },
		{ "signetd --data d --wrong", "--wrong" },
		{ "signetd --data d --dat x", "--dat" },
		{ "signetd --data d --port-offset x", "--port-offset" },
		{ "signetd --data d --port-offset 60001", "--port-offset" },
		{ "signetd --data d --port-offset -1", "--port-offset" },
		{ "signetd --data d extra", "extra" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct options o = {};
		struct why why = {};

		assert_int_equal(parse(&o, &why, rows[i].line), OPTIONS_E_USAGE);
		assert_non_null(strstr(why.text, rows[i].word));
	}
}

static int bind_on(const char *address, unsigned offset, int run_fd, struct bound *bound, size_t *n,
	struct why *why)
{
	struct options o = { .port_offset = offset, .n_listen = 1, .listen = { address } };

	return ports_bind(bound, n, &o, run_fd, why);
}

static void ports_are_bound_or_said(void **state)
{
	static struct bound bound[BOUND_MAX], again[BOUND_MAX];
	char folder[] = "/tmp/signet-ports-XXXXXX";
	unsigned offset = 10000 + (unsigned)getpid() % 1000;
	struct why why = {};
	size_t n = 0, n_again = 0;
	int run_fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	run_fd = open(folder, O_RDONLY | O_DIRECTORY);
	/* Others may use some ports: the first offset at which all are free. */
	while (bind_on("127.0.0.1", offset, run_fd, bound, &n, &why) && offset < 31000)
		offset += 1000;
	assert_int_equal(n, SERVICES);
	assert_int_equal(bind_on("127.0.0.1", offset, run_fd, again, &n_again, &why), PORTS_E_BIND);
	assert_non_null(strstr(why.text, "another server"));
	assert_int_equal(bind_on("localhost", offset, run_fd, again, &n_again, &why),
		PORTS_E_ADDRESS);
	assert_int_equal(bind_on("::1", offset, run_fd, again, &n_again, &why), PORTS_E_ADDRESS);
	assert_int_equal(bind_on("[::1]:25", offset, run_fd, again, &n_again, &why),
		PORTS_E_ADDRESS);
	for (size_t i = 0; i < n; i++)
		(void)close(bound[i].fd);
	(void)unlinkat(run_fd, "signet.sock", 0);
	(void)close(run_fd);
	(void)rmdir(folder);
}

/* A child that reads nothing holds up its supervisor for a second, and not for good. */
static void control_is_bounded(void **state)
{
	int64_t start = clock_monotonic_ms(), took;
	int pair[2], r, n = 0;

	(void)state;
	assert_int_equal(control_pair(pair), 0);
	do
		r = control_send(pair[0], CONTROL_READY, NULL, 0);
	while (!r && n++ < 100000);
	took = clock_monotonic_ms() - start;
	assert_true(r < 0);
	assert_true(took >= CONTROL_SEND_MS - 50 && took < 10 * CONTROL_SEND_MS);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void control_messages(void **state)
{
	struct control_message m = {};
	int pair[2], pipe_fds[2];
	char octet = 'x';

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(control_send(pair[0], CONTROL_CHANNELS_USER, pipe_fds, 2), 0);
	assert_int_equal(control_receive(pair[1], &m), 0);
	assert_int_equal(m.kind, CONTROL_CHANNELS_USER);
	assert_int_equal(m.n_fds, 2);
	assert_int_equal(write(m.fds[1], &octet, 1), 1);
	octet = 0;
	assert_int_equal(read(pipe_fds[0], &octet, 1), 1);
	assert_int_equal(octet, 'x');
	assert_int_equal(send(pair[0], "short", 5, 0), 5);
	assert_true(control_receive(pair[1], &m) < 0);
	(void)close(pair[0]);
	assert_int_equal(control_receive(pair[1], &m), CONTROL_E_END);
	(void)close(pair[1]);
	for (int i = 0; i < 2; i++) {
		(void)close(pipe_fds[i]);
		(void)close(m.fds[i]);
	}
}

/* Whoever tells is not held up by somebody who does not listen. */
static void control_is_not_read(void **state)
{
	const union control_payload payload = { .result = { .serial = 1 } };
	int pair[2], r = 0, n = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	(void)alarm(20);
	while (!r && n++ < 100000)
		r = control_tell(pair[0], CONTROL_HOOK, &payload);
	(void)alarm(0);
	assert_true(r < 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read),
		cmocka_unit_test(usage_is_said),
		cmocka_unit_test(ports_are_bound_or_said),
		cmocka_unit_test(control_messages),
		cmocka_unit_test(control_is_bounded),
		cmocka_unit_test(control_is_not_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
