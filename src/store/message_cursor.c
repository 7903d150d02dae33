/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Walks over the messages of a mailbox that a list of UIDs names. Such lists are dense mostly (all,
 * the newest fifty) and thin sometimes (the result of a search): the walk steps from row to row
 * while they lie close and seeks anew where the next one is further away.
 */

#include "store/message_rows.h"

/* Rows passed over before a new seek: about what a seek costs. */
enum { ROWS_PASSED_MAX = 6 };

static int seek(struct message_cursor *k)
{
	db_reset(TAKE(k->q));
	TRY(db_prepare(&k->q, k->db, k->sql));
	db_bind_int(k->q, 1, k->mailbox);
	db_bind_int(k->q, 2, k->uids[k->next]);
	if (k->want >= 0)
		db_bind_int(k->q, 3, k->want);
	return 0;
}

int message_cursor_next(struct message_cursor *k, bool *ret_found)
{
	unsigned passed = 0;
	bool row;

	while (k->next < k->n_uids) {
		uint32_t uid;

		if (!k->q || passed > ROWS_PASSED_MAX) {
			TRY(seek(k));
			passed = 0;
		}
		TRY(db_step(k->q, &row));
		if (!row) {
			k->q = NULL;
			k->next = k->n_uids;
			break;
		}
		uid = (uint32_t)db_int(k->q, 0);
		while (k->next < k->n_uids && k->uids[k->next] < uid)
			k->next++;
		if (k->next < k->n_uids && k->uids[k->next] == uid) {
			k->next++;
			*ret_found = true;
			return 0;
		}
		passed++;
	}
	*ret_found = false;
	return 0;
}

void message_cursor_done(struct message_cursor *k)
{
	db_reset(TAKE(k->q));
}
