/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Making, removing, renaming and subscribing mailboxes: each one task of the writer. */

#include "store/sharing.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"
#include "svc/imap/use.h"

struct mailbox_args {
	struct span name, target;
	enum special_use use;
	bool subscribe;
	int64_t id, owner; /* of what was made or removed */
	struct why why;
};

static struct mailbox_args *args_new(struct imap_command *c)
{
	c->args = ARENA_ALLOC(&c->arena, struct mailbox_args);
	return c->args;
}

bool imap_parse_mailbox(struct imap_parser *p, struct imap_command *c)
{
	return parse_space(p) && parse_mailbox(p, &args_new(c)->name);
}

/* RFC 6154 section 3: CREATE name (USE (\Sent)). A mailbox has one use here. */
static bool parse_use(struct imap_parser *p, enum special_use *ret)
{
	struct span name = {};

	if (!parse_open(p))
		return false;
	if (!parse_skip_word(p, "USE"))
		return parse_fail(p, "unknown parameter");
	if (!parse_space(p) || !parse_open(p))
		return false;
	if (!parse_at(p, ')')) {
		if (!parse_octet(p, '\\') || !parse_atom(p, &name))
			return false;
		*ret = use_find(name);
		if (*ret == USE_NONE || parse_at(p, ' '))
			return parse_fail(p, "unknown special use, or more than one");
	}
	return parse_close(p) && parse_close(p);
}

bool imap_parse_create(struct imap_parser *p, struct imap_command *c)
{
	struct mailbox_args *args = args_new(c);

	if (!parse_space(p) || !parse_mailbox(p, &args->name))
		return false;
	return !parse_skip(p, ' ') || parse_use(p, &args->use);
}

static int create_work(struct imap_command *c, struct store_conn *conn)
{
	struct mailbox_args *args = c->args;

	return store_shared_create(conn, &c->arena, c->account, args->name, args->use, &args->owner,
		&args->id, &args->why);
}

static int create_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct mailbox_args *args = c->args;
	CLEANUP(buf_done) struct buf code = {};

	/* RFC 6154 section 3. */
	if (outcome == STORE_E_REFUSED && args->use != USE_NONE)
		return imap_no(s, c, "USEATTR",
			arena_string(&c->arena, span_str(args->why.text)));
	if (outcome)
		return imap_no_store(s, c, outcome, &args->why);
	/* RFC 8474 section 4.1. */
	buf_add_string(&code, "MAILBOXID (");
	print_object_id(&code, c->id_key, 'F', args->owner, args->id);
	buf_add_octet(&code, ')');
	return imap_ok(s, c, arena_string(&c->arena, buf_span(&code)), "Created");
}

int imap_create(struct imap *s, struct imap_command *c)
{
	return imap_wait_write(s, c, create_work, create_done);
}

static int delete_work(struct imap_command *c, struct store_conn *conn)
{
	struct mailbox_args *args = c->args;

	return store_shared_delete(conn, &c->arena, c->account, args->name, &args->id, &args->why);
}

/* Who deletes the mailbox it has selected is left without one; others are told by sync.c. */
static int delete_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct mailbox_args *args = c->args;

	if (outcome)
		return imap_no_store(s, c, outcome, &args->why);
	if (s->selected && s->selected->mailbox == args->id) {
		selected_leave(s);
		session_reply_string(&s->session, "* OK [CLOSED] The mailbox was deleted\r\n");
	}
	return imap_ok(s, c, NULL, "Deleted");
}

int imap_delete(struct imap *s, struct imap_command *c)
{
	return imap_wait_write(s, c, delete_work, delete_done);
}

bool imap_parse_rename(struct imap_parser *p, struct imap_command *c)
{
	struct mailbox_args *args = args_new(c);

	return parse_space(p) && parse_mailbox(p, &args->name) && parse_space(p) &&
	       parse_mailbox(p, &args->target);
}

static int rename_work(struct imap_command *c, struct store_conn *conn)
{
	struct mailbox_args *args = c->args;

	return store_shared_rename(conn, &c->arena, c->account, args->name, args->target,
		&args->why);
}

static int mailbox_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct mailbox_args *args = c->args;

	if (outcome)
		return imap_no_store(s, c, outcome, &args->why);
	return imap_ok(s, c, NULL, "Done");
}

int imap_rename(struct imap *s, struct imap_command *c)
{
	return imap_wait_write(s, c, rename_work, mailbox_done);
}

static int subscribe_work(struct imap_command *c, struct store_conn *conn)
{
	struct mailbox_args *args = c->args;

	struct span name;
	int r = store_subscription_name(conn, &c->arena, c->account, args->name, &name);

	return r ? r : store_mailbox_subscribe(conn, c->account, name, args->subscribe);
}

int imap_subscribe(struct imap *s, struct imap_command *c)
{
	struct mailbox_args *args = c->args;

	args->subscribe = true;
	return imap_wait_write(s, c, subscribe_work, mailbox_done);
}

int imap_unsubscribe(struct imap *s, struct imap_command *c)
{
	return imap_wait_write(s, c, subscribe_work, mailbox_done);
}
