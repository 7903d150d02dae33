/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The probe of another server: its answer in a few lines; what mail would not get through is no
 * success. */

#include "base/alloc.h"
#include "cli/command.h"
#include "cli/language.h"
#include "cli/show.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

static bool is_true(const json_t *object, const char *member)
{
	return json_is_true(json_object_get(object, member));
}

static void set_text(json_t *object, const char *member, const char *text)
{
	(void)json_object_set_new(object, member, json_string(text));
}

/* "tls=may (default), oldest=1.3 (.example.com)" */
static void add_rule(json_t *answer)
{
	CLEANUP(buf_done) struct buf rule = {};
	const json_t *value;
	size_t i;

	json_array_foreach(json_object_get(answer, "policy"), i, value)
		buf_add_format(&rule, "%s%s=%s (%s)", i ? ", " : "", text_of(value, "key"),
			text_of(value, "value"), text_of(value, "from"));
	buf_add_octet(&rule, 0);
	set_text(answer, "rule", (const char *)buf_span(&rule).p);
}

/* The lines that are made of several members. */
static void add_lines(json_t *answer)
{
	const json_t *certificate = json_object_get(answer, "certificate");
	CLEANUP(alloc_freep)
	char *shown = alloc_format("%s, issued by %s, until %.10s", text_of(certificate, "subject"),
		text_of(certificate, "issuer"), text_of(certificate, "not_after"));
	CLEANUP(alloc_freep)
	char *agreed = alloc_format("%s %s %s", text_of(answer, "version"),
		text_of(answer, "cipher"), text_of(answer, "group"));

	add_rule(answer);
	if (is_true(answer, "encrypted"))
		set_text(answer, "agreed", agreed);
	if (json_object_get(certificate, "subject"))
		set_text(answer, "shown", shown);
	if (is_true(answer, "verified"))
		set_text(answer, "verdict", gettext("the server is verified"));
	set_text(answer, "ours",
		!is_true(answer, "asked") ? gettext("not asked for")
		: is_true(answer, "sent") ? gettext("asked for and sent")
					  : gettext("asked for, none sent"));
}

int run_outgoing_probe(struct cli *cli)
{
	static const struct column columns[] = {
		{ "destination", "destination" },
		{ "host", "host" },
		{ "address", "address" },
		{ "port", "port" },
		{ "rule", "rule" },
		{ "offers STARTTLS", "starttls" },
		{ "encrypted", "encrypted" },
		{ "agreed", "agreed" },
		{ "its certificate", "shown" },
		{ "verdict", "verdict" },
		{ "our certificate", "ours" },
		{ "outcome", "outcome" },
		{ "reason", "reason" },
		{},
	};
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	int r = cli_request(cli, &answer);

	if (r)
		return r;
	if (cli->json) {
		show_json(answer);
	} else {
		show_warnings(answer);
		add_lines(answer);
		show_members(answer, columns);
	}
	if (strcmp(text_of(answer, "outcome"), "ready") == 0)
		return 0;
	why_set(&cli->why, "mail for %s would not be sent there: %s",
		text_of(answer, "destination"), text_of(answer, "reason"));
	return CLIENT_E_REFUSED;
}
