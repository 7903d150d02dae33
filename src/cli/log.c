/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * signet log: the newest lines that the server keeps, and those that come. Each answer says the number
 * of the last line it looked at, and the next question begins there, so none is printed twice or left
 * out, however they come in between. A server process that starts anew counts from one again.
 */

#include "cli/command.h"

#include "base/alloc.h"
#include "cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { FOLLOW_US = 500000, LINES = 100, LINES_MAX = 4096 };

struct log_reader {
	const char *tag;
	long long lines; /* at most, in the first answer */
	long long last;  /* the number of the last line that was seen; -1: none yet */
};

static int log_ask(struct cli *cli, const struct log_reader *l, json_t **ret_answer)
{
	CLEANUP(buf_done) struct buf path = {};

	buf_add_string(&path, "/log");
	if (l->last < 0)
		buf_add_format(&path, "?max=%lld", l->lines);
	else
		buf_add_format(&path, "?max=%d&after=%lld", LINES_MAX, l->last);
	if (l->tag) {
		buf_add_string(&path, "&tag=");
		cli_add_segment(&path, l->tag);
	}
	buf_add_octet(&path, 0);
	return cli_ask(cli, "GET", (const char *)buf_span(&path).p, NULL, ret_answer);
}

/* Prints an answer. *ret_more: it was full, so there may be more at once. */
static int log_print(struct cli *cli, struct log_reader *l, const json_t *answer, bool *ret_more)
{
	const json_t *lines = json_object_get(answer, "lines"), *line;
	long long last = json_integer_value(json_object_get(answer, "last"));
	size_t i;

	if (last < l->last) {
		/* The server process is a new one, and counts from the beginning. */
		l->last = 0;
		*ret_more = true;
		return 0;
	}
	*ret_more = json_array_size(lines) == LINES_MAX;
	if (cli->json && (l->last < 0 || json_array_size(lines)))
		show_json(answer);
	json_array_foreach(lines, i, line) {
		if (!cli->json && json_is_string(line))
			show_line(json_string_value(line));
	}
	l->last = last;
	return fflush(stdout) ? err_fault(errno, "stdout") : 0;
}

static int log_some(struct cli *cli, struct log_reader *l, bool *ret_more)
{
	json_t *answer = NULL;
	int r = log_ask(cli, l, &answer);

	if (!r)
		r = log_print(cli, l, answer, ret_more);
	json_decref(answer);
	return r;
}

int run_log(struct cli *cli)
{
	struct log_reader l = { .tag = cli_option(cli, "--tag"), .last = -1, .lines = LINES };
	const char *lines = cli_option(cli, "--lines");
	uint64_t n;
	bool more;
	int r;

	if (lines) {
		if (!span_to_u64(span_str(lines), LINES_MAX, &n)) {
			why_set(&cli->why, "--lines is a number of at most %d", LINES_MAX);
			return CLI_E_USAGE;
		}
		l.lines = (long long)n;
	}
	r = log_some(cli, &l, &more);
	while (!r && cli_option(cli, "--follow")) {
		if (!more)
			(void)usleep(FOLLOW_US);
		r = log_some(cli, &l, &more);
	}
	return r;
}

