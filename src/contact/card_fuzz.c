/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Any octets as a card: refused with a reason, or a card that is the same when it is written and
 * read again, keeps to its limits, and takes a certificate and gives it back. */

#include "base/limit.h"
#include "contact/card.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_bounds(const struct card *card)
{
	assert(card->uid.n > 0 && card->uid.n <= CARD_UID_MAX);
	assert(card->kind.n > 0 && span_is_utf8(card->name));
	assert(card->n_addresses <= CARD_ADDRESSES_MAX && card->n_certs <= CARD_CERTS_MAX);
	assert(card->n_members <= CARD_MEMBERS_MAX);
	for (size_t i = 0; i < card->n_addresses; i++)
		assert(card->addresses[i].n > 0 && card->addresses[i].n <= LIMIT_ADDRESS);
	for (size_t i = 0; i < card->n_certs; i++)
		assert(card->certs[i].n > 0 && card->certs[i].n <= LIMIT_CERT);
}

static void change(struct card **card)
{
	size_t n = (*card)->n_certs;

	if (card_add_cert(card, SPAN("\x30\x03 a certificate"), NULL))
		return; /* full */
	assert((*card)->n_certs == n + 1 || (*card)->n_certs == n);
	assert(card_remove_cert(card, SPAN("\x30\x03 a certificate"), NULL) == 0);
	assert((*card)->n_certs <= n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(card_freep) struct card *card = NULL, *again = NULL;
	CLEANUP(buf_done) struct buf first = {}, second = {};
	struct why why = {};

	if (card_parse(&card, span_of(data, size), &why)) {
		assert(why.text[0]);
		return 0;
	}
	assert_bounds(card);
	card_print(card, &first);
	/* Written without white space and with escapes, it may be longer than what was read. */
	if (buf_size(&first) > LIMIT_CARD)
		return 0;
	assert(card_parse(&again, buf_span(&first), &why) == 0);
	card_print(again, &second);
	assert(span_equal(buf_span(&first), buf_span(&second)));
	assert(again->n_certs == card->n_certs && again->n_addresses == card->n_addresses);
	change(&card);
	return 0;
}
