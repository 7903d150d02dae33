/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/acme_account.h"

#include "keyd/client.h"
#include "keyd/provider.h"
#include "svc/env.h"

/* Whom keys of accounts are wrapped for; which key it is stands beside it in the associated
 * data. */
#define OWNER SPAN("acme")

int acme_account_make_key(struct env *e, struct arena *a, struct store_acme_account *account)
{
	CLEANUP(keyd_made_done) struct keyd_made made = {};

	TRY(keyd_generate(e->keyd, KEY_EC_P256, OWNER, KEYD_ACME, &made));
	account->key_id = arena_span(a, span_str(made.key_id));
	account->wrapped = arena_span(a, buf_span(&made.wrapped));
	account->spki = arena_span(a, buf_span(&made.spki));
	return 0;
}

int acme_account_open(struct env *e, const struct store_acme_account *account, EVP_PKEY **ret_key)
{
	struct keyd_key *key = keyd_key_new(e->keyd, account->wrapped, account->key_id, OWNER,
		KEYD_ACME);
	int r = provider_key(ret_key, key, account->spki);

	keyd_key_unref(key);
	return r;
}

int acme_account_seal(struct env *e, struct arena *a, struct span mac_key, struct span *ret_sealed)
{
	CLEANUP(buf_done) struct buf sealed = {};

	TRY(keyd_seal(e->keyd, mac_key, OWNER, KEYD_SETTING, &sealed));
	*ret_sealed = arena_span(a, buf_span(&sealed));
	return 0;
}

int acme_account_unseal(struct env *e, struct span sealed, struct secret *ret_mac_key)
{
	TRY(keyd_unseal(e->keyd, sealed, OWNER, KEYD_SETTING, ret_mac_key));
	return 0;
}
