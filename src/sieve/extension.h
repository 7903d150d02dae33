/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The extensions that a script can require. */

#include "base/span.h"

enum sieve_extension {
	EXT_ENVELOPE,
	EXT_FILEINTO,
	EXT_ENCODED_CHARACTER,
	EXT_COMPARATOR_CASEMAP,
	EXT_COMPARATOR_OCTET,
	EXT_COMPARATOR_NUMERIC,
	EXT_COPY,
	EXT_REJECT,
	EXT_EREJECT,
	EXT_IMAP4FLAGS,
	EXT_VARIABLES,
	EXT_RELATIONAL,
	EXT_BODY,
	EXT_MAILBOX,
	EXT_DATE,
	EXT_INDEX,
	EXT_VACATION,
	EXT_EDITHEADER,
	EXT_SUBADDRESS,
	EXT_ENCRYPT,
	EXTENSIONS,
};

#define EXT_BIT(extension) (1U << (extension))

const char *sieve_extension_name(enum sieve_extension e);

/* By name, exactly as written (RFC 5228 section 2.10.5). */
bool sieve_extension_find(struct span name, enum sieve_extension *ret_extension);
