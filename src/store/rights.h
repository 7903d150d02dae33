/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Rights to a mailbox (RFC 4314 section 2.1) as bits, and the letters they are written with. Pure.
 */

#include "base/buf.h"

enum acl_right {
	ACL_LOOKUP = 1,    /* l: the mailbox is there */
	ACL_READ = 2,      /* r */
	ACL_SEEN = 4,      /* s: \Seen */
	ACL_WRITE = 8,     /* w: flags other than \Seen and \Deleted */
	ACL_INSERT = 16,   /* i: APPEND, COPY into it */
	ACL_POST = 32,     /* p: mail is delivered into it */
	ACL_CREATE = 64,   /* k: mailboxes below it */
	ACL_REMOVE = 128,  /* x: the mailbox itself */
	ACL_DELETE = 256,  /* t: \Deleted */
	ACL_EXPUNGE = 512, /* e */
	ACL_ADMIN = 1024,  /* a: to give rights */
	ACL_ALL = 2047,
	/* RFC 4314 section 4, MYRIGHTS: with one of these a mailbox is no secret. */
	ACL_ANY = ACL_LOOKUP | ACL_READ | ACL_INSERT | ACL_CREATE | ACL_REMOVE | ACL_ADMIN,
	/* What changes something inside (section 5.2): the mailbox is not READ-ONLY. */
	ACL_CHANGE = ACL_SEEN | ACL_WRITE | ACL_INSERT | ACL_DELETE | ACL_EXPUNGE,
};

/* Reads letters; false at one that is none. "c" and "d" stand for kx and et (section 2.1.1). */
bool rights_parse(struct span text, unsigned *ret_rights);

/* Appends the letters, with "c" and "d" where one of their members is there. */
void rights_print(struct buf *out, unsigned rights);

/* Of flags of a message (FLAG_*) those that may be changed with these rights (section 4). */
uint64_t rights_flags(unsigned rights);
