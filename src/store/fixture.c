/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A store for tests. */

#include "store/fixture.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "db/db.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/mailbox.h"
#include "store/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_OCTETS = 1 << 16 };

/* assert() that says where, and why if it is known. */
static void must(int r, const char *what, const struct why *why)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "fixture: %s: %d %s (%s)\n", what, r, why ? why->text : "",
		err_last_trace());
	abort();
}

static void open_store(struct fixture *f)
{
	struct why why = {};

	must(store_open(&f->store, f->path, 2, &why), "store_open", &why);
}

static int populate(struct store_conn *c, void *arg)
{
	struct fixture *f = arg;
	struct store_credentials none = {};

	TRY(store_domain_add(c, SPAN("example.org"), &f->domain));
	TRY(store_domain_set_main(c, f->domain));
	TRY(store_account_add(c, f->domain, SPAN("alice"), ROLE_ADMIN, &none, &f->account));
	return 0;
}

/* What the process's first store was when it was new. The others are copies: dialogs open hundreds,
 * and each would go through all migrations. */
static struct {
	struct buf file;
	int64_t domain, account;
} first;

static void read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	if (!file)
		abort();
	do {
		n = fread(buf_room(out, READ_OCTETS), 1, READ_OCTETS, file);
		buf_added(out, n);
	} while (n);
	if (ferror(file) || fclose(file))
		abort();
}

static void write_file(const char *path, struct span octets)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(octets.p, 1, octets.n, file) != octets.n || fclose(file))
		abort();
}

static void make_first(struct fixture *f)
{
	open_store(f);
	must(store_write(f->store, populate, f), "populate", NULL);
	first.domain = f->domain;
	first.account = f->account;
	f->store = store_close(f->store);
	read_file(f->path, &first.file);
}

struct fixture *fixture_new(void)
{
	struct fixture *f = ALLOC(struct fixture);

	folder_fixture(f->folder, "store");
	f->path = alloc_format("%s/mail.db", f->folder);
	if (!buf_size(&first.file))
		make_first(f);
	write_file(f->path, buf_span(&first.file));
	f->domain = first.domain;
	f->account = first.account;
	open_store(f);
	f->inbox = fixture_mailbox(f, f->account, "INBOX");
	return f;
}

struct fixture *fixture_free(struct fixture *f)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-lock" };

	store_close(f->store);
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		CLEANUP(alloc_freep) char *name = alloc_format("%s%s", f->path, suffixes[i]);

		(void)unlink(name);
	}
	(void)rmdir(f->folder);
	free(f->path);
	free(f);
	return NULL;
}

int fixture_setup(void **state)
{
	*state = fixture_new();
	return 0;
}

int fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

void fixture_reopen(struct fixture *f)
{
	f->store = store_close(f->store);
	open_store(f);
}

struct find {
	int64_t account;
	const char *name;
	int64_t id;
};

static int find(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena a = {};
	struct find *f = arg;
	struct store_mailbox m;

	TRY(store_mailbox_find(c, &a, f->account, span_str(f->name), &m));
	f->id = m.id;
	return 0;
}

int64_t fixture_mailbox(struct fixture *f, int64_t account, const char *name)
{
	struct find query = { .account = account, .name = name };

	must(store_read(f->store, find, &query), name, NULL);
	return query.id;
}

int64_t fixture_number(struct fixture *f, const char *sql)
{
	CLEANUP(db_closep) struct db *db = NULL;
	struct why why = {};
	int64_t number;
	struct db_statement *s;
	bool row = false;

	must(db_open(&db, f->path, DB_READER, &why), "db_open", &why);
	must(db_prepare(&s, db, sql), sql, NULL);
	must(db_step(s, &row), sql, NULL);
	must(!row, "no row", NULL);
	number = db_int(s, 0);
	db_reset(s);
	return number;
}

void fixture_draft(struct content_draft *d, struct span octets)
{
	*d = (struct content_draft){};
	content_draft_set_inline(d, octets);
	buf_add_string(&d->envelope, "envelope");
	buf_add_string(&d->structure, "structure");
}

struct deliver {
	int64_t mailbox;
	uint64_t flags;
	struct content_draft draft;
	uint32_t uid;
};

static int deliver(struct store_conn *c, void *arg)
{
	struct deliver *d = arg;
	struct message_add add = { .mailbox = d->mailbox, .draft = &d->draft, .flags = d->flags,
		.received_us = 1000000 };
	int64_t id;

	TRY(store_content_add(c, &d->draft, &add.content));
	TRY(store_message_add(c, &add, &d->uid, &id));
	return 0;
}

uint32_t fixture_deliver(struct fixture *f, int64_t mailbox, struct span octets, uint64_t flags)
{
	struct deliver d = { .mailbox = mailbox, .flags = flags };

	fixture_draft(&d.draft, octets);
	must(store_write(f->store, deliver, &d), "deliver", NULL);
	content_draft_done(&d.draft);
	return d.uid;
}

/* Each must be 0. */
static const char *const recounts[] = {
	"select count(*) from mailbox m where n_messages <>"
	" (select count(*) from message where mailbox = m.id)",
	"select count(*) from mailbox m where octets <>"
	" (select coalesce(sum(size), 0) from message where mailbox = m.id)",
	"select count(*) from mailbox m where n_unseen <>"
	" (select count(*) from message where mailbox = m.id and flags & 1 = 0)",
	"select count(*) from mailbox m where n_deleted <>"
	" (select count(*) from message where mailbox = m.id and flags & 8 <> 0)",
	"select count(*) from mailbox m where n_expunged <>"
	" (select count(*) from expunged where mailbox = m.id)",
	"select count(*) from account a where used_octets <>"
	" (select coalesce(sum(octets), 0) from mailbox where account = a.id)",
	"select count(*) from account a where used_messages <>"
	" (select coalesce(sum(n_messages), 0) from mailbox where account = a.id)",
	"select count(*) from domain d where n_accounts <>"
	" (select count(*) from account where domain = d.id)",
	"select count(*) from pragma_foreign_key_check",
	"select count(*) from pragma_integrity_check where integrity_check <> 'ok'",
};

void fixture_recount(struct fixture *f)
{
	for (size_t i = 0; i < sizeof recounts / sizeof recounts[0]; i++)
		must(fixture_number(f, recounts[i]) != 0, recounts[i], NULL);
}

static int sweep(struct store_conn *c, void *arg)
{
	return store_content_sweep(c, clock_now_us() + 1000000, 0, arg);
}

void fixture_sweep(struct fixture *f)
{
	bool more = true;

	while (more)
		must(store_write(f->store, sweep, &more), "sweep", NULL);
}
