/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* STATUS. Nearly everything is in the mailbox's row, so any number of mailboxes is cheap; only
 * DELETED-STORAGE (RFC 9208 section 4.1.4) looks at messages, those that carry \Deleted. */

#include "base/alloc.h"
#include "store/sharing.h"
#include "store/settings.h"
#include "svc/env.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"

enum {
	STATUS_MESSAGES, STATUS_UIDNEXT, STATUS_UIDVALIDITY, STATUS_UNSEEN, STATUS_DELETED,
	STATUS_DELETED_STORAGE, STATUS_SIZE, STATUS_RECENT, STATUS_HIGHESTMODSEQ,
	STATUS_APPENDLIMIT, STATUS_MAILBOXID, STATUS_ITEMS,
};

static const char *const names[STATUS_ITEMS] = {
	"MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "DELETED-STORAGE", "SIZE",
	"RECENT", "HIGHESTMODSEQ", "APPENDLIMIT", "MAILBOXID",
};

bool status_parse_items(struct imap_parser *p, unsigned *ret_items)
{
	unsigned items = 0;

	if (!parse_open(p))
		return false;
	do {
		unsigned i = 0;

		while (i < STATUS_ITEMS && !parse_skip_word(p, names[i]))
			i++;
		if (i == STATUS_ITEMS)
			return parse_fail(p, "unknown item");
		items |= 1u << i;
	} while (parse_skip(p, ' '));
	*ret_items = items;
	return parse_close(p);
}

static int size_add(const struct store_message *m, void *context)
{
	*(uint64_t *)context += m->size;
	return 0;
}

static int deleted_storage(struct store_conn *conn, const struct store_mailbox *m, uint64_t *ret)
{
	CLEANUP(view_unrefp) struct view *v = NULL;
	CLEANUP(buf_done) struct buf uids = {};
	int r;

	*ret = 0;
	if (m->n_deleted == 0)
		return 0;
	r = store_view(conn, m->id, &v);
	if (r == STORE_E_NOT_FOUND) /* removed a moment ago */
		return 0;
	if (r)
		return err_fold(r);
	for (uint32_t i = 0; i < v->n; i++) {
		if (v->flags[i] & FLAG_DELETED)
			buf_add(&uids, span_of(&v->uids[i], sizeof v->uids[i]));
	}
	return store_messages(conn, m->id, (const uint32_t *)(const void *)buf_span(&uids).p,
		buf_size(&uids) / sizeof(uint32_t), 0, size_add, ret, NULL);
}

/* RFC 3501 section 2.3.2; nothing is \Recent in IMAP4rev2. */
static uint64_t recent_count(const struct imap_command *c, const struct store_mailbox *m)
{
	uint64_t n = m->uidnext - m->recent_from;

	if (c->enabled & IMAP_REV2)
		return 0;
	return n < m->n_messages ? n : m->n_messages;
}

static uint64_t status_value(const struct imap_command *c, const struct store_mailbox *m,
	unsigned item)
{
	CLEANUP(settings_unrefp) struct settings *settings = NULL;

	switch (item) {
	case STATUS_MESSAGES:
		return m->n_messages;
	case STATUS_UIDNEXT:
		return m->uidnext;
	case STATUS_UIDVALIDITY:
		return m->uidvalidity;
	case STATUS_UNSEEN:
		return m->n_unseen;
	case STATUS_DELETED:
		return m->n_deleted;
	case STATUS_SIZE:
		return m->octets;
	case STATUS_RECENT:
		return recent_count(c, m);
	case STATUS_HIGHESTMODSEQ:
		return m->highest_modseq ? m->highest_modseq : 1;
	default: /* STATUS_APPENDLIMIT */
		settings = settings_get(c->env->store);
		return settings->message_max;
	}
}

int status_print(struct imap_command *c, struct store_conn *conn, const struct store_mailbox *m,
	unsigned items, struct buf *out)
{
	uint64_t deleted = 0;
	const char *gap = "";

	if (items & (1u << STATUS_DELETED_STORAGE))
		TRY(deleted_storage(conn, m, &deleted));
	buf_add_string(out, "* STATUS ");
	print_mailbox(out, m->name, c->enabled & IMAP_UTF8);
	buf_add_string(out, " (");
	for (unsigned i = 0; i < STATUS_ITEMS; i++) {
		if (!(items & (1u << i)))
			continue;
		buf_add_format(out, "%s%s ", gap, names[i]);
		gap = " ";
		if (i == STATUS_MAILBOXID) {
			buf_add_octet(out, '(');
			print_object_id(out, c->id_key, 'F', m->account, m->id);
			buf_add_octet(out, ')');
		} else {
			buf_add_u64(out,
				i == STATUS_DELETED_STORAGE ? deleted : status_value(c, m, i));
		}
	}
	buf_add_string(out, ")\r\n");
	return 0;
}

struct status {
	struct span name;
	unsigned items;
};

bool imap_parse_status(struct imap_parser *p, struct imap_command *c)
{
	struct status *args = ARENA_ALLOC(&c->arena, struct status);

	c->args = args;
	return parse_space(p) && parse_mailbox(p, &args->name) && parse_space(p) &&
	       status_parse_items(p, &args->items);
}

static int status_work(struct imap_command *c, struct store_conn *conn)
{
	struct status *args = c->args;
	struct shared_mailbox m;
	int r = store_mailbox_reach(conn, &c->arena, c->account, args->name, ACL_READ, &m);

	if (r)
		return r;
	return status_print(c, conn, &m.box, args->items, &c->out);
}

static int status_done(struct imap *s, struct imap_command *c, int outcome)
{
	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	return imap_ok(s, c, NULL, "Status given");
}

/* RFC 7162 section 3.1: asking for HIGHESTMODSEQ turns CONDSTORE on. */
int imap_status(struct imap *s, struct imap_command *c)
{
	const struct status *args = c->args;

	if (args->items & (1u << STATUS_HIGHESTMODSEQ))
		imap_enable_condstore(s, c);
	return imap_wait_read(s, c, status_work, status_done);
}
