/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * GETQUOTA and GETQUOTAROOT (RFC 9208). An account has one quota root, "", for all its mailboxes.
 * Octets may be limited; the number of messages is not, and a resource without a limit has no place
 * in the answer.
 */

#include "store/account.h"
#include "store/sharing.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"

struct quota {
	struct span name;
	bool of_mailbox;
};

/* STORAGE counts units of 1024 octets (RFC 9208 section 5.1), what is begun counts. */
static uint64_t kibi(uint64_t octets)
{
	return octets / 1024 + (octets % 1024 != 0);
}

static int quota_work(struct imap_command *c, struct store_conn *conn)
{
	const struct quota *args = c->args;
	struct shared_mailbox mailbox;
	struct store_account account;
	int r = 0;

	if (args->of_mailbox)
		r = store_mailbox_reach(conn, &c->arena, c->account, args->name, ACL_READ, &mailbox);
	if (r)
		return r;
	TRY(store_account_get(conn, &c->arena, c->account, &account));
	if (args->of_mailbox) {
		buf_add_string(&c->out, "* QUOTAROOT ");
		print_mailbox(&c->out, mailbox.box.name, c->enabled & IMAP_UTF8);
		/* What somebody else may store, and does, is nobody else's business. */
		buf_add_string(&c->out, mailbox.own ? " \"\"\r\n" : "\r\n");
		if (!mailbox.own)
			return 0;
	}
	buf_add_string(&c->out, "* QUOTA \"\" (");
	if (account.quota)
		buf_add_format(&c->out, "STORAGE %llu %llu",
			(unsigned long long)kibi(account.used_octets),
			(unsigned long long)kibi(account.quota));
	buf_add_string(&c->out, ")\r\n");
	return 0;
}

static int quota_done(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	return imap_ok(s, c, NULL, "Quota given");
}

bool imap_parse_quota(struct imap_parser *p, struct imap_command *c)
{
	struct quota *args = ARENA_ALLOC(&c->arena, struct quota);

	c->args = args;
	return parse_space(p) && parse_astring(p, &args->name);
}

int imap_getquota(struct imap *s, struct imap_command *c)
{
	const struct quota *args = c->args;

	if (args->name.n > 0)
		return imap_no(s, c, "NONEXISTENT", "no such quota root");
	return imap_wait_read(s, c, quota_work, quota_done);
}

bool imap_parse_quotaroot(struct imap_parser *p, struct imap_command *c)
{
	struct quota *args = ARENA_ALLOC(&c->arena, struct quota);

	c->args = args;
	args->of_mailbox = true;
	return parse_space(p) && parse_mailbox(p, &args->name);
}

int imap_getquotaroot(struct imap *s, struct imap_command *c)
{
	return imap_wait_read(s, c, quota_work, quota_done);
}
