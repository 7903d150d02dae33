/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Whose a public key is. A certificate says that whoever holds the private half is this account, so a key
 * is certified for one account, whatever state its certificates are in; of accounts that were removed
 * nothing stays. And a key that somebody else has got hold of is nobody's for ever.
 *
 * This and the addresses of certificates are kept beside them, to be found by.
 */

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "mime/address.h"
#include "pki/mailcert.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_parts.h"

int ca_note_address(struct store_conn *c, int64_t issued, struct span address)
{
	struct address_name name;
	int r = address_normalize(address, &name);

	/* What is no address nobody's mail goes to. */
	if (r)
		return r < 0 ? r : 0;
	return store_issued_add_address(c, issued, address_name_local(&name),
		address_name_domain(&name));
}

static int note_addresses(struct store_conn *c, int64_t issued, const struct cert *cert)
{
	struct span addresses[MAILCERT_ADDRESSES_MAX];
	size_t n = mailcert_addresses(cert, addresses);

	for (size_t i = 0; i < n; i++)
		TRY(ca_note_address(c, issued, addresses[i]));
	return 0;
}

static int note(struct store_conn *c, const struct store_issued *row)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	uint8_t digest[SHA256_OCTETS];
	int r = cert_from_der(&cert, row->der, NULL);

	if (r < 0)
		return r;
	if (r) {
		LOG(NULL, LOG_ERROR, "PKI", "ca.key", log_int("certificate", row->id),
			log_str("reason", "the stored certificate is damaged"));
		return store_issued_set_key(c, row->id, SPAN(""));
	}
	TRY(note_addresses(c, row->id, cert));
	digest_sha256(cert_spki(cert), digest);
	return store_issued_set_key(c, row->id, span_of(digest, sizeof digest));
}

int ca_note(struct store_conn *c, size_t max, bool *ret_more)
{
	for (size_t i = 0; i < max; i++) {
		CLEANUP(arena_done) struct arena arena = {};
		struct store_issued row;
		int r = store_issued_without_key(c, &arena, &row);

		*ret_more = r == 0;
		if (r)
			return r == STORE_E_NOT_FOUND ? 0 : r;
		TRY(note(c, &row));
	}
	return 0;
}

int ca_note_all(struct store_conn *c)
{
	bool more;

	return ca_note(c, SIZE_MAX, &more);
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
	TRY(ca_note_all(c));
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

	TRY(ca_note_all(c));
	TRY(store_issued_get(c, &arena, issued, &row));
	*ret_n = 0;
	if (row.key_sha256.n)
		TRY(store_issued_revoke_key(c, row.key_sha256, reason, clock_now_us(), ret_n));
	return 0;
}
