/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The commands are a table. A row says how it is called, what its arguments are, and what is asked
 * of the server; --help, completion and the checks of the arguments come from it. What a table
 * cannot say has a run function.
 */

#include "base/buf.h"
#include "cli/client.h"

enum argument_kind {
	ARG_END,
	ARG_ONE,      /* a word that must be there */
	ARG_OPTIONAL, /* a word that may be there */
	ARG_MANY,     /* one word or more, the last */
	ARG_PAIRS,    /* KEY=VALUE words, one or more, the last */
	ARG_OPTION,   /* --name VALUE */
	ARG_FLAG,     /* --name; a member is true if it is given */
	ARG_FIXED,    /* not given: a member that is the same in every call */
	ARG_TRUE,     /* the same, and its value is true */
	ARG_PASSWORD, /* --password-file F, "-" for stdin; else a prompt on a terminal, twice */
	ARG_PASSPHRASE, /* the same for one that exists: asked for once */
	ARG_SECRET,   /* the same, never asked for */
	ARG_FILE,     /* a word that names a file, "-" for stdin: its content is the member */
	ARG_OPTION_FILE, /* the same as --name FILE */
	ARG_LIST,     /* --name A,B: the member is an array */
	ARG_OUTPUT,   /* -o FILE: where the answer's member goes (cli/output.c) */
};

struct argument {
	enum argument_kind kind;
	const char *name;   /* "DOMAIN" or "--days" */
	const char *member; /* of the body: a text; NULL: none */
	bool number;        /* the member is an integer */
	const char *value;  /* what it is where it is not given; NULL: nothing */
	const char *sample; /* how help writes an option's value */
	const char *help;   /* of an option */
	const char *prompt; /* of a password; NULL: "Password: " */
	bool many;          /* an option that may be given again */
	const char *choices; /* its values, "a, b, c"; NULL: any */
	bool several;       /* some of the choices, a comma between; ARG_LIST always */
	size_t letters;     /* so many letters; 0: any text */
	uint64_t most;      /* of a number, from 1; 0: any */
};

enum { ARGUMENTS_MAX = 24, COLUMNS_MAX = 16, CLI_FILE_MAX = 16 << 20 };

struct column {
	const char *title; /* NULL ends */
	const char *member;
	int width; /* what is longer is cut; 0: never */
};

struct cli;
struct command;

/* 0, a fault, or an outcome of the client or CLI_E_USAGE, with why. */
typedef int command_fn(struct cli *cli);

struct command {
	const char *noun;
	const char *verb; /* NULL: the noun stands alone */
	const char *help;
	const char *example;
	struct argument arguments[ARGUMENTS_MAX];
	const char *method;
	const char *path; /* {0}: the first word, percent-encoded; {d}: the domain */
	const char *list; /* the answer's member that is shown as a table */
	struct column columns[COLUMNS_MAX]; /* of the table; without a list: the members shown, where
	                                     * not all are */
	command_fn *run; /* instead of one request */
};

/* Each program has its own. */
extern const char program_name[];
extern const struct command commands[];
extern const size_t n_commands;

/* One call. */
struct cli {
	const char *data;
	bool json;
	const struct command *command;
	struct client *client; /* NULL until something is asked */
	const char *words[ARGUMENTS_MAX]; /* by position among the row's words; NULL: absent */
	char **rest;                      /* of ARG_MANY and ARG_PAIRS */
	size_t n_rest;
	const char *options[ARGUMENTS_MAX]; /* by position in the row; a flag is "" */
	bool input_taken;   /* standard input was read: it holds one thing */
	bool is_open;       /* the file that was read is PEM without encryption: no passphrase */
	const char *secret; /* for ARG_SECRET where no file was named; NULL: none */
	struct values {
		const char **values;
		size_t n;
	} given[ARGUMENTS_MAX]; /* each value of the options that may be given again */
	const char *domain;              /* msgcert: whose certificates; in domains, or given */
	json_t *domains;
	const char *store_password_file; /* msgcert: NULL: none */
	bool der;                        /* a PEM member goes out as DER */
	struct why why;
};

/* The folder of a server that none is given for. */
const char *cli_default_data(void);

/* Whether a word is the option's name: "--name", or "--name=VALUE" with *ret_value behind the "=". */
bool cli_is_option(const char *word, const char *name, const char **ret_value);

/* Takes apart what follows the command's name; argv is reordered. false: usage, with why. */
bool cli_arguments(struct cli *cli, int argc, char **argv) MUST_CHECK;
bool cli_wants_help(int argc, char **argv);
void cli_done(struct cli *cli);

/* How the command is called, behind a text; with its options and its example. */
void cli_print_call(const struct command *c, const char *before);
void cli_command_help(const struct command *c);

/* Says what has gone wrong, if anything has; the exit code. */
enum { EXIT_REFUSED = 1, EXIT_USAGE = 2 };
int cli_finish(const struct cli *cli, int r) MUST_CHECK;

/* The program's own: what is said behind the reason where something does not exist. */
void program_add_hint(struct cli *cli);

/* The value of an option or flag by name; NULL if it was not given. */
const char *cli_option(const struct cli *cli, const char *name);

/* The i-th value of an option that may be given again; NULL behind the last. */
const char *cli_option_at(const struct cli *cli, const char *name, size_t i);

/* Any request; the client is made at the first. */
int cli_ask(struct cli *cli, const char *method, const char *path, const json_t *body,
	json_t **ret_answer) MUST_CHECK;

/* The same at a path that was put together. */
int cli_ask_at(struct cli *cli, const char *method, struct buf *path, const json_t *body,
	json_t **ret_answer) MUST_CHECK;

/* KEY=VALUE words as members of the body. */
int cli_pairs(struct cli *cli, json_t *body) MUST_CHECK;

/* The row's own request: path filled in, body from the arguments. */
int cli_request(struct cli *cli, json_t **ret_answer) MUST_CHECK;

/* The answer on stdout, as the row says. */
int cli_show(struct cli *cli, const json_t *answer) MUST_CHECK;

/* The command: what its row runs, else its own request, with the answer shown. */
int cli_run(struct cli *cli) MUST_CHECK;

/* Its body; NULL if it has none. */
int cli_body(struct cli *cli, json_t **ret_body) MUST_CHECK;

/* A member from the content of a file: what is PEM as it is, everything else in base64. */
int cli_body_file(struct cli *cli, json_t *body, const char *member, const char *name) MUST_CHECK;

/* Whether it is one of the words by position. */
bool argument_is_word(const struct argument *a);

/* Whether what is given for it names a file or a folder, or may. */
bool argument_is_path(const struct argument *a);

/* Before standard input is read: CLI_E_USAGE where it was already. */
int cli_take_input(struct cli *cli) MUST_CHECK;

/* The content of a file ("-": standard input, once), at most CLI_FILE_MAX octets. */
int cli_read_file(struct cli *cli, const char *name, struct buf *out) MUST_CHECK;

/* Whether the row's answer is a file; writes it where -o says. */
bool cli_has_output(const struct cli *cli);
int cli_output_check(struct cli *cli) MUST_CHECK;
int cli_output(struct cli *cli, const json_t *answer) MUST_CHECK;

/* Octets to where -o says, and to a file, readable by its owner only. */
int cli_output_octets(struct cli *cli, struct span octets) MUST_CHECK;
int cli_write_file(struct cli *cli, const char *name, struct span octets) MUST_CHECK;

/* Before something is made or asked for that is no text: CLI_E_USAGE where it would go to a terminal. */
int cli_check_output(struct cli *cli) MUST_CHECK;

/* Appends text percent-encoded for a path segment (RFC 3986 section 2.1). */
void cli_add_segment(struct buf *path, const char *text);

/* Reads a password: from the file that the option names, less one newline at its end, else from the
 * terminal without echo, a new one twice. Without either it is a usage error. The caller frees with
 * cli_password_free. */
enum cli_outcome { CLI_E_USAGE = 10, CLI_E_NO_TERMINAL };
int cli_password(struct cli *cli, const char *option, bool is_new, char **ret_password) MUST_CHECK;

/* The same from the terminal alone; CLI_E_NO_TERMINAL: there is none. */
int cli_prompt(struct cli *cli, const char *prompt, char **ret_password) MUST_CHECK;

/* Wipes and frees. */
void cli_password_free(char *password);

/* Commands that are more than one request. */
command_fn run_log, run_alias_list, run_alias_add, run_alias_remove, run_cert_list, run_cert_in_use, run_key_import,
	run_cert_newest, run_key_list, run_key_newest, run_key_test, run_setting_get, run_setting_reset,
	run_completion, run_request_newest, run_chain_set, run_cert_check, run_cert_export,
	run_trust_list, run_trust_add, run_cert_renew, run_trust_deny, run_trust_remove,
	run_rule_show, run_rule_set, run_rule_check, run_rule_remove,
	run_verify, run_issuer_show, run_issuer_set, run_issuer_remove, run_certmap_show,
	run_certmap_set, run_certmap_remove, run_own_cert_remove, run_tls_show,
	run_tls_set, run_tls_reset, run_tls_probe, run_outgoing_probe,
	run_acme_account, run_acme_order, run_acme_status,
	run_contact_take, run_contact_list, run_contact_show, run_contact_import, run_contact_lookup,
	run_contact_accept, run_contact_refuse, run_mailbox_rights,
	run_crl_list, run_crl_add, run_crl_fetch, run_smime_sign, run_smime_encrypt,
	run_smime_verify, run_smime_decrypt,
	run_smime_show, run_smime_add, run_smime_change, run_smime_export, run_smime_unlock,
	run_smime_lock, run_ca_check, run_ca_issue,
	run_mail_list, run_mail_show, run_mail_save, run_mail_encrypt, run_mail_decrypt,
	run_mail_compose, run_encryption_start, run_encryption_status, run_encryption_pause,
	run_encryption_resume, run_encryption_cancel;
