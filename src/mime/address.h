/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Addresses. The list parser reads RFC 5322 section 3.4 with the obsolete forms and the UTF-8 of
 * RFC 6532 from whatever a header holds, in one pass without recursion; groups do not nest (what
 * looks like it is the next group). SMTP has its own, strict, paths.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/limit.h"

enum address_kind { ADDRESS_MAILBOX, ADDRESS_GROUP, ADDRESS_GROUP_END };

struct address {
	enum address_kind kind;
	struct span name;  /* phrase, else the comment behind the address; quoting removed, encoded
			    * words as they are; the name of a group */
	struct span route; /* obsolete source route "@a,@b" */
	struct span local; /* quoting removed */
	struct span host;  /* comments and white space removed; empty if there is none */
};

/* Zeroed memory with `rest` set to the (still folded) field is a reader at its start. */
struct address_reader {
	struct span rest;

	/* Private. */
	bool in_group;
	size_t n;
	struct buf name, route, local, host, comment;
};

/* The next address, at most LIMIT_ADDRESSES; false at the end. Spans are valid until the next call.
 * Text that is no address is a mailbox with an empty host. Each group is ended. */
bool address_next(struct address_reader *r, struct address *ret_address);
void address_reader_done(struct address_reader *r);

/* An address in the form that is stored and compared. */
struct address_name {
	uint8_t local[LIMIT_LOCAL_PART];  /* quoting removed, otherwise as given */
	uint8_t folded[LIMIT_LOCAL_PART]; /* ASCII letters lower-case, for comparing */
	size_t n_local;
	uint8_t domain[LIMIT_NAME]; /* lower-case A-labels, or a literal in [] */
	size_t n_domain;
};

enum address_outcome { ADDRESS_E_SYNTAX = 1, ADDRESS_E_LENGTH };

/* Reads local@domain (RFC 5321 section 4.1.2 Mailbox, RFC 6531), nothing around it. */
int address_normalize(struct span address, struct address_name *ret_name) MUST_CHECK;

/* The domain alone: host name to lower-case A-labels, at most LIMIT_NAME octets appended. */
int address_normalize_domain(struct span domain, struct buf *out) MUST_CHECK;

/* Appends local@domain, the local part quoted where RFC 5321 wants that. */
void address_add(struct buf *out, struct span local, struct span domain);

static inline struct span address_name_local(const struct address_name *a)
{
	return span_of(a->local, a->n_local);
}

static inline struct span address_name_folded(const struct address_name *a)
{
	return span_of(a->folded, a->n_local);
}

static inline struct span address_name_domain(const struct address_name *a)
{
	return span_of(a->domain, a->n_domain);
}
