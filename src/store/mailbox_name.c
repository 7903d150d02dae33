/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Names of mailboxes: UTF-8 in NFC, so that what looks the same is the same, with '/' between
 * levels. Modified UTF-7 is a matter of IMAP's.
 */

#include "store/mailbox.h"

#include "base/limit.h"
#include "store/store.h"

#include <stdlib.h>
#include <uninorm.h>

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		/* C0, DEL, and C1 in UTF-8. */
		if (s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
		if (s.p[i] == 0xc2 && i + 1 < s.n && s.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static int check_levels(struct span name, struct why *why)
{
	size_t n_levels = 0;

	do {
		size_t end = span_find(name, '/');

		if (end == 0) {
			why_set(why, "a level of the name is empty");
			return STORE_E_REFUSED;
		}
		/* A name that ends in '/' has an empty level behind it. */
		if (end + 1 == name.n) {
			why_set(why, "a level of the name is empty");
			return STORE_E_REFUSED;
		}
		name = span_skip(name, end + 1);
		n_levels++;
	} while (name.n);
	if (n_levels > LIMIT_MAILBOX_LEVELS) {
		why_set(why, "the name has more than %d levels", LIMIT_MAILBOX_LEVELS);
		return STORE_E_LIMIT;
	}
	return 0;
}

/* RFC 9051 section 5.1: INBOX is one name in any case; so is the level that others lie below. */
static void fold_inbox(uint8_t *p, size_t n)
{
	struct span first = span_head(span_of(p, n), span_find(span_of(p, n), '/'));

	if (span_is_nocase(first, "INBOX"))
		memcpy(p, "INBOX", 5);
}

int store_mailbox_name(struct arena *a, struct span name, struct span *ret_name, struct why *why)
{
	struct span result;
	uint8_t *normal;
	size_t n;
	int r;

	/* RFC 9051 section 6.3.4: a separator at the end only says that more will come below. */
	if (name.n > 1 && name.p[name.n - 1] == '/')
		name.n--;
	if (name.n == 0 || name.n > LIMIT_MAILBOX_NAME) {
		why_set(why, "a mailbox name has 1 to %d octets", LIMIT_MAILBOX_NAME);
		return name.n ? STORE_E_LIMIT : STORE_E_REFUSED;
	}
	if (!span_is_utf8(name) || has_control(name)) {
		why_set(why, "the name holds wrong UTF-8 or a control character");
		return STORE_E_REFUSED;
	}
	normal = u8_normalize(UNINORM_NFC, name.p, name.n, NULL, &n);
	if (!normal) {
		why_set(why, "the name cannot be normalized");
		return STORE_E_REFUSED;
	}
	fold_inbox(normal, n);
	result = arena_span(a, span_of(normal, n));
	free(normal);
	if (result.n > LIMIT_MAILBOX_NAME) {
		why_set(why, "the name is longer than %d octets in NFC", LIMIT_MAILBOX_NAME);
		return STORE_E_LIMIT;
	}
	r = check_levels(result, why);
	if (r)
		return r;
	*ret_name = result;
	return 0;
}
