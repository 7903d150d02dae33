/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Whose a public key is. A certificate says that whoever holds the private half is this account, so a key
 * is certified for one account, whatever state its certificates are in; of accounts that were removed
 * nothing stays. And a key that somebody else has got hold of is nobody's for ever.
 */

#include "base/clock.h"
#include "base/digest.h"
#include "pki/cert.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_parts.h"

/* Rows from before the schema knew keys get theirs; usually there is none. */
static int note_keys(struct store_conn *c)
{
	for (;;) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		CLEANUP(arena_done) struct arena arena = {};
		uint8_t digest[SHA256_OCTETS];
		struct store_issued row;
		int r = store_issued_without_key(c, &arena, &row);

		if (r)
			return r == STORE_E_NOT_FOUND ? 0 : r;
		TRY(cert_from_der(&cert, row.der, NULL));
		digest_sha256(cert_spki(cert), digest);
		TRY(store_issued_set_key(c, row.id, span_of(digest, sizeof digest)));
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

int ca_key_revoke(struct store_conn *c, const struct store_issued *row, enum issued_reason reason,
	int64_t *ret_n)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	uint8_t digest[SHA256_OCTETS];

	TRY(cert_from_der(&cert, row->der, NULL));
	digest_sha256(cert_spki(cert), digest);
	TRY(note_keys(c));
	TRY(store_issued_revoke_key(c, span_of(digest, sizeof digest), reason, clock_now_us(), ret_n));
	return 0;
}
