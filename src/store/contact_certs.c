/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Certificates of mail addresses as rows. One row is one certificate of one address, whichever of
 * the account's cards it came with; it goes with the card that it belongs to.
 */

#include "store/contact_rows.h"

#include "base/clock.h"
#include "store/conn.h"
#include "store/contact_parts.h"

#include <assert.h>

#define CERT_COLUMNS                                                                               \
	"select x.id, x.contact, x.address, x.sha256, x.der, x.chain, x.capabilities, x.reason,"   \
	" x.state, x.source, x.in_card, x.not_before, x.not_after, x.created from contact_cert x"

static void cert_of(struct db_statement *q, struct store_contact_cert *cert)
{
	*cert = (struct store_contact_cert){
		.id = db_int(q, 0),
		.contact = db_int(q, 1),
		.address = db_blob(q, 2),
		.sha256 = db_blob(q, 3),
		.der = db_blob(q, 4),
		.chain = db_blob(q, 5),
		.capabilities = db_blob(q, 6),
		.reason = db_blob(q, 7),
		.state = (enum cert_state)db_int(q, 8),
		.source = (enum cert_source)db_int(q, 9),
		.in_card = db_int(q, 10) != 0,
		.not_before_us = db_int(q, 11),
		.not_after_us = db_int(q, 12),
		.created_us = db_int(q, 13),
	};
}

/* What an address has already. */
struct known {
	int64_t n;  /* certificates */
	bool other; /* another one that may be used */
	int64_t id; /* of this certificate's row; 0: none */
	enum cert_state state;
	bool in_card;
};

static int known_read(struct store_conn *c, int64_t account, struct span address,
	struct span sha256, struct known *ret_known)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	struct known known = {};
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id, sha256, state, in_card from contact_cert"
		" where account = $1 and address = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(address))));
	while (db_next(q, &r)) {
		known.n++;
		if (!span_equal(db_blob(q, 1), sha256)) {
			known.other |= db_int(q, 2) != CERT_WAITING;
			continue;
		}
		known.id = db_int(q, 0);
		known.state = (enum cert_state)db_int(q, 2);
		known.in_card = db_int(q, 3) != 0;
	}
	if (r)
		return r;
	*ret_known = known;
	return 0;
}

static int cert_insert(struct store_conn *c, int64_t account, const struct store_contact_cert *cert,
	struct span address, enum cert_state state, struct span reason)
{
	TRY(db_exec(c->db, NULL,
		"insert into contact_cert (account, contact, address, sha256, state, source, "
		"in_card,"
		" not_before, not_after, created, reason, capabilities, der, chain)"
		" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
		DB_ARGS(DB_INT(account), DB_INT(cert->contact), DB_SPAN(address),
			DB_SPAN(cert->sha256), DB_INT(state), DB_INT(cert->source),
			DB_INT(cert->in_card), DB_INT(cert->not_before_us),
			DB_INT(cert->not_after_us), DB_INT(clock_now_us()), DB_SPAN(reason),
			DB_SPAN(cert->capabilities), DB_SPAN(cert->der), DB_SPAN(cert->chain))));
	return 0;
}

/* What is there stays where nothing new came along. */
static int cert_update(struct store_conn *c, int64_t id, const struct store_contact_cert *cert,
	enum cert_state state, struct span reason, bool keeps_reason)
{
	TRY(db_exec(c->db, NULL,
		"update contact_cert set state = $2, reason = case when $7 = 1 then reason else $3 end,"
		" in_card = case when $4 = 1 then 1 else in_card end,"
		" capabilities = case when length($5) > 0 then $5 else capabilities end,"
		" chain = case when length($6) > 0 then $6 else chain end where id = $1",
		DB_ARGS(DB_INT(id), DB_INT(state), DB_SPAN(reason), DB_INT(cert->in_card),
			DB_SPAN(cert->capabilities), DB_SPAN(cert->chain), DB_INT(keeps_reason))));
	return 0;
}

/* Without a decision: trust is not given where another one is trusted, and what was decided stays;
 * what waited only because it could not be verified may be verified now. */
static enum cert_state state_without_decision(const struct known *known, enum cert_state wanted)
{
	if (known->id && known->state != CERT_WAITING)
		return known->state;
	return known->other || wanted != CERT_TRUSTED ? CERT_WAITING : CERT_TRUSTED;
}

static int cert_write(struct store_conn *c, int64_t account, const struct store_contact_cert *cert,
	bool decided, enum cert_state *ret_state, struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct span address = store_address_key(&a, cert->address);
	struct span reason = cert->reason;
	enum cert_state state = cert->state;
	struct known known;
	bool keeps_reason;

	TRY(known_read(c, account, address, cert->sha256, &known));
	if (!decided)
		state = state_without_decision(&known, state);
	/* What is trusted has nothing against it, and why somebody took it anyway stays what it was: a
	 * card that is written without anybody looking says of each certificate that nobody has. */
	if (state == CERT_TRUSTED)
		reason = SPAN("");
	keeps_reason = !decided && known.id && state == CERT_ANYWAY;
	if (state == CERT_WAITING && known.other && !reason.n)
		reason = SPAN("the address has another certificate");
	*ret_state = state;
	if (known.id)
		return cert_update(c, known.id, cert, state, reason, keeps_reason);
	if (known.n >= CONTACT_CERTS_MAX) {
		why_set(why, "an address has at most %d certificates: remove some first",
			CONTACT_CERTS_MAX);
		return STORE_E_LIMIT;
	}
	return cert_insert(c, account, cert, address, state, reason);
}

int store_contact_cert_put(struct store_conn *c, int64_t account,
	const struct store_contact_cert *cert, bool decided, enum cert_state *ret_state,
	struct why *why)
{
	int r;

	assert(c->writer);
	assert(cert->chain.n <= CONTACT_CHAIN_MAX);
	assert(cert->capabilities.n <= CONTACT_CAPABILITIES_MAX);
	r = contact_touch(c, account, cert->contact);
	return r ? r : cert_write(c, account, cert, decided, ret_state, why);
}

static bool stands_in(const struct contact_put *put, struct span address, struct span sha256)
{
	CLEANUP(arena_done) struct arena a = {};

	for (size_t i = 0; i < put->n_certs; i++) {
		if (span_equal(put->certs[i].sha256, sha256) &&
			span_equal(store_address_key(&a, put->certs[i].address), address))
			return true;
	}
	return false;
}

/* Those that stood in the card and do not any more. */
static int certs_gone(struct store_conn *c, int64_t contact, const struct contact_put *put)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf gone = {};
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id, address, sha256 from contact_cert where contact = $1 and in_card = 1",
		DB_ARGS(DB_INT(contact))));
	while (db_next(q, &r)) {
		int64_t id = db_int(q, 0);

		if (!stands_in(put, db_blob(q, 1), db_blob(q, 2)))
			buf_add(&gone, span_of(&id, sizeof id));
	}
	if (r)
		return r;
	for (struct span rest = buf_span(&gone); rest.n; rest = span_skip(rest, sizeof(int64_t))) {
		int64_t id;

		memcpy(&id, rest.p, sizeof id);
		TRY(db_exec(c->db, NULL, "delete from contact_cert where id = $1",
			DB_ARGS(DB_INT(id))));
	}
	return 0;
}

int contact_certs_write(struct store_conn *c, int64_t account, int64_t contact,
	const struct contact_put *put, struct why *why)
{
	TRY(certs_gone(c, contact, put));
	for (size_t i = 0; i < put->n_certs; i++) {
		struct store_contact_cert cert = put->certs[i];
		enum cert_state state;
		int r;

		cert.contact = contact;
		cert.in_card = true;
		r = cert_write(c, account, &cert, false, &state, why);
		if (r)
			return r;
	}
	return 0;
}

int store_contact_cert_remove(struct store_conn *c, int64_t account, struct span address,
	struct span sha256)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_contact_cert cert;
	int r;

	assert(c->writer);
	r = store_contact_cert_get(c, &a, account, address, sha256, &cert);
	if (r)
		return r;
	TRY(db_exec(c->db, NULL, "delete from contact_cert where id = $1",
		DB_ARGS(DB_INT(cert.id))));
	return contact_touch(c, account, cert.contact);
}

int store_contact_cert_get(struct store_conn *c, struct arena *a, int64_t account,
	struct span address, struct span sha256, struct store_contact_cert *ret_cert)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		CERT_COLUMNS " where x.account = $1 and x.address = $2 and x.sha256 = $3",
		DB_ARGS(DB_INT(account), DB_SPAN(store_address_key(a, address)), DB_SPAN(sha256))));
	if (!row)
		return STORE_E_NOT_FOUND;
	cert_of(q, ret_cert);
	ret_cert->address = arena_span(a, ret_cert->address);
	ret_cert->sha256 = arena_span(a, ret_cert->sha256);
	ret_cert->der = arena_span(a, ret_cert->der);
	ret_cert->chain = arena_span(a, ret_cert->chain);
	ret_cert->capabilities = arena_span(a, ret_cert->capabilities);
	ret_cert->reason = arena_span(a, ret_cert->reason);
	return 0;
}

int store_contact_cert_each(struct store_conn *c, int64_t account, struct span address, int state,
	int (*each)(const struct store_contact_cert *cert, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(arena_done) struct arena a = {};
	int r = 0;

	TRY(db_query(&q, c->db,
		CERT_COLUMNS " where x.account = $1 and ($2 = 0 or x.address = $3)"
			     " and ($4 < 0 or x.state = $4) order by x.not_before desc, x.id desc",
		DB_ARGS(DB_INT(account), DB_INT(address.p != NULL),
			DB_SPAN(address.p ? store_address_key(&a, address) : SPAN("")),
			DB_INT(state))));
	while (db_next(q, &r)) {
		struct store_contact_cert cert;

		cert_of(q, &cert);
		r = each(&cert, context);
	}
	return r;
}
