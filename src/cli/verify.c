/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * signet verify: whether a certificate holds, as the server would judge it, from files alone. With
 * --batch many validations, one JSON object on each line of standard input.
 */

#include "cli/command.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limit.h"
#include "cli/batch.h"
#include "cli/show.h"
#include "cli/trust_files.h"
#include "pki/name.h"
#include "pki/path.h"
#include "pki/pem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct verify {
	struct cert *leaf;
	struct cert_list untrusted;
	struct trust *trust;
	struct crl_list crls;
	struct path_name names[3];
	struct path_request q;
	struct verdict verdict;
};

static void verify_done(struct verify *v)
{
	cert_unref(v->leaf);
	cert_list_done(&v->untrusted);
	trust_unref(v->trust);
	crl_list_done(&v->crls);
	verdict_done(&v->verdict);
}

static int read_roots(struct cli *cli, struct verify *v)
{
	return cli_read_roots(cli, &v->trust);
}

static int read_crls(struct cli *cli, struct verify *v)
{
	return cli_read_crls(cli, &v->crls);
}

static int read_untrusted(struct cli *cli, struct verify *v)
{
	const char *name;

	for (size_t i = 0; (name = cli_option_at(cli, "--untrusted", i)); i++) {
		CLEANUP(cert_list_done) struct cert_list list = {};
		int r = cli_read_certs(cli, name, &list);

		if (r)
			return r;
		v->untrusted.certs = alloc_array(v->untrusted.certs, v->untrusted.n + list.n,
			sizeof(struct cert *));
		for (size_t k = 0; k < list.n; k++)
			v->untrusted.certs[v->untrusted.n++] = cert_ref(list.certs[k]);
	}
	return 0;
}

/* More than the leaf in its file: the others are its chain. */
static int read_leaf(struct cli *cli, struct verify *v)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	int r = cli_read_certs(cli, cli->words[0], &list);

	if (r)
		return r;
	v->leaf = cert_ref(list.certs[0]);
	v->untrusted.certs = alloc_array(v->untrusted.certs, v->untrusted.n + list.n,
		sizeof(struct cert *));
	for (size_t i = 1; i < list.n; i++)
		v->untrusted.certs[v->untrusted.n++] = cert_ref(list.certs[i]);
	return 0;
}

static bool is_host(struct span text)
{
	CLEANUP(buf_done) struct buf name = {};

	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	return name_to_ascii(text, &name) && name_is_dns(buf_span(&name), false);
}

static bool is_ip(struct span text)
{
	CLEANUP(alloc_freep) char *address = span_to_string(text);
	uint8_t octets[16];

	return address && (inet_pton(AF_INET, address, octets) == 1 ||
		inet_pton(AF_INET6, address, octets) == 1);
}

static bool is_mailbox(struct span text)
{
	size_t at = text.n;

	while (at && text.p[at - 1] != '@')
		at--;
	if (at < 2) /* no "@", or nothing before it */
		return false;
	return span_is_utf8(text) && is_host(span_skip(text, at));
}

/* What the certificate must be for. What cannot be such a name is a slip of the caller's. */
static int take_names(struct cli *cli, struct verify *v)
{
	static const struct {
		const char *option;
		enum path_name_kind kind;
		bool (*fits)(struct span text);
		const char *is;
	} rows[] = {
		{ "--host", PATH_DNS, is_host, "a host name" },
		{ "--ip", PATH_IP, is_ip, "an IPv4 or IPv6 address" },
		{ "--email", PATH_EMAIL, is_mailbox, "a mail address" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *text = cli_option(cli, rows[i].option);

		if (!text)
			continue;
		if (!rows[i].fits(span_str(text))) {
			why_set(&cli->why, "%s is %s", rows[i].option, rows[i].is);
			return CLI_E_USAGE;
		}
		v->names[v->q.n_names++] = (struct path_name){ rows[i].kind, span_str(text) };
	}
	return 0;
}

static int take_options(struct cli *cli, struct verify *v)
{
	const char *time = cli_option(cli, "--time"), *purpose = cli_option(cli, "--purpose");

	v->q.time_us = clock_now_us();
	if (time && !clock_parse_rfc3339(span_str(time), &v->q.time_us)) {
		why_set(&cli->why, "--time is written like 2026-02-03T04:05:06Z");
		return CLI_E_USAGE;
	}
	if (purpose && strcmp(purpose, "any") != 0 &&
		!trust_purposes_parse(span_str(purpose), &v->q.purposes)) {
		why_set(&cli->why, "--purpose is server, client, mail or any");
		return CLI_E_USAGE;
	}
	return take_names(cli, v);
}

static void show_path(const struct verdict *v)
{
	for (size_t i = 0; i < v->path.n; i++) {
		CLEANUP(buf_done) struct buf line = {};

		buf_add_format(&line, "%zu  ", i);
		cert_add_subject(v->path.certs[i], &line);
		buf_add_octet(&line, 0);
		show_line((const char *)buf_span(&line).p);
	}
}

static void show_verdict(const struct cli *cli, const struct verdict *v)
{
	CLEANUP(buf_done) struct buf text = {};

	if (cli->json) {
		verdict_add_json(v, &text);
		(void)printf("%.*s\n", (int)buf_size(&text), (const char *)buf_span(&text).p);
		return;
	}
	show_line(v->valid ? "valid" : "not valid");
	show_path(v);
	for (size_t i = 0; i < v->n; i++) {
		buf_clear(&text);
		buf_add_format(&text, "%s %s: ", finding_severity_name(v->findings[i].severity),
			v->findings[i].rule);
		finding_add_text(&v->findings[i], &text);
		buf_add_octet(&text, 0);
		show_line((const char *)buf_span(&text).p);
	}
}

static int verify_files(struct cli *cli, struct verify *v)
{
	int (*const steps[])(struct cli * cli, struct verify * v) = { take_options, read_leaf,
		read_roots, read_untrusted, read_crls };

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		int r = steps[i](cli, v);

		if (r)
			return r;
	}
	v->q.leaf = v->leaf;
	v->q.untrusted = &v->untrusted;
	v->q.trust = v->trust;
	v->q.crls = &v->crls;
	v->q.names = v->names;
	v->q.revocation = v->crls.n ? PATH_REVOCATION_REQUIRED : PATH_REVOCATION_IGNORED;
	TRY(path_validate(&v->q, &v->verdict));
	show_verdict(cli, &v->verdict);
	if (v->verdict.valid)
		return 0;
	why_set(&cli->why, "%s is not valid: %s", cli->words[0], verdict_error(&v->verdict)->text);
	return CLIENT_E_REFUSED;
}

/* The next line without its end; what is longer than the limit is read and cut one octet above it.
 */
static bool read_line(FILE *f, struct buf *line)
{
	int c;

	buf_clear(line);
	while ((c = getc_unlocked(f)) != EOF && c != '\n') {
		if (buf_size(line) <= BATCH_LINE_MAX)
			buf_add_octet(line, (uint8_t)c);
	}
	return c != EOF || buf_size(line) > 0;
}

static int verify_batch(struct cli *cli)
{
	CLEANUP(buf_done) struct buf line = {};
	CLEANUP(buf_done) struct buf answer = {};
	int r = cli_take_input(cli);

	if (r)
		return r;
	while (read_line(stdin, &line)) {
		buf_clear(&answer);
		TRY(batch_answer(buf_span(&line), clock_now_us(), &answer));
		if (fwrite(buf_span(&answer).p, 1, buf_size(&answer), stdout) !=
				buf_size(&answer) ||
			fflush(stdout))
			return err_fault(errno, "stdout");
	}
	return ferror(stdin) ? err_fault(errno, "stdin") : 0;
}

int run_verify(struct cli *cli)
{
	CLEANUP(verify_done) struct verify v = {};

	if (cli_option(cli, "--batch") && cli->words[0]) {
		why_set(&cli->why, "--batch reads certificates from standard input; %s is too much",
			cli->words[0]);
		return CLI_E_USAGE;
	}
	if (cli_option(cli, "--batch"))
		return verify_batch(cli);
	if (!cli->words[0]) {
		why_set(&cli->why, "CERT.pem is missing");
		return CLI_E_USAGE;
	}
	return verify_files(cli, &v);
}
