/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The command table: what signet can be asked. A new command is a row. */

#include "cli/command.h"

#include "pki/authority.h"
#include "pki/mailcert.h"
#include "pki/selfsign.h"

#define WORD(title, field)     { .kind = ARG_ONE, .name = title, .member = field }
#define MAYBE(title, field)    { .kind = ARG_OPTIONAL, .name = title, .member = field }
#define OPTION(title, of, field, text)                                                             \
	{ .kind = ARG_OPTION, .name = title, .sample = of, .member = field, .help = text }
#define SEVERAL(title, of, text)                                                                   \
	{ .kind = ARG_OPTION, .name = title, .sample = of, .help = text, .many = true }
#define FIXED(field, text) { .kind = ARG_FIXED, .member = field, .value = text }
#define PAIRS              { .kind = ARG_PAIRS, .name = "KEY=VALUE..." }
#define PASSWORD                                                                                   \
	{ .kind = ARG_PASSWORD, .name = "--password-file", .sample = "F", .member = "password",    \
		.help = "file with the password, - for standard input; else it is asked for" }

#define OPTION_FILE(title, field, text)                                                            \
	{ .kind = ARG_OPTION_FILE, .name = title, .sample = "FILE", .member = field, .help = text }
#define FILE_WORD(title, field) { .kind = ARG_FILE, .name = title, .member = field }
#define FLAG(title, field, text)                                                                   \
	{ .kind = ARG_FLAG, .name = title, .member = field, .help = text }
#define NUMBER(title, field, text)                                                                 \
	{ .kind = ARG_OPTION, .name = title, .sample = "N", .member = field, .number = true,       \
		.help = text }
/* One of several values, which a comma divides in the list; with CHOICES some of them. */
#define CHOICE(title, of, field, values, text)                                                     \
	{ .kind = ARG_OPTION, .name = title, .sample = of, .member = field, .choices = values,     \
		.help = text values }
#define CHOICES(title, of, field, values, text)                                                    \
	{ .kind = ARG_OPTION, .name = title, .sample = of, .member = field, .choices = values,     \
		.several = true, .help = text values }
#define DAYS(max, text)                                                                            \
	{ .kind = ARG_OPTION, .name = "--days", .sample = "N", .member = "days", .number = true,   \
		.most = (max), .help = text }
#define COUNTRY                                                                                    \
	{ .kind = ARG_OPTION, .name = "--country", .sample = "CC", .member = "country",            \
		.letters = 2, .help = "country, two letters" }

#define KEY_USES     "tls, smime, dkim, ca"
#define KEY_TYPES    "rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384, ed25519"
#define RSA_EC_TYPES "rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384"
#define SERVICES     "smtp, imap, pop3, http, all, none"
#define PURPOSES     "server, client, mail"
#define CIPHERS      "automatic, aes-256-gcm, aes-256-cbc, aes-192-cbc, aes-128-cbc, 3des"
#define OUTPUT(field)                                                                              \
	{ .kind = ARG_OUTPUT, .name = "-o", .sample = "FILE", .member = field,                     \
		.help = "where it goes (default: standard output)" }

/* Which key, where none is named. */
#define WHICH_KEY                                                                                  \
	CHOICE("--for", "USE", NULL, KEY_USES, "of keys for this (default tls): "),              \
		OPTION("--type", "TYPE", NULL, "of keys of this type")

#define WHICH                                                                                      \
	OPTION("--which", "NAME", "which", "of several keys in FILE: its name or number")

/* Who a certificate is for. */
#define SUBJECT                                                                                    \
	OPTION("--cn", "NAME", "common_name", "common name (default: the domain)"),                \
		{ .kind = ARG_LIST, .name = "--alt", .sample = "NAME,...", .member = "names",      \
			.help = "alternative names (default: the domain and its aliases)" },       \
		OPTION("--email", "ADDRESS", "email", "contact"),                                  \
		OPTION("--org", "TEXT", "organization", "organization"),                           \
		OPTION("--unit", "TEXT", "unit", "its unit"),                                      \
		OPTION("--city", "TEXT", "city", "city"),                                          \
		OPTION("--state", "TEXT", "state", "state or province"),                           \
		COUNTRY

/* Who an authority is. */
#define CA_SUBJECT                                                                                 \
	OPTION("--cn", "NAME", "common_name", "its name (default: S/MIME CA of DOMAIN)"),          \
		OPTION("--org", "TEXT", "organization", "organization"),                           \
		OPTION("--unit", "TEXT", "unit", "its unit"),                                      \
		OPTION("--city", "TEXT", "city", "city"),                                          \
		OPTION("--state", "TEXT", "state", "state or province"),                           \
		COUNTRY,                      \
		OPTION("--key", "KEY", "key", "a key for ca or smime (default: a new one)"),       \
		CHOICE("--type", "TYPE", "type", RSA_EC_TYPES, "of a new key (default ec:p256): ")

#define CA_COLUMNS                                                                                 \
	{                                                                                          \
		{ "ISSUED TO", "subject", 32 }, { "ISSUED BY", "issuer", 32 },                     \
			{ "TILL", "not_after", 10 }, { "ISSUES", "active" }, { "FINGERPRINT", "fingerprint" },                  \
			{ "LIST", "crl_url" },                                                     \
	}

/* Whose trust: the server's without an option. */
#define SCOPE                                                                                      \
	FLAG("--server", NULL, "what this server trusts (the default)"),                           \
		FLAG("--cluster", NULL, "what all servers of the cluster trust"),                  \
		OPTION("--domain", "DOMAIN", NULL, "what a domain trusts besides")

/* Keys in files. */
#define SMIME_KEY                                                                                  \
	SEVERAL("--key", "FILE", "private key, PEM or DER"),                                       \
		SEVERAL("--cert", "FILE", "its certificate, if that is not in the same file"),     \
		SEVERAL("--pfx", "FILE", "key and certificates in PKCS #12"),                      \
		SEVERAL("--chain", "FILE", "certificates that lead to a root"),                    \
		OPTION("--password-file", "F", NULL,                                               \
			"file with the keys' password; else it is asked for where it is needed")

/* Whose signatures count. */
#define SMIME_TRUST                                                                                \
	SEVERAL("--roots", "FILE", "trusted certificates, PEM (default: those of the system)"),    \
		SEVERAL("--crl", "FILE", "revocation lists"),                                      \
		OPTION("--time", "RFC3339", NULL, "when (default: now)"),                          \
		OPTION("--email", "ADDRESS", NULL, "who signed (default: From of the message)")

/* Of what was just made, what matters; "show" has the rest. */
#define CERT_COLUMNS                                                                               \
	{ { "alias", "alias" }, { "subject", "subject" }, { "names", "names" },                    \
		{ "not_before", "not_before" }, { "not_after", "not_after" },                      \
		{ "fingerprint", "fingerprint" }, { "services", "services" },                      \
		{ "displaced", "displaced" } }

/* Of certificates for an address that is another's from now on. */
#define REVOKE_MOVED                                                                               \
	OPTION("--revoke", "REASON", NULL,                                                         \
		"revokes certificates for addresses whose mail goes elsewhere by this, with this"  \
		" reason (affiliationChanged; default: names them)")

/* Whose policy; neither: the server's. */
#define TLS_WHOSE                                                                                  \
	OPTION("--domain", "D", NULL, "of this domain"),                                           \
		OPTION("--listener", "L", NULL,                                                    \
			"of this listener: smtp, submission, submissions, imap, imaps, pop3, pop3s,"  \
			" https, managesieve")

/* Secure Mail: the password of the keys (run_smime_add asks for it), one that there is, and the file's. */
#define SECURE_PASSWORD                                                                            \
	{ .kind = ARG_SECRET, .name = "--password-file", .sample = "F", .member = "password",      \
		.prompt = "Secure Mail Password: ",                                                \
		.help = "file with the Secure Mail Password, - for standard input; else it is asked for" }
#define OLD_SECURE_PASSWORD(option, of)                                                            \
	{ .kind = ARG_PASSPHRASE, .name = option, .sample = "F", .member = of,                     \
		.prompt = "Secure Mail Password: ",                                                \
		.help = "file with the Secure Mail Password, - for standard input; else it is asked for" }
#define PFX_PASSWORD                                                                               \
	{ .kind = ARG_PASSPHRASE, .name = "--pfx-password-file", .sample = "F",                    \
		.member = "passphrase", .prompt = "Password of the file: ",                        \
		.help = "file with FILE's password; else it is asked for" }
#define START_OVER                                                                                 \
	FLAG("--start-over", "start_over",                                                         \
		"the password is forgotten: this is a new one, and keys under the old stay locked")
#define SECURE_KEYS                                                                                \
	.list = "keys",                                                                            \
	.columns = { { "KEY", "number" }, { "SIZE", "size" }, { "CURRENT", "current" },            \
		{ "FOR", "subject", 24 }, { "ISSUED BY", "issuer", 24 },                           \
		{ "TILL", "not_after", 10 }, { "NOTE", "note" } }

/* Whose mail it is, who logs in with the account's password. */
#define LOGIN                                                                                      \
	{ .kind = ARG_PASSPHRASE, .name = "--login-password-file", .sample = "F",                  \
		.member = "password", .prompt = "Password for logging in: ",                       \
		.help = "file with the account's password; else it is asked for" },                \
		OPTION("--url", "URL", NULL,                                                       \
			"https://HOST of a server elsewhere (default: the one in the folder)"),    \
		{ .kind = ARG_OPTION, .name = "--ca", .sample = "FILE",                            \
			.help = "whom to trust there, PEM (default: those of the system)" }
#define UNLOCK OLD_SECURE_PASSWORD("--password-file", "password")
#define REPLACED                                                                                   \
	.columns = { { "id", "id" }, { "uid", "uid" }, { "held_elsewhere", "held_elsewhere" } }
#define FOLLOW FLAG("--follow", NULL, "until it is over, with a bar on a terminal")
#define ENCRYPTION_COLUMNS                                                                         \
	.columns = { { "state", "state" }, { "total", "total" }, { "encrypted", "encrypted" },     \
		{ "encrypted_before", "encrypted_before" }, { "failed", "failed" },                \
		{ "held_elsewhere", "held_elsewhere" }, { "last_error", "last_error" },            \
		{ "started", "started" }, { "changed", "changed" } }

/* How what is kept up by itself stands. */
#define ACME_COLUMNS                                                                               \
	{ { "DOMAIN", "domain" }, { "KEY", "type" }, { "CERTIFICATE", "certificate" },             \
		{ "TILL", "not_after" }, { "NEXT", "next" }, { "AT", "at" },                       \
		{ "FAILURES", "failures" }, { "ERROR", "last_error" } }

#define CRL_COLUMNS                                                                                \
	{ { "LIST", "id" }, { "DOMAIN", "domain" }, { "ISSUED BY", "issuer" },                     \
		{ "NUMBER", "number" }, { "REVOKED", "revoked" }, { "TILL", "next_update" },       \
		{ "URL", "url" }, { "PROBLEM", "problem" } }

/* Certificates of those whom an account writes to. */
#define CONTACT_CERT_COLUMNS                                                                       \
	{ { "ADDRESS", "address" }, { "STATE", "state" }, { "FROM", "source" },                    \
		{ "TILL", "not_after" }, { "FINGERPRINT", "fingerprint" }, { "REASON", "reason" } }

const struct command commands[] = {
	{ "status", NULL, "what runs, since when, and its figures", "signet status",
		{}, "GET", "/status" },

	{ "setting", "list", "all settings, their values and meaning", "signet setting list",
		{}, "GET", "/settings", "settings",
		{ { "KEY", "key" }, { "VALUE", "value" }, { "DEFAULT", "default" },
			{ "MEANING", "help" } } },
	{ "setting", "get", "the value of one setting", "signet setting get message_max",
		{ WORD("KEY", NULL) }, "GET", "/settings/{0}", .run = run_setting_get },
	{ "setting", "set", "changes settings", "signet setting set message_max=100M",
		{ PAIRS }, "PATCH", "/settings" },
	{ "setting", "reset", "returns settings to their defaults",
		"signet setting reset message_max", { { .kind = ARG_MANY, .name = "KEY..." } },
		.run = run_setting_reset },

	{ "domain", "list", "the domains", "signet domain list", {}, "GET", "/domains",
		"domains", { { "DOMAIN", "name" }, { "MAIN", "main" }, { "PKI", "pki" },
			{ "ACCOUNTS", "accounts" } } },
	{ "domain", "add", "a new domain", "signet domain add example.net",
		{ WORD("NAME", "name"), REVOKE_MOVED }, "POST", "/domains?revoke={--revoke}" },
	{ "domain", "show", "everything about a domain", "signet domain show example.net",
		{ WORD("NAME", NULL) }, "GET", "/domains/{0}" },
	{ "domain", "set", "changes a domain: pki=disabled|test|enabled, addresses=IP,...,"
		" account_quota=SIZE, shared=yes|no, client_required=yes|no,"
		" client_abort=yes|no|default, smime=yes|no, main=yes",
		"signet domain set example.net account_quota=5G", { WORD("NAME", NULL), PAIRS },
		"PATCH", "/domains/{0}" },
	{ "domain", "rename", "gives a domain another name; certificates keep the old one",
		"signet domain rename example.net example.com",
		{ WORD("NAME", NULL), WORD("NEW", "name"), REVOKE_MOVED }, "PATCH",
		"/domains/{0}?revoke={--revoke}" },
	{ "domain", "remove", "removes a domain that has no accounts",
		"signet domain remove example.net", { WORD("NAME", NULL), REVOKE_MOVED }, "DELETE",
		"/domains/{0}?revoke={--revoke}" },

	{ "tls", "show", "the TLS policy: the server's, or what holds for a domain, on a listener",
		"signet tls show --domain example.net --listener imaps", { TLS_WHOSE },
		.run = run_tls_show, .list = "settings",
		.columns = { { "KEY", "key" }, { "VALUE", "value" }, { "FROM", "source" },
			{ "MEANING", "help" } } },
	{ "tls", "set", "changes the TLS policy of the server, of a domain, or of a listener",
		"signet tls set oldest=1.3 --domain example.net", { TLS_WHOSE, PAIRS },
		.run = run_tls_set },
	{ "tls", "reset", "takes values away: what the listener, the server or the default says holds",
		"signet tls reset oldest --listener smtp",
		{ TLS_WHOSE, { .kind = ARG_MANY, .name = "KEY..." } }, .run = run_tls_reset },

	{ "tls", "probe", "connects to this server's ports as a client of the domain does",
		"signet tls probe example.net", { WORD("DOMAIN", NULL) }, "POST",
		"/domains/{0}/tls-probe", .run = run_tls_probe, .list = "ports",
		.columns = { { "SERVICE", "service" }, { "PORT", "port" }, { "TLS", "tls" },
			{ "VERSIONS", "versions" }, { "AGREED", "agreed" }, { "ALPN", "alpn" },
			{ "CERTIFICATE", "shown" }, { "REMARKS", "remarks" } } },

	{ "outgoing", "list", "rules for TLS of our connections to other servers, by destination",
		"signet outgoing list", {}, "GET", "/outgoing", "rules",
		{ { "PATTERN", "pattern" }, { "TLS", "tls" }, { "OLDEST", "oldest" },
			{ "IDENTITY", "identity" } } },
	{ "outgoing", "set", "a rule for a domain, for .DOMAIN (what is below it) or for * (all):"
		" tls=none|may|must|verify|inherit, oldest=1.0|1.1|1.2|1.3|inherit,"
		" identity=none|main|DOMAIN|DOMAIN/CERTIFICATE|inherit",
		"signet outgoing set example.com tls=verify identity=main",
		{ WORD("PATTERN", NULL), PAIRS }, "PATCH", "/outgoing/{0}",
		.columns = { { "pattern", "pattern" }, { "tls", "tls" }, { "oldest", "oldest" },
			{ "identity", "identity" } } },
	{ "outgoing", "remove", "takes a rule away: what a wider one or the default says holds",
		"signet outgoing remove example.com", { WORD("PATTERN", NULL) }, "DELETE",
		"/outgoing/{0}" },
	{ "outgoing", "show", "what holds for a destination, and which rule says so",
		"signet outgoing show mail.example.com", { WORD("DESTINATION", NULL) }, "GET",
		"/outgoing/{0}/policy", "policy",
		{ { "KEY", "key" }, { "VALUE", "value" }, { "FROM", "from" } } },
	{ "outgoing", "probe", "connects to a destination's server as mail for it would, and says what"
		" happened",
		"signet outgoing probe example.com --host mx1.example.com",
		{ WORD("DESTINATION", NULL),
			OPTION("--host", "HOST", "host", "its server: a name or an address"),
			NUMBER("--port", "port", "its port (default 25)") },
		"POST", "/outgoing/{0}/probe", .run = run_outgoing_probe },

	{ "alias", "list", "aliases of domains and of addresses", "signet alias list example.org",
		{ MAYBE("DOMAIN", NULL) }, .run = run_alias_list, .list = "aliases",
		.columns = { { "ALIAS", "alias" }, { "TARGETS", "targets" } } },
	{ "alias", "add", "another name for a domain, or an address for one or more targets",
		"signet alias add sales@example.org alice@example.org bob@example.org",
		{ WORD("ALIAS", NULL), { .kind = ARG_MANY, .name = "TARGET..." }, REVOKE_MOVED },
		.run = run_alias_add },
	{ "alias", "remove", "removes an alias", "signet alias remove sales@example.org",
		{ WORD("ALIAS", NULL), REVOKE_MOVED }, .run = run_alias_remove },

	{ "account", "list", "the accounts, of one domain or all",
		"signet account list example.org", { MAYBE("DOMAIN", NULL) }, "GET",
		"/accounts?domain={0}", "accounts",
		{ { "ADDRESS", "address" }, { "ROLE", "role" }, { "DISABLED", "disabled" },
			{ "MESSAGES", "used_messages" }, { "OCTETS", "used_octets" },
			{ "QUOTA", "quota" } } },
	{ "account", "add", "a new account", "signet account add alice@example.org",
		{ WORD("ADDRESS", "address"), PASSWORD, REVOKE_MOVED }, "POST",
		"/accounts?revoke={--revoke}" },
	{ "account", "show", "everything about an account", "signet account show alice@example.org",
		{ WORD("ADDRESS", NULL) }, "GET", "/accounts/{0}" },
	{ "account", "set", "changes an account: name=TEXT, role=user|admin, disabled=yes|no,"
		" quota=SIZE|default", "signet account set alice@example.org quota=2G",
		{ WORD("ADDRESS", NULL), PAIRS }, "PATCH", "/accounts/{0}" },
	{ "account", "password", "sets an account's password",
		"signet account password alice@example.org", { WORD("ADDRESS", NULL), PASSWORD },
		"PUT", "/accounts/{0}/password" },
	{ "account", "remove", "removes an account with all its mail",
		"signet account remove alice@example.org", { WORD("ADDRESS", NULL), REVOKE_MOVED },
		"DELETE", "/accounts/{0}?revoke={--revoke}" },

	{ "mailbox", "list", "an account's mailboxes and their figures",
		"signet mailbox list alice@example.org", { WORD("ADDRESS", NULL) }, "GET",
		"/accounts/{0}/mailboxes", "mailboxes",
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
	{ "mailbox", "rights", "who may do what in a mailbox; gives rights (letters of RFC 4314) to an"
		" account, to @DOMAIN or to anyone, or takes them away (none)",
		"signet mailbox rights alice@example.org Projects bob@example.org lrswi",
		{ WORD("ADDRESS", NULL), WORD("MAILBOX", NULL), MAYBE("WHO", NULL),
			MAYBE("RIGHTS", NULL) },
		.run = run_mailbox_rights, .list = "rights",
		.columns = { { "WHO", "identifier" }, { "RIGHTS", "rights" },
			{ "OWNER", "owner" } } },

	{ "mail", "list", "messages of a mailbox (default INBOX), the newest last; for the account itself",
		"signet mail list alice@example.org Archive --max 20",
		{ WORD("ADDRESS", NULL), MAYBE("MAILBOX", NULL),
			{ .kind = ARG_OPTION, .name = "--max", .sample = "N", .most = 200,
				.help = "so many (default 50, at most 200)" },
			{ .kind = ARG_OPTION, .name = "--before", .sample = "UID", .most = UINT32_MAX,
				.help = "those in front of this one" },
			LOGIN },
		.run = run_mail_list, .list = "messages",
		.columns = { { "ID", "id" }, { "UID", "uid" }, { "RECEIVED", "received" },
			{ "S/MIME", "smime" }, { "FROM", "from", 30 }, { "SUBJECT", "subject", 40 },
			{ "SIZE", "size" }, { "FLAGS", "flags" } } },
	{ "mail", "show", "a message as its reader is shown it, with what its signatures are worth; for the"
		" account itself", "signet mail show alice@example.org 17",
		{ WORD("ADDRESS", NULL), WORD("ID", NULL), UNLOCK, LOGIN }, .run = run_mail_show },
	{ "mail", "save", "a message as it is stored, or a part of it as it is shown; for the account itself",
		"signet mail save alice@example.org 17 --part 2 -o report.pdf",
		{ WORD("ADDRESS", NULL), WORD("ID", NULL),
			OPTION("--part", "PART", NULL, "of the parts that mail show names"),
			OUTPUT(NULL), UNLOCK, LOGIN },
		.run = run_mail_save },
	{ "mail", "encrypt", "encrypts a stored message where it lies, to the account's certificate; for the"
		" account itself", "signet mail encrypt alice@example.org 17",
		{ WORD("ADDRESS", NULL), WORD("ID", NULL), UNLOCK, LOGIN }, REPLACED,
		.run = run_mail_encrypt },
	{ "mail", "decrypt", "puts what an encrypted message holds in its place; for the account itself",
		"signet mail decrypt alice@example.org 17",
		{ WORD("ADDRESS", NULL), WORD("ID", NULL), UNLOCK, LOGIN }, REPLACED,
		.run = run_mail_decrypt },
	{ "mail", "compose", "composes a message and sends it; for the account itself",
		"signet mail compose alice@example.org --to bob@example.org --subject Minutes --text minutes.txt"
		" --sign --encrypt",
		{ WORD("ADDRESS", NULL),
			SEVERAL("--to", "ADDRESS", "a recipient, with or without a name; \"NAME:;\" is a"
				" group of the address books"),
			SEVERAL("--cc", "ADDRESS", "one of a copy"),
			SEVERAL("--bcc", "ADDRESS", "one that the others do not see"),
			OPTION("--from", "ADDRESS", NULL, "another address of the account"),
			OPTION("--subject", "TEXT", NULL, "the subject"),
			OPTION("--text", "FILE", NULL, "the text (default: standard input)"),
			OPTION("--html", "FILE", NULL, "the same as HTML"),
			SEVERAL("--attach", "FILE", "a file that goes along"),
			OPTION("--in-reply-to", "ID", NULL, "the message that is answered: its Message-ID"),
			FLAG("--sign", NULL, "signs it"),
			FLAG("--encrypt", NULL, "encrypts it to all recipients"),
			CHOICE("--cipher", "NAME", NULL, CIPHERS, "default as the account has set: "),
			FLAG("--no-header-protection", NULL, "signs and encrypts the body alone"),
			FLAG("--no-save", NULL, "keeps no copy"),
			CHOICE("--act", "ACT", NULL, "send, check, draft, make",
				"check: says who can be encrypted to; make: delivers nothing; one of "),
			OPTION("-o", "FOLDER", NULL, "where make writes the copies"), UNLOCK, LOGIN },
		.run = run_mail_compose,
		.columns = { { "delivered", "delivered" }, { "queued", "queued" },
			{ "failed", "failed" }, { "kept", "kept" } } },

	{ "encryption", "start", "encrypts all mail that an account has, in the background; for the account"
		" itself", "signet encryption start alice@example.org --follow",
		{ WORD("ADDRESS", NULL), FOLLOW, UNLOCK, LOGIN }, ENCRYPTION_COLUMNS,
		.run = run_encryption_start },
	{ "encryption", "status", "how far the encryption of an account's mail is",
		"signet encryption status alice@example.org --follow",
		{ WORD("ADDRESS", NULL), FOLLOW, LOGIN }, ENCRYPTION_COLUMNS,
		.run = run_encryption_status },
	{ "encryption", "pause", "interrupts the encryption of an account's mail",
		"signet encryption pause alice@example.org", { WORD("ADDRESS", NULL), LOGIN },
		ENCRYPTION_COLUMNS, .run = run_encryption_pause },
	{ "encryption", "resume", "goes on with it", "signet encryption resume alice@example.org",
		{ WORD("ADDRESS", NULL), FOLLOW, LOGIN }, ENCRYPTION_COLUMNS,
		.run = run_encryption_resume },
	{ "encryption", "cancel", "ends it; what is encrypted stays so",
		"signet encryption cancel alice@example.org", { WORD("ADDRESS", NULL), LOGIN },
		.run = run_encryption_cancel },

	{ "contact", "list", "the cards of an account's address books; [@]: with so many certificates",
		"signet contact list alice@example.org",
		{ WORD("ADDRESS", NULL),
			OPTION("--book", "NAME", NULL, "of this address book (default: all)") },
		.run = run_contact_list, .list = "cards",
		.columns = { { "NAME", "name" }, { "[@]", "certificates" },
			{ "ADDRESSES", "addresses" }, { "KIND", "kind" }, { "BOOK", "book" },
			{ "UID", "uid" } } },
	{ "contact", "show", "a card as JSON (JSContact, RFC 9553)",
		"signet contact show alice@example.org urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af",
		{ WORD("ADDRESS", NULL), WORD("UID", NULL) }, "GET", "/accounts/{0}/cards/{1}",
		.run = run_contact_show },
	{ "contact", "import", "writes the card of a file, or the cards of an array, by their uids",
		"signet contact import alice@example.org bob.json",
		{ WORD("ADDRESS", NULL), WORD("FILE", NULL),
			OPTION("--book", "NAME", NULL,
				"into this address book (default: the default one)") },
		.run = run_contact_import, .list = "cards",
		.columns = { { "NAME", "name" }, { "BOOK", "book" }, { "UID", "uid" } } },
	{ "contact", "remove", "removes a card with its certificates",
		"signet contact remove alice@example.org urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af",
		{ WORD("ADDRESS", NULL), WORD("UID", NULL) }, "DELETE",
		"/accounts/{0}/cards/{1}" },
	{ "contact", "take", "takes the certificate of a signed message, or of a file, into an address"
		" book", "signet contact take alice@example.org --mailbox INBOX --uid 17",
		{ WORD("ADDRESS", NULL),
			OPTION("--mailbox", "NAME", "mailbox", "where the message is"),
			NUMBER("--uid", "uid", "of the message"),
			OPTION_FILE("--certificate", "certificate",
				"a certificate instead, perhaps with its chain"),
			OPTION("--address", "ADDRESS", "address",
				"whose it is to be, of a certificate with several addresses"),
			OPTION("--anyway", "FINGERPRINT", "anyway",
				"take it though it is not trusted"),
			OPTION("--book", "NAME", "book", "where a new card comes") },
		"POST", "/accounts/{0}/certificates/take", .run = run_contact_take,
		.columns = { { "address", "address" }, { "name", "name" }, { "state", "state" },
			{ "reason", "reason" }, { "subject", "subject" },
			{ "not_after", "not_after" }, { "fingerprint", "fingerprint" } } },
	{ "contact", "certificates", "certificates of others, of one mail address or all",
		"signet contact certificates alice@example.org bob@example.net",
		{ WORD("ADDRESS", NULL), MAYBE("OF", NULL) }, "GET",
		"/accounts/{0}/certificates/known?address={1}", "certificates",
		CONTACT_CERT_COLUMNS },
	{ "contact", "waiting", "certificates of others that wait for the account's word",
		"signet contact waiting alice@example.org", { WORD("ADDRESS", NULL) }, "GET",
		"/accounts/{0}/certificates/waiting", "certificates", CONTACT_CERT_COLUMNS },
	{ "contact", "accept", "a certificate that waits is used from now on",
		"signet contact accept alice@example.org AB:CD:EF:...",
		{ WORD("ADDRESS", NULL), WORD("FINGERPRINT", NULL),
			OPTION("--address", "OF", NULL, "if it waits for several addresses") },
		.run = run_contact_accept,
		.columns = { { "address", "address" }, { "state", "state" },
			{ "subject", "subject" }, { "fingerprint", "fingerprint" } } },
	{ "contact", "refuse", "a certificate that waits is gone",
		"signet contact refuse alice@example.org AB:CD:EF:...",
		{ WORD("ADDRESS", NULL), WORD("FINGERPRINT", NULL),
			OPTION("--address", "OF", NULL, "if it waits for several addresses") },
		.run = run_contact_refuse },
	{ "contact", "lookup", "to which certificates the account's mail to somebody is encrypted",
		"signet contact lookup alice@example.org bob@example.net carol@example.org",
		{ WORD("ADDRESS", NULL), { .kind = ARG_MANY, .name = "RECIPIENT..." } },
		.run = run_contact_lookup, .list = "recipients",
		.columns = { { "ADDRESS", "address" }, { "FROM", "source" },
			{ "TILL", "not_after", 10 }, { "CIPHERS", "ciphers", 20 },
			{ "FINGERPRINT", "fingerprint", 23 }, { "REASON", "reason" } } },

	{ "log", NULL, "the newest log lines", "signet log --follow --tag TLS",
		{ { .kind = ARG_FLAG, .name = "--follow", .help = "go on as lines come" },
			OPTION("--tag", "TAG", NULL, "only lines of this subject: SMTP, IMAP, ..."),
			OPTION("--lines", "N", NULL, "how many lines at first (default 100)") },
		.run = run_log },

	{ "audit", NULL, "what administrators changed, the newest first", "signet audit", {}, "GET",
		"/audit?max=1000", "entries",
		{ { "TIME", "time" }, { "BY", "actor" }, { "ACTION", "action" },
			{ "OF", "target" }, { "DETAIL", "detail" } } },

	{ "queue", "list", "mail on its way out", "signet queue list", {}, "GET", "/queue", "queue",
		{ { "ID", "id" }, { "FROM", "sender" }, { "TO", "recipient" }, { "STATE", "state" },
			{ "ATTEMPTS", "attempts" }, { "NEXT", "next" }, { "ERROR", "last_error" } } },
	{ "queue", "hold", "keeps a message from being sent", "signet queue hold 17",
		{ WORD("ID", NULL), FIXED("state", "held") }, "PATCH", "/queue/{0}" },
	{ "queue", "release", "lets a held message go", "signet queue release 17",
		{ WORD("ID", NULL), FIXED("state", "ready") }, "PATCH", "/queue/{0}" },
	{ "queue", "remove", "removes a message without telling its sender",
		"signet queue remove 17", { WORD("ID", NULL) }, "DELETE", "/queue/{0}" },

	{ "key", "list", "keys, of one domain or all", "signet key list example.org",
		{ MAYBE("DOMAIN", NULL),
			CHOICE("--for", "USE", NULL, KEY_USES, "only those for this: "),
			OPTION("--type", "TYPE", NULL, "only those of this type") },
		.run = run_key_list, .list = "keys",
		.columns = { { "DOMAIN", "domain" }, { "KEY", "alias" }, { "TYPE", "type" },
			{ "FOR", "use" }, { "CREATED", "created" } } },
	{ "key", "generate", "makes a key; it never leaves the key process",
		"signet key generate example.org --type rsa:3072",
		{ WORD("DOMAIN", NULL),
			CHOICE("--type", "TYPE", "type", KEY_TYPES, "kind and size (default ec:p256): "),
			CHOICE("--for", "USE", "use", KEY_USES, "what it is for (default tls): "),
			OPTION("--alias", "NAME", "alias", "the key's name") },
		"POST", "/domains/{0}/keys",
		.columns = { { "alias", "alias" }, { "use", "use" }, { "type", "type" },
			{ "id", "id" } } },
	{ "key", "show", "a key's public half; without KEY the newest for TLS",
		"signet key show example.org first",
		{ WORD("DOMAIN", NULL), MAYBE("KEY", NULL), WHICH_KEY },
		"GET", "/domains/{0}/keys/{1}", .run = run_key_newest },
	{ "key", "import", "takes over a private key: PEM (PKCS#1, PKCS#8, SEC1), DER or PKCS#12",
		"signet key import example.org server.key",
		{ WORD("DOMAIN", NULL), FILE_WORD("FILE", "file"),
			{ .kind = ARG_SECRET, .name = "--passphrase-file", .sample = "F",
				.member = "passphrase",
				.help = "file with the passphrase of an encrypted file; else it is asked for" },
			CHOICE("--for", "USE", "use", KEY_USES, "what it is for (default tls): "),
			WHICH,
			OPTION("--alias", "NAME", "alias", "the key's name") },
		"POST", "/domains/{0}/keys/import", .run = run_key_import,
		.columns = { { "alias", "alias" }, { "use", "use" }, { "type", "type" },
			{ "id", "id" } } },
	{ "key", "export", "a private key as an encrypted PEM file; without KEY the newest for TLS",
		"signet key export example.org -o backup.pem",
		{ WORD("DOMAIN", NULL), MAYBE("KEY", NULL), WHICH_KEY,
			{ .kind = ARG_PASSWORD, .name = "--password-file", .sample = "F",
				.member = "file_password",
				.help = "file with the new file's password; else it is asked for" },
			OUTPUT("file") },
		"POST", "/domains/{0}/keys/{1}/export", .run = run_key_newest },
	{ "key", "remove", "removes a key with its certificates; without KEY the newest for TLS",
		"signet key remove example.org first",
		{ WORD("DOMAIN", NULL), MAYBE("KEY", NULL), WHICH_KEY },
		"DELETE", "/domains/{0}/keys/{1}", .run = run_key_newest },
	{ "key", "test", "signs and verifies with a key; without KEY the newest for TLS",
		"signet key test example.org",
		{ WORD("DOMAIN", NULL), MAYBE("KEY", NULL), WHICH_KEY },
		"POST", "/domains/{0}/keys/{1}/test", .run = run_key_test },

	{ "request", "list", "requests for certificates, and the certificates that answer them",
		"signet request list example.org", { WORD("DOMAIN", NULL) }, "GET",
		"/domains/{0}/requests", "requests",
		{ { "REQUEST", "alias" }, { "SUBJECT", "subject" }, { "NAMES", "names" },
			{ "KEY", "key" }, { "CREATED", "created" },
			{ "ANSWERED BY", "certificate" } } },
	{ "request", "create", "a request for a certificate, to be given to an authority",
		"signet request create example.org --alt mail.example.org,imap.example.org"
		" -o example.csr",
		{ WORD("DOMAIN", NULL), SUBJECT,
			OPTION("--key", "KEY", "key", "the key's name (default: the newest for TLS)"),
			OPTION("--alias", "NAME", "alias", "the request's name"),
			OUTPUT("request"), FLAG("--der", NULL, "in DER instead of PEM") },
		"POST", "/domains/{0}/requests" },
	{ "request", "show", "a request again; without REQUEST the newest",
		"signet request show example.org",
		{ WORD("DOMAIN", NULL), MAYBE("REQUEST", NULL), OUTPUT("request"),
			FLAG("--der", NULL, "in DER instead of PEM") },
		"GET", "/domains/{0}/requests/{1}", .run = run_request_newest },
	{ "request", "remove", "forgets a request; without REQUEST the newest",
		"signet request remove example.org", { WORD("DOMAIN", NULL), MAYBE("REQUEST", NULL) },
		"DELETE", "/domains/{0}/requests/{1}", .run = run_request_newest },

	{ "cert", "list", "certificates, of one domain or all", "signet cert list",
		{ MAYBE("DOMAIN", NULL) }, .run = run_cert_list, .list = "certificates",
		.columns = { { "DOMAIN", "domain" }, { "CERTIFICATE", "alias" },
			{ "ISSUED TO", "subject" }, { "ISSUED BY", "issuer" },
			{ "FROM", "not_before" }, { "TILL", "not_after" },
			{ "SERVES", "services" } } },
	{ "cert", "show",
		"everything about a certificate; without CERTIFICATE the newest in use",
		"signet cert show example.org",
		{ WORD("DOMAIN", NULL), MAYBE("CERTIFICATE", NULL) }, "GET",
		"/domains/{0}/certificates/{1}", .run = run_cert_in_use },
	{ "cert", "self-sign", "makes a self-signed certificate and puts it to use at once",
		"signet cert self-sign example.org --days 90",
		{ WORD("DOMAIN", NULL), DAYS(SELFSIGN_DAYS_MAX, "how long it is valid (default 397)"),
			SUBJECT,
			OPTION("--key", "KEY", "key", "the key's name (default: the newest for TLS)"),
			OPTION("--alias", "NAME", "alias", "the certificate's name") },
		"POST", "/domains/{0}/certificates", .columns = CERT_COLUMNS },
	{ "cert", "refresh", "a self-signed certificate again, for another time; without CERTIFICATE the"
		" newest in use", "signet cert refresh example.org --new-serial",
		{ WORD("DOMAIN", NULL), MAYBE("CERTIFICATE", NULL),
			FLAG("--new-serial", "new_serial",
				"with a serial number of its own, as browsers want it"),
			DAYS(SELFSIGN_DAYS_MAX, "how long it is valid (default: as long as before)") },
		"POST", "/domains/{0}/certificates/{1}/refresh", .columns = CERT_COLUMNS,
		.run = run_cert_in_use },
	{ "cert", "install", "takes an authority's answer to a request, with its chain, and puts it to use",
		"signet cert install example.org example.crt --chain intermediates.pem",
		{ WORD("DOMAIN", NULL), FILE_WORD("FILE", "certificate"),
			OPTION_FILE("--chain", "chain", "intermediate certificates, if not in FILE"),
			CHOICES("--service", "S,...", "services", SERVICES, "what it serves (default all): "),
			OPTION("--alias", "NAME", "alias", "the certificate's name"),
			FLAG("--force", "force", "take the chain exactly as it is") },
		"POST", "/domains/{0}/certificates/install", .columns = CERT_COLUMNS },
	{ "cert", "renew", "puts a renewed certificate in the place of one; without CERTIFICATE the newest in"
		" use", "signet cert renew example.org renewed.crt first",
		{ WORD("DOMAIN", NULL), FILE_WORD("FILE", "certificate"), MAYBE("CERTIFICATE", NULL),
			OPTION_FILE("--chain", "chain", "intermediate certificates, if not in FILE"),
			FLAG("--force", "force", "take the chain exactly as it is") },
		"PUT", "/domains/{0}/certificates/{2}", .columns = CERT_COLUMNS,
		.run = run_cert_renew },
	{ "cert", "import", "takes a certificate with its key from PKCS#12 or PEM, and puts it to use",
		"signet cert import example.org example.pfx",
		{ WORD("DOMAIN", NULL), FILE_WORD("FILE", "file"),
			{ .kind = ARG_PASSPHRASE, .name = "--password-file", .sample = "F",
				.member = "passphrase",
				.help = "file with FILE's password; else it is asked for" },
			WHICH,
			CHOICES("--service", "S,...", "services", SERVICES, "what it serves (default all): "),
			OPTION("--alias", "NAME", "alias", "the certificate's and the key's name"),
			FLAG("--force", "force", "take the chain exactly as it is") },
		"POST", "/domains/{0}/certificates/import", .columns = CERT_COLUMNS },
	{ "cert", "export", "a certificate with its chain as PEM; without CERTIFICATE the newest in use",
		"signet cert export example.org --pfx -o example.pfx",
		{ WORD("DOMAIN", NULL), MAYBE("CERTIFICATE", NULL),
			FLAG("--pfx", NULL, "with its key, as PKCS#12 under a password"),
			{ .kind = ARG_SECRET, .name = "--password-file", .sample = "F",
				.member = "file_password",
				.help = "file with that password; else it is asked for" },
			OUTPUT("file") },
		"POST", "/domains/{0}/certificates/{1}/export", .run = run_cert_export },
	{ "cert", "activate",
		"puts a certificate to use for services; without CERTIFICATE the newest",
		"signet cert activate example.org first --service imap,pop3",
		{ WORD("DOMAIN", NULL), MAYBE("CERTIFICATE", NULL),
			{ .kind = ARG_OPTION, .name = "--service", .sample = "S,...",
				.member = "services", .value = "all", .choices = SERVICES,
				.several = true, .help = "what it serves (default all): " SERVICES } },
		"PATCH", "/domains/{0}/certificates/{1}", .columns = CERT_COLUMNS,
		.run = run_cert_newest },
	{ "cert", "remove", "removes a certificate; without CERTIFICATE the newest in use",
		"signet cert remove example.org old",
		{ WORD("DOMAIN", NULL), MAYBE("CERTIFICATE", NULL) }, "DELETE",
		"/domains/{0}/certificates/{1}", .run = run_cert_in_use },
	{ "cert", "check", "whether clients will accept a domain's certificates, and why not",
		"signet cert check example.org", { WORD("DOMAIN", NULL), MAYBE("CERTIFICATE", NULL) },
		"GET", "/domains/{0}/check?certificate={1}", "checks",
		{ { "CERTIFICATE", "certificate" }, { "CHECK", "check" }, { "RESULT", "result" },
			{ "WHY", "text" } }, .run = run_cert_check },

	{ "chain", "show", "what is sent behind a certificate; without CERTIFICATE the newest in use",
		"signet chain show example.org",
		{ WORD("DOMAIN", NULL), MAYBE("CERTIFICATE", NULL) }, "GET",
		"/domains/{0}/certificates/{1}/chain", "certificates",
		{ { "ISSUED TO", "subject" }, { "ISSUED BY", "issuer" }, { "FROM", "not_before" },
			{ "TILL", "not_after" } }, .run = run_cert_in_use },
	{ "chain", "set", "sets what is sent behind a certificate; without CERTIFICATE the newest in use",
		"signet chain set example.org intermediates.pem",
		{ WORD("DOMAIN", NULL), FILE_WORD("FILE", "chain"), MAYBE("CERTIFICATE", NULL),
			FLAG("--force", "force", "take it exactly as it is") },
		"PUT", "/domains/{0}/certificates/{2}/chain", .columns = CERT_COLUMNS,
		.run = run_chain_set },
	{ "chain", "remove", "sends nothing behind a certificate; without CERTIFICATE the newest in use",
		"signet chain remove example.org",
		{ WORD("DOMAIN", NULL), MAYBE("CERTIFICATE", NULL) }, "DELETE",
		"/domains/{0}/certificates/{1}/chain", .columns = CERT_COLUMNS,
		.run = run_cert_in_use },

	{ "ca", "show", "the authority that issues certificates for the mail of a domain's users",
		"signet ca show example.org", { WORD("DOMAIN", NULL) }, "GET", "/domains/{0}/ca",
		"authorities", CA_COLUMNS },
	{ "ca", "create", "makes an authority with a key of its own, for the domain's addresses only",
		"signet ca create example.org --org 'Example Ltd'",
		{ WORD("DOMAIN", NULL), CA_SUBJECT,
			DAYS(AUTHORITY_DAYS_MAX, "how long it is valid (default 3650)") },
		"POST", "/domains/{0}/ca", .columns = CA_COLUMNS },
	{ "ca", "request", "asks another authority for one: a request to be given to it",
		"signet ca request example.org -o ca.csr",
		{ WORD("DOMAIN", NULL), CA_SUBJECT, OUTPUT("request"),
			FLAG("--der", NULL, "in DER instead of PEM") },
		"POST", "/domains/{0}/ca/request" },
	{ "ca", "install", "takes the certificate that another authority has given",
		"signet ca install example.org ca.crt --chain chain.pem",
		{ WORD("DOMAIN", NULL), FILE_WORD("FILE", "certificate"),
			OPTION_FILE("--chain", "chain", "what is above it, if not in FILE") },
		"POST", "/domains/{0}/ca/install", .columns = CA_COLUMNS },
	{ "ca", "refresh", "the same authority for another time and the domain's names of today",
		"signet ca refresh example.org",
		{ WORD("DOMAIN", NULL), DAYS(AUTHORITY_DAYS_MAX, "how long (default: as before)") },
		"POST", "/domains/{0}/ca/refresh", .columns = CA_COLUMNS },
	{ "ca", "export", "its certificate, for those who are to trust it",
		"signet ca export example.org --der -o example-ca.cer",
		{ WORD("DOMAIN", NULL), OUTPUT("certificate"),
			FLAG("--der", NULL, "in DER instead of PEM") },
		"GET", "/domains/{0}/ca/certificate" },
	{ "ca", "check", "whether it can issue, for which addresses, and until when",
		"signet ca check example.org", { WORD("DOMAIN", NULL) }, "GET",
		"/domains/{0}/ca/check", "checks",
		{ { "CHECK", "check" }, { "RESULT", "result" }, { "WHY", "text" } },
		.run = run_ca_check },
	{ "ca", "remove", "issues nothing more; what was issued stays valid, and can be revoked",
		"signet ca remove example.org", { WORD("DOMAIN", NULL) }, "DELETE",
		"/domains/{0}/ca" },
	{ "ca", "issue", "a certificate for the mail of a user: for the key of a request, else for the"
		" user's own of Secure Mail",
		"signet ca issue alice@example.org --request alice.csr -o alice.crt",
		{ WORD("ADDRESS", "address"),
			OPTION_FILE("--request", "request", "a request (PKCS#10) with the user's key"),
			OPTION("--name", "NAME", "name", "of the person (default: the account's)"),
			DAYS(MAILCERT_DAYS_MAX, "how long it is valid (default: setting ca_days)"),
			OUTPUT("certificate"), FLAG("--der", NULL, "in DER instead of PEM") },
		"POST", "/domains/{d}/ca/certificates", .run = run_ca_issue },
	{ "ca", "list", "what was issued for a domain's users", "signet ca list example.org",
		{ WORD("DOMAIN", NULL) }, "GET", "/domains/{0}/ca/certificates", "certificates",
		{ { "ADDRESS", "address" }, { "STATE", "state" }, { "TILL", "not_after", 10 },
			{ "RENEWAL", "renewal", 10 }, { "REASON", "reason" },
			{ "SERIAL", "serial" } } },
	{ "ca", "revoke", "a certificate is not to be believed any more",
		"signet ca revoke example.org 41a3... --reason keyCompromise",
		{ WORD("DOMAIN", NULL), WORD("SERIAL", NULL),
			OPTION("--reason", "REASON", "reason",
				"keyCompromise, affiliationChanged, superseded, cessationOfOperation,"
				" privilegeWithdrawn (default unspecified)") },
		"POST", "/domains/{0}/ca/certificates/{1}/revoke",
		.columns = { { "address", "address" }, { "state", "state" },
			{ "revoked", "revoked" }, { "reason", "reason" }, { "serial", "serial" } } },
	{ "ca", "crl", "its revocation list", "signet ca crl example.org --der -o example.crl",
		{ WORD("DOMAIN", NULL), OUTPUT("file"), FLAG("--der", NULL, "in DER instead of PEM") },
		"GET", "/domains/{0}/ca/crl" },

	{ "rule", "list", "scripts of an account, a domain or the server",
		"signet rule list alice@example.org", { WORD("OWNER", NULL) }, "GET", "/rules/{0}",
		"scripts",
		{ { "NAME", "name" }, { "ACTIVE", "active" }, { "SIZE", "size" },
			{ "CHANGED", "changed" } } },
	{ "rule", "show", "the active script, or the one of that name",
		"signet rule show alice@example.org", { WORD("OWNER", NULL), MAYBE("NAME", NULL) },
		.run = run_rule_show },
	{ "rule", "set", "stores a script and makes it the active one",
		"signet rule set example.org domain.sieve",
		{ WORD("OWNER", NULL), WORD("FILE", NULL),
			OPTION("--name", "NAME", NULL, "its name (default rules)"),
			FLAG("--inactive", NULL, "stores it only") },
		.run = run_rule_set },
	{ "rule", "check", "whether a script is right, and what it does; needs no server",
		"signet rule check my.sieve --message mail.eml",
		{ WORD("FILE", NULL),
			OPTION("--message", "FILE", NULL, "shows what it would do to this message"),
			OPTION("--from", "ADDRESS", NULL, "envelope sender of the message"),
			OPTION("--to", "ADDRESS", NULL, "envelope recipient of the message") },
		.run = run_rule_check },
	{ "rule", "remove", "removes the active script, or the one of that name",
		"signet rule remove alice@example.org", { WORD("OWNER", NULL), MAYBE("NAME", NULL) },
		.run = run_rule_remove },

	{ "trust", "list", "what is trusted, with what is inherited", "signet trust list --domain example.org",
		{ SCOPE, CHOICES("--for", "P,...", NULL, PURPOSES, "only those for these: ") },
		.run = run_trust_list, .list = "certificates",
		.columns = { { "ISSUED TO", "subject", 28 }, { "SERIAL", "serial", 8 },
			{ "FROM", "not_before", 10 }, { "TILL", "not_after", 10 },
			{ "SCOPE", "scope" }, { "FOR", "purposes" },
			{ "FINGERPRINT", "fingerprint", 11 } } },
	{ "trust", "add", "trusts the certificates of a file, or one that is known by its fingerprint",
		"signet trust add company-ca.pem --domain example.org --for client,mail",
		{ { .kind = ARG_MANY, .name = "FILE..." }, SCOPE,
			CHOICES("--for", "P,...", NULL, PURPOSES, "what for (default: all): "),
			OPTION("--alias", "NAME", NULL, "how a single certificate is called") },
		.run = run_trust_add, .list = "certificates",
		.columns = { { "ISSUED TO", "subject" }, { "FINGERPRINT", "fingerprint" } } },
	{ "trust", "deny", "trusts a certificate no more, whoever else does",
		"signet trust deny unwanted-ca.pem", { { .kind = ARG_MANY, .name = "FILE..." }, SCOPE },
		.run = run_trust_deny, .list = "certificates",
		.columns = { { "ISSUED TO", "subject" }, { "FINGERPRINT", "fingerprint" } } },
	{ "trust", "remove", "takes back what was added or denied in a scope",
		"signet trust remove company-ca.pem --domain example.org",
		{ WORD("FILE|FINGERPRINT", NULL), SCOPE }, .run = run_trust_remove },

	{ "verify", NULL,
		"whether a certificate holds, for a purpose and a name; needs no server",
		"signet verify --purpose server --host mail.example.org --untrusted chain.pem cert.pem",
		{ MAYBE("CERT.pem", NULL),
			SEVERAL("--roots", "FILE",
				"trusted certificates, PEM (default: those of the system)"),
			SEVERAL("--untrusted", "FILE", "certificates that may lead to one of them"),
			SEVERAL("--crl", "FILE", "revocation lists; with one, each certificate needs one"),
			OPTION("--time", "RFC3339", NULL, "when (default: now)"),
			OPTION("--purpose", "PURPOSE", NULL,
				"server, client, mail or any (default any)"),
			OPTION("--host", "NAME", NULL, "a host that it must be for"),
			OPTION("--ip", "ADDRESS", NULL, "an IP address that it must be for"),
			OPTION("--email", "ADDRESS", NULL, "a mail address that it must be for"),
			{ .kind = ARG_FLAG, .name = "--batch",
				.help = "answers JSON lines on standard input, one each" } },
		.run = run_verify },

	{ "smime", "sign", "signs the message on standard input; needs no server",
		"signet smime sign --key alice.key --cert alice.pem --chain ca.pem < message",
		{ SMIME_KEY, OPTION("--digest", "NAME", NULL, "sha-256, sha-384, sha-512 (default: what suits the key)"),
			FLAG("--opaque", NULL, "the text inside the signature, readable with S/MIME only"),
			FLAG("--pss", NULL, "RSA keys sign with PSS rather than PKCS #1 v1.5"),
			FLAG("--keep-8bit", NULL, "8-bit parts stay as they are"),
			FLAG("--protect-header", NULL, "the header is signed too"),
			OPTION("--time", "RFC3339", NULL, "the signing time (default: now)") },
		.run = run_smime_sign },
	{ "smime", "encrypt", "encrypts the message on standard input; needs no server",
		"signet smime encrypt --to alice.pem --to bob.pem < message",
		{ SEVERAL("--to", "FILE", "certificates of those who are to read it"),
			OPTION("--cipher", "NAME", NULL,
				"automatic (the default), aes-256-gcm, aes-256-cbc, aes-192-cbc, aes-128-cbc, 3des"),
			FLAG("--oaep", NULL, "RSA-OAEP rather than PKCS #1 v1.5"),
			FLAG("--protect-header", NULL,
				"the header is encrypted too, and the subject not seen outside"),
			OPTION("--time", "RFC3339", NULL, "when certificates must be valid (default: now)") },
		.run = run_smime_encrypt },
	{ "smime", "verify",
		"verifies the signatures of the message on standard input and writes what they sign; "
		"needs no server",
		"signet smime verify --roots ca.pem < message",
		{ SMIME_TRUST, SMIME_KEY }, .run = run_smime_verify },
	{ "smime", "decrypt",
		"decrypts the message on standard input and writes what was encrypted; needs no server",
		"signet smime decrypt --key bob.key --cert bob.pem < message",
		{ SMIME_KEY, SMIME_TRUST }, .run = run_smime_decrypt },

	{ "smime", "show", "an account's Secure Mail keys and their certificates",
		"signet smime show alice@example.org", { WORD("ADDRESS", NULL) }, "GET", "/accounts/{0}/smime",
		SECURE_KEYS, .run = run_smime_show },
	{ "smime", "set", "chooses for an account: from=ADDRESS, lock_after=TIME (10s to 1h), "
		"cipher=automatic|aes-256-gcm|aes-256-cbc|aes-192-cbc|aes-128-cbc|3des",
		"signet smime set alice@example.org lock_after=5m", { WORD("ADDRESS", NULL), PAIRS }, "PATCH",
		"/accounts/{0}/smime", SECURE_KEYS, .run = run_smime_change },
	{ "smime", "use", "signs with this key from now on, and has others encrypt to it",
		"signet smime use alice@example.org 3",
		{ WORD("ADDRESS", NULL), { .kind = ARG_ONE, .name = "NUMBER", .member = "current",
					      .number = true } },
		"PATCH", "/accounts/{0}/smime", SECURE_KEYS, .run = run_smime_change },
	{ "smime", "generate",
		"makes a key; the domain's authority (ca create) issues its certificate",
		"signet smime generate alice@example.org --password-file secret",
		{ WORD("ADDRESS", NULL),
			CHOICE("--type", "TYPE", "type", RSA_EC_TYPES, "kind and size (default rsa:3072): "),
			SECURE_PASSWORD, START_OVER },
		"POST", "/accounts/{0}/smime/generate", SECURE_KEYS, .run = run_smime_add },
	{ "smime", "import", "takes a key with its certificate from PKCS#12 or PEM",
		"signet smime import alice@example.org alice.pfx --pfx-password-file pfx.secret",
		{ WORD("ADDRESS", NULL), FILE_WORD("FILE", "file"), PFX_PASSWORD, WHICH, SECURE_PASSWORD,
			START_OVER },
		"POST", "/accounts/{0}/smime/import", SECURE_KEYS, .run = run_smime_add },
	{ "smime", "export", "a key with its certificate as PKCS#12, for Outlook or Thunderbird",
		"signet smime export alice@example.org -o CertAndKey.pfx",
		{ WORD("ADDRESS", NULL), OLD_SECURE_PASSWORD("--password-file", "password"),
			{ .kind = ARG_PASSWORD, .name = "--pfx-password-file", .sample = "F",
				.member = "file_password", .prompt = "New password of the file: ",
				.help = "file with the password of the new file; else it is asked for" },
			NUMBER("--key", "key", "its number (default: the current one)"),
			OPTION("--form", "FORM", "form",
				"modern (default), or old (3DES) for programs that read no other"),
			OUTPUT("file") },
		"POST", "/accounts/{0}/smime/export", .run = run_smime_export },
	{ "smime", "compare-and-remove", "removes the key that is in the file, if it is the same",
		"signet smime compare-and-remove alice@example.org CertAndKey.pfx",
		{ WORD("ADDRESS", NULL), FILE_WORD("FILE", "file"), PFX_PASSWORD, WHICH,
			OPTION("--revoke", "REASON", "revoke",
				"revokes its certificates, too: superseded, cessationOfOperation, "
				"keyCompromise, affiliationChanged, privilegeWithdrawn, unspecified") },
		"POST", "/accounts/{0}/smime/compare-and-remove", SECURE_KEYS, .run = run_smime_change },
	{ "smime", "password", "puts all keys of an account under another Secure Mail Password",
		"signet smime password alice@example.org",
		{ WORD("ADDRESS", NULL), OLD_SECURE_PASSWORD("--old-password-file", "current"),
			{ .kind = ARG_PASSWORD, .name = "--password-file", .sample = "F",
				.member = "password", .prompt = "New Secure Mail Password: ",
				.help = "file with the new password; else it is asked for" } },
		"POST", "/accounts/{0}/smime/password", SECURE_KEYS, .run = run_smime_change },
	{ "smime", "unlock",
		"whether this is the Secure Mail Password; nothing stays unlocked behind a command",
		"signet smime unlock alice@example.org --password-file secret",
		{ WORD("ADDRESS", NULL), OLD_SECURE_PASSWORD("--password-file", "password") }, "POST",
		"/accounts/{0}/smime/unlock", .run = run_smime_unlock },
	{ "smime", "lock", "locks an account's keys in all sessions of the web interface",
		"signet smime lock alice@example.org", { WORD("ADDRESS", NULL) }, "POST",
		"/accounts/{0}/smime/lock", .run = run_smime_lock },
	{ "smime", "install", "another certificate for a key that is there, with its chain",
		"signet smime install alice@example.org alice.pem",
		{ WORD("ADDRESS", NULL), FILE_WORD("FILE", "certificate"),
			OPTION_FILE("--chain", "chain", "file with the issuers' certificates") },
		"POST", "/accounts/{0}/smime/install", SECURE_KEYS, .run = run_smime_change },
	{ "smime", "renew", "another certificate for a key from the domain's authority",
		"signet smime renew alice@example.org",
		{ WORD("ADDRESS", NULL), NUMBER("--key", "key", "its number (default: the current one)"),
			OPTION("--from", "ADDRESS", "from",
				"for this address (default: for those of the certificate before)") },
		"POST", "/accounts/{0}/smime/renew", SECURE_KEYS, .run = run_smime_change },

	{ "client-ca", "show", "the issuers whose clients are asked for a certificate",
		"signet client-ca show example.org", { WORD("DOMAIN|server", NULL) },
		.run = run_issuer_show, .list = "issuers",
		.columns = { { "ISSUER", "subject" }, { "TILL", "not_after" },
			{ "USABLE", "usable" }, { "FINGERPRINT", "fingerprint" } } },
	{ "client-ca", "set", "asks clients for a certificate of these issuers, which are trusted for"
		" clients: files, or fingerprints of trusted certificates",
		"signet client-ca set example.org people-ca.pem",
		{ WORD("DOMAIN|server", NULL), { .kind = ARG_MANY, .name = "ISSUER..." } },
		.run = run_issuer_set },
	{ "client-ca", "remove", "asks for certificates of one of the issuers, or all, no more",
		"signet client-ca remove example.org people-ca.pem",
		{ WORD("DOMAIN|server", NULL), MAYBE("ISSUER", NULL) }, .run = run_issuer_remove },

	{ "certmap", "show", "the rules that lead from client certificates to accounts",
		"signet certmap show example.org", { WORD("DOMAIN|server", NULL) },
		.run = run_certmap_show, .list = "rules",
		.columns = { { "METHOD", "method" }, { "TEMPLATE", "template" },
			{ "VERIFYCERT", "verifycert" }, { "ISSUER", "issuer" }, { "RULE", "rule" } } },
	{ "certmap", "set", "these rules, in their order: email, subject:TEMPLATE or fingerprint, each"
		" perhaps with ;verifycert and ;issuer=NAME",
		"signet certmap set example.org email 'subject:{UID};issuer=CN=People,O=Example'",
		{ WORD("DOMAIN|server", NULL), { .kind = ARG_MANY, .name = "RULE..." } },
		.run = run_certmap_set },
	{ "certmap", "remove", "takes the rules away: the server's hold, or \"email\"",
		"signet certmap remove example.org", { WORD("DOMAIN|server", NULL) },
		.run = run_certmap_remove },
	{ "certmap", "test", "whether a client certificate is valid for a domain, and whose it is",
		"signet certmap test example.org alice.pem",
		{ WORD("DOMAIN", NULL),
			{ .kind = ARG_FILE, .name = "FILE", .member = "certificate" } },
		"POST", "/domains/{0}/certmap/test",
		.columns = { { "subject", "subject" }, { "valid", "valid" },
			{ "invalid_because", "invalid_because" }, { "account", "account" },
			{ "rule", "rule" }, { "reason", "reason" } } },

	{ "account-cert", "list", "the certificates that are an account's own",
		"signet account-cert list alice@example.org", { WORD("ADDRESS", NULL) }, "GET",
		"/accounts/{0}/certificates", "certificates",
		{ { "ISSUED TO", "subject" }, { "ISSUED BY", "issuer" }, { "TILL", "not_after" },
			{ "FINGERPRINT", "fingerprint" } } },
	{ "account-cert", "add", "stores a certificate as the account's own, for rules that go by it",
		"signet account-cert add alice@example.org alice.pem",
		{ WORD("ADDRESS", NULL),
			{ .kind = ARG_FILE, .name = "FILE", .member = "certificate" } },
		"POST", "/accounts/{0}/certificates",
		.columns = { { "subject", "subject" }, { "fingerprint", "fingerprint" } } },
	{ "account-cert", "remove", "takes a certificate away from an account",
		"signet account-cert remove alice@example.org alice.pem",
		{ WORD("ADDRESS", NULL), WORD("FILE|FINGERPRINT", NULL) },
		.run = run_own_cert_remove },

	{ "acme", "account", "the account with an authority: show, set, remove; of the server, or of a"
		" domain that has its own",
		"signet acme account set --directory https://acme-v02.api.letsencrypt.org/directory"
		" --contact postmaster@example.org --agree",
		{ WORD("show|set|remove", NULL), MAYBE("DOMAIN", NULL),
			OPTION("--directory", "URL", "directory", "the authority's directory"),
			{ .kind = ARG_LIST, .name = "--contact", .sample = "ADDRESS,...",
				.member = "contact", .help = "whom the authority may write to" },
			FLAG("--agree", "terms_agreed", "agree to the authority's terms of service"),
			OPTION("--eab-kid", "ID", "eab_kid",
				"external account: the identifier the authority gave you"),
			{ .kind = ARG_SECRET, .name = "--eab-key", .sample = "FILE",
				.member = "eab_key",
				.help = "file with its key in base64url" },
			OPTION_FILE("--ca", "roots",
				"PEM of whom the directory's certificate comes from (default: whom"
				" the server trusts)") },
		.columns = { { "of", "of" }, { "directory", "directory" }, { "contact", "contact" },
			{ "terms agreed", "terms_agreed" }, { "external account", "eab_kid" },
			{ "account", "url" } },
		.run = run_acme_account },
	{ "acme", "order", "obtains a certificate, puts it to use and keeps it renewed",
		"signet acme order example.org --names example.org,mail.example.org --wait",
		{ WORD("DOMAIN", NULL),
			{ .kind = ARG_LIST, .name = "--names", .sample = "NAME,...",
				.member = "names",
				.help = "for these names (default: the domain and its aliases)" },
			CHOICE("--challenge", "KIND", "challenge", "http-01, tls-alpn-01, dns-01",
				"proof (default http-01; a wildcard: dns-01): "),
			{ .kind = ARG_LIST, .name = "--key", .sample = "TYPE,...",
				.member = "types", .choices = RSA_EC_TYPES,
				.help = "a certificate for each of these keys (default ec:p256): "
					RSA_EC_TYPES },
			FLAG("--wait", NULL, "until it is there, or has failed") },
		"POST", "/domains/{0}/acme", "orders", ACME_COLUMNS, run_acme_order },
	{ "acme", "renew", "obtains a domain's certificates anew, now",
		"signet acme renew example.org --wait",
		{ WORD("DOMAIN", NULL), FLAG("--wait", NULL, "until they are there, or it has failed") },
		"POST", "/domains/{0}/acme/renew", "orders", ACME_COLUMNS, run_acme_order },
	{ "acme", "status", "what is kept up, and what comes next", "signet acme status",
		{ MAYBE("DOMAIN", NULL) }, .list = "orders", .columns = ACME_COLUMNS,
		.run = run_acme_status },
	{ "acme", "stop", "renews a domain's certificates no more; they stay until they end",
		"signet acme stop example.org", { WORD("DOMAIN", NULL) }, "DELETE",
		"/domains/{0}/acme" },

	{ "crl", "list", "revocation lists; of a domain those of the server too, which count for it",
		"signet crl list --domain example.org",
		{ OPTION("--domain", "DOMAIN", NULL, "which count for a domain") },
		.run = run_crl_list, .list = "lists", .columns = CRL_COLUMNS },
	{ "crl", "add", "holds certificates against a list: a file, or a URL that it is fetched from",
		"signet crl add http://crl.example.com/users.crl --domain example.org",
		{ WORD("FILE|URL", NULL),
			OPTION("--domain", "DOMAIN", NULL, "for a domain (default: for all of them)"),
			OPTION("--authority", "FILE", NULL,
				"the certificate that has signed it, if it is not known here") },
		.run = run_crl_add, .list = "lists", .columns = CRL_COLUMNS },
	{ "crl", "remove", "holds nothing against a list any more", "signet crl remove 3",
		{ WORD("LIST", NULL) }, "DELETE", "/crls/{0}" },
	{ "crl", "fetch", "fetches a list from its URL now; without LIST all that have one",
		"signet crl fetch 3",
		{ MAYBE("LIST", NULL),
			OPTION("--domain", "DOMAIN", NULL, "of those that count for a domain") },
		.run = run_crl_fetch, .list = "lists", .columns = CRL_COLUMNS },

	{ "completion", NULL, "a completion script for bash", "source <(signet completion)",
		.run = run_completion },
};

const size_t n_commands = sizeof commands / sizeof commands[0];
