/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside sieve/: a script while it runs, and what the rows of the grammar call. */

#include "mime/header.h"
#include "sieve/eval.h"
#include "sieve/grammar.h"

struct sieve_variable {
	struct span name, value;
};

struct sieve_field {
	struct span name, value, whole;
	struct span text; /* once it was asked for; p NULL: not yet */
	bool removed;
};

struct sieve_run {
	const struct sieve_script *script;
	const struct sieve_input *input;
	struct sieve_result *result;
	struct arena *arena; /* the result's */
	struct why *why;
	uint64_t steps, steps_max;
	size_t octets; /* made */
	bool stop;

	struct sieve_variable variables[SIEVE_VARIABLES_MAX];
	size_t n_variables;
	struct span captures[SIEVE_CAPTURES];
	size_t n_captures;

	struct sieve_field *fields; /* made when first needed */
	size_t n_fields;
	bool indexed;
	struct span more;   /* of the header, behind the fields: what is too much to be looked at */
	struct span header; /* the fields as octets; n 0: as in the message */
	bool edited;        /* since header was made */
	unsigned n_edits;
	unsigned n_redirects;

	struct part_tree *tree; /* our own, if the input had none */
};

/* SIEVE_E_FAILED, with the reason. */
int run_fail(struct sieve_run *r, const char *format, ...)
	__attribute__((format(printf, 2, 3))) MUST_CHECK;

/* Steps for one thing and so many octets; SIEVE_E_FAILED when they are used up. */
int run_spend(struct sieve_run *r, size_t octets) MUST_CHECK;

/* The same, and so many octets of memory, and what each piece of memory costs besides. */
int run_room(struct sieve_run *r, size_t octets) MUST_CHECK;

int run_nothing(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_stop(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_keep(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_discard(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_fileinto(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_redirect(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_reject(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_ereject(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_set(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_setflag(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_addflag(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_removeflag(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_vacation(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_addheader(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int run_deleteheader(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_address(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_allof(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_anyof(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_envelope(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_exists(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_false(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_header(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_not(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_size(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_true(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_string(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_hasflag(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_body(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_mailboxexists(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_date(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);
int test_currentdate(struct sieve_run *r, const struct sieve_node *n, bool *ret_true);

/* The answer of a vacation, at most one. */
int run_add_vacation(struct sieve_run *r, const struct sieve_node *n,
	struct sieve_action *a) MUST_CHECK;

/* A test node. */
int run_one_test(struct sieve_run *r, const struct sieve_node *n, bool *ret_true) MUST_CHECK;

/* The fields of the message as they are now. field_next walks over those with the name, from *i on
 * (0 at first); NULL: no more. */
int run_fields(struct sieve_run *r) MUST_CHECK;
struct sieve_field *run_field_next(struct sieve_run *r, struct span name, size_t *i);

/* All of the name that :index and :last choose, at most max. */
int run_fields_chosen(struct sieve_run *r, const struct sieve_node *n, struct span name,
	struct sieve_field ***ret_fields, size_t *ret_n) MUST_CHECK;

/* The fields as octets, as an action takes them; n 0: unchanged. They are made once for all actions
 * between two changes, and are memory of the run. */
int run_header(struct sieve_run *r, struct span *ret_header) MUST_CHECK;

/* A field's value unfolded, encoded words decoded, white space around it removed: once. */
int run_field_text(struct sieve_run *r, struct sieve_field *f, struct span *ret_text) MUST_CHECK;

/* Steps for reading so many octets as addresses. */
int run_spend_addresses(struct sieve_run *r, size_t octets) MUST_CHECK;

/* The flags of a list of strings as one text: words, none twice. */
int run_flags_of(struct sieve_run *r, const struct sieve_argument *a,
	struct span *ret_flags) MUST_CHECK;

/* The address that the whole text is, perhaps with a name and in <>; false: it is none. */
bool run_single_address(struct span text, struct buf *out);
