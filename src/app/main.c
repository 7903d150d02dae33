/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * signetd: the mail server.
 *
 *   signetd --data DIR [--domain NAME] [--listen ADDRESS]... [--port-offset N] ...
 *
 * As started by a person it is the supervisor. It executes itself for the other processes, with
 * --role as the first argument; that form is between our own processes and documented nowhere else.
 *
 * Exit codes: 0 ended as asked; 1 refused or failed, with one line that says why; 2 usage.
 */

#include "app/control.h"
#include "app/server.h"
#include "app/supervise.h"
#include "keyd/import.h"
#include "keyd/keyd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void set_source(struct keyd_options *o, enum keyd_source source, const char *name)
{
	o->source = source;
	o->file = CHILD_KEY_FILE;
	o->name = name;
}

static int keyd_role_main(enum keyd_role role, int argc, char **argv)
{
	struct keyd_options o = { .role = role, .dir = CHILD_FOLDER, .control = CHILD_CONTROL };

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--create") == 0)
			o.create = true;
		else if (strcmp(argv[i], "--password-file") == 0 && i + 1 < argc)
			set_source(&o, KEYD_SOURCE_PASSWORD, argv[++i]);
		else if (strcmp(argv[i], "--credential") == 0 && i + 1 < argc)
			set_source(&o, KEYD_SOURCE_CREDENTIAL, argv[++i]);
	}
	return keyd_main(&o);
}

static int role_main(const char *role, int argc, char **argv)
{
	(void)prctl(PR_SET_NAME, role);
	if (strcmp(role, "keyd-domain") == 0)
		return keyd_role_main(KEYD_DOMAIN, argc, argv);
	if (strcmp(role, "keyd-user") == 0)
		return keyd_role_main(KEYD_USER, argc, argv);
	if (strcmp(role, "importer") == 0)
		return importer_main(CHILD_CONTROL);
	return server_main(argc, argv);
}

/* Connections are descriptors: as many as the system gives. Core files could hold keys and mail. */
static void set_process_limits(void)
{
	struct rlimit files = {}, core = {};

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)setrlimit(RLIMIT_CORE, &core);
}

static int refuse(const struct why *why)
{
	(void)fprintf(stderr, "signetd: %s\n", why->text);
	return 1;
}

int main(int argc, char **argv)
{
	static struct bound bound[BOUND_MAX];
	size_t n_bound = 0;
	struct options options = {};
	struct privilege privilege = {};
	struct folders folders = {};
	struct why why = {};

	set_process_limits();
	if (argc > 2 && strcmp(argv[1], "--role") == 0)
		return role_main(argv[2], argc - 3, argv + 3);
	if (options_parse(&options, argc, argv, &why)) {
		(void)refuse(&why);
		return 2;
	}
	if (options.help || options.version) {
		(void)fputs(options.help ? options_help : "signetd " SIGNET_VERSION "\n", stdout);
		return 0;
	}
	if (privilege_choose(&privilege, &options, &why))
		return refuse(&why);
	if (folders_make(&folders, &options, &privilege, &why))
		return refuse(&why);
	if (ports_bind(bound, &n_bound, &options, folders.run_fd, &why))
		return refuse(&why);
	return supervise(&options, &privilege, &folders, bound, n_bound);
}
