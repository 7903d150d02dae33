/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The command completion: what a shell needs to know of the command table. */

#include "cli/command.h"

#include <stdio.h>

static void complete(const char *noun, const char *verb, const struct command *c)
{
	(void)printf("\t' %s%s%s'*) words='--help --json", noun, verb ? " " : "", verb ? verb : "");
	for (size_t k = 0; k < ARGUMENTS_MAX && c->arguments[k].kind != ARG_END; k++) {
		if (c->arguments[k].name && c->arguments[k].name[0] == '-')
			(void)printf(" %s", c->arguments[k].name);
	}
	(void)puts("' ;;");
}

/* A shell function that completes nouns, a noun's verbs, and a command's options, from the table. */
int run_completion(struct cli *cli)
{
	(void)cli;
	(void)printf("_%s() {\n", program_name);
	(void)puts("\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal words said='' i\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tcase ${COMP_WORDS[i]} in\n"
		"\t\t--data|--domain|-W) i=$((i + 1)) ;;\n"
		"\t\t-*) ;;\n"
		"\t\t*) said+=\" ${COMP_WORDS[i]}\" ;;\n"
		"\t\tesac\n"
		"\tdone\n"
		"\tcase $before in\n"
		"\t--data)\n\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$word\")\n\t\treturn ;;\n"
		"\t--password-file|--passphrase-file|--chain|-o|-W)\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n\t\treturn ;;\n"
		"\tesac\n"
		"\tcase $said in");
	(void)fputs("\t'') words='--data --json --help --version", stdout);
	for (size_t i = 0; i < n_commands; i++) {
		if (i == 0 || strcmp(commands[i].noun, commands[i - 1].noun) != 0)
			(void)printf(" %s", commands[i].noun);
	}
	(void)puts("' ;;");
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];

		if (c->verb && (i == 0 || strcmp(c->noun, commands[i - 1].noun) != 0)) {
			(void)printf("\t' %s') words='--help", c->noun);
			for (size_t k = i; k < n_commands && strcmp(commands[k].noun, c->noun) == 0;
				k++)
				(void)printf(" %s", commands[k].verb);
			(void)puts("' ;;");
		}
		complete(c->noun, c->verb, c);
	}
	(void)puts("\t*) words= ;;\n"
		"\tesac\n"
		"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
		"}");
	(void)printf("complete -F _%s %s\n", program_name, program_name);
	return 0;
}
