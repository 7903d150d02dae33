/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * LIST, LSUB and NAMESPACE (RFC 9051 section 6.3.9, RFC 5258, 5819, 6154, 3501). All names there
 * are (mailboxes, subscriptions, and the levels above them) become entries of one table, each
 * knowing what is below it; what is listed is then a question asked of each entry in name order.
 * This runs on a reader, so patterns cost no loop's time.
 */

#include "base/limit.h"
#include "base/map.h"
#include "store/sharing.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"
#include "svc/imap/pattern.h"
#include "svc/imap/use.h"

#include <stdlib.h>

/* Patterns of one command and their octets in all; a pattern is as long as a name can be. */
enum { PATTERNS_MAX = 20, PATTERN_OCTETS_MAX = LIMIT_MAILBOX_NAME };

enum { SELECT_SUBSCRIBED = 1, SELECT_SPECIAL = 2, SELECT_RECURSIVE = 4, SELECT_REMOTE = 8 };
enum { RETURN_SUBSCRIBED = 1 };

struct list_args {
	bool lsub;
	bool extended;       /* any part of RFC 5258's syntax */
	unsigned select, give;
	unsigned status;     /* items; 0: no STATUS responses */
	size_t n_patterns;
	struct span texts[PATTERNS_MAX];
	struct pattern *patterns[PATTERNS_MAX];
	struct buf text;     /* the responses */
};

struct entry {
	struct span name;
	const struct store_mailbox *box; /* NULL: there is none of this name */
	bool unreadable;                 /* of another account, and only to be seen */
	bool subscribed;
	bool has_children;               /* mailboxes below it */
	bool subscribed_below, special_below;
};

static bool wants_subscribed(const struct list_args *args)
{
	return (args->select & SELECT_SUBSCRIBED) || (args->give & RETURN_SUBSCRIBED);
}

static void list_free(void *p)
{
	struct list_args *args = p;

	buf_done(&args->text);
}

static bool parse_select_option(struct imap_parser *p, struct list_args *args)
{
	if (parse_skip_word(p, "SUBSCRIBED"))
		args->select |= SELECT_SUBSCRIBED;
	else if (parse_skip_word(p, "SPECIAL-USE"))
		args->select |= SELECT_SPECIAL;
	else if (parse_skip_word(p, "RECURSIVEMATCH"))
		args->select |= SELECT_RECURSIVE;
	else if (parse_skip_word(p, "REMOTE")) /* RFC 5258 section 3.1: there are none here */
		args->select |= SELECT_REMOTE;
	else
		return parse_fail(p, "unknown selection option");
	return true;
}

/* CHILDREN and special uses are given in every answer. */
static bool parse_return_option(struct imap_parser *p, struct list_args *args)
{
	if (parse_skip_word(p, "SUBSCRIBED"))
		args->give |= RETURN_SUBSCRIBED;
	else if (parse_skip_word(p, "STATUS"))
		return parse_space(p) && status_parse_items(p, &args->status);
	else if (!parse_skip_word(p, "CHILDREN") && !parse_skip_word(p, "SPECIAL-USE"))
		return parse_fail(p, "unknown return option");
	return true;
}

static bool parse_options(struct imap_parser *p, struct list_args *args,
	bool (*option)(struct imap_parser *p, struct list_args *args))
{
	args->extended = true;
	if (!parse_open(p))
		return false;
	if (parse_at(p, ')'))
		return parse_close(p);
	do {
		if (!option(p, args))
			return false;
	} while (parse_skip(p, ' '));
	return parse_close(p);
}

/* RFC 9051 section 6.3.9: the reference and the pattern are put together. */
static bool parse_pattern(struct imap_parser *p, struct list_args *args, struct span reference)
{
	struct span pattern = {};
	uint8_t *text;
	size_t octets = 0;

	if (!parse_list_mailbox(p, &pattern))
		return false;
	for (size_t i = 0; i < args->n_patterns; i++)
		octets += args->texts[i].n;
	if (args->n_patterns == PATTERNS_MAX ||
		octets + reference.n + pattern.n > PATTERN_OCTETS_MAX)
		return parse_fail(p, "patterns too long, or too many");
	text = arena_alloc(p->arena, reference.n + pattern.n + 1);
	if (reference.n)
		memcpy(text, reference.p, reference.n);
	if (pattern.n)
		memcpy(text + reference.n, pattern.p, pattern.n);
	args->texts[args->n_patterns++] = span_of(text, reference.n + pattern.n);
	return true;
}

static struct list_args *args_new(struct imap_command *c)
{
	c->args = ARENA_ALLOC(&c->arena, struct list_args);
	return c->args;
}

bool imap_parse_list(struct imap_parser *p, struct imap_command *c)
{
	struct list_args *args = args_new(c);
	struct span reference = {};

	if (!parse_space(p))
		return false;
	if (parse_at(p, '(') && !(parse_options(p, args, parse_select_option) && parse_space(p)))
		return false;
	/* RFC 5258 section 3.1. */
	if ((args->select & SELECT_RECURSIVE) &&
		!(args->select & (SELECT_SUBSCRIBED | SELECT_SPECIAL)))
		return parse_fail(p, "RECURSIVEMATCH needs another option");
	if (!parse_mailbox(p, &reference) || !parse_space(p))
		return false;
	if (parse_at(p, '(')) {
		args->extended = true;
		if (!parse_open(p))
			return false;
		do {
			if (!parse_pattern(p, args, reference))
				return false;
		} while (parse_skip(p, ' '));
		if (!parse_close(p))
			return false;
	} else if (!parse_pattern(p, args, reference)) {
		return false;
	}
	if (!parse_skip(p, ' '))
		return true;
	if (!parse_skip_word(p, "RETURN"))
		return parse_fail(p, "RETURN expected");
	return parse_space(p) && parse_options(p, args, parse_return_option);
}

bool imap_parse_lsub(struct imap_parser *p, struct imap_command *c)
{
	struct list_args *args = args_new(c);
	struct span reference = {};

	args->lsub = true;
	return parse_space(p) && parse_mailbox(p, &reference) && parse_space(p) &&
	       parse_pattern(p, args, reference);
}

/* The names of one account. */
struct names {
	struct arena *arena;
	struct map map;
	struct buf entries; /* struct entry * */
};

static struct entry *entry_of(struct names *names, struct span name)
{
	struct entry *e = map_get(&names->map, name);

	if (!e) {
		e = ARENA_ALLOC(names->arena, struct entry);
		e->name = name;
		(void)map_put(&names->map, name, e);
		buf_add(&names->entries, span_of(&e, sizeof e));
	}
	return e;
}

static void names_add(struct names *names, struct span name, const struct store_mailbox *box,
	bool subscribed)
{
	struct entry *e = entry_of(names, name);

	e->box = box ? box : e->box;
	e->subscribed |= subscribed;
	for (size_t i = name.n; i-- > 1;) {
		struct entry *above;

		if (name.p[i] != '/')
			continue;
		above = entry_of(names, span_head(name, i));
		above->has_children |= box != NULL;
		above->subscribed_below |= subscribed;
		above->special_below |= box && box->use != USE_NONE;
	}
}

/* INBOX first, then by octets. */
static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
	int inbox = span_is(y->name, "INBOX") - span_is(x->name, "INBOX");

	return inbox ? inbox : span_compare(x->name, y->name);
}

static bool is_matched(const struct list_args *args, const struct entry *e, bool *ret_by_level)
{
	bool inbox = span_is(e->name, "INBOX");
	bool matched = false;

	*ret_by_level = false;
	for (size_t i = 0; i < args->n_patterns; i++) {
		if (!pattern_matches(args->patterns[i], e->name, inbox))
			continue;
		matched = true;
		*ret_by_level |= pattern_ends_in_level(args->patterns[i]);
	}
	return matched;
}

/* Whether an entry that matches is listed. */
static bool is_listed(const struct list_args *args, const struct entry *e, bool by_level)
{
	bool recursive = args->select & SELECT_RECURSIVE;

	if (args->lsub)
		return e->subscribed || (by_level && e->subscribed_below);
	if ((args->select & SELECT_SUBSCRIBED) && !e->subscribed &&
		!(recursive && e->subscribed_below))
		return false;
	if ((args->select & SELECT_SPECIAL) && !(e->box && e->box->use != USE_NONE) &&
		!(recursive && e->special_below))
		return false;
	return e->box || e->has_children || (args->select & SELECT_SUBSCRIBED);
}

static void attribute(struct buf *out, const char **gap, const char *name)
{
	buf_add_string(out, *gap);
	buf_add_string(out, name);
	*gap = " ";
}

static void print_attributes(struct buf *out, const struct list_args *args, const struct entry *e)
{
	const char *gap = "";

	buf_add_octet(out, '(');
	/* RFC 3501 section 6.3.9: in LSUB \Noselect says "not itself subscribed". */
	if (args->lsub ? !e->subscribed : !e->box && !args->extended)
		attribute(out, &gap, "\\Noselect");
	else if (!args->lsub && !e->box)
		attribute(out, &gap, "\\NonExistent");
	if (!args->lsub)
		attribute(out, &gap, e->has_children ? "\\HasChildren" : "\\HasNoChildren");
	if (e->subscribed && wants_subscribed(args))
		attribute(out, &gap, "\\Subscribed");
	if (!args->lsub && e->box && e->box->use != USE_NONE)
		attribute(out, &gap, use_name(e->box->use));
	buf_add_octet(out, ')');
}

/* RFC 5258 section 4: what is below, where the client asked for it. */
static void print_childinfo(struct buf *out, const struct list_args *args, const struct entry *e)
{
	bool subscribed = (args->select & SELECT_SUBSCRIBED) && e->subscribed_below;
	bool special = (args->select & SELECT_SPECIAL) && e->special_below;

	if (!(args->select & SELECT_RECURSIVE) || (!subscribed && !special))
		return;
	buf_add_format(out, " (\"CHILDINFO\" (%s%s%s))", subscribed ? "\"SUBSCRIBED\"" : "",
		subscribed && special ? " " : "", special ? "\"SPECIAL-USE\"" : "");
}

static int entry_print(struct imap_command *c, struct store_conn *conn, const struct entry *e)
{
	struct list_args *args = c->args;
	struct buf *out = &args->text;

	buf_add_string(out, args->lsub ? "* LSUB " : "* LIST ");
	print_attributes(out, args, e);
	buf_add_string(out, " \"/\" ");
	print_mailbox(out, e->name, c->enabled & IMAP_UTF8);
	print_childinfo(out, args, e);
	buf_add_string(out, "\r\n");
	if (args->status && e->box && !e->unreadable)
		return status_print(c, conn, e->box, args->status, out);
	return 0;
}

static int names_print(struct imap_command *c, struct store_conn *conn, struct names *names)
{
	struct list_args *args = c->args;
	struct span all = buf_span(&names->entries);
	size_t n = all.n / sizeof(struct entry *);
	struct entry **entries = arena_alloc(&c->arena, all.n + 1);

	for (size_t i = 0; i < args->n_patterns; i++)
		args->patterns[i] = pattern_new(&c->arena, args->texts[i]);
	if (n)
		memcpy(entries, all.p, all.n);
	qsort(entries, n, sizeof *entries, entry_compare);
	for (size_t i = 0; i < n; i++) {
		bool by_level;

		if (!is_matched(args, entries[i], &by_level))
			continue;
		if (is_listed(args, entries[i], by_level))
			TRY(entry_print(c, conn, entries[i]));
	}
	return 0;
}

static int list_work(struct imap_command *c, struct store_conn *conn)
{
	const struct list_args *args = c->args;
	struct names names = { .arena = &c->arena };
	struct shared_mailbox *shared;
	struct store_mailbox *boxes;
	struct span *subscribed;
	size_t n_boxes, n_shared, n_subscribed = 0;
	int r;

	TRY(store_own_list(conn, &c->arena, c->account, &boxes, &n_boxes));
	TRY(store_shared_list(conn, &c->arena, c->account, &shared, &n_shared));
	if (args->lsub || wants_subscribed(args))
		TRY(store_subscriptions(conn, &c->arena, c->account, &subscribed, &n_subscribed));
	for (size_t i = 0; i < n_boxes; i++)
		names_add(&names, boxes[i].name, &boxes[i], false);
	for (size_t i = 0; i < n_shared; i++) {
		names_add(&names, shared[i].box.name, &shared[i].box, false);
		entry_of(&names, shared[i].box.name)->unreadable = !(shared[i].rights & ACL_READ);
	}
	for (size_t i = 0; i < n_subscribed; i++)
		names_add(&names, subscribed[i], NULL, true);
	r = names_print(c, conn, &names);
	map_done(&names.map, NULL);
	buf_done(&names.entries);
	return r;
}

static int list_tell(struct imap *s, struct imap_command *c)
{
	struct list_args *args = c->args;

	if (!imap_send_piece(s, &args->text))
		return imap_wait_drained(s, c, list_tell);
	return imap_ok(s, c, NULL, "Listed");
}

static int list_done(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	return list_tell(s, c);
}

int imap_list(struct imap *s, struct imap_command *c)
{
	struct list_args *args = c->args;

	imap_command_release(c, list_free, args);
	/* RFC 9051 section 6.3.9: an empty pattern asks for the separator. */
	if (!args->lsub && !args->extended && args->texts[0].n == 0) {
		session_reply_string(&s->session, "* LIST (\\Noselect) \"/\" \"\"\r\n");
		return imap_ok(s, c, NULL, "Listed");
	}
	return imap_wait_read(s, c, list_work, list_done);
}

int imap_namespace(struct imap *s, struct imap_command *c)
{
	session_reply_string(&s->session, "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) NIL\r\n");
	return imap_ok(s, c, NULL, "Namespaces given");
}
