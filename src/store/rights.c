/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/rights.h"

#include "store/message.h"

/* In the order in which they are printed. The virtual rights come last: they are for clients that
 * know RFC 2086 only. */
static const struct {
	char letter;
	unsigned rights;
} letters[] = {
	{ 'l', ACL_LOOKUP },
	{ 'r', ACL_READ },
	{ 's', ACL_SEEN },
	{ 'w', ACL_WRITE },
	{ 'i', ACL_INSERT },
	{ 'p', ACL_POST },
	{ 'k', ACL_CREATE },
	{ 'x', ACL_REMOVE },
	{ 't', ACL_DELETE },
	{ 'e', ACL_EXPUNGE },
	{ 'a', ACL_ADMIN },
	{ 'c', ACL_CREATE | ACL_REMOVE },
	{ 'd', ACL_DELETE | ACL_EXPUNGE },
};

enum { LETTERS = sizeof letters / sizeof letters[0] };

bool rights_parse(struct span text, unsigned *ret_rights)
{
	unsigned rights = 0;

	for (size_t i = 0; i < text.n; i++) {
		size_t k = 0;

		while (k < LETTERS && letters[k].letter != (char)text.p[i])
			k++;
		if (k == LETTERS)
			return false;
		rights |= letters[k].rights;
	}
	*ret_rights = rights;
	return true;
}

void rights_print(struct buf *out, unsigned rights)
{
	for (size_t i = 0; i < LETTERS; i++) {
		if (rights & letters[i].rights)
			buf_add_octet(out, (uint8_t)letters[i].letter);
	}
}

uint64_t rights_flags(unsigned rights)
{
	uint64_t flags = rights & ACL_WRITE ? ~(uint64_t)(FLAG_SEEN | FLAG_DELETED) : 0;

	if (rights & ACL_SEEN)
		flags |= FLAG_SEEN;
	if (rights & ACL_DELETE)
		flags |= FLAG_DELETED;
	return flags;
}
