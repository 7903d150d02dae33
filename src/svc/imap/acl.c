/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Who may do what in a mailbox: MYRIGHTS, GETACL, SETACL, DELETEACL and LISTRIGHTS (RFC 4314). */

#include "base/log.h"
#include "store/sharing.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"

struct acl {
	struct span name, who;
	enum acl_change change;
	unsigned rights;
	bool is_owner;
	struct shared_mailbox mailbox;
	struct why why;
};

static struct acl *args_new(struct imap_command *c)
{
	c->args = ARENA_ALLOC(&c->arena, struct acl);
	return c->args;
}

bool imap_parse_acl_mailbox(struct imap_parser *p, struct imap_command *c)
{
	return parse_space(p) && parse_mailbox(p, &args_new(c)->name);
}

/* DELETEACL is a SETACL of nothing. */
bool imap_parse_acl_who(struct imap_parser *p, struct imap_command *c)
{
	struct acl *args = args_new(c);

	if (!parse_space(p) || !parse_mailbox(p, &args->name) || !parse_space(p) ||
		!parse_astring(p, &args->who))
		return false;
	/* Section 3. */
	return (args->who.n && span_is_utf8(args->who)) || parse_fail(p, "identifier expected");
}

bool imap_parse_setacl(struct imap_parser *p, struct imap_command *c)
{
	struct span letters = {};
	struct acl *args;

	if (!imap_parse_acl_who(p, c) || !parse_space(p) || !parse_astring(p, &letters))
		return false;
	args = c->args;
	args->change = ACL_SET;
	if (letters.n && letters.p[0] == '+')
		args->change = ACL_ADD;
	else if (letters.n && letters.p[0] == '-')
		args->change = ACL_TAKE;
	/* Section 3.1: a letter that is not known is never passed over. */
	return rights_parse(span_skip(letters, args->change != ACL_SET), &args->rights) ||
	       parse_fail(p, "unknown right; there are l r s w i p k x t e a");
}

static void add_rights(struct buf *out, unsigned rights)
{
	CLEANUP(buf_done) struct buf text = {};

	rights_print(&text, rights);
	print_astring(out, buf_span(&text), false);
}

static int reach(struct imap_command *c, struct store_conn *conn, unsigned need)
{
	struct acl *args = c->args;

	return store_mailbox_reach(conn, &c->arena, c->account, args->name, need, &args->mailbox);
}

static void response_begin(struct imap_command *c, const char *name)
{
	const struct acl *args = c->args;

	buf_add_format(&c->out, "* %s ", name);
	print_mailbox(&c->out, args->mailbox.box.name, c->enabled & IMAP_UTF8);
}

static int acl_done(struct imap *s, struct imap_command *c, int outcome)
{
	const struct acl *args = c->args;

	if (outcome)
		return imap_no_store(s, c, outcome, &args->why);
	return imap_ok(s, c, NULL, "Rights given");
}

static int myrights_work(struct imap_command *c, struct store_conn *conn)
{
	int r = reach(c, conn, 0);

	if (r)
		return r;
	response_begin(c, "MYRIGHTS");
	buf_add_octet(&c->out, ' ');
	add_rights(&c->out, ((struct acl *)c->args)->mailbox.rights);
	buf_add_string(&c->out, "\r\n");
	return 0;
}

int imap_myrights(struct imap *s, struct imap_command *c)
{
	return imap_wait_read(s, c, myrights_work, acl_done);
}

static int getacl_work(struct imap_command *c, struct store_conn *conn)
{
	const struct acl *args = c->args;
	struct acl_entry *entries;
	size_t n;
	int r = reach(c, conn, ACL_ADMIN);

	if (r)
		return r;
	TRY(store_acl_list(conn, &c->arena, args->mailbox.box.id, &entries, &n));
	response_begin(c, "ACL");
	for (size_t i = 0; i < n; i++) {
		buf_add_octet(&c->out, ' ');
		print_astring(&c->out, entries[i].identifier, c->enabled & IMAP_UTF8);
		buf_add_octet(&c->out, ' ');
		add_rights(&c->out, entries[i].rights);
	}
	buf_add_string(&c->out, "\r\n");
	return 0;
}

int imap_getacl(struct imap *s, struct imap_command *c)
{
	return imap_wait_read(s, c, getacl_work, acl_done);
}

static int setacl_work(struct imap_command *c, struct store_conn *conn)
{
	struct acl *args = c->args;
	int r = reach(c, conn, ACL_ADMIN);

	return r ? r
		 : store_acl_set(conn, args->mailbox.box.id, args->who, args->change, args->rights,
			   &args->why);
}

static int setacl_done(struct imap *s, struct imap_command *c, int outcome)
{
	const struct acl *args = c->args;
	CLEANUP(buf_done) struct buf letters = {};

	if (outcome)
		return imap_no_store(s, c, outcome, &args->why);
	rights_print(&letters, args->rights);
	LOG(&s->log, LOG_INFO, "IMAP", "imap.rights", log_span("mailbox", args->mailbox.box.name),
		log_span("who", args->who),
		log_str("change", args->change == ACL_ADD    ? "add"
				  : args->change == ACL_TAKE ? "take"
							     : "set"),
		log_span("rights", buf_span(&letters)));
	return imap_ok(s, c, NULL, "Rights are set");
}

int imap_setacl(struct imap *s, struct imap_command *c)
{
	return imap_wait_write(s, c, setacl_work, setacl_done);
}

static int listrights_work(struct imap_command *c, struct store_conn *conn)
{
	struct acl *args = c->args;
	int r = reach(c, conn, ACL_ADMIN);

	if (!r)
		r = store_acl_is_owner(conn, args->mailbox.box.id, args->who, &args->is_owner,
			&args->why);
	if (r)
		return r;
	response_begin(c, "LISTRIGHTS");
	buf_add_octet(&c->out, ' ');
	print_astring(&c->out, args->who, c->enabled & IMAP_UTF8);
	/* Section 3.7: what the identifier always has, then what it may be given; none is tied to
	 * another. */
	buf_add_string(&c->out,
		args->is_owner ? " lrswipkxteacd\r\n" : " \"\" l r s w i p k x t e a c d\r\n");
	return 0;
}

int imap_listrights(struct imap *s, struct imap_command *c)
{
	return imap_wait_read(s, c, listrights_work, acl_done);
}
