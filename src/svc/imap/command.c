/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Commands from their first line to their tagged answer. The text of a command, with its literals,
 * is gathered until it is complete, and only then parsed: no parser has to stop in the middle.
 * Messages of APPEND are the exception (append.c): they stream by. What a client may send is
 * bounded before it is asked for; a client that does not ask (LITERAL+, LITERAL-) is heard out,
 * within reason, so that the next command is found.
 */

#include "svc/env.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"

enum {
	TEXT_MAX = 2 * LIMIT_LINE,       /* octets of a command with its literals */
	TEXT_MAX_GREETED = 16 << 10,     /* before login */
	LITERAL_MINUS_MAX = 4096,        /* RFC 7888 section 5 */
	HEARD_OUT_MAX = 1 << 20,         /* octets of a refused literal that are read and dropped */
	ERRORS_MAX = 20,                 /* commands in a row that were wrong */
};

/* The columns of the table. */
enum { ANY = IMAP_ANY, GREETED = IMAP_GREETED, USER = IMAP_USER, SELECTED = IMAP_SELECTED };
enum {
	UID = IMAP_TAKES_UID, UID_ONLY = IMAP_UID_ONLY, KEEP = IMAP_KEEPS, SILENT = IMAP_SILENT,
	WRITE = IMAP_WRITES, STREAMS = IMAP_STREAMS,
};

static const struct imap_row rows[] = {
	/* name           allowed   flags               arguments                run */
	{ "CAPABILITY",   ANY,      0,                  NULL,                    imap_capability },
	{ "NOOP",         ANY,      0,                  NULL,                    imap_noop },
	{ "LOGOUT",       ANY,      SILENT,             NULL,                    imap_logout },
	{ "ID",           ANY,      0,                  imap_parse_id,           imap_id },

	{ "STARTTLS",     GREETED,  SILENT,             NULL,                    imap_starttls },
	{ "AUTHENTICATE", GREETED,  SILENT,             imap_parse_authenticate, imap_authenticate },
	{ "LOGIN",        GREETED,  SILENT,             imap_parse_login,        imap_login },

	{ "ENABLE",       USER,     0,                  imap_parse_enable,       imap_enable },
	{ "COMPRESS",     USER,     SILENT,             imap_parse_compress,     imap_compress },
	{ "IDLE",         USER,     0,                  NULL,                    imap_idle },
	{ "SELECT",       USER,     SILENT,             imap_parse_select,       imap_select },
	{ "EXAMINE",      USER,     SILENT,             imap_parse_select,       imap_examine },
	{ "CREATE",       USER,     0,                  imap_parse_create,       imap_create },
	{ "DELETE",       USER,     0,                  imap_parse_mailbox,      imap_delete },
	{ "RENAME",       USER,     0,                  imap_parse_rename,       imap_rename },
	{ "SUBSCRIBE",    USER,     0,                  imap_parse_mailbox,      imap_subscribe },
	{ "UNSUBSCRIBE",  USER,     0,                  imap_parse_mailbox,      imap_unsubscribe },
	{ "LIST",         USER,     0,                  imap_parse_list,         imap_list },
	{ "LSUB",         USER,     0,                  imap_parse_lsub,         imap_list },
	{ "NAMESPACE",    USER,     0,                  NULL,                    imap_namespace },
	{ "STATUS",       USER,     0,                  imap_parse_status,       imap_status },
	{ "APPEND",       USER,     STREAMS,            NULL,                    imap_append },
	{ "MYRIGHTS",     USER,     0,                  imap_parse_acl_mailbox,  imap_myrights },
	{ "GETACL",       USER,     0,                  imap_parse_acl_mailbox,  imap_getacl },
	{ "SETACL",       USER,     0,                  imap_parse_setacl,       imap_setacl },
	{ "DELETEACL",    USER,     0,                  imap_parse_acl_who,      imap_setacl },
	{ "LISTRIGHTS",   USER,     0,                  imap_parse_acl_who,      imap_listrights },
	{ "GETQUOTA",     USER,     0,                  imap_parse_quota,        imap_getquota },
	{ "GETQUOTAROOT", USER,     0,                  imap_parse_quotaroot,    imap_getquotaroot },

	{ "CHECK",        SELECTED, 0,                  NULL,                    imap_noop },
	{ "CLOSE",        SELECTED, SILENT,             NULL,                    imap_close },
	{ "UNSELECT",     SELECTED, SILENT,             NULL,                    imap_unselect },
	{ "EXPUNGE",      SELECTED, WRITE,              NULL,                    imap_expunge },
	{ "EXPUNGE",      SELECTED, UID_ONLY | WRITE,   imap_parse_uid_expunge,  imap_uid_expunge },
	{ "SEARCH",       SELECTED, UID | KEEP,         imap_parse_search,       imap_search },
	{ "SORT",         SELECTED, UID | KEEP,         imap_parse_sort,         imap_sort },
	{ "THREAD",       SELECTED, UID | KEEP,         imap_parse_thread,       imap_thread },
	{ "FETCH",        SELECTED, UID | KEEP,         imap_parse_fetch,        imap_fetch },
	{ "STORE",        SELECTED, UID | KEEP | WRITE, imap_parse_store,        imap_store },
	{ "COPY",         SELECTED, UID,                imap_parse_copy,         imap_copy },
	{ "MOVE",         SELECTED, UID | WRITE,        imap_parse_copy,         imap_move },
};

static const struct imap_row *row_find(struct span name, bool uid)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned flags = rows[i].flags;
		bool fits = uid ? flags & (UID | UID_ONLY) : !(flags & UID_ONLY);

		if (fits && span_is_nocase(name, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

static bool tag_is_good(struct span tag)
{
	for (size_t i = 0; i < tag.n; i++) {
		if (tag.p[i] <= ' ' || tag.p[i] >= 0x7f || memchr("(){%*\"\\+", tag.p[i], 8))
			return false;
	}
	return tag.n > 0;
}

/* Tag and name at the front of the text; the parser stands behind them. Returns what is wrong, or
 * NULL. */
static const char *command_head(struct imap *s, struct imap_command *c, struct imap_parser *p)
{
	struct span name = {};

	*p = (struct imap_parser){
		.rest = buf_span(&c->text), .arena = &c->arena, .utf8 = c->enabled & IMAP_UTF8,
	};
	c->tag = span_head(p->rest, span_find(p->rest, ' '));
	p->rest = span_skip(p->rest, c->tag.n);
	c->row = NULL;
	if (!tag_is_good(c->tag)) {
		c->tag = SPAN("*");
		return "a command begins with a tag";
	}
	if (!parse_space(p) || !parse_word(p, &name))
		return "command expected behind the tag";
	c->uid = span_is_nocase(name, "UID") && parse_skip(p, ' ');
	if (c->uid && !parse_word(p, &name))
		return "command expected behind UID";
	c->row = row_find(name, c->uid);
	if (!c->row)
		return "unknown command";
	if (!(c->row->states & s->state))
		return "command not allowed in this state";
	return NULL;
}

/* The line ends in "{n}", "{n+}" or one of them with "~" in front (RFC 9051 section 4.3). Such an
 * end can be nothing else: no atom has a brace, and a quoted string ends in a quote. */
bool command_find_literal(struct span line, struct imap_literal *ret)
{
	size_t open, end = line.n;
	struct imap_literal literal = { .waits = true };

	if (end < 3 || line.p[--end] != '}')
		return false;
	if (line.p[end - 1] == '+') {
		literal.waits = false;
		end--;
	}
	for (open = end; open > 0 && octet_is_digit(line.p[open - 1]); open--)
		;
	if (open == 0 || line.p[open - 1] != '{')
		return false;
	if (open == end)
		return false;
	if (!span_to_u64(span_of(line.p + open, end - open), INT64_MAX, &literal.n))
		literal.n = INT64_MAX; /* too large for anything that follows */
	if (--open > 0 && line.p[open - 1] == '~')
		open--;
	literal.announced = line.n - open;
	*ret = literal;
	return true;
}

void command_want(struct imap *s, const struct imap_literal *literal)
{
	if (literal->waits)
		session_reply_string(&s->session, "+ OK\r\n");
	session_expect_octets(&s->session, literal->n);
}

/* The answer of a command that was refused before it was complete. */
int command_refused(struct imap *s, struct imap_command *c)
{
	return c->code ? imap_no(s, c, c->code, c->refused) : imap_bad(s, c, c->refused);
}

int command_refuse(struct imap *s, struct imap_command *c, const struct imap_literal *literal,
	const char *code, const char *text)
{
	if (!c->refused) {
		c->refused = text;
		c->code = code;
	}
	if (literal->waits)
		return command_refused(s, c);
	if (literal->n > HEARD_OUT_MAX) {
		imap_bye(s, "TOOBIG", "literal too large");
		return 0;
	}
	session_expect_octets(&s->session, literal->n);
	return 0;
}

int command_take_literal(struct imap *s, struct imap_command *c,
	const struct imap_literal *literal)
{
	size_t max = s->state == IMAP_GREETED ? TEXT_MAX_GREETED : TEXT_MAX;

	if (!literal->waits && s->state == IMAP_GREETED && literal->n > LITERAL_MINUS_MAX)
		return command_refuse(s, c, literal, NULL, "literal too large for LITERAL-");
	if (literal->n > max || buf_size(&c->text) + literal->n > max)
		return command_refuse(s, c, literal, "TOOBIG", "literal too large");
	buf_add_string(&c->text, "\r\n");
	command_want(s, literal);
	return 0;
}

/* The text ends in a literal: it is asked for, or the command refused. */
static int command_literal(struct imap *s, struct imap_command *c,
	const struct imap_literal *literal)
{
	struct imap_parser p;
	const char *wrong = command_head(s, c, &p);

	if (c->refused || wrong)
		return command_refuse(s, c, literal, NULL, wrong);
	if (c->row->flags & IMAP_STREAMS)
		return append_literal(s, c, &p, literal);
	return command_take_literal(s, c, literal);
}

/* The text is complete. */
static int command_run(struct imap *s, struct imap_command *c)
{
	struct imap_parser p;
	const char *wrong = command_head(s, c, &p);

	if (c->refused)
		return command_refused(s, c);
	if (wrong)
		return imap_bad(s, c, wrong);
	if (c->row->flags & IMAP_STREAMS)
		return c->row->run(s, c);
	if (c->row->parse)
		(void)c->row->parse(&p, c);
	(void)parse_end(&p);
	if (p.error)
		return imap_bad(s, c, p.error);
	if ((c->row->flags & IMAP_WRITES) && s->selected->read_only)
		return imap_no(s, c, NULL, "mailbox is open for reading only");
	/* What others may do in a mailbox is looked at when it has changed, before they see more of it. */
	if (c->row->states == IMAP_SELECTED && selected_is_shared(s) &&
		atomic_load(&s->selected->changed))
		return selected_recheck(s, c);
	return c->row->run(s, c);
}

int command_line(struct imap *s, struct span line)
{
	size_t max = s->state == IMAP_GREETED ? TEXT_MAX_GREETED : TEXT_MAX;
	struct imap_literal literal;
	struct imap_command *c = s->command;

	if (!c)
		c = s->command = command_new(s);
	if (buf_size(&c->text) + line.n > max && !c->refused)
		c->refused = "command too long";
	if (!c->refused)
		buf_add(&c->text, line);
	if (command_find_literal(line, &literal))
		return command_literal(s, c, &literal);
	return command_run(s, c);
}

int command_octets(struct imap *s, struct span data)
{
	if (s->on_octets)
		return s->on_octets(s, data);
	if (!s->command->refused)
		buf_add(&s->command->text, data);
	return 0;
}

void imap_bye(struct imap *s, const char *code, const char *text)
{
	session_reply_string(&s->session, "* BYE ");
	if (code)
		session_reply_format(&s->session, "[%s] ", code);
	session_reply_format(&s->session, "%s\r\n", text);
	session_end(&s->session);
}

int command_end(struct imap *s, struct imap_command *c)
{
	struct buf *out = session_out(&s->session);

	buf_add(out, c->tag);
	buf_add_format(out, " %s ", c->status);
	if (c->ending_modseq)
		buf_add_format(out, "[HIGHESTMODSEQ %llu] ",
			(unsigned long long)s->selected->view->modseq);
	else if (c->code)
		buf_add_format(out, "[%s] ", c->code);
	buf_add_string(out, c->ending);
	buf_add_string(out, "\r\n");
	s->on_line = NULL;
	s->on_octets = NULL;
	s->on_octets_end = NULL;
	s->command = NULL;
	command_unref(c);
	return 0;
}

static int command_finish(struct imap *s, struct imap_command *c, const char *status,
	const char *code, const char *text)
{
	bool keeps = c->row && (c->row->flags & IMAP_KEEPS) && !c->uid;

	c->status = status;
	c->code = code;
	c->ending = text;
	if (!c->row || (c->row->flags & IMAP_SILENT))
		return command_end(s, c);
	return sync_start(s, c, !keeps, command_end);
}

int imap_ok(struct imap *s, struct imap_command *c, const char *code, const char *text)
{
	s->errors = 0;
	return command_finish(s, c, "OK", code, text);
}

int imap_no(struct imap *s, struct imap_command *c, const char *code, const char *text)
{
	return command_finish(s, c, "NO", code, text);
}

int imap_bad(struct imap *s, struct imap_command *c, const char *text)
{
	int r = command_finish(s, c, "BAD", NULL, text);

	if (++s->errors > ERRORS_MAX)
		imap_bye(s, NULL, "too many wrong commands");
	return r;
}

int imap_no_store(struct imap *s, struct imap_command *c, int outcome, const struct why *why)
{
	static const struct {
		const char *code, *text;
	} answers[] = {
		[STORE_E_NOT_FOUND] = { "NONEXISTENT", "no such mailbox" },
		[STORE_E_EXISTS] = { "ALREADYEXISTS", "mailbox exists already" },
		[STORE_E_QUOTA] = { "OVERQUOTA", "quota exceeded" },
		[STORE_E_LIMIT] = { "LIMIT", "too many" },
		[STORE_E_IN_USE] = { "INUSE", "in use by somebody else" },
		[STORE_E_STALE] = { "EXPUNGEISSUED", "changed meanwhile" },
		[STORE_E_REFUSED] = { "CANNOT", "not possible" },
		[STORE_E_RIGHTS] = { "NOPERM", "you have no right to do that" },
	};
	const char *text = answers[outcome].text;

	if (why && why->text[0])
		text = arena_string(&c->arena, span_str(why->text));
	return imap_no(s, c, answers[outcome].code, text);
}
