/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Whether a certificate is for who a header says wrote the message (RFC 8550 section 3). Domains
 * are compared as names, local parts without the case of ASCII letters: the domain alone knows what
 * it means by it, and no domain is known that gives names to two people which differ by that.
 */

#include "base/limit.h"
#include "mime/address.h"
#include "smime/report.h"

enum { SENDER_AUTHORS_MAX = 20 }; /* addresses of From that are compared */

struct sender {
	struct address_name *authors; /* of From, in the order of the field */
	size_t n_authors;
	bool is_odd; /* From is there twice, or is (in part) no address, or there are too many */
	bool name_is_address; /* a display name is written like an address, and another one */
	struct address_name sender;
	bool has_sender;
};

/* From and Sender of a header block. sender_done it. */
void sender_of(struct span header, struct sender *ret_sender);
void sender_done(struct sender *s);

/* The same authors, in any order. */
bool sender_is_same(const struct sender *a, const struct sender *b);

/* The i-th mail address of a certificate: rfc822Name and SmtpUTF8Mailbox (RFC 9598), else
 * emailAddress of the subject. Borrowed; false behind the last. */
bool sender_cert_address(const struct cert *cert, size_t i, struct span *ret_address);

/* The certificate has that address. */
bool sender_cert_is_for(const struct cert *cert, const struct address_name *address);

enum smime_address_match sender_match(const struct sender *s, const struct cert *cert);
