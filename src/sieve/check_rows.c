/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is checked of single commands and tests. A string with variables can only be judged when the
 * script runs. */

#include "mime/address.h"
#include "sieve/grammar.h"
#include "sieve/run.h"

int sieve_check_require(struct sieve_making *m, const struct sieve_node *n)
{
	const struct sieve_argument *a = n->positional[0];
	enum sieve_extension e;

	for (size_t i = 0; i < a->n_strings; i++) {
		if (!sieve_extension_find(a->strings[i].text, &e))
			return sieve_error(m, a->strings[i].place,
				"the extension \"%.*s\" is not known here",
				SIEVE_SHOWN(a->strings[i].text));
		m->script->extensions |= EXT_BIT(e);
	}
	return 0;
}

bool sieve_field_name_is_valid(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < 33 || name.p[i] > 126 || name.p[i] == ':')
			return false;
	}
	return name.n > 0;
}

static int check_names(struct sieve_making *m, const struct sieve_argument *a)
{
	for (size_t i = 0; i < a->n_strings; i++) {
		if (!a->strings[i].variable && !sieve_field_name_is_valid(a->strings[i].text))
			return sieve_error(m, a->strings[i].place,
				"\"%.*s\" cannot be the name of a header field (the colon is left "
				"out)",
				SIEVE_SHOWN(a->strings[i].text));
	}
	return 0;
}

int sieve_check_fields(struct sieve_making *m, const struct sieve_node *n)
{
	return check_names(m, n->positional[0]);
}

int sieve_check_envelope(struct sieve_making *m, const struct sieve_node *n)
{
	const struct sieve_argument *a = n->positional[0];

	for (size_t i = 0; i < a->n_strings; i++) {
		const struct sieve_string *s = &a->strings[i];

		if (!s->variable && !span_is_nocase(s->text, "from") &&
			!span_is_nocase(s->text, "to"))
			return sieve_error(m, s->place,
				"the parts of an envelope are \"from\" and \"to\"");
	}
	return 0;
}

int sieve_check_encrypt(struct sieve_making *m, const struct sieve_node *n)
{
	if (n->slots[SLOT_MANDATORY].tag && !n->slots[SLOT_ENCRYPT].tag)
		return sieve_error(m, n->place, "\":mandatory\" goes with \":encrypt\"");
	m->script->is_mandatory |= n->slots[SLOT_MANDATORY].tag != 0;
	return 0;
}

int sieve_check_mailbox(struct sieve_making *m, const struct sieve_node *n)
{
	const struct sieve_string *s = &n->positional[0]->strings[0];

	if (!s->variable && (s->text.n == 0 || s->text.n > LIMIT_MAILBOX_NAME))
		return sieve_error(m, s->place, "a mailbox name has 1 to %d octets",
			LIMIT_MAILBOX_NAME);
	return sieve_check_encrypt(m, n);
}

static int check_address(struct sieve_making *m, const struct sieve_string *s)
{
	CLEANUP(buf_done) struct buf address = {};

	if (!s->variable && !run_single_address(s->text, &address))
		return sieve_error(m, s->place, "\"%.*s\" is no mail address: local@domain",
			SIEVE_SHOWN(s->text));
	return 0;
}

int sieve_check_redirect(struct sieve_making *m, const struct sieve_node *n)
{
	return check_address(m, &n->positional[0]->strings[0]);
}

int sieve_check_reason(struct sieve_making *m, const struct sieve_node *n)
{
	const struct sieve_string *s = &n->positional[0]->strings[0];

	if (s->text.n > SIEVE_REASON_MAX)
		return sieve_error(m, s->place,
			"a text that is sent to somebody has at most %d octets", SIEVE_REASON_MAX);
	return 0;
}

int sieve_check_vacation(struct sieve_making *m, const struct sieve_node *n)
{
	const struct sieve_slot_value *days = &n->slots[SLOT_DAYS];
	const struct sieve_slot_value *from = &n->slots[SLOT_FROM];
	int r = sieve_check_reason(m, n);

	if (r == 0 && from->tag)
		r = check_address(m, &from->value->strings[0]);
	if (r == 0 && days->tag &&
		(days->value->number == 0 || days->value->number > SIEVE_DAYS_MAX))
		sieve_warning(m, days->value->place, "\":days\" is 1 to %d; the nearest is used",
			SIEVE_DAYS_MAX);
	return r;
}

int sieve_check_date(struct sieve_making *m, const struct sieve_node *n)
{
	bool current = n->positional[2] == NULL;
	const struct sieve_string *part = &n->positional[current ? 0 : 1]->strings[0];
	const struct sieve_slot_value *zone = &n->slots[SLOT_ZONE];
	enum sieve_date_part found;
	int minutes;

	if (!part->variable && !sieve_date_part_find(part->text, &found))
		return sieve_error(m, part->place,
			"\"%.*s\" is no part of a date: year, month, day,"
			" date, julian, hour, minute, second, time, iso8601, std11, zone, weekday",
			SIEVE_SHOWN(part->text));
	if (zone->value && !zone->value->strings[0].variable &&
		!sieve_zone_parse(zone->value->strings[0].text, &minutes))
		return sieve_error(m, zone->value->place, "a time zone is written as \"+0100\"");
	if (current && zone->tag == TAG_ORIGINAL_ZONE)
		return sieve_error(m, n->place, "the current date has no original zone");
	return current ? 0 : check_names(m, n->positional[0]);
}

int sieve_check_edit(struct sieve_making *m, const struct sieve_node *n)
{
	return check_names(m, n->positional[0]);
}

int sieve_check_body(struct sieve_making *m, const struct sieve_node *n)
{
	(void)n;
	m->script->uses_body = true;
	return 0;
}
