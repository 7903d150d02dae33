/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What an operator says about TLS of our own connections to other servers, by destination: rows in,
 * an answer for a destination out. Pure.
 *
 * A pattern is a domain ("example.com": mail for that domain), ".example.com" (for every domain
 * below it) or "*" (for all). For each key by itself the most specific rule that says something
 * wins, in the order example.com, .example.com, .com, *, then the default: tls=may, oldest=1.2,
 * identity=none.
 */

#include "base/buf.h"
#include "base/err.h"
#include "net/tls_policy.h"

struct store_outgoing;

enum outgoing_tls {
	OUTGOING_NONE,   /* never TLS */
	OUTGOING_MAY,    /* where the server offers it, whoever it is; else in clear */
	OUTGOING_MUST,   /* TLS or no mail, whoever the server is */
	OUTGOING_VERIFY, /* TLS with a server that is verified, or no mail */
	OUTGOING_TLS,
};
extern const char *const outgoing_tls_names[OUTGOING_TLS + 1]; /* NULL ends */

/* Whom we say we are when a server asks for a certificate. */
enum outgoing_who {
	OUTGOING_NOBODY,
	OUTGOING_MAIN,   /* the main domain's certificate in use */
	OUTGOING_DOMAIN, /* a domain's: the one in use, or one by its alias */
	OUTGOING_WHO,
};
extern const char *const outgoing_who_names[OUTGOING_WHO + 1];

/* What holds for a destination. Texts are borrowed from the rules. */
struct outgoing_policy {
	enum outgoing_tls tls;
	enum tls_version oldest;
	enum outgoing_who who;
	int64_t domain;    /* OUTGOING_DOMAIN: whose; 0: it is gone */
	struct span alias; /* which; empty: those in use */

	const char *tls_from, *oldest_from, *who_from; /* patterns; NULL: the default */
};

/* Rules of one moment. Zeroed memory holds none. */
struct outgoing_rules {
	struct outgoing_rule *rules; /* in the order of their patterns */
	size_t n, capacity;
};

/* Adds a row; rows come in the order of their patterns. What cannot be understood, written by a
 * program that knew more, is left out: false. */
bool outgoing_rules_add(struct outgoing_rules *r, const struct store_outgoing *row);
void outgoing_rules_done(struct outgoing_rules *r);

/* destination: a domain in A-labels or an address literal, in any case, perhaps with a dot at its
 * end. */
void outgoing_rules_find(const struct outgoing_rules *r, struct span destination,
	struct outgoing_policy *ret_policy);

/* Appends the pattern as it is stored. SYNTAX with why: it is none. */
enum outgoing_outcome { OUTGOING_E_SYNTAX = 1 };
int outgoing_pattern_parse(struct span text, struct buf *out, struct why *why) MUST_CHECK;

/* One value of a rule: whether it is one. "inherit" becomes empty. why says what there is. */
int outgoing_tls_check(struct span *value, struct why *why) MUST_CHECK;
int outgoing_oldest_check(struct span *value, struct why *why) MUST_CHECK;
