/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What Sun's command prints: a list with the columns that people know, and everything about one
 * certificate. Times are UTC.
 */

#include "cli/msgcert.h"

#include "base/clock.h"
#include "cli/language.h"
#include "cli/show.h"
#include "pki/cert.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MINUTES = 16 /* of "2026-07-28T12:58" */, US_OF_SECOND = 1000000 };

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

/* "2026/07/28 12:58" of an RFC 3339 time. */
static json_t *list_time(const char *time)
{
	char text[MINUTES + 1] = "";

	if (strlen(time) < MINUTES)
		return json_string(time);
	for (size_t i = 0; i < MINUTES; i++)
		text[i] = time[i] == '-' ? '/' : time[i] == 'T' ? ' ' : time[i];
	return json_string(text);
}

static json_t *list_row(const json_t *cert)
{
	bool self_signed = json_is_true(json_object_get(cert, "self_signed"));
	json_t *row = json_object();

	(void)json_object_set_new(row, "alias", json_string(text_of(cert, "alias")));
	(void)json_object_set_new(row, "from", list_time(text_of(cert, "not_before")));
	(void)json_object_set_new(row, "till", list_time(text_of(cert, "not_after")));
	(void)json_object_set_new(row, "self", json_string(self_signed ? gettext("y") : ""));
	(void)json_object_set_new(row, "issuer", json_string(text_of(cert, "issuer")));
	(void)json_object_set_new(row, "subject",
		json_string(self_signed ? gettext("Same as issuer") : text_of(cert, "subject")));
	return row;
}

void msgcert_show_list(const json_t *list)
{
	static const struct column columns[] = {
		{ MARKED("Alias"), "alias" },
		{ MARKED("Valid from"), "from" },
		{ MARKED("Expires on"), "till" },
		{ MARKED("Self-signed"), "self" },
		{ MARKED("Issued by"), "issuer" },
		{ MARKED("Issued to"), "subject" },
		{},
	};
	CLEANUP(json_owned_freep) json_t *rows = json_array();
	size_t n = 0, i;
	const json_t *cert;

	json_array_foreach(list, i, cert) {
		/* What is denied is not trusted, though it is in the list. */
		if (json_is_true(json_object_get(cert, "denied")) ||
			json_is_true(json_object_get(cert, "overruled")))
			continue;
		(void)json_array_append_new(rows, list_row(cert));
		n++;
	}
	if (n)
		show_ruled_table(rows, columns);
	(void)printf(ngettext("%zu certificate found\n", "%zu certificates found\n", n), n);
}

/* Whether a text is the start of a fingerprint, colons and case left out. */
static bool is_fingerprint(const char *fingerprint, const char *text)
{
	enum { DIGITS_MIN = 16 };
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ':')
			continue;
		while (*fingerprint == ':')
			fingerprint++;
		if (tolower((unsigned char)*text) != tolower((unsigned char)*fingerprint))
			return false;
		fingerprint++;
		n++;
	}
	return n >= DIGITS_MIN;
}

const json_t *msgcert_find_trusted(const json_t *list, const char *alias)
{
	const json_t *cert;
	size_t i;

	json_array_foreach(list, i, cert) {
		if (strcmp(text_of(cert, "alias"), alias) == 0 ||
			is_fingerprint(text_of(cert, "fingerprint"), alias))
			return cert;
	}
	return NULL;
}

/* "name: value" at a depth, without the value's control characters. */
static void line(unsigned depth, const char *name, const char *value)
{
	(void)printf("%*s", (int)(4 * depth), "");
	show_named(name, value);
}

static void time_line(unsigned depth, const char *name, int64_t us)
{
	time_t seconds = (time_t)(us / US_OF_SECOND);
	char text[40] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		(void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm);
	line(depth, name, text);
}

static void printed_line(unsigned depth, const char *name, const struct cert *cert,
	void (*print)(const struct cert *c, struct buf *out))
{
	struct buf out = {};
	char *text;

	print(cert, &out);
	text = buf_steal_string(&out);
	line(depth, name, text);
	free(text);
}

/* Several lines, each at the depth. */
static void block(unsigned depth, const struct cert *cert,
	void (*print)(const struct cert *c, struct buf *out))
{
	CLEANUP(buf_done) struct buf out = {};
	struct span rest;

	print(cert, &out);
	rest = buf_span(&out);
	while (rest.n) {
		struct span text = span_cut(&rest, '\n');

		(void)printf("%*s%.*s\n", (int)(4 * depth), "", (int)text.n, (const char *)text.p);
	}
}

static void show_data(const struct cert *cert)
{
	char version[32];

	(void)snprintf(version, sizeof version, "%ld (0x%lx)", cert_version(cert), cert_version(cert) - 1);
	(void)printf("    %s:\n", gettext("Data"));
	line(2, gettext("Version"), version);
	printed_line(2, gettext("Serial Number"), cert, cert_add_serial);
	printed_line(2, gettext("Signature Algorithm"), cert, cert_add_signature_name);
	printed_line(2, gettext("Issuer"), cert, cert_add_issuer);
	(void)printf("        %s:\n", gettext("Validity"));
	time_line(3, gettext("Not Before"), cert_not_before_us(cert));
	time_line(3, gettext("Not After"), cert_not_after_us(cert));
	printed_line(2, gettext("Subject"), cert, cert_add_subject);
	(void)printf("        %s:\n", gettext("Subject Public Key Info"));
	printed_line(3, gettext("Public Key Algorithm"), cert, cert_add_key_text);
	block(3, cert, cert_add_key_details);
}

static void show_names(const json_t *names)
{
	struct buf out = {};
	const json_t *name;
	size_t i;
	char *text;

	if (!json_array_size(names))
		return;
	json_array_foreach(names, i, name)
		buf_add_format(&out, "%s%s", i ? ", " : "", json_string_value(name));
	text = buf_steal_string(&out);
	line(2, gettext("Subject Alternative Names"), text);
	free(text);
}

/* What the certificate's entries among the trusted ones say together. */
struct flags {
	bool denied, server, client, mail;
};

static struct flags flags_of(const json_t *trusted, const char *fingerprint)
{
	struct flags f = {};
	const json_t *entry;
	size_t i;

	json_array_foreach(trusted, i, entry) {
		const char *purposes = text_of(entry, "purposes");

		if (strcmp(text_of(entry, "fingerprint"), fingerprint) != 0)
			continue;
		f.denied |= json_is_true(json_object_get(entry, "denied")) ||
			json_is_true(json_object_get(entry, "overruled"));
		f.server |= strstr(purposes, "server") != NULL;
		f.client |= strstr(purposes, "client") != NULL;
		f.mail |= strstr(purposes, "mail") != NULL;
	}
	return f;
}

static void flag(bool set, const char *name)
{
	if (set)
		(void)printf("            %s\n", name);
}

static void show_flags(const json_t *json, const struct cert *cert, const json_t *trusted)
{
	struct flags f = flags_of(trusted, text_of(json, "fingerprint"));
	bool may = !f.denied;

	(void)printf("    %s:\n", gettext("Certificate Trust Flags"));
	(void)printf("        %s:\n", gettext("SSL Flags"));
	flag(f.denied, gettext("Denied"));
	flag(may && cert_is_ca(cert), gettext("Valid CA"));
	flag(may && f.server, gettext("Trusted CA"));
	flag(may && f.client, gettext("Trusted Client CA"));
	flag(json_is_true(json_object_get(json, "has_key")), gettext("User"));
	(void)printf("        %s:\n", gettext("Email Flags"));
	flag(f.denied, gettext("Denied"));
	flag(may && f.mail && cert_is_ca(cert), gettext("Valid CA"));
	flag(may && f.mail, gettext("Trusted CA"));
	/* Nothing here signs or runs programs. */
	(void)printf("        %s:\n", gettext("Object Signing Flags"));
}

int msgcert_show_cert(struct cli *cli, const json_t *json, const json_t *trusted)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	int r = cert_from_pem(&cert, span_str(text_of(json, "certificate")), &cli->why);

	if (r)
		return r < 0 ? r : CLIENT_E_REFUSED;
	line(0, gettext("Certificate"), text_of(json, "alias"));
	show_data(cert);
	show_names(json_object_get(json, "names"));
	printed_line(1, gettext("Signature Algorithm"), cert, cert_add_signature_name);
	printed_line(1, gettext("Fingerprint (SHA-256)"), cert, cert_add_fingerprint_text);
	printed_line(1, gettext("Fingerprint (SHA-1)"), cert, cert_add_sha1_text);
	if (json_object_get(json, "services"))
		line(1, gettext("Serves"), text_of(json, "services"));
	show_flags(json, cert, trusted);
	return 0;
}
