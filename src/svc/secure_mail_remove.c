/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Removing a key. Its certificates outlive it: as long as they are valid others may encrypt to them, which
 * nobody here can read any more. They are revoked in the same transaction if that was asked for; else
 * whoever removes the key is told of them.
 */

#include "base/clock.h"
#include "base/log.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "store/audit.h"
#include "store/ca_rows.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/env.h"
#include "svc/secure_mail_parts.h"

enum { ID_SHOWN = 16 };

struct removing {
	struct env *env;
	const struct secure_caller *who;
	struct arena *arena;
	const struct secure_account *account;
	const struct secure_removal *removal;
	struct secure_removed *done;
	char key_id[KEY_ID_LENGTH + 1];
	bool found;
	int64_t id;
	int64_t now_us;
	struct buf issued; /* struct store_issued: all that was issued here for the key */
};

void secure_removed_done(struct secure_removed *r)
{
	buf_done(&r->warnings);
}

static int match_spki(const struct store_secure_key *key, void *context)
{
	struct removing *m = context;

	if (!span_equal(key->spki, m->removal->spki))
		return 0;
	m->found = true;
	m->id = key->id;
	return 0;
}

static int note_issued(const struct store_issued *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct removing *m = context;
	struct store_issued copy = *row;
	int r;

	r = cert_from_der(&cert, row->der, NULL);
	if (r || !cert_has_key(cert, m->removal->spki))
		return r < 0 ? r : 0;
	copy.der = arena_span(m->arena, row->der);
	copy.address = arena_span(m->arena, row->address);
	buf_add(&m->issued, span_of(&copy, sizeof copy));
	return 0;
}

static size_t count_issued(const struct removing *m)
{
	return buf_size(&m->issued) / sizeof(struct store_issued);
}

static const struct store_issued *issued_at(const struct removing *m, size_t i)
{
	return (const struct store_issued *)(const void *)buf_span(&m->issued).p + i;
}

/* The serial number as `ca list` shows it, and until when the certificate is valid. */
static int describe(struct span der, struct buf *serial, struct buf *until)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;

	TRY(cert_from_der(&cert, der, NULL));
	cert_add_serial(cert, serial);
	clock_add_rfc3339(until, cert_not_after_us(cert));
	return 0;
}

/* The first half of a line, what can be done about it is the other. */
static struct buf *warn(struct removing *m, const struct buf *serial, const struct buf *until)
{
	struct buf *out = &m->done->warnings;

	buf_add_string(out, "the certificate ");
	buf_add(out, buf_span(serial));
	buf_add_string(out, " stays valid until ");
	buf_add(out, buf_span(until));
	buf_add_string(out, ": others may go on encrypting to it, and only who has the file can read"
			    " that; ");
	return out;
}

static int end_issued(struct store_conn *c, struct removing *m, const struct store_issued *row)
{
	CLEANUP(buf_done) struct buf serial = {}, until = {};
	struct buf *text;
	int64_t n = 0;
	int r;

	if (row->revoked_us || row->not_after_us < m->now_us)
		return 0;
	TRY(describe(row->der, &serial, &until));
	if (m->removal->revokes) {
		r = ca_revoke(m->env, c, row->id, m->removal->reason, &n);
		/* STALE: a moment ago, with another one of the key. */
		if (r && r != STORE_E_STALE)
			return err_fold(r);
		m->done->n_revoked += (unsigned)n;
		return store_audit(c, m->who->actor, "ca.revoke", row->address, buf_span(&serial));
	}
	text = warn(m, &serial, &until);
	TRY(ca_add_revoke(c, row->authority, buf_span(&serial), text));
	buf_add_octet(text, '\n');
	return 0;
}

static bool is_issued_here(const struct removing *m, struct span der)
{
	for (size_t i = 0; i < count_issued(m); i++) {
		if (span_equal(issued_at(m, i)->der, der))
			return true;
	}
	return false;
}

/* Those of other authorities, as far as they are valid. */
static int warn_of_others(struct removing *m)
{
	for (size_t i = 0; i < m->account->n_keys; i++) {
		const struct secure_key *key = &m->account->keys[i];

		if (key->row.id != m->id)
			continue;
		for (size_t k = 0; k < key->n_certs; k++) {
			CLEANUP(cert_unrefp) struct cert *cert = NULL;
			CLEANUP(buf_done) struct buf serial = {}, until = {};
			struct buf *text;

			TRY(cert_from_der(&cert, key->certs[k].der, NULL));
			if (cert_not_after_us(cert) < m->now_us ||
				is_issued_here(m, key->certs[k].der) || cert_is_self_signed(cert))
				continue;
			TRY(describe(key->certs[k].der, &serial, &until));
			text = warn(m, &serial, &until);
			buf_add_string(text, "ask its authority to revoke it: ");
			cert_add_issuer(cert, text);
			buf_add_octet(text, '\n');
		}
	}
	return 0;
}

static int write_removed(struct store_conn *c, void *arg)
{
	struct removing *m = arg;
	int r;

	m->found = false;
	m->done->n_revoked = 0;
	buf_clear(&m->issued);
	buf_clear(&m->done->warnings);
	TRY(store_secure_key_each(c, m->who->account, match_spki, m));
	if (!m->found)
		return 0;
	TRY(store_issued_each(c, 0, m->who->account, note_issued, m));
	r = store_secure_key_remove(c, m->who->account, m->id);
	if (r)
		return err_fold(r);
	for (size_t i = 0; i < count_issued(m); i++)
		TRY(end_issued(c, m, issued_at(m, i)));
	TRY(warn_of_others(m));
	return store_audit(c, m->who->actor, "smime.remove", m->who->address,
		span_head(span_str(m->key_id), ID_SHOWN));
}

int secure_mail_remove(struct env *e, const struct secure_caller *who,
	const struct secure_removal *removal, struct secure_removed *ret_removed, struct why *why)
{
	CLEANUP(secure_removed_done) struct secure_removed done = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct secure_account *account = ARENA_ALLOC(&arena, struct secure_account);
	struct removing m = { .env = e,
		.who = who,
		.arena = &arena,
		.account = account,
		.removal = removal,
		.done = &done,
		.now_us = clock_now_us() };
	int r = secure_look_up(e, &arena, who->account, account, why);

	if (r)
		return r;
	key_id(removal->spki, m.key_id);
	r = store_write(e->store, write_removed, &m);
	buf_done(&m.issued);
	if (r)
		return err_fold(r);
	if (!m.found) {
		why_set(why, "the file's key is not one of the account's: nothing was removed");
		return SECURE_E_REFUSED;
	}
	unlocked_lock_account(e->unlocked, who->account);
	LOG(NULL, LOG_INFO, "SMIME", "smime.remove", log_span("account", who->address),
		log_span("by", who->actor),
		log_span("key", span_head(span_str(m.key_id), ID_SHOWN)));
	*ret_removed = done;
	done.warnings = (struct buf){};
	return 0;
}
