/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Reading the command line. Every option is a row; what is wrong is said with the option's name.
 */

#include "app/options.h"

#include "base/span.h"

#include <string.h>

const char options_help[] =
	"usage: signetd --data DIR [options]\n"
	"\n"
	"A mail server whose heart is certificates: SMTP, IMAP, POP3 and HTTPS with TLS from keys\n"
	"that only a separate process can use. Runs in the foreground until SIGTERM or SIGINT.\n"
	"\n"
	"  --data DIR               where everything is kept\n"
	"  --domain NAME            main domain at the first start (default: the host's name)\n"
	"  --listen ADDRESS         an address without port, IPv6 in brackets; repeatable\n"
	"                           (default: 0.0.0.0 and [::])\n"
	"  --port-offset N          added to every port, so that it runs without privileges\n"
	"  --database URL           sqlite:PATH (default: DIR/store/signet.db)\n"
	"  --key-password-file F    the keys' password instead of DIR/keyd/kek\n"
	"  --user U, --keyd-user U  what the server and the key processes run as, if started as root\n"
	"  --acme-hook PROGRAM      makes DNS records for certificates by dns-01; absolute path\n"
	"  --foreground             accepted; it is the only way to run\n"
	"  --version, --help\n"
	"\n"
	"examples:\n"
	"  signetd --data ./data --domain example.org --port-offset 10000\n"
	"  signetd --data /var/lib/signet --listen 192.0.2.1 --listen '[2001:db8::1]'\n";

static int set_listen(struct options *o, const char *value, struct why *why)
{
	if (o->n_listen == OPTIONS_LISTEN_MAX) {
		why_set(why, "--listen can be given %d times at most", OPTIONS_LISTEN_MAX);
		return OPTIONS_E_USAGE;
	}
	o->listen[o->n_listen++] = value;
	return 0;
}

static int set_port_offset(struct options *o, const char *value, struct why *why)
{
	uint64_t n;

	if (!span_to_u64(span_str(value), 60000, &n)) {
		why_set(why, "--port-offset is a number from 0 to 60000");
		return OPTIONS_E_USAGE;
	}
	o->port_offset = (unsigned)n;
	return 0;
}

static const struct option_row {
	const char *name;
	size_t text; /* offset of a const char *, for rows without set */
	int (*set)(struct options *o, const char *value, struct why *why);
} rows[] = {
	{ "--data", offsetof(struct options, data), NULL },
	{ "--domain", offsetof(struct options, domain), NULL },
	{ "--listen", 0, set_listen },
	{ "--port-offset", 0, set_port_offset },
	{ "--database", offsetof(struct options, database), NULL },
	{ "--key-password-file", offsetof(struct options, key_password_file), NULL },
	{ "--user", offsetof(struct options, user), NULL },
	{ "--keyd-user", offsetof(struct options, keyd_user), NULL },
	{ "--acme-hook", offsetof(struct options, acme_hook), NULL },
};

static const struct {
	const char *name;
	size_t flag; /* offset of a bool */
} switches[] = {
	{ "--help", offsetof(struct options, help) },
	{ "--version", offsetof(struct options, version) },
};

static int set_row(struct options *o, const struct option_row *row, const char *value,
	struct why *why)
{
	if (!value) {
		why_set(why, "%s needs a value", row->name);
		return OPTIONS_E_USAGE;
	}
	if (row->set)
		return row->set(o, value, why);
	*(const char **)((char *)o + row->text) = value;
	return 0;
}

/* Matches "--name" (value is the next word) and "--name=value". */
static const struct option_row *row_find(const char *word, const char **ret_value)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t n = strlen(rows[i].name);

		if (strncmp(word, rows[i].name, n) != 0 || (word[n] && word[n] != '='))
			continue;
		*ret_value = word[n] ? word + n + 1 : NULL;
		return &rows[i];
	}
	return NULL;
}

static bool switch_set(struct options *o, const char *word)
{
	if (strcmp(word, "--foreground") == 0)
		return true;
	for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
		if (strcmp(word, switches[i].name) == 0) {
			*(bool *)((char *)o + switches[i].flag) = true;
			return true;
		}
	}
	return false;
}

int options_parse(struct options *ret_options, int argc, char **argv, struct why *why)
{
	struct options o = {};

	for (int i = 1; i < argc; i++) {
		const char *value = NULL;
		const struct option_row *row = row_find(argv[i], &value);
		int r;

		if (!row) {
			if (switch_set(&o, argv[i]))
				continue;
			why_set(why, "%s is not an option; see signetd --help", argv[i]);
			return OPTIONS_E_USAGE;
		}
		if (!value && i + 1 < argc)
			value = argv[++i];
		r = set_row(&o, row, value, why);
		if (r)
			return r;
	}
	if (!o.data && !o.help && !o.version) {
		why_set(why, "--data DIR says where everything is kept; see signetd --help");
		return OPTIONS_E_USAGE;
	}
	*ret_options = o;
	return 0;
}
