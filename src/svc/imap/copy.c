/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* COPY and MOVE (RFC 9051 sections 6.4.7 and 6.4.8), each one transaction, all messages or none. */

#include "store/message_copy.h"
#include "store/sharing.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"

struct copy {
	struct imap_set set;
	struct span name;
	bool move;
	const uint32_t *uids;
	size_t n_uids;
	struct shared_mailbox target;
	struct buf pairs;
	int source; /* the outcome of looking at the selected mailbox */
};

static void copy_free(void *p)
{
	struct copy *args = p;

	buf_done(&args->pairs);
}

bool imap_parse_copy(struct imap_parser *p, struct imap_command *c)
{
	struct copy *args = ARENA_ALLOC(&c->arena, struct copy);

	c->args = args;
	return parse_space(p) && parse_set(p, &args->set) && parse_space(p) &&
	       parse_mailbox(p, &args->name);
}

static int copy_work(struct imap_command *c, struct store_conn *conn)
{
	struct copy *args = c->args;
	uint64_t kept, modseq;
	int64_t target;
	/* RFC 6851 section 3: as COPY, STORE +FLAGS \Deleted and EXPUNGE. */
	int r = imap_check_rights(c, conn,
		args->move ? ACL_READ | ACL_DELETE | ACL_EXPUNGE : ACL_READ);

	args->source = r;
	if (!r)
		r = store_mailbox_reach(conn, &c->arena, c->account, args->name, ACL_INSERT,
			&args->target);
	if (r)
		return r;
	buf_clear(&args->pairs); /* a transaction may be run again */
	target = args->target.box.id;
	kept = rights_flags(args->target.rights);
	if (!args->move)
		return store_copy(conn, c->mailbox, args->uids, args->n_uids, target, kept,
			&args->pairs);
	if (args->target.box.account == c->owner && args->target.rights == ACL_ALL)
		return store_move(conn, c->mailbox, args->uids, args->n_uids, target, &args->pairs,
			&modseq);
	return store_move_across(conn, c->mailbox, args->uids, args->n_uids, target, kept,
		&args->pairs, &modseq);
}

/* RFC 4315 section 3; NULL if nothing was copied. */
static const char *copyuid_code(struct imap_command *c, struct copy *args)
{
	CLEANUP(buf_done) struct buf code = {};
	size_t n = buf_size(&args->pairs) / (2 * sizeof(uint32_t));
	uint32_t *from = arena_alloc(&c->arena, (n + 1) * sizeof *from);
	uint32_t *to = arena_alloc(&c->arena, (n + 1) * sizeof *to);
	const uint8_t *p = buf_span(&args->pairs).p;

	if (n == 0)
		return NULL;
	for (size_t i = 0; i < n; i++, p += 2 * sizeof *from) {
		memcpy(&from[i], p, sizeof *from);
		memcpy(&to[i], p + sizeof *from, sizeof *to);
	}
	buf_add_format(&code, "COPYUID %u ", args->target.box.uidvalidity);
	set_add_numbers(&code, from, n);
	buf_add_octet(&code, ' ');
	set_add_numbers(&code, to, n);
	return arena_string(&c->arena, buf_span(&code));
}

static int copy_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct copy *args = c->args;
	const char *code;

	/* RFC 9051 section 6.4.7. */
	if (outcome == STORE_E_NOT_FOUND && !args->source)
		return imap_no(s, c, "TRYCREATE", "no such mailbox");
	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	code = copyuid_code(c, args);
	if (args->move || args->target.box.id == c->mailbox)
		imap_changed(s);
	if (!args->move)
		return imap_ok(s, c, code, "Copied");
	/* RFC 6851 section 4.3: the code comes before the messages vanish. */
	if (code)
		session_reply_format(&s->session, "* OK [%s] Moved\r\n", code);
	c->ending_modseq = (s->enabled & IMAP_QRESYNC) != 0;
	return imap_ok(s, c, NULL, "Moved");
}

static int copy_run(struct imap *s, struct imap_command *c, bool move)
{
	struct copy *args = c->args;
	struct imap_positions positions;

	imap_command_release(c, copy_free, args);
	args->move = move;
	if (!imap_resolve(s, c, &args->set, c->uid, &positions))
		return imap_bad(s, c, "no such message");
	args->uids = imap_uids(c, &positions, &args->n_uids);
	if (args->n_uids == 0)
		return imap_ok(s, c, NULL, "Nothing to copy");
	return imap_wait_write(s, c, copy_work, copy_done);
}

int imap_copy(struct imap *s, struct imap_command *c)
{
	return copy_run(s, c, false);
}

int imap_move(struct imap *s, struct imap_command *c)
{
	return copy_run(s, c, true);
}
