/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A table of names. What an extension adds stands in the tables of commands, tests and tags. */

#include "sieve/extension.h"

#include "sieve/script.h"

static const char *const names[EXTENSIONS] = {
	[EXT_ENVELOPE] = "envelope",
	[EXT_FILEINTO] = "fileinto",
	[EXT_ENCODED_CHARACTER] = "encoded-character",
	[EXT_COMPARATOR_CASEMAP] = "comparator-i;ascii-casemap",
	[EXT_COMPARATOR_OCTET] = "comparator-i;octet",
	[EXT_COMPARATOR_NUMERIC] = "comparator-i;ascii-numeric",
	[EXT_COPY] = "copy",     /* RFC 3894 */
	[EXT_REJECT] = "reject", /* RFC 5429 */
	[EXT_EREJECT] = "ereject",
	[EXT_IMAP4FLAGS] = "imap4flags", /* RFC 5232 */
	[EXT_VARIABLES] = "variables",   /* RFC 5229 */
	[EXT_RELATIONAL] = "relational", /* RFC 5231 */
	[EXT_BODY] = "body",             /* RFC 5173 */
	[EXT_MAILBOX] = "mailbox",       /* RFC 5490 */
	[EXT_DATE] = "date",             /* RFC 5260 */
	[EXT_INDEX] = "index",
	[EXT_VACATION] = "vacation",     /* RFC 5230 */
	[EXT_EDITHEADER] = "editheader", /* RFC 5293 */
	[EXT_SUBADDRESS] = "subaddress", /* RFC 5233 */
	[EXT_ENCRYPT] = "vnd.signet.encrypt",
};

const char *sieve_extension_name(enum sieve_extension e)
{
	return names[e];
}

bool sieve_extension_find(struct span name, enum sieve_extension *ret_extension)
{
	for (enum sieve_extension e = 0; e < EXTENSIONS; e++) {
		if (span_is(name, names[e])) {
			*ret_extension = e;
			return true;
		}
	}
	return false;
}

void sieve_extensions_add(struct buf *out)
{
	for (enum sieve_extension e = 0; e < EXTENSIONS; e++) {
		if (e)
			buf_add_octet(out, ' ');
		buf_add_string(out, names[e]);
	}
}
