/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The command completion: what a shell needs to know of the command table. */

#include "cli/command.h"

#include <stdio.h>
#include <string.h>

/* What comes behind an option: files, one of its choices, or what nobody knows. */
static void complete_value(const struct argument *a)
{
	(void)printf("\t\t%s) ", a->name);
	if (argument_is_path(a)) {
		(void)puts("files=1 words= ;;");
		return;
	}
	(void)fputs("words='", stdout);
	for (const char *p = a->choices ? a->choices : ""; *p; p++) {
		if (*p != ',')
			(void)putchar(*p);
	}
	(void)puts("' ;;");
}

static void complete(const char *noun, const char *verb, const struct command *c)
{
	bool files = false;

	(void)printf("\t' %s%s%s'*) words='--help --json", noun, verb ? " " : "", verb ? verb : "");
	for (size_t k = 0; k < ARGUMENTS_MAX && c->arguments[k].kind != ARG_END; k++) {
		const struct argument *a = &c->arguments[k];

		if (a->name && a->name[0] == '-')
			(void)printf(" %s", a->name);
		else
			files |= argument_is_path(a);
	}
	(void)printf("' files=%s\n\t\tcase $before in\n", files ? "1" : "");
	for (size_t k = 0; k < ARGUMENTS_MAX && c->arguments[k].kind != ARG_END; k++) {
		const struct argument *a = &c->arguments[k];

		if (a->name && a->name[0] == '-' && a->kind != ARG_FLAG)
			complete_value(a);
	}
	(void)puts("\t\tesac ;;");
}

/* A shell function that completes nouns, a noun's verbs, and a command's options, from the table. */
int run_completion(struct cli *cli)
{
	(void)cli;
	(void)printf("_%s() {\n", program_name);
	(void)puts("\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal words said='' files='' i\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tcase ${COMP_WORDS[i]} in\n"
		"\t\t--data|--domain|-W) i=$((i + 1)) ;;\n"
		"\t\t-*) ;;\n"
		"\t\t*) said+=\" ${COMP_WORDS[i]}\" ;;\n"
		"\t\tesac\n"
		"\tdone\n"
		"\tcase $before in\n"
		"\t--data)\n\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$word\")\n\t\treturn ;;\n"
		"\t-W)\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n\t\treturn ;;\n"
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
		"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\";\n"
		"\t\t[[ $files && $word != -* ]] && compgen -f -- \"$word\")\n"
		"}");
	(void)printf("complete -F _%s %s\n", program_name, program_name);
	return 0;
}
