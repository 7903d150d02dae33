/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The schema and its history: numbered scripts, each applied once, in a transaction of its own with
 * the number it brings the database to. The scripts are schema/NNN_*.sql, made into string
 * constants by the build. A database that a newer program has changed is refused: what this one
 * would write might break what it does not know.
 */

#include "store/conn.h"

#include <errno.h>

static const char *const migrations[] = {
#include "store/001_start.sql.inc"
	,
#include "store/002_pki.sql.inc"
	,
#include "store/003_client.sql.inc"
	,
#include "store/004_tls.sql.inc"
	,
#include "store/005_acme.sql.inc"
	,
#include "store/006_revocation.sql.inc"
	,
#include "store/007_outgoing.sql.inc"
	,
#include "store/008_sharing.sql.inc"
	,
#include "store/009_authority.sql.inc"
	,
#include "store/010_contacts.sql.inc"
	,
#include "store/011_secure_mail.sql.inc"
	,
#include "store/012_encryption.sql.inc"
	,
#include "store/013_rules.sql.inc"
	,
#include "store/014_secure_cert_end.sql.inc"
	,
#include "store/015_authority_list.sql.inc"
	,
#include "store/016_issued_key.sql.inc"
	,
#include "store/017_blobs.sql.inc"
	,
#include "store/018_issued_due.sql.inc"
	,
#include "store/019_issued_address.sql.inc"
	,
};

enum { NEWEST = sizeof migrations / sizeof migrations[0] };

static int version(struct db *db, int64_t *ret_version)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_script(db, "create table if not exists schema_version (version integer not null)"));
	TRY(db_prepare(&q, db, "select max(version) from schema_version"));
	TRY(db_step(q, &row));
	*ret_version = db_int(q, 0);
	return 0;
}

static int apply(struct db *db, int64_t number)
{
	TRY(db_script(db, migrations[number - 1]));
	TRY(db_exec(db, NULL, "insert into schema_version (version) values ($1)",
		DB_ARGS(DB_INT(number))));
	TRY(db_commit(db));
	return 0;
}

int migrate(struct db *db, struct why *why)
{
	int64_t have;
	int r;

	TRY(version(db, &have));
	if (have > NEWEST) {
		why_set(why,
			"the database has schema %lld and this program knows up to %d: start the "
			"newer one",
			(long long)have, NEWEST);
		return err_fault(ENOTSUP, "schema version");
	}
	while (have < NEWEST) {
		TRY(db_begin(db));
		r = apply(db, ++have);
		if (r) {
			why_set(why, "the database could not be brought to schema %lld: %.300s",
				(long long)have, err_last_trace());
			db_rollback(db);
			return r;
		}
	}
	return 0;
}
