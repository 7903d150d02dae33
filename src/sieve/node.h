/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A script as a tree: what the parser makes, the checker completes and the interpreter walks.
 * Commands and tests are one kind of node. All memory is the script's arena.
 */

#include "base/arena.h"
#include "sieve/expand.h"
#include "sieve/extension.h"
#include "sieve/script.h"

#include <stdatomic.h>

struct sieve_place {
	unsigned line, column;
};

struct sieve_string {
	struct span text;
	struct sieve_place place;
	bool variable; /* holds "${", and the script requires variables */
};

enum sieve_argument_kind { ARGUMENT_NUMBER, ARGUMENT_TAG, ARGUMENT_STRING, ARGUMENT_LIST };

struct sieve_argument {
	enum sieve_argument_kind kind;
	struct sieve_place place;
	uint64_t number;
	struct span tag; /* without its colon */
	struct sieve_string *strings;
	size_t n_strings;
};

/* What tagged arguments set. Two tags of one slot exclude each other. */
enum sieve_slot {
	SLOT_COMPARATOR,
	SLOT_MATCH,
	SLOT_PART,
	SLOT_SIZE,
	SLOT_COPY,
	SLOT_CREATE,
	SLOT_FLAGS,
	SLOT_ENCRYPT,
	SLOT_MANDATORY,
	SLOT_CASE,
	SLOT_FIRST,
	SLOT_QUOTE,
	SLOT_LENGTH,
	SLOT_BODY,
	SLOT_ZONE,
	SLOT_INDEX,
	SLOT_LAST,
	SLOT_DAYS,
	SLOT_SUBJECT,
	SLOT_FROM,
	SLOT_ADDRESSES,
	SLOT_MIME,
	SLOT_HANDLE,
	SLOTS,
};

/* What the tag of a slot was. */
enum sieve_tag_value {
	TAG_NOTHING, /* no tag of this slot is there */
	TAG_IS,
	TAG_CONTAINS,
	TAG_MATCHES,
	TAG_COUNT,
	TAG_VALUE,
	TAG_ALL,
	TAG_LOCALPART,
	TAG_DOMAIN,
	TAG_USER,
	TAG_DETAIL,
	TAG_OVER,
	TAG_UNDER,
	TAG_LOWER,
	TAG_UPPER,
	TAG_LOWERFIRST,
	TAG_UPPERFIRST,
	TAG_RAW,
	TAG_CONTENT,
	TAG_TEXT,
	TAG_ORIGINAL_ZONE,
	TAG_GIVEN, /* a tag that excludes none */
};

enum { POSITIONAL_MAX = 3 };

struct sieve_slot_value {
	enum sieve_tag_value tag;
	const struct sieve_argument *value; /* NULL for tags without one */
};

struct sieve_row;

struct sieve_node {
	struct sieve_place place;
	struct span name;
	struct sieve_argument *arguments;
	size_t n_arguments;
	struct sieve_node *tests; /* linked by next */
	size_t n_tests;
	bool tests_listed; /* in parentheses */
	struct sieve_node *block;
	bool has_block;
	struct sieve_node *next;
	unsigned depth;

	/* By the checker. */
	const struct sieve_row *row;
	const struct sieve_argument *positional[POSITIONAL_MAX]; /* NULL: optional and not given */
	struct sieve_slot_value slots[SLOTS];
	unsigned comparator; /* enum sieve_comparator */
	unsigned relation;   /* enum sieve_relation */
};

struct sieve_script {
	atomic_uint refs;
	struct arena arena;
	struct sieve_node *commands;
	unsigned extensions; /* EXT_BIT of those required */
	bool uses_body;
	bool is_mandatory;
};

/* A script in the making. */
struct sieve_making {
	struct sieve_script *script;
	struct sieve_report *report;
	size_t n_nodes;
	size_t n_strings;
};

/* Sets the report's error; SIEVE_E_INVALID. */
int sieve_error(struct sieve_making *m, struct sieve_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4))) MUST_CHECK;
void sieve_warning(struct sieve_making *m, struct sieve_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A span for a "%.*s" in a report: cut to what is worth showing. */
#define SIEVE_SHOWN(span) (int)span_head_utf8((span), 60).n, (const char *)(span).p

/* Text to tree; then tree checked. */
int sieve_parse(struct sieve_making *m, struct span text) MUST_CHECK;
int sieve_check(struct sieve_making *m) MUST_CHECK;
