/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Whose a public key is. A certificate says that whoever holds the private half is this account, so a key
 * is certified for one account, whatever state its certificates are in; of accounts that were removed
 * nothing stays. And a key that somebody else has got hold of is nobody's for ever.
 */

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "pki/cert.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_parts.h"

/* Rows from before the schema knew keys get theirs, an empty one if nobody can read them; usually there is
 * no such row. */
static int note_keys(struct store_conn *c)
{
	for (;;) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		CLEANUP(arena_done) struct arena arena = {};
		uint8_t digest[SHA256_OCTETS];
		struct span key = SPAN("");
		struct store_issued row;
		int r = store_issued_without_key(c, &arena, &row);

		if (r)
			return r == STORE_E_NOT_FOUND ? 0 : r;
		r = cert_from_der(&cert, row.der, NULL);
		if (r < 0)
			return r;
		if (r) {
			LOG(NULL, LOG_ERROR, "PKI", "ca.key", log_int("certificate", row.id),
				log_str("reason", "the stored certificate is damaged"));
		} else {
			digest_sha256(cert_spki(cert), digest);
			key = span_of(digest, sizeof digest);
		}
		TRY(store_issued_set_key(c, row.id, key));
	}
}

struct key_history {
	int64_t account;
	bool compromised, by_other;
};

static int see_certificate(const struct store_issued *row, void *context)
{
	struct key_history *h = context;

	h->compromised = h->compromised ||
		(row->revoked_us && row->reason == REASON_KEY_COMPROMISE);
	h->by_other = h->by_other || (row->account && row->account != h->account);
	return 0;
}

int ca_key_check(struct store_conn *c, struct span spki, int64_t account, struct why *why)
{
	struct key_history history = { .account = account };
	uint8_t digest[SHA256_OCTETS];

	digest_sha256(spki, digest);
	TRY(note_keys(c));
	TRY(store_issued_of_key(c, span_of(digest, sizeof digest), see_certificate, &history));
	if (history.compromised)
		why_set(why, "this key was revoked as compromised (keyCompromise) and is certified no"
			" more: make a new one");
	else if (history.by_other)
		why_set(why, "this key has a certificate for another account: a key belongs to one"
			" account, make another key");
	return history.compromised || history.by_other ? CA_E_REFUSED : 0;
}

int ca_key_revoke(struct store_conn *c, int64_t issued, enum issued_reason reason, int64_t *ret_n)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_issued row;

	TRY(note_keys(c));
	TRY(store_issued_get(c, &arena, issued, &row));
	*ret_n = 0;
	if (row.key_sha256.n)
		TRY(store_issued_revoke_key(c, row.key_sha256, reason, clock_now_us(), ret_n));
	return 0;
}
