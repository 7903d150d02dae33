/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * APPEND (RFC 9051 section 6.3.12), also of several messages (RFC 3502), of octets that are no text
 * (literal8) and in the form of RFC 6855. The command is the only one that is acted on before it is
 * complete: each message streams through mail/intake as it comes, so memory stays bounded, and all
 * messages are committed together at the end.
 *
 * What makes the command fail (no such mailbox, no room) is found before a large message is asked
 * for, where the client waits to be asked. Where it does not wait, the rest is read and dropped.
 */

#include "base/clock.h"
#include "mail/intake.h"
#include "store/account.h"
#include "store/sharing.h"
#include "store/settings.h"
#include "svc/env.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"

enum {
	MESSAGES_MAX = 1000,          /* of one command: their drafts are held until the end */
	HELD_MAX = 16 << 20,          /* octets of drafts in memory, besides the last one's */
	LINES_MAX = 2 * LIMIT_LINE,   /* octets of the lines between messages, held too */
	LOOK_FIRST = 64 << 10,        /* octets from which mailbox and quota are looked at first */
	PARSE_ON_LOOP = 16 << 10,     /* octets up to which intake_end is quick enough for a loop */
};

struct message_in {
	struct message_in *next;
	struct intake *intake;
	struct content_draft *draft;  /* the intake's */
	struct imap_flags flags;
	uint64_t size;
	int64_t received_us;
	uint32_t uid;
};

struct append {
	struct span name;
	struct message_in *first, **end;
	struct message_in *current;   /* is being read, or was just read */
	struct imap_literal literal;  /* of current */
	unsigned n_messages;
	uint64_t max;                 /* octets of a message */
	uint64_t octets;              /* of all messages */
	uint64_t held;                /* of them in memory */
	uint64_t lines;               /* octets of what stands between them */
	bool utf8;                    /* UTF8 (~{n} is open: ")" is expected behind the octets */
	struct shared_mailbox mailbox;
};

static void append_free(void *p)
{
	struct append *args = p;

	for (struct message_in *m = args->first; m; m = m->next)
		m->intake = intake_free(m->intake);
}

static struct append *append_new(struct imap *s, struct imap_command *c)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(s->env->store);
	struct append *args = ARENA_ALLOC(&c->arena, struct append);

	args->end = &args->first;
	args->max = settings->message_max;
	c->args = args;
	imap_command_release(c, append_free, args);
	return args;
}

/* [flags] [date-time] and then the literal, which is the end of the text. */
static bool parse_message(struct imap_parser *p, struct append *args, struct message_in *m,
	size_t announced)
{
	m->received_us = clock_now_us();
	if (parse_at(p, '(') && !(parse_flag_list(p, &m->flags) && parse_space(p)))
		return false;
	if (parse_at(p, '"') && !(parse_date_time(p, &m->received_us) && parse_space(p)))
		return false;
	if (parse_skip_word(p, "UTF8")) {
		args->utf8 = true;
		if (!parse_space(p) || !parse_octet(p, '('))
			return false;
		if (!parse_at(p, '~')) /* RFC 6855 section 4: literal8 */
			return parse_fail(p, "literal8 expected");
	}
	if (p->error || p->rest.n != announced)
		return parse_fail(p, "message expected");
	return true;
}

static int append_octets(struct imap *s, struct span data);

static void message_begin(struct imap *s, struct append *args)
{
	struct message_in *m = args->current;

	m->intake = intake_new(args->max);
	s->on_octets = append_octets;
	command_want(s, &args->literal);
}

/* The mailbox is there and has room for what was announced so far. */
static int look_work(struct imap_command *c, struct store_conn *conn)
{
	struct append *args = c->args;
	struct store_account account;
	int r = store_mailbox_reach(conn, &c->arena, c->account, args->name, ACL_INSERT,
		&args->mailbox);

	if (r)
		return r;
	TRY(store_account_get(conn, &c->arena, args->mailbox.box.account, &account));
	if (account.quota && account.used_octets + args->octets > account.quota)
		return STORE_E_QUOTA;
	return 0;
}

static int append_refuse(struct imap *s, struct imap_command *c, int outcome)
{
	/* RFC 9051 section 6.3.12. */
	if (outcome == STORE_E_NOT_FOUND)
		return imap_no(s, c, "TRYCREATE", "no such mailbox");
	if (outcome == STORE_E_LIMIT)
		return imap_no(s, c, "LIMIT", "too many keywords");
	return imap_no_store(s, c, outcome, NULL);
}

static int look_done(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome)
		return append_refuse(s, c, outcome);
	message_begin(s, c->args);
	return 0;
}

static int append_octets_end(struct imap *s);
static int append_more(struct imap *s, struct span line);

/* A message is announced; the parser stands before its flags. */
static int append_announced(struct imap *s, struct imap_command *c, struct imap_parser *p,
	const struct imap_literal *literal)
{
	struct append *args = c->args;
	struct message_in *m = ARENA_ALLOC(&c->arena, struct message_in);

	if (!parse_message(p, args, m, literal->announced))
		return command_refuse(s, c, literal, NULL, p->error);
	if (literal->n > args->max)
		return command_refuse(s, c, literal, "TOOBIG", "message too large");
	if (args->n_messages == MESSAGES_MAX || args->held > HELD_MAX)
		return command_refuse(s, c, literal, "LIMIT", "too many messages in one command");
	m->size = literal->n;
	*args->end = m;
	args->end = &m->next;
	args->current = m;
	args->literal = *literal;
	args->n_messages++;
	args->octets += literal->n;
	args->held += literal->n < CONTENT_INLINE ? literal->n : CONTENT_INLINE;
	s->on_octets = NULL;
	s->on_octets_end = append_octets_end;
	if (literal->waits && literal->n > LOOK_FIRST)
		return imap_wait_read(s, c, look_work, look_done);
	message_begin(s, args);
	return 0;
}

int append_literal(struct imap *s, struct imap_command *c, struct imap_parser *p,
	const struct imap_literal *literal)
{
	struct append *args;

	if (!parse_space(p))
		return command_refuse(s, c, literal, NULL, p->error);
	if (p->rest.n == literal->announced) /* it is the mailbox's name */
		return command_take_literal(s, c, literal);
	args = append_new(s, c);
	if (!parse_mailbox(p, &args->name) || !parse_space(p))
		return command_refuse(s, c, literal, NULL, p->error);
	s->on_line = append_more;
	return append_announced(s, c, p, literal);
}

static int flush_work(struct imap_command *c, struct store_conn *conn)
{
	struct append *args = c->args;

	return intake_flush(args->current->intake, conn);
}

static int flush_done(struct imap *s, struct imap_command *c, int outcome)
{
	(void)s;
	(void)c;
	return outcome ? err_fold(outcome) : 0;
}

static int append_octets(struct imap *s, struct span data)
{
	struct imap_command *c = s->command;
	struct append *args = c->args;
	int r;

	if (c->refused)
		return 0;
	r = intake_add(args->current->intake, data);
	if (r == INTAKE_E_FLUSH)
		return imap_wait_write(s, c, flush_work, flush_done);
	return r ? err_fold(r) : 0;
}

static int end_work(struct imap_command *c, struct store_conn *conn)
{
	struct append *args = c->args;

	(void)conn;
	return intake_end(args->current->intake, &args->current->draft);
}

static int message_end(struct imap *s, struct imap_command *c);

static int end_flushed(struct imap *s, struct imap_command *c, int outcome)
{
	return outcome ? err_fold(outcome) : message_end(s, c);
}

static int message_ended(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome == INTAKE_E_FLUSH)
		return imap_wait_write(s, c, flush_work, end_flushed);
	return outcome ? err_fold(outcome) : 0;
}

static int message_end(struct imap *s, struct imap_command *c)
{
	struct append *args = c->args;

	if (args->current->size > PARSE_ON_LOOP)
		return imap_wait_cpu(s, c, end_work, message_ended);
	return message_ended(s, c, end_work(c, NULL));
}

static int append_octets_end(struct imap *s)
{
	return s->command->refused ? 0 : message_end(s, s->command);
}

static int message_store(struct imap_command *c, struct store_conn *conn, struct message_in *m)
{
	struct append *args = c->args;
	struct message_add add = {
		.mailbox = args->mailbox.box.id, .draft = m->draft, .received_us = m->received_us,
	};
	int64_t id;
	bool keywords = args->mailbox.rights & ACL_WRITE;
	int r = store_flag_bits(c, conn, args->mailbox.box.account, &m->flags, keywords, &add.flags);

	if (r)
		return r;
	add.flags &= rights_flags(args->mailbox.rights); /* RFC 4314 section 4 */
	TRY(store_content_add(conn, m->draft, &add.content));
	return store_message_add(conn, &add, &m->uid, &id);
}

static int append_work(struct imap_command *c, struct store_conn *conn)
{
	struct append *args = c->args;
	int r = store_mailbox_reach(conn, &c->arena, c->account, args->name, ACL_INSERT,
		&args->mailbox);

	for (struct message_in *m = args->first; m && !r; m = m->next)
		r = message_store(c, conn, m);
	return r;
}

static int append_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct append *args = c->args;
	CLEANUP(buf_done) struct buf code = {};
	uint32_t *uids;
	size_t n = 0;

	if (outcome)
		return append_refuse(s, c, outcome);
	uids = arena_alloc(&c->arena, args->n_messages * sizeof *uids);
	for (struct message_in *m = args->first; m; m = m->next) {
		uids[n++] = m->uid;
		env_count(s->env, COUNT_APPENDED);
	}
	LOG(&s->log, LOG_INFO, "IMAP", "imap.append", log_span("mailbox", args->mailbox.box.name),
		log_int("messages", args->n_messages), log_int("octets", (int64_t)args->octets),
		log_str("outcome", "accepted"));
	if (s->selected && s->selected->mailbox == args->mailbox.box.id)
		imap_changed(s);
	buf_add_format(&code, "APPENDUID %u ", args->mailbox.box.uidvalidity);
	set_add_numbers(&code, uids, n);
	return imap_ok(s, c, arena_string(&c->arena, buf_span(&code)), "Appended");
}

/* RFC 3502 section 6.3.11: a message without octets takes the whole command back. */
static bool has_empty(const struct append *args)
{
	for (const struct message_in *m = args->first; m; m = m->next) {
		if (m->size == 0)
			return true;
	}
	return false;
}

static int append_commit(struct imap *s, struct imap_command *c)
{
	s->on_octets = NULL;
	if (has_empty(c->args))
		return imap_no(s, c, NULL, "taken back: a message is empty");
	return imap_wait_write(s, c, append_work, append_done);
}

/* What follows the octets of a message: nothing, or the next message. */
static int append_more(struct imap *s, struct span line)
{
	struct imap_command *c = s->command;
	struct append *args = c->args;
	struct imap_literal literal;
	bool announced = command_find_literal(line, &literal);
	struct imap_parser p = { .arena = &c->arena };

	if (c->refused)
		return announced ? command_refuse(s, c, &literal, NULL, NULL) :
				   command_refused(s, c);
	args->lines += line.n;
	if (announced && args->lines > LINES_MAX)
		return command_refuse(s, c, &literal, "LIMIT", "too many messages in one command");
	p.rest = arena_span(&c->arena, line);
	if (args->utf8) {
		args->utf8 = false;
		(void)parse_octet(&p, ')');
	}
	if (parse_at_end(&p))
		return append_commit(s, c);
	(void)parse_space(&p);
	if (!announced)
		return imap_bad(s, c, p.error ? p.error : "message expected");
	if (p.error)
		return command_refuse(s, c, &literal, NULL, p.error);
	return append_announced(s, c, &p, &literal);
}

/* The text was complete without a message. */
int imap_append(struct imap *s, struct imap_command *c)
{
	return imap_bad(s, c, "message expected");
}
