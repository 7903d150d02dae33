/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Statements with their values as a list: the same for every engine, on top of its primitives. */

#include "db/db.h"

int db_query(struct db_statement **ret_statement, struct db *db, const char *sql,
	const struct db_value *values, size_t n_values)
{
	struct db_statement *s;
	int r = db_prepare(&s, db, sql);

	if (r)
		return r;
	for (size_t i = 0; i < n_values; i++) {
		const struct db_value *v = &values[i];
		int index = (int)i + 1;

		if (v->kind == DB_VALUE_INT)
			db_bind_int(s, index, v->number);
		else if (v->kind == DB_VALUE_SPAN)
			db_bind_span(s, index, v->octets);
		else
			db_bind_null(s, index);
	}
	*ret_statement = s;
	return 0;
}

int db_query_row(struct db_statement **ret_statement, bool *ret_row, struct db *db, const char *sql,
	const struct db_value *values, size_t n_values)
{
	struct db_statement *s;
	int r = db_query(&s, db, sql, values, n_values);

	if (!r)
		r = db_step(s, ret_row);
	if (r)
		return r;
	*ret_statement = s;
	return 0;
}

int db_exec(struct db *db, int64_t *ret_changed, const char *sql, const struct db_value *values,
	size_t n_values)
{
	struct db_statement *s;
	int r = db_query(&s, db, sql, values, n_values);

	return r ? r : db_run(s, ret_changed);
}

bool db_next(struct db_statement *s, int *r)
{
	bool row = false;
	int step;

	if (*r)
		return false;
	step = db_step(s, &row);
	if (step)
		*r = err_trace(step, "db_step", __func__, __LINE__);
	return row && !*r;
}
