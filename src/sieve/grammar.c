/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands, tests and tags. A new extension is rows here, its name in extension.c, and what it
 * does. */

#include "sieve/grammar.h"

#include "sieve/run.h"

enum {
	MATCH = SLOT_BIT(SLOT_COMPARATOR) | SLOT_BIT(SLOT_MATCH),
	PART = SLOT_BIT(SLOT_PART),
	INDEX = SLOT_BIT(SLOT_INDEX) | SLOT_BIT(SLOT_LAST),
	ZONE = SLOT_BIT(SLOT_ZONE),
	FLAGS = SLOT_BIT(SLOT_FLAGS),
	ENCRYPT = SLOT_BIT(SLOT_ENCRYPT) | SLOT_BIT(SLOT_MANDATORY),
	FILE = SLOT_BIT(SLOT_COPY) | SLOT_BIT(SLOT_CREATE) | FLAGS | ENCRYPT,
	MODIFIERS = SLOT_BIT(SLOT_CASE) | SLOT_BIT(SLOT_FIRST) | SLOT_BIT(SLOT_QUOTE) |
		    SLOT_BIT(SLOT_LENGTH),
	VACATION = SLOT_BIT(SLOT_DAYS) | SLOT_BIT(SLOT_SUBJECT) | SLOT_BIT(SLOT_FROM) |
		   SLOT_BIT(SLOT_ADDRESSES) | SLOT_BIT(SLOT_MIME) | SLOT_BIT(SLOT_HANDLE),
};

const struct sieve_row sieve_rows[] = {
	/* RFC 5228 sections 3 and 4 */
	{ .name = "require", .positional = "S", .check = sieve_check_require,
		.run = run_nothing },
	{ .name = "if", .block = true, .tests = TESTS_ONE, .run = run_nothing },
	{ .name = "elsif", .block = true, .tests = TESTS_ONE, .after_if = true,
		.run = run_nothing },
	{ .name = "else", .block = true, .after_if = true, .run = run_nothing },
	{ .name = "stop", .run = run_stop },
	{ .name = "keep", .slots = FLAGS | ENCRYPT, .check = sieve_check_encrypt,
		.run = run_keep },
	{ .name = "discard", .run = run_discard },
	{ .name = "fileinto", .extensions = EXT_BIT(EXT_FILEINTO), .slots = FILE,
		.positional = "s", .check = sieve_check_mailbox, .run = run_fileinto },
	{ .name = "redirect", .slots = SLOT_BIT(SLOT_COPY), .positional = "s",
		.check = sieve_check_redirect, .run = run_redirect },
	/* RFC 5429 */
	{ .name = "reject", .extensions = EXT_BIT(EXT_REJECT), .positional = "s",
		.check = sieve_check_reason, .run = run_reject },
	{ .name = "ereject", .extensions = EXT_BIT(EXT_EREJECT), .positional = "s",
		.check = sieve_check_reason, .run = run_ereject },
	/* RFC 5229 */
	{ .name = "set", .extensions = EXT_BIT(EXT_VARIABLES), .slots = MODIFIERS,
		.positional = "vs", .run = run_set },
	/* RFC 5232 */
	{ .name = "setflag", .extensions = EXT_BIT(EXT_IMAP4FLAGS), .positional = "?vS",
		.run = run_setflag },
	{ .name = "addflag", .extensions = EXT_BIT(EXT_IMAP4FLAGS), .positional = "?vS",
		.run = run_addflag },
	{ .name = "removeflag", .extensions = EXT_BIT(EXT_IMAP4FLAGS), .positional = "?vS",
		.run = run_removeflag },
	/* RFC 5230 */
	{ .name = "vacation", .extensions = EXT_BIT(EXT_VACATION), .slots = VACATION,
		.positional = "s", .check = sieve_check_vacation, .run = run_vacation },
	/* RFC 5293 */
	{ .name = "addheader", .extensions = EXT_BIT(EXT_EDITHEADER), .slots = SLOT_BIT(SLOT_LAST),
		.positional = "ss", .check = sieve_check_edit, .run = run_addheader },
	{ .name = "deleteheader", .extensions = EXT_BIT(EXT_EDITHEADER), .slots = MATCH | INDEX,
		.positional = "s?S", .check = sieve_check_edit, .run = run_deleteheader },

	/* RFC 5228 section 5 */
	{ .name = "address", .test = true, .slots = MATCH | PART | INDEX, .positional = "SS",
		.check = sieve_check_fields, .run = test_address },
	{ .name = "allof", .test = true, .tests = TESTS_LIST, .run = test_allof },
	{ .name = "anyof", .test = true, .tests = TESTS_LIST, .run = test_anyof },
	{ .name = "envelope", .test = true, .extensions = EXT_BIT(EXT_ENVELOPE),
		.slots = MATCH | PART, .positional = "SS", .check = sieve_check_envelope,
		.run = test_envelope },
	{ .name = "exists", .test = true, .positional = "S", .check = sieve_check_fields,
		.run = test_exists },
	{ .name = "false", .test = true, .run = test_false },
	{ .name = "header", .test = true, .slots = MATCH | INDEX, .positional = "SS",
		.check = sieve_check_fields, .run = test_header },
	{ .name = "not", .test = true, .tests = TESTS_ONE, .run = test_not },
	{ .name = "size", .test = true, .slots = SLOT_BIT(SLOT_SIZE), .positional = "n",
		.run = test_size },
	{ .name = "true", .test = true, .run = test_true },
	/* RFC 5229 section 5 */
	{ .name = "string", .test = true, .extensions = EXT_BIT(EXT_VARIABLES), .slots = MATCH,
		.positional = "SS", .run = test_string },
	/* RFC 5232 section 4 */
	{ .name = "hasflag", .test = true, .extensions = EXT_BIT(EXT_IMAP4FLAGS), .slots = MATCH,
		.positional = "?VS", .run = test_hasflag },
	/* RFC 5173 */
	{ .name = "body", .test = true, .extensions = EXT_BIT(EXT_BODY),
		.slots = MATCH | SLOT_BIT(SLOT_BODY), .positional = "S", .check = sieve_check_body,
		.run = test_body },
	/* RFC 5490 section 3.1 */
	{ .name = "mailboxexists", .test = true, .extensions = EXT_BIT(EXT_MAILBOX),
		.positional = "S", .run = test_mailboxexists },
	/* RFC 5260 */
	{ .name = "date", .test = true, .extensions = EXT_BIT(EXT_DATE),
		.slots = MATCH | ZONE | INDEX, .positional = "ssS", .check = sieve_check_date,
		.run = test_date },
	{ .name = "currentdate", .test = true, .extensions = EXT_BIT(EXT_DATE),
		.slots = MATCH | ZONE, .positional = "sS", .check = sieve_check_date,
		.run = test_currentdate },
};
const size_t sieve_n_rows = sizeof sieve_rows / sizeof sieve_rows[0];

const struct sieve_tag sieve_tags[] = {
	{ "comparator", SLOT_COMPARATOR, TAG_GIVEN, EXTENSIONS, 's' },
	{ "is", SLOT_MATCH, TAG_IS, EXTENSIONS, 0 },
	{ "contains", SLOT_MATCH, TAG_CONTAINS, EXTENSIONS, 0 },
	{ "matches", SLOT_MATCH, TAG_MATCHES, EXTENSIONS, 0 },
	{ "count", SLOT_MATCH, TAG_COUNT, EXT_RELATIONAL, 's' },
	{ "value", SLOT_MATCH, TAG_VALUE, EXT_RELATIONAL, 's' },
	{ "all", SLOT_PART, TAG_ALL, EXTENSIONS, 0 },
	{ "localpart", SLOT_PART, TAG_LOCALPART, EXTENSIONS, 0 },
	{ "domain", SLOT_PART, TAG_DOMAIN, EXTENSIONS, 0 },
	{ "user", SLOT_PART, TAG_USER, EXT_SUBADDRESS, 0 },
	{ "detail", SLOT_PART, TAG_DETAIL, EXT_SUBADDRESS, 0 },
	{ "over", SLOT_SIZE, TAG_OVER, EXTENSIONS, 0 },
	{ "under", SLOT_SIZE, TAG_UNDER, EXTENSIONS, 0 },
	{ "copy", SLOT_COPY, TAG_GIVEN, EXT_COPY, 0 },
	{ "create", SLOT_CREATE, TAG_GIVEN, EXT_MAILBOX, 0 },
	{ "flags", SLOT_FLAGS, TAG_GIVEN, EXT_IMAP4FLAGS, 'S' },
	{ "encrypt", SLOT_ENCRYPT, TAG_GIVEN, EXT_ENCRYPT, 0 },
	{ "mandatory", SLOT_MANDATORY, TAG_GIVEN, EXT_ENCRYPT, 0 },
	{ "lower", SLOT_CASE, TAG_LOWER, EXT_VARIABLES, 0 },
	{ "upper", SLOT_CASE, TAG_UPPER, EXT_VARIABLES, 0 },
	{ "lowerfirst", SLOT_FIRST, TAG_LOWERFIRST, EXT_VARIABLES, 0 },
	{ "upperfirst", SLOT_FIRST, TAG_UPPERFIRST, EXT_VARIABLES, 0 },
	{ "quotewildcard", SLOT_QUOTE, TAG_GIVEN, EXT_VARIABLES, 0 },
	{ "length", SLOT_LENGTH, TAG_GIVEN, EXT_VARIABLES, 0 },
	{ "raw", SLOT_BODY, TAG_RAW, EXT_BODY, 0 },
	{ "content", SLOT_BODY, TAG_CONTENT, EXT_BODY, 'S' },
	{ "text", SLOT_BODY, TAG_TEXT, EXT_BODY, 0 },
	{ "zone", SLOT_ZONE, TAG_GIVEN, EXT_DATE, 's' },
	{ "originalzone", SLOT_ZONE, TAG_ORIGINAL_ZONE, EXT_DATE, 0 },
	{ "index", SLOT_INDEX, TAG_GIVEN, EXTENSIONS, 'n' },
	{ "last", SLOT_LAST, TAG_GIVEN, EXTENSIONS, 0 },
	{ "days", SLOT_DAYS, TAG_GIVEN, EXT_VACATION, 'n' },
	{ "subject", SLOT_SUBJECT, TAG_GIVEN, EXT_VACATION, 's' },
	{ "from", SLOT_FROM, TAG_GIVEN, EXT_VACATION, 's' },
	{ "addresses", SLOT_ADDRESSES, TAG_GIVEN, EXT_VACATION, 'S' },
	{ "mime", SLOT_MIME, TAG_GIVEN, EXT_VACATION, 0 },
	{ "handle", SLOT_HANDLE, TAG_GIVEN, EXT_VACATION, 's' },
};
const size_t sieve_n_tags = sizeof sieve_tags / sizeof sieve_tags[0];
