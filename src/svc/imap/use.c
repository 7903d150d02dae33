/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The one table of special uses that LIST and CREATE share. */

#include "svc/imap/use.h"

static const char *const names[] = {
	[USE_ARCHIVE] = "\\Archive",     [USE_DRAFTS] = "\\Drafts", [USE_FLAGGED] = "\\Flagged",
	[USE_JUNK] = "\\Junk",           [USE_SENT] = "\\Sent",     [USE_TRASH] = "\\Trash",
	[USE_ALL] = "\\All",             [USE_IMPORTANT] = "\\Important",
};

enum special_use use_find(struct span name)
{
	for (unsigned i = USE_NONE + 1; i < sizeof names / sizeof names[0]; i++) {
		if (span_is_nocase(name, names[i] + 1))
			return (enum special_use)i;
	}
	return USE_NONE;
}

const char *use_name(enum special_use use)
{
	return names[use];
}
