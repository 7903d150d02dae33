/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Keywords: an account's own flags, numbered in the order in which they were first used. */

#include "base/alloc.h"
#include "base/limit.h"
#include "store/conn.h"
#include "store/message.h"
#include "store/name.h"

#include <assert.h>
#include <stdlib.h>

int store_keywords(struct store_conn *c, int64_t account, struct keywords **ret_keywords)
{
	CLEANUP(keywords_unrefp) struct keywords *k = ALLOC(struct keywords);
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	k->refs = 1;
	TRY(db_query(&q, c->db, "select name from keyword where account = $1 order by bit",
		DB_ARGS(DB_INT(account))));
	while (k->n < KEYWORDS_MAX && db_next(q, &r))
		k->names[k->n++] = span_to_string(db_blob(q, 0));
	if (r)
		return r;
	*ret_keywords = TAKE(k);
	return 0;
}

struct keywords *keywords_ref(struct keywords *k)
{
	(void)__atomic_add_fetch(&k->refs, 1, __ATOMIC_RELAXED);
	return k;
}

struct keywords *keywords_unref(struct keywords *k)
{
	if (!k || __atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	for (unsigned i = 0; i < k->n; i++)
		free(k->names[i]);
	free(k);
	return NULL;
}

static int keyword_find(struct store_conn *c, int64_t account, struct span folded, int64_t *ret_bit)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select bit from keyword where account = $1 and folded = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(folded))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_bit = db_int(q, 0);
	return 0;
}

static int keyword_add(struct store_conn *c, int64_t account, struct span name, struct span folded,
	int64_t *ret_bit)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from keyword where account = $1",
		DB_ARGS(DB_INT(account))));
	if (db_int(q, 0) >= KEYWORDS_MAX)
		return STORE_E_LIMIT;
	*ret_bit = db_int(q, 0);
	TRY(db_exec(c->db, NULL,
		"insert into keyword (account, bit, name, folded) values ($1, $2, $3, $4)",
		DB_ARGS(DB_INT(account), DB_INT(*ret_bit), DB_SPAN(name), DB_SPAN(folded))));
	return 0;
}

int store_keyword_bit(struct store_conn *c, int64_t account, struct span name, uint64_t *ret_bit)
{
	CLEANUP(arena_done) struct arena a = {};
	struct span folded;
	int64_t bit;
	int r;

	assert(c->writer);
	if (name.n == 0 || name.n > LIMIT_KEYWORD || span_find(name, 0) < name.n)
		return STORE_E_LIMIT;
	folded = name_lower(&a, name);
	r = keyword_find(c, account, folded, &bit);
	if (r == STORE_E_NOT_FOUND)
		r = keyword_add(c, account, name, folded, &bit);
	if (r)
		return r;
	*ret_bit = (uint64_t)1 << (FLAG_KEYWORD_SHIFT + bit);
	return 0;
}
