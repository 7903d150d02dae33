/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside svc/ca_*: what is kept in memory about authorities. */

#include "base/limit.h"
#include "base/map.h"
#include "store/ca_rows.h"
#include "svc/ca_lists.h"
#include "svc/ca_turns.h"
#include "svc/errand.h"

#include <pthread.h>

struct store_account;

enum {
	CA_SIGNATURES_A_SECOND = 50, /* of answers that are kept then */
	CA_SIGNATURES_BURST = 200,
	CA_SINGLE_USE_A_SECOND = 25, /* of answers that are good for one client only */
	CA_SINGLE_USE_BURST = 100,
	CA_ANSWERS_MAX = 16384,      /* that are kept, some 700 octets each */
};

/* What users are told. */
enum ca_notice { CA_NOTICE_REVOKED, CA_NOTICE_ENDS, CA_NOTICE_FOREIGN_ENDS, CA_NOTICES };

struct ca {
	struct ca_turns *turns; /* to make a list because somebody asks */
	pthread_mutex_t answers_lock;
	struct map answers; /* struct ca_kept by what they say; ca_answer.c */
	struct ca_lists *lists;
	struct bucket signatures, single_use;
	uint64_t n_signed; /* answers, for tests */
	struct errand errand;
	int64_t told_up_to[CA_NOTICES]; /* the errand's: ids that had their turn; 0: it begins anew */
};

/* A message: the account has another certificate now. */
int ca_tell_renewed(struct env *e, const struct store_account *account, struct span address,
	struct span der) MUST_CHECK;

/* Whose certificate was revoked is told, and whose ends, 30, 14, 7 and 1 days before and when it is
 * over. */
int ca_warn(struct env *e) MUST_CHECK;

/* Writes: rows from before the schema knew keys and addresses get theirs, an empty key if nobody can read
 * them; usually there is no such row. At most so many, and whether there may be more. */
int ca_note(struct store_conn *c, size_t max, bool *ret_more) MUST_CHECK;
int ca_note_all(struct store_conn *c) MUST_CHECK;

/* Writes: the certificate is for the address, as it stands in it. */
int ca_note_address(struct store_conn *c, int64_t issued, struct span address) MUST_CHECK;

/* Whether a public key may be certified for the account: not if it has a certificate for another one, and
 * not once it was revoked as compromised. CA_E_REFUSED with why. Writes. */
int ca_key_check(struct store_conn *c, struct span spki, int64_t account,
	struct why *why) MUST_CHECK;

/* Writes: revokes all certificates of that one's key that hold yet; how many. */
int ca_key_revoke(struct store_conn *c, int64_t issued, enum issued_reason reason,
	int64_t *ret_n) MUST_CHECK;

/* Everything that is due: lists, renewals, warnings. */
int ca_tend(struct env *e) MUST_CHECK;
