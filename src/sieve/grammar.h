/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The tables of what a script may say: a row for each command, test and tag. */

#include "sieve/node.h"

struct sieve_run;

enum sieve_tests { TESTS_NONE, TESTS_ONE, TESTS_LIST };

struct sieve_row {
	const char *name;
	bool test;
	bool block;
	bool after_if; /* elsif, else */
	enum sieve_tests tests;
	unsigned extensions;    /* one of these has to be required; 0: none */
	unsigned slots;         /* SLOT_BIT of the tags it takes */
	const char *positional; /* 's' string, 'S' string or list, 'n' number, 'v' the name of a
				 * variable, 'V' such a list, '?' in front of one that may be left
				 * out */
	/* What else is wrong with it; may be NULL. */
	int (*check)(struct sieve_making *m, const struct sieve_node *n);
	/* Commands leave *ret_true. */
	int (*run)(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
};

#define SLOT_BIT(slot) (1U << (slot))

extern const struct sieve_row sieve_rows[];
extern const size_t sieve_n_rows;

struct sieve_tag {
	const char *name;
	enum sieve_slot slot;
	enum sieve_tag_value value;
	enum sieve_extension extension; /* EXTENSIONS: none is needed */
	char argument;                  /* as in positional; 0: none */
};

extern const struct sieve_tag sieve_tags[];
extern const size_t sieve_n_tags;

enum sieve_comparator { COMPARATOR_CASEMAP, COMPARATOR_OCTET, COMPARATOR_NUMERIC };
enum sieve_relation {
	RELATION_GT,
	RELATION_GE,
	RELATION_LT,
	RELATION_LE,
	RELATION_EQ,
	RELATION_NE
};

/* Checks of a node whose arguments are in place; check_rows.c. */
int sieve_check_require(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_fields(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_envelope(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_mailbox(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_redirect(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_reason(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_date(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_edit(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_vacation(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_encrypt(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;
int sieve_check_body(struct sieve_making *m, const struct sieve_node *n) MUST_CHECK;

/* Parts of a date that the date tests know (RFC 5260 section 4.2). */
enum sieve_date_part {
	DATE_YEAR,
	DATE_MONTH,
	DATE_DAY,
	DATE_DATE,
	DATE_JULIAN,
	DATE_HOUR,
	DATE_MINUTE,
	DATE_SECOND,
	DATE_TIME,
	DATE_ISO8601,
	DATE_STD11,
	DATE_ZONE,
	DATE_WEEKDAY,
};
bool sieve_date_part_find(struct span name, enum sieve_date_part *ret_part);

/* "+hhmm" or "-hhmm" in minutes east of UTC. */
bool sieve_zone_parse(struct span text, int *ret_minutes);

/* RFC 5322 section 3.6.8: the name of a header field. */
bool sieve_field_name_is_valid(struct span name);

/* RFC 5229 section 3: the name of a variable that can be set. */
bool sieve_variable_name_is_valid(struct span name);
