/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The checker: finds each node's row, puts its arguments in their places, and refuses what the
 * tables do not have, what was not required, and what has no meaning. What it lets through the
 * interpreter can run without looking at the form again.
 */

#include "sieve/expand.h"
#include "sieve/grammar.h"

#include <stdarg.h>
#include <stdio.h>

static void remark_set(struct sieve_remark *r, struct sieve_place place, const char *format,
	va_list ap) __attribute__((format(printf, 3, 0)));

static void remark_set(struct sieve_remark *r, struct sieve_place place, const char *format,
	va_list ap)
{
	r->line = place.line;
	r->column = place.column;
	(void)vsnprintf(r->text, sizeof r->text, format, ap);
	/* It may show what stands in the script, and goes to terminals and protocols as text. */
	for (char *c = r->text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			*c = '?';
	}
	for (char *c = strstr(r->text, "\xC2"); c; c = strstr(c + 1, "\xC2")) {
		if (c[1] && (unsigned char)c[1] < 0xA0) /* else cut within a character */
			c[0] = c[1] = '?';
	}
}

int sieve_error(struct sieve_making *m, struct sieve_place place, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	remark_set(&m->report->error, place, format, ap);
	va_end(ap);
	return SIEVE_E_INVALID;
}

void sieve_warning(struct sieve_making *m, struct sieve_place place, const char *format, ...)
{
	va_list ap;

	if (m->report->n_warnings == SIEVE_WARNINGS_MAX)
		return;
	va_start(ap, format);
	remark_set(&m->report->warnings[m->report->n_warnings++], place, format, ap);
	va_end(ap);
}

static bool has_any(const struct sieve_making *m, unsigned extensions)
{
	return extensions == 0 || (m->script->extensions & extensions);
}

static const struct sieve_row *row_find(struct span name, bool test)
{
	for (size_t i = 0; i < sieve_n_rows; i++) {
		if (sieve_rows[i].test == test && span_is_nocase(name, sieve_rows[i].name))
			return &sieve_rows[i];
	}
	return NULL;
}

static int needs_extension(struct sieve_making *m, struct sieve_place place, const char *colon,
	struct span word, unsigned extensions)
{
	enum sieve_extension e = 0;

	while (!(extensions & EXT_BIT(e)))
		e++;
	return sieve_error(m, place,
		"\"%s%.*s\" needs the extension %s: write require \"%s\"; at the top", colon,
		SIEVE_SHOWN(word), sieve_extension_name(e), sieve_extension_name(e));
}

static const struct sieve_tag *tag_find(struct span name)
{
	for (size_t i = 0; i < sieve_n_tags; i++) {
		if (span_is_nocase(name, sieve_tags[i].name))
			return &sieve_tags[i];
	}
	return NULL;
}

static bool is_of_kind(const struct sieve_argument *a, char kind)
{
	switch (kind) {
	case 'n':
		return a->kind == ARGUMENT_NUMBER;
	case 's':
	case 'v':
		return a->kind == ARGUMENT_STRING;
	default:
		return a->kind == ARGUMENT_STRING || a->kind == ARGUMENT_LIST;
	}
}

static const char *kind_name(char kind)
{
	switch (kind) {
	case 'n':
		return "a number";
	case 's':
		return "a string";
	case 'v':
		return "the name of a variable";
	default:
		return "a string or a list of strings";
	}
}

static int check_tag(struct sieve_making *m, struct sieve_node *n, size_t *i)
{
	const struct sieve_argument *a = &n->arguments[*i], *value = NULL;
	const struct sieve_tag *tag = tag_find(a->tag);

	if (!tag)
		return sieve_error(m, a->place, "\":%.*s\" is not known", SIEVE_SHOWN(a->tag));
	if (!(n->row->slots & SLOT_BIT(tag->slot)))
		return sieve_error(m, a->place, "\"%s\" has no \":%s\"", n->row->name, tag->name);
	if (tag->extension != EXTENSIONS && !has_any(m, EXT_BIT(tag->extension)))
		return needs_extension(m, a->place, ":", a->tag, EXT_BIT(tag->extension));
	if (n->slots[tag->slot].tag != TAG_NOTHING)
		return sieve_error(m, a->place,
			"\":%s\" is given twice, or with another that excludes it", tag->name);
	if (tag->argument) {
		if (++*i >= n->n_arguments || !is_of_kind(&n->arguments[*i], tag->argument))
			return sieve_error(m, a->place, "\":%s\" is followed by %s", tag->name,
				kind_name(tag->argument));
		value = &n->arguments[*i];
	}
	n->slots[tag->slot] = (struct sieve_slot_value){ .tag = tag->value, .value = value };
	return 0;
}

static int check_variable_name(struct sieve_making *m, const struct sieve_string *s)
{
	if (!has_any(m, EXT_BIT(EXT_VARIABLES)))
		return sieve_error(m, s->place,
			"naming a variable needs the extension variables:"
			" write require \"variables\"; at the top");
	if (!sieve_variable_name_is_valid(s->text))
		return sieve_error(m, s->place,
			"\"%.*s\" cannot be the name of a variable: a letter"
			" or _, then letters, digits and _, at most %d",
			SIEVE_SHOWN(s->text), SIEVE_VARIABLE_NAME_MAX);
	return 0;
}

static size_t count_positional(const char *spec, bool required_only)
{
	size_t n = 0;

	for (; *spec; spec++) {
		if (*spec != '?')
			n++;
		else if (required_only)
			spec++;
	}
	return n;
}

static int check_names(struct sieve_making *m, const struct sieve_argument *a, char kind)
{
	int r = 0;

	for (size_t i = 0; i < a->n_strings && r == 0 && (kind == 'v' || kind == 'V'); i++)
		r = check_variable_name(m, &a->strings[i]);
	return r;
}

static int check_positional(struct sieve_making *m, struct sieve_node *n,
	const struct sieve_argument **given, size_t n_given)
{
	const char *spec = n->row->positional ? n->row->positional : "";
	size_t least = count_positional(spec, true), most = count_positional(spec, false);
	size_t left_out = most - n_given, next = 0, place = 0;
	int r;

	if (n_given < least || n_given > most)
		return sieve_error(m, n->place,
			"\"%s\" has %zu argument%s here, but it takes %zu%s", n->row->name, n_given,
			n_given == 1 ? "" : "s", least, least == most ? "" : " or one more");
	for (; *spec; spec++, place++) {
		if (*spec == '?') {
			spec++;
			if (left_out) {
				left_out--;
				continue;
			}
		}
		if (!is_of_kind(given[next], *spec))
			return sieve_error(m, given[next]->place, "%s should be here",
				kind_name(*spec));
		r = check_names(m, given[next], *spec);
		if (r)
			return r;
		n->positional[place] = given[next++];
	}
	return 0;
}

/* RFC 5228 section 2.4.2.4, and whether there are variables in it. */
static int check_strings(struct sieve_making *m, const struct sieve_node *n)
{
	for (size_t i = 0; i < n->n_arguments; i++) {
		for (size_t j = 0; j < n->arguments[i].n_strings; j++) {
			struct sieve_string *s = &n->arguments[i].strings[j];

			if (has_any(m, EXT_BIT(EXT_ENCODED_CHARACTER)) &&
				!sieve_decode_characters(&m->script->arena, &s->text))
				return sieve_error(m, s->place,
					"a ${unicode:} names a character that there is not");
			if (has_any(m, EXT_BIT(EXT_VARIABLES)))
				s->variable = span_find_span(s->text, SPAN("${")) < s->text.n;
		}
	}
	return 0;
}

static int check_comparator(struct sieve_making *m, struct sieve_node *n)
{
	static const struct {
		const char *name;
		enum sieve_comparator comparator;
		bool required;
	} comparators[] = {
		{ "i;ascii-casemap", COMPARATOR_CASEMAP, false },
		{ "i;octet", COMPARATOR_OCTET, false },
		{ "i;ascii-numeric", COMPARATOR_NUMERIC, true },
	};
	const struct sieve_argument *a = n->slots[SLOT_COMPARATOR].value;
	enum sieve_tag_value match = n->slots[SLOT_MATCH].tag;

	n->comparator = COMPARATOR_CASEMAP;
	if (!a)
		return 0;
	for (size_t i = 0; i < sizeof comparators / sizeof comparators[0]; i++) {
		if (!span_is(a->strings[0].text, comparators[i].name))
			continue;
		if (comparators[i].required && !has_any(m, EXT_BIT(EXT_COMPARATOR_NUMERIC)))
			return needs_extension(m, a->place, "", a->strings[0].text,
				EXT_BIT(EXT_COMPARATOR_NUMERIC));
		n->comparator = comparators[i].comparator;
		/* RFC 4790 section 9.1.1: it has no substring operation. */
		if (n->comparator == COMPARATOR_NUMERIC &&
			(match == TAG_CONTAINS || match == TAG_MATCHES))
			return sieve_error(m, a->place,
				"numbers are compared by :is, :value or :count, not by parts");
		return 0;
	}
	return sieve_error(m, a->place,
		"there is no comparator \"%.*s\": use i;ascii-casemap,"
		" i;octet or i;ascii-numeric",
		SIEVE_SHOWN(a->strings[0].text));
}

static int check_relation(struct sieve_making *m, struct sieve_node *n)
{
	static const char *const relations[] = { "gt", "ge", "lt", "le", "eq", "ne" };
	const struct sieve_argument *a = n->slots[SLOT_MATCH].value;

	if (!a)
		return 0;
	for (unsigned i = 0; i < sizeof relations / sizeof relations[0]; i++) {
		if (!span_is_nocase(a->strings[0].text, relations[i]))
			continue;
		n->relation = i;
		if (n->slots[SLOT_MATCH].tag == TAG_COUNT && n->comparator != COMPARATOR_NUMERIC)
			sieve_warning(m, a->place,
				"the count is compared as a text: add"
				" :comparator \"i;ascii-numeric\"");
		return 0;
	}
	return sieve_error(m, a->place, "a relation is one of gt, ge, lt, le, eq, ne");
}

/* RFC 5260 section 6; the tag :last is editheader's too. */
static int check_index(struct sieve_making *m, const struct sieve_node *n)
{
	const struct sieve_slot_value *index = &n->slots[SLOT_INDEX];
	bool edits = (n->row->extensions & EXT_BIT(EXT_EDITHEADER)) != 0;

	if (index->tag && index->value->number == 0)
		return sieve_error(m, index->value->place, "fields are counted from 1");
	if (n->slots[SLOT_LAST].tag && (n->row->slots & SLOT_BIT(SLOT_INDEX)) && !index->tag)
		return sieve_error(m, n->place, "\":last\" goes with \":index\" and a number");
	if (index->tag && !edits && !has_any(m, EXT_BIT(EXT_INDEX)))
		return needs_extension(m, n->place, ":", SPAN("index"), EXT_BIT(EXT_INDEX));
	return 0;
}

static int check_arguments(struct sieve_making *m, struct sieve_node *n)
{
	const struct sieve_argument *given[SIEVE_ARGUMENTS_MAX];
	size_t n_given = 0;
	int r = check_strings(m, n);

	for (size_t i = 0; i < n->n_arguments && r == 0; i++) {
		if (n->arguments[i].kind != ARGUMENT_TAG)
			given[n_given++] = &n->arguments[i];
		else if (n_given)
			r = sieve_error(m, n->arguments[i].place,
				"words with a colon stand before the other arguments");
		else
			r = check_tag(m, n, &i);
	}
	if (r == 0)
		r = check_positional(m, n, given, n_given);
	if (r == 0)
		r = check_comparator(m, n);
	if (r == 0)
		r = check_relation(m, n);
	if (r == 0)
		r = check_index(m, n);
	return r;
}

static int check_form(struct sieve_making *m, const struct sieve_node *n)
{
	const char *name = n->row->name;

	switch (n->row->tests) {
	case TESTS_NONE:
		if (n->n_tests)
			return sieve_error(m, n->tests->place,
				"\"%s\" takes no test; is a semicolon missing before this?", name);
		break;
	case TESTS_ONE:
		if (n->n_tests != 1 || n->tests_listed)
			return sieve_error(m, n->place,
				"\"%s\" takes one test; several go into"
				" allof(...) or anyof(...)",
				name);
		break;
	case TESTS_LIST:
		if (n->n_tests == 0)
			return sieve_error(m, n->place, "\"%s\" takes tests in parentheses", name);
		break;
	}
	if (n->row->block && !n->has_block)
		return sieve_error(m, n->place, "\"%s\" is followed by a block in {}", name);
	if (!n->row->block && n->has_block)
		return sieve_error(m, n->place, "\"%s\" has no block: it ends with a semicolon",
			name);
	if (n->row->slots & SLOT_BIT(SLOT_SIZE) && !n->slots[SLOT_SIZE].tag)
		return sieve_error(m, n->place, "\"size\" is followed by :over or :under");
	return 0;
}

/* One node without what is in it. */
static int check_node(struct sieve_making *m, struct sieve_node *n, bool test)
{
	int r;

	n->row = row_find(n->name, test);
	if (!n->row && row_find(n->name, !test))
		return sieve_error(m, n->place, "\"%.*s\" is a %s: it cannot stand here",
			SIEVE_SHOWN(n->name), test ? "command" : "test, used with if");
	if (!n->row)
		return sieve_error(m, n->place, "there is no %s \"%.*s\"",
			test ? "test" : "command", SIEVE_SHOWN(n->name));
	if (!has_any(m, n->row->extensions))
		return needs_extension(m, n->place, "", n->name, n->row->extensions);
	r = check_arguments(m, n);
	if (r == 0)
		r = check_form(m, n);
	if (r == 0 && n->row->check)
		r = n->row->check(m, n);
	return r;
}

static int check_tests(struct sieve_making *m, struct sieve_node *first)
{
	int r = 0;

	for (struct sieve_node *n = first; n && r == 0; n = n->next) {
		r = check_node(m, n, true);
		if (r == 0)
			r = check_tests(m, n->tests);
	}
	return r;
}

/* RFC 5228 section 3.1: elsif and else follow an if or elsif. */
static int check_order(struct sieve_making *m, const struct sieve_node *n,
	const struct sieve_node *before)
{
	bool follows = before && before->row->block && !span_is_nocase(before->name, "else");

	if (n->row->after_if && !follows)
		return sieve_error(m, n->place, "\"%s\" follows the block of an if or elsif",
			n->row->name);
	/* RFC 5228 section 3.2 */
	if (n->row->check == sieve_check_require &&
		(n->depth > 1 || (before && before->row->check != sieve_check_require)))
		return sieve_error(m, n->place,
			"\"require\" stands at the top of the script, before"
			" all other commands");
	return 0;
}

static int check_commands(struct sieve_making *m, struct sieve_node *first)
{
	const struct sieve_node *before = NULL;
	int r = 0;

	for (struct sieve_node *n = first; n && r == 0; n = n->next) {
		r = check_node(m, n, false);
		if (r == 0)
			r = check_order(m, n, before);
		if (r == 0)
			r = check_tests(m, n->tests);
		if (r == 0)
			r = check_commands(m, n->block);
		before = n;
	}
	return r;
}

int sieve_check(struct sieve_making *m)
{
	return check_commands(m, m->script->commands);
}
