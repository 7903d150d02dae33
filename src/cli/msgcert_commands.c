/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The command table of msgcert: Sun's subcommands, and what they ask of the server. */

#include "cli/language.h"
#include "cli/msgcert.h"
#include "pki/selfsign.h"

#define WORD(title, field)      { .kind = ARG_ONE, .name = title, .member = field }
#define FILE_WORD(title, field) { .kind = ARG_FILE, .name = title, .member = field }
#define FLAG(title, field, text)                                                                   \
	{ .kind = ARG_FLAG, .name = title, .member = field, .help = MARKED(text) }
#define OPTION(title, of, field, text)                                                             \
	{ .kind = ARG_OPTION, .name = title, .sample = of, .member = field, .help = MARKED(text) }
#define TRUE(field) { .kind = ARG_TRUE, .member = field }
#define ALIAS       WORD("ALIAS", NULL)
#define DAYS                                                                                       \
	{ .kind = ARG_OPTION, .name = "--days", .sample = "N", .member = "days", .number = true,   \
		.most = SELFSIGN_DAYS_MAX,                                                                      \
		.help = MARKED("how many days it is valid (default: three months)") }
#define OUTPUT(field)                                                                              \
	{ .kind = ARG_OUTPUT, .name = "-o", .sample = "FILE", .member = field,                     \
		.help = MARKED("where it goes (default: standard output)") }
#define CHAIN                                                                                      \
	{ .kind = ARG_OPTION_FILE, .name = "--chain", .sample = "FILE", .member = "chain",         \
		.help = MARKED("intermediate certificates, if not in FILE") }
#define SERVICES                                                                                   \
	{ .kind = ARG_OPTION, .name = "--service", .sample = "S,...", .member = "services",        \
		.choices = "smtp, imap, pop3, http, all, none", .several = true,                   \
		.help = MARKED("what it serves: some of smtp, imap, pop3, http, or none (default: all)") }
#define FORCE FLAG("--force", "force", "send the chain exactly as it is given")
#define FILE_PASSWORD                                                                              \
	{ .kind = ARG_PASSPHRASE, .name = "--password-file", .sample = "F",                        \
		.member = "passphrase", .prompt = MARKED("Password of the PKCS#12 file: "),        \
		.help = MARKED("file with FILE's password; else it is asked for") }
#define IMPORT                                                                                     \
	FILE_WORD("FILE", "file"), FILE_PASSWORD,                                                  \
		OPTION("--alias", "ALIAS", "alias",                                                \
			"how it is called here (default: as FILE says)"),                          \
		SERVICES, FORCE

/* Who a certificate is for. */
#define SUBJECT                                                                                    \
	OPTION("-S", "DN", NULL, "the whole name at once, as CN=...,O=...,C=..."),                 \
		OPTION("--name", "NAME", "common_name", "host name of the server"),                \
		OPTION("--org", "ORG", "organization", "organization"),                            \
		OPTION("--org-unit", "ORG-UNIT", "unit", "its unit"),                              \
		OPTION("--city", "CITY", "city", "city"),                                          \
		OPTION("--state", "STATE", "state", "state or province"),                          \
		{ .kind = ARG_OPTION, .name = "--country", .sample = "COUNTRY",                    \
			.member = "country", .letters = 2,                                         \
			.help = MARKED("country, two letters") },                                  \
		{ .kind = ARG_LIST, .name = "--alt", .sample = "NAME,...", .member = "names",      \
			.help = MARKED("further host names") },                                    \
		OPTION("--key", "KEY", NULL, "a key that is there (default: a new one)"),          \
		{ .kind = ARG_OPTION, .name = "--type", .sample = "TYPE",                          \
			.choices = "rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384, ed25519",      \
			.help = MARKED("of the new key, as signet key generate --type") }

/* Of every subcommand. */
#define GLOBAL                                                                                     \
	OPTION("-W", "FILE", NULL, "file with the key store's password; else it is asked for"),    \
		OPTION("--domain", "DOMAIN", NULL, "whose certificates (default: the main domain)"), \
		OPTION("--data", "DIR", NULL, "the server's folder")

/* Of what was just made, what matters; show-cert has the rest. */
#define CERT_COLUMNS                                                                               \
	{ { MARKED("Alias"), "alias" }, { MARKED("Issued to"), "subject" },                        \
		{ MARKED("Issued by"), "issuer" }, { MARKED("Valid from"), "not_before" },         \
		{ MARKED("Expires on"), "not_after" }, { MARKED("Serves"), "services" },           \
		{ MARKED("Displaced"), "displaced" } }

#define CERTIFICATES "/domains/{d}/certificates"

const struct command commands[] = {
	{ "add-cert", NULL, MARKED("installs an authority's certificate for a key of this server"),
		"msgcert add-cert mail-2027 mail.crt",
		{ WORD("ALIAS", "alias"), FILE_WORD("FILE", "certificate"),
			FLAG("-C", NULL, "FILE is the certificate of an authority: trust it"), CHAIN,
			SERVICES, FORCE, GLOBAL },
		"POST", CERTIFICATES "/install", .columns = CERT_COLUMNS, .run = run_add_cert },
	{ "add-selfsign-cert", NULL, MARKED("makes a self-signed certificate"),
		"msgcert add-selfsign-cert --name mail.example.org --org Example --country DE first",
		{ WORD("ALIAS", "alias"), SUBJECT, DAYS, SERVICES, GLOBAL }, "POST", CERTIFICATES,
		.columns = CERT_COLUMNS, .run = run_add_selfsign_cert },
	{ "export-cert", NULL, MARKED("writes a certificate and its key to a PKCS#12 file"),
		"msgcert export-cert -o mail.p12 mail-2027",
		{ ALIAS,
			{ .kind = ARG_PASSWORD, .name = "--password-file", .sample = "F",
				.member = "file_password",
				.prompt = MARKED("Password for the PKCS#12 file: "),
				.help = MARKED("file with the new file's password; else it is asked for") },
			OUTPUT("file"), GLOBAL },
		"POST", CERTIFICATES "/{0}/export" },
	{ "generate-certDB", NULL,
		MARKED("makes the default certificate Server-Cert, where there is none"),
		"msgcert generate-certDB", { GLOBAL }, .run = run_generate_certdb },
	{ "import-cert", NULL, MARKED("takes a certificate and its key from a PKCS#12 file"),
		"msgcert import-cert mail.p12", { IMPORT, GLOBAL }, "POST", CERTIFICATES "/import",
		.columns = CERT_COLUMNS },
	{ "import-selfsign-cert", NULL,
		MARKED("takes a self-signed certificate and its key from a PKCS#12 file"),
		"msgcert import-selfsign-cert first.p12", { IMPORT, TRUE("self_signed"), GLOBAL },
		"POST", CERTIFICATES "/import", .columns = CERT_COLUMNS },
	{ "list-certs", NULL, MARKED("lists the certificates"), "msgcert list-certs -C",
		{ FLAG("-C", NULL, "list the authorities that are trusted instead"), GLOBAL },
		.run = run_list_certs },
	{ "remove-cert", NULL, MARKED("removes a certificate"), "msgcert remove-cert mail-2026",
		{ ALIAS, FLAG("-C", NULL, "of an authority: trust it no more"), GLOBAL },
		.run = run_remove_cert },
	{ "renew-cert", NULL,
		MARKED("puts an authority's renewed certificate in the place of the old one"),
		"msgcert renew-cert mail-2027 mail-2028.crt",
		{ ALIAS, FILE_WORD("FILE", "certificate"), CHAIN, FORCE, GLOBAL }, "PUT",
		CERTIFICATES "/{0}", .columns = CERT_COLUMNS },
	{ "renew-selfsign-cert", NULL,
		MARKED("makes a self-signed certificate anew, under the same name and key"),
		"msgcert renew-selfsign-cert first", { ALIAS, DAYS, TRUE("new_serial"), GLOBAL }, "POST",
		CERTIFICATES "/{0}/refresh", .columns = CERT_COLUMNS,
		.run = run_renew_selfsign_cert },
	{ "request-cert", NULL, MARKED("makes a request for a certificate, for an authority"),
		"msgcert request-cert --name mail.example.org --org Example -F ascii -o mail.csr",
		{ SUBJECT, OPTION("-F", "FORMAT", NULL, "binary (PKCS#10, the default) or ascii (PEM)"),
			OUTPUT("request"), GLOBAL },
		"POST", "/domains/{d}/requests", .run = run_request_cert },
	{ "show-cert", NULL, MARKED("shows a certificate"), "msgcert show-cert Server-Cert",
		{ ALIAS, FLAG("-C", NULL, "of an authority"), GLOBAL }, .run = run_show_cert },

	{ "completion", NULL, MARKED("prints a completion script for bash"),
		"source <(msgcert completion)", .run = run_completion },
};

const size_t n_commands = sizeof commands / sizeof commands[0];
