/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What a client offers, and why a handshake failed, in words that help to mend it. */

#include "net/tls_rules.h"

enum { TLS_OFFER_VERSIONS = 8, TLS_OFFER_SUITES = 16 };

struct tls_offer {
	bool is_sslv2_hello;
	uint16_t versions[TLS_OFFER_VERSIONS];
	size_t n_versions;
	/* The first; without placeholders (GREASE, SCSV). */
	struct {
		uint16_t number;
		const char *name; /* static; NULL: the library does not know it */
	} suites[TLS_OFFER_SUITES];
	size_t n_suites; /* of all */
};

/* While the ClientHello is looked at. */
void tls_offer_read(struct tls_offer *o, SSL *ssl);

/* Appends "TLS 1.0, 1.1; TLS_RSA_WITH_AES_128_CBC_SHA and 3 more". */
void tls_offer_add(const struct tls_offer *o, struct buf *out);

/* The words for a failure of libssl (of ERR_peek_error) where ours are better; false: they are not.
 * offer: NULL where there was no ClientHello. */
bool tls_reason(unsigned long code, const struct tls_offer *offer, const struct tls_rules *rules,
	struct why *why);
