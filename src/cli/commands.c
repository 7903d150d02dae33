/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The command table: what signet can be asked. A new command is a row. */

#include "cli/command.h"

#define WORD(title, field)     { .kind = ARG_ONE, .name = title, .member = field }
#define MAYBE(title, field)    { .kind = ARG_OPTIONAL, .name = title, .member = field }
#define OPTION(title, field, text)                                                                 \
	{ .kind = ARG_OPTION, .name = title, .member = field, .help = text }
#define PAIRS { .kind = ARG_PAIRS, .name = "KEY=VALUE..." }
#define PASSWORD                                                                                   \
	{ .kind = ARG_PASSWORD, .name = "--password-file", .member = "password",                   \
		.help = "file with the password, - for standard input; else it is asked for" }

const struct command commands[] = {
	{ "status", NULL, "what runs, since when, and its figures", "signet status",
		{}, "GET", "/status" },

	{ "setting", "list", "all settings, their values and meaning", "signet setting list",
		{}, "GET", "/settings",
		{ { "KEY", "key" }, { "VALUE", "value" }, { "DEFAULT", "default" },
			{ "MEANING", "help" } } },
	{ "setting", "get", "the value of one setting", "signet setting get message_max",
		{ WORD("KEY", NULL) }, "GET", "/settings/{0}", .run = run_setting_get },
	{ "setting", "set", "changes settings at once", "signet setting set message_max=100M",
		{ PAIRS }, "PATCH", "/settings" },

	{ "domain", "list", "the domains", "signet domain list", {}, "GET", "/domains",
		{ { "DOMAIN", "name" }, { "MAIN", "main" }, { "PKI", "pki" },
			{ "ACCOUNTS", "accounts" } } },
	{ "domain", "add", "a new domain", "signet domain add example.net",
		{ WORD("NAME", "name") }, "POST", "/domains" },
	{ "domain", "show", "everything about a domain", "signet domain show example.net",
		{ WORD("NAME", NULL) }, "GET", "/domains/{0}" },
	{ "domain", "set", "changes a domain: pki=disabled|test|enabled, account_quota=SIZE",
		"signet domain set example.net account_quota=5G", { WORD("NAME", NULL), PAIRS },
		"PATCH", "/domains/{0}" },
	{ "domain", "rename", "gives a domain another name; certificates keep the old one",
		"signet domain rename example.net example.com",
		{ WORD("NAME", NULL), WORD("NEW", "name") }, "PATCH", "/domains/{0}" },
	{ "domain", "remove", "removes a domain that has no accounts",
		"signet domain remove example.net", { WORD("NAME", NULL) }, "DELETE",
		"/domains/{0}" },

	{ "alias", "list", "aliases of domains and of addresses", "signet alias list example.org",
		{ MAYBE("DOMAIN", NULL) }, .run = run_alias_list,
		.columns = { { "ALIAS", "alias" }, { "TARGETS", "targets" } } },
	{ "alias", "add", "another name for a domain, or an address for one or more targets",
		"signet alias add sales@example.org alice@example.org bob@example.org",
		{ WORD("ALIAS", NULL), { .kind = ARG_MANY, .name = "TARGET..." } },
		.run = run_alias_add },
	{ "alias", "remove", "removes an alias", "signet alias remove sales@example.org",
		{ WORD("ALIAS", NULL) }, .run = run_alias_remove },

	{ "account", "list", "the accounts, of one domain or all",
		"signet account list example.org", { MAYBE("DOMAIN", NULL) }, "GET",
		"/accounts?domain={0}",
		{ { "ADDRESS", "address" }, { "ROLE", "role" }, { "DISABLED", "disabled" },
			{ "MESSAGES", "used_messages" }, { "OCTETS", "used_octets" },
			{ "QUOTA", "quota" } } },
	{ "account", "add", "a new account", "signet account add alice@example.org",
		{ WORD("ADDRESS", "address"), PASSWORD }, "POST", "/accounts" },
	{ "account", "show", "everything about an account", "signet account show alice@example.org",
		{ WORD("ADDRESS", NULL) }, "GET", "/accounts/{0}" },
	{ "account", "set", "changes an account: name=TEXT, role=user|admin, disabled=yes|no,"
		" quota=SIZE|default", "signet account set alice@example.org quota=2G",
		{ WORD("ADDRESS", NULL), PAIRS }, "PATCH", "/accounts/{0}" },
	{ "account", "password", "sets an account's password",
		"signet account password alice@example.org", { WORD("ADDRESS", NULL), PASSWORD },
		"PUT", "/accounts/{0}/password" },
	{ "account", "remove", "removes an account with all its mail",
		"signet account remove alice@example.org", { WORD("ADDRESS", NULL) }, "DELETE",
		"/accounts/{0}" },

	{ "mailbox", "list", "an account's mailboxes and their figures",
		"signet mailbox list alice@example.org", { WORD("ADDRESS", NULL) }, "GET",
		"/accounts/{0}/mailboxes",
		{ { "MAILBOX", "name" }, { "USE", "use" }, { "MESSAGES", "messages" },
			{ "UNSEEN", "unseen" }, { "OCTETS", "octets" } } },
	{ "mailbox", "create", "a new mailbox",
		"signet mailbox create alice@example.org Projects/Signet",
		{ WORD("ADDRESS", NULL), WORD("MAILBOX", "name") }, "POST",
		"/accounts/{0}/mailboxes" },
	{ "mailbox", "remove", "removes a mailbox with its messages",
		"signet mailbox remove alice@example.org Projects/Signet",
		{ WORD("ADDRESS", NULL), WORD("MAILBOX", NULL) }, "DELETE",
		"/accounts/{0}/mailboxes/{1}" },

	{ "log", NULL, "the newest log lines", "signet log --follow --tag TLS",
		{ { .kind = ARG_FLAG, .name = "--follow", .help = "go on as lines come" },
			OPTION("--tag", NULL, "only lines of this subject: SMTP, IMAP, TLS, ...") },
		.run = run_log },

	{ "queue", "list", "mail on its way out", "signet queue list", {}, "GET", "/queue",
		{ { "ID", "id" }, { "FROM", "sender" }, { "TO", "recipient" }, { "STATE", "state" },
			{ "ATTEMPTS", "attempts" }, { "NEXT", "next" }, { "ERROR", "last_error" } } },
	{ "queue", "remove", "removes a message without telling its sender",
		"signet queue remove 17", { WORD("ID", NULL) }, "DELETE", "/queue/{0}" },

	{ "key", "list", "a domain's keys", "signet key list example.org", { WORD("DOMAIN", NULL) },
		"GET", "/domains/{0}/keys",
		{ { "KEY", "alias" }, { "TYPE", "type" }, { "FOR", "use" },
			{ "CREATED", "created" } } },
	{ "key", "generate", "makes a key; it never leaves the key process",
		"signet key generate example.org --type rsa:3072",
		{ WORD("DOMAIN", NULL),
			OPTION("--type", "type", "rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384,"
				" ed25519"),
			OPTION("--for", "use", "tls, smime, dkim"),
			OPTION("--alias", "alias", "the key's name") },
		"POST", "/domains/{0}/keys" },
	{ "key", "show", "a key's public half", "signet key show example.org first",
		{ WORD("DOMAIN", NULL), WORD("KEY", NULL) }, "GET", "/domains/{0}/keys/{1}" },
	{ "key", "test", "signs and verifies a verification string with a key",
		"signet key test example.org first", { WORD("DOMAIN", NULL), WORD("KEY", NULL) },
		"POST", "/domains/{0}/keys/{1}/test" },

	{ "cert", "list", "certificates, of one domain or all", "signet cert list",
		{ MAYBE("DOMAIN", NULL) }, .run = run_cert_list,
		.columns = { { "DOMAIN", "domain" }, { "CERTIFICATE", "alias" }, { "KEY", "key" },
			{ "ISSUED TO", "subject" }, { "ISSUED BY", "issuer" },
			{ "FROM", "not_before" }, { "TILL", "not_after" },
			{ "SERVES", "services" } } },
	{ "cert", "show", "everything about a certificate", "signet cert show example.org first",
		{ WORD("DOMAIN", NULL), WORD("CERTIFICATE", NULL) }, "GET",
		"/domains/{0}/certificates/{1}" },
	{ "cert", "self-sign", "makes a self-signed certificate and puts it to use at once",
		"signet cert self-sign example.org --days 90",
		{ WORD("DOMAIN", NULL),
			{ .kind = ARG_OPTION, .name = "--days", .member = "days", .number = true,
				.help = "how long it is valid (default 397)" },
			OPTION("--key", "key", "the key's name (default: the newest for TLS)"),
			OPTION("--alias", "alias", "the certificate's name") },
		"POST", "/domains/{0}/certificates" },
	{ "cert", "activate", "puts a certificate to use for services",
		"signet cert activate example.org first --service imap,pop3",
		{ WORD("DOMAIN", NULL), WORD("CERTIFICATE", NULL),
			OPTION("--service", "services", "smtp, imap, pop3, http, with commas; or all") },
		"PATCH", "/domains/{0}/certificates/{1}" },

	{ "completion", NULL, "a completion script for bash", "source <(signet completion)", {},
		.run = run_completion },
};

const size_t n_commands = sizeof commands / sizeof commands[0];
