/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/blobs.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"

#include <stdlib.h>

/* One that does not grow for so long is given up, whatever has become of who sent it. */
enum { OPEN_S = 600 };

struct blob_upload {
	struct env *env;
	struct arena arena;
	struct store_blob blob; /* size: what has come, and the piece that is being written */
	struct store_blob_limits limits;
	uint64_t max; /* octets of it */
	uint64_t keep_us;
	uint64_t reserve;
	uint32_t number;
	struct content_piece piece;
	bool ended;
};

static int64_t after(int64_t us)
{
	return clock_now_us() + us;
}

static int refused(const struct blob_upload *u, int r, struct why *why)
{
	switch (r) {
	case STORE_E_IN_USE:
		why_set(why, "%u uploads are under way already: wait for one of them",
			u->limits.n_open_max);
		return BLOB_E_BUSY;
	case STORE_E_LIMIT:
		why_set(why,
			"an account has at most %u uploads of %llu octets together: send or remove "
			"some",
			u->limits.n_max, (unsigned long long)u->limits.octets_max);
		return BLOB_E_TOO_MUCH;
	case STORE_E_QUOTA:
		why_set(why, "the account's quota has no room for it");
		return BLOB_E_QUOTA;
	case STORE_E_NOT_FOUND:
		why_set(why, "the upload was given up meanwhile");
		return BLOB_E_GONE;
	default:
		return err_fold(r);
	}
}

static int begin(struct store_conn *c, void *arg)
{
	struct blob_upload *u = arg;
	struct store_blob blob = u->blob;

	blob.size = u->reserve;
	blob.expires_us = after(OPEN_S * 1000000LL);
	return store_blob_begin(c, &blob, &u->limits, clock_now_us(), &u->blob.id);
}

static int too_large(const struct blob_upload *u, struct why *why)
{
	why_set(why, "a file is at most as large as a message may be, %llu octets",
		(unsigned long long)u->max);
	return BLOB_E_TOO_LARGE;
}

int blob_upload_new(struct blob_upload **ret_upload, struct env *e, int64_t account,
	struct span type, uint64_t size, struct why *why)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	CLEANUP(blob_upload_freep) struct blob_upload *u = ALLOC(struct blob_upload);
	int r;

	u->env = e;
	u->blob.account = account;
	u->blob.type = arena_span(&u->arena, type);
	u->max = settings->message_max;
	u->keep_us = settings->upload_keep_s * 1000000;
	u->limits = (struct store_blob_limits){ BLOBS_MESSAGES * settings->message_max, BLOBS_MAX,
		BLOBS_OPEN_MAX };
	u->reserve = size;
	if (size > u->max)
		return too_large(u, why);
	r = store_write(e->store, begin, u);
	if (r)
		return refused(u, r, why);
	*ret_upload = TAKE(u);
	return 0;
}

static int add(struct store_conn *c, void *arg)
{
	struct blob_upload *u = arg;
	struct store_blob blob = u->blob;

	blob.expires_us = after(OPEN_S * 1000000LL);
	return store_blob_add(c, &blob, &u->limits, u->number, &u->piece, clock_now_us());
}

int blob_upload_add(struct blob_upload *u, struct span piece, struct why *why)
{
	int r;

	if (piece.n > u->max - u->blob.size)
		return too_large(u, why);
	u->blob.size += piece.n;
	content_piece_make(&u->piece, piece);
	r = store_write(u->env->store, add, u);
	buf_wipe(&u->piece.data);
	if (r)
		return refused(u, r, why);
	u->number++;
	return 0;
}

static int end(struct store_conn *c, void *arg)
{
	struct blob_upload *u = arg;

	u->blob.expires_us = after((int64_t)u->keep_us);
	return store_blob_end(c, &u->blob);
}

int blob_upload_end(struct blob_upload *u, struct span rest, struct store_blob *ret_blob,
	struct why *why)
{
	int r = rest.n ? blob_upload_add(u, rest, why) : 0;

	if (r)
		return r;
	r = store_write(u->env->store, end, u);
	if (r)
		return refused(u, r, why);
	u->ended = true;
	*ret_blob = u->blob;
	return 0;
}

/* Of an upload that was given up: nobody waits for it. */
struct giving_up {
	struct task task;
	int64_t account, id;
};

static int give_up(struct task *t, void *worker)
{
	struct giving_up *g = CONTAINER_OF(t, struct giving_up, task);
	int r = store_blob_remove(worker, g->account, g->id);

	return r == STORE_E_NOT_FOUND ? 0 : r;
}

static void gave_up(struct task *t)
{
	if (t->result)
		log_fault(NULL, "HTTP", "http.upload", err_fold(t->result));
}

static void giving_up_drop(struct task *t)
{
	free(CONTAINER_OF(t, struct giving_up, task));
}

struct blob_upload *blob_upload_free(struct blob_upload *u)
{
	if (!u)
		return NULL;
	if (u->blob.id && !u->ended) {
		struct giving_up *g = ALLOC(struct giving_up);

		*g = (struct giving_up){ .task = { .run = give_up, .done = gave_up,
						.drop = giving_up_drop },
			.account = u->blob.account,
			.id = u->blob.id };
		task_start(store_writer(u->env->store), &task_home_here, &g->task);
	}
	arena_done(&u->arena);
	buf_wipe(&u->piece.data);
	free(u);
	return NULL;
}

struct reading {
	int64_t account, id;
	struct buf *out;
	struct arena *arena;
	struct store_blob *blob;
};

static int look_at(struct store_conn *c, void *arg)
{
	struct reading *k = arg;

	return store_blob_get(c, k->arena, k->account, k->id, clock_now_us(), k->blob);
}

int blob_look(struct env *e, struct arena *a, int64_t account, int64_t id,
	struct store_blob *ret_blob)
{
	struct reading k = { .account = account, .id = id, .arena = a, .blob = ret_blob };
	int r = store_read(e->store, look_at, &k);

	return r == STORE_E_NOT_FOUND ? BLOB_E_GONE : r;
}

static int read_both(struct store_conn *c, void *arg)
{
	struct reading *k = arg;
	CLEANUP(arena_done) struct arena arena = {};
	struct store_blob blob;
	int r = store_blob_get(c, &arena, k->account, k->id, clock_now_us(), &blob);

	if (r)
		return r;
	(void)buf_room(k->out, blob.size);
	return store_upload_read(c, k->id, blob.size, 0, blob.size, k->out);
}

/* The row and its octets as they were together: the sweep may come between. */
static int read_blob(struct store_conn *c, void *arg)
{
	return store_moment(c, read_both, arg);
}

int blob_read(struct env *e, int64_t account, int64_t id, struct buf *out)
{
	struct reading k = { .account = account, .id = id, .out = out };
	int r = store_read(e->store, read_blob, &k);

	return r == STORE_E_NOT_FOUND ? BLOB_E_GONE : r;
}

struct erasing {
	int64_t id;
	bool more;
};

static int erase_one(struct store_conn *c, void *arg)
{
	struct erasing *k = arg;

	return store_blob_erase(c, k->id, &k->more);
}

int blob_erase(struct env *e, int64_t id)
{
	struct erasing k = { .id = id };

	do
		TRY(store_write(e->store, erase_one, &k));
	while (k.more);
	return 0;
}

static int remove_blob(struct store_conn *c, void *arg)
{
	const struct reading *k = arg;

	return store_blob_remove(c, k->account, k->id);
}

int blob_remove(struct env *e, int64_t account, int64_t id)
{
	struct reading k = { .account = account, .id = id };
	int r = store_write(e->store, remove_blob, &k);

	if (r == STORE_E_NOT_FOUND)
		return BLOB_E_GONE;
	return r ? r : blob_erase(e, id);
}

static int look(struct store_conn *c, void *due)
{
	return store_blob_due(c, clock_now_us(), due);
}

static int erase(struct store_conn *c, void *more)
{
	return store_blob_sweep(c, clock_now_us(), more);
}

int blobs_erase_some(struct env *e, bool *ret_more)
{
	/* Looking costs no transaction of the writer's. */
	TRY(store_read(e->store, look, ret_more));
	return *ret_more ? store_write(e->store, erase, ret_more) : 0;
}
