/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What comes before every subcommand. The domain is the server's main one unless another is named.
 * The key store's password (signetd --key-password-file) is not needed for anything here: whoever may
 * use the socket is trusted already, and keyd has the password. But who gives it with -W, or is asked
 * for it at a terminal, wants a wrong one to stop the command, as it does with Sun's. Without -W and
 * without a terminal the command goes on, so that it runs unattended.
 */

#include "cli/msgcert.h"

#include "base/secret.h"
#include "cli/language.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STORE_PASSWORD_MAX = 4096 }; /* as long as signetd reads */

static int find_main_domain(struct cli *cli)
{
	json_t *answer = NULL;
	const json_t *domain;
	size_t i;
	int r = cli_ask(cli, "GET", "/domains", NULL, &answer);

	json_array_foreach(json_object_get(answer, "domains"), i, domain) {
		if (json_is_true(json_object_get(domain, "main")))
			cli->domain = json_string_value(json_object_get(domain, "name"));
	}
	cli->domains = answer; /* the name is in it */
	return r;
}

static int check(struct cli *cli, struct span password)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = NULL;

	if (!span_is_utf8(password)) {
		why_set(&cli->why, gettext("this is not the key store's password"));
		return CLIENT_E_REFUSED;
	}
	body = json_pack("{s:s%}", "password", (const char *)password.p, password.n);
	return cli_ask(cli, "POST", "/key-store/check", body, &answer);
}

/* A file that others may read is no place for a password. */
static int read_private(struct cli *cli, int fd, const char *name, struct secret *ret_content)
{
	CLEANUP(secret_done) struct secret content = secret_new(STORE_PASSWORD_MAX + 2);
	struct stat st;
	size_t n = 0;
	ssize_t got;

	if (fd != STDIN_FILENO && (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
				   (st.st_mode & (S_IRWXO | S_IWGRP)))) {
		why_set(&cli->why,
			gettext("%s must be a plain file that others cannot read (chmod 600)"), name);
		return CLIENT_E_REFUSED;
	}
	do {
		got = read(fd, content.p + n, content.n - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && n < content.n);
	if (n && content.p[n - 1] == '\n')
		n--;
	if (got < 0 || n == 0 || n > STORE_PASSWORD_MAX) {
		why_set(&cli->why, gettext("%s does not hold a password of 1 to %d octets"), name,
			STORE_PASSWORD_MAX);
		return CLIENT_E_REFUSED;
	}
	*ret_content = secret_copy(span_of(content.p, n));
	return 0;
}

static int check_file(struct cli *cli, const char *name)
{
	CLEANUP(secret_done) struct secret password = {};
	bool is_stdin = strcmp(name, "-") == 0;
	int r = is_stdin ? cli_take_input(cli) : 0;
	int fd;

	if (r)
		return r;
	fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		why_set(&cli->why, gettext("cannot read %s: %s"), name, strerror(errno));
		return CLIENT_E_REFUSED;
	}
	r = read_private(cli, fd, name, &password);
	if (!is_stdin)
		(void)close(fd);
	return r ? r : check(cli, secret_span(&password));
}

static int check_typed(struct cli *cli)
{
	char *password = NULL;
	int r = cli_prompt(cli, gettext("Password of the key store: "), &password);

	if (r == CLI_E_NO_TERMINAL)
		return 0;
	if (!r)
		r = check(cli, span_str(password));
	cli_password_free(password);
	return r;
}

static int check_password(struct cli *cli)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = cli_ask(cli, "GET", "/key-store", NULL, &answer);

	if (r || !json_is_true(json_object_get(answer, "password")))
		return r;
	return cli->store_password_file ? check_file(cli, cli->store_password_file) : check_typed(cli);
}

int msgcert_begin(struct cli *cli)
{
	int r;

	if (cli->words[0] && !cli->words[0][0]) {
		why_set(&cli->why, gettext("%s is empty"), cli->command->arguments[0].name);
		return CLI_E_USAGE;
	}
	r = check_password(cli);
	if (!r && !cli->domain)
		r = find_main_domain(cli);
	if (!r && !cli->domain) {
		why_set(&cli->why, gettext("the server has no main domain; name one with --domain"));
		return CLIENT_E_REFUSED;
	}
	return r;
}
