/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/known_certs.h"

#include "base/map.h"
#include "pki/trust.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "store/trust_rows.h"
#include "svc/env.h"

enum { KNOWN_MAX = 2000 };

struct known {
	struct cert_list *list;
	struct map seen; /* chains and certificates, by their octets: domains mostly share theirs */
};

/* false where it was there already. */
static bool is_new(struct known *k, struct span octets)
{
	if (!octets.n || map_get(&k->seen, octets))
		return false;
	(void)map_put(&k->seen, octets, k);
	return true;
}

static void take(struct known *k, struct span ders)
{
	CLEANUP(cert_list_done) struct cert_list list = {};

	/* What cannot be read completes nothing. */
	if (!is_new(k, ders) || cert_list_from_der(&list, ders, NULL))
		return;
	for (size_t i = 0; i < list.n && k->list->n < KNOWN_MAX; i++) {
		struct cert *c = list.certs[i];

		if (cert_is_self_signed(c) || !cert_is_ca(c))
			continue;
		if (list.n > 1 && !is_new(k, cert_der(c)))
			continue;
		cert_list_add(k->list, c);
	}
}

static int take_chain(const struct store_cert *cert, void *context)
{
	take(context, cert->chain);
	return 0;
}

static int take_trusted(const struct store_trust *trust, void *context)
{
	if (trust->purposes)
		take(context, trust->der);
	return 0;
}

static int read_known(struct store_conn *c, void *arg)
{
	struct known *k = arg;

	TRY(store_cert_each(c, 0, take_chain, k));
	TRY(store_trust_each(c, TRUST_SERVER_WIDE, 0, take_trusted, k));
	return store_trust_each(c, TRUST_CLUSTER, 0, take_trusted, k);
}

int known_intermediates(struct env *e, struct cert_list *ret_list)
{
	struct cert_list list = {};
	struct known k = { .list = &list };
	int r = store_read(e->store, read_known, &k);

	map_done(&k.seen, NULL);
	if (r) {
		cert_list_done(&list);
		return err_fold(r);
	}
	*ret_list = list;
	return 0;
}
