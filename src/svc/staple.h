/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Answers of responders about certificates of ours (OCSP), fetched in time and stapled to handshakes
 * (net/tls_staple.h). doc/revocation.md says which are shown.
 */

#include "base/err.h"
#include "base/span.h"

struct cert;
struct cert_list;
struct env;
struct tls_staple;

/* Lives in env->staples. */
struct staples;
struct staples *staples_new(struct env *e);
struct staples *staples_free(struct staples *s);

/* Ends what is under way, before env->blocking ends. */
void staple_stop(struct env *e);

/* The staple of a certificate that is to be shown in handshakes, with a reference for the caller; NULL
 * if it names no responder and does not ask for one. From then on it is looked after, as long as
 * somebody else than this module holds it. Takes what it needs of the certificates. Never blocks. */
struct staple_subject {
	int64_t domain;
	struct span domain_name;
	struct span alias;
	struct cert *cert;
	const struct cert_list *chain;
};
struct tls_staple *staple_of(struct env *e, const struct staple_subject *subject);

enum staple_state {
	STAPLE_NONE,        /* the certificate is not in use, or names no responder */
	STAPLE_GOOD,        /* an answer is shown */
	STAPLE_WANTED,      /* none could be had yet, or the last one is over */
	STAPLE_REVOKED,
	STAPLE_OFF,         /* the setting ocsp_stapling says no */
};

struct staple_report {
	enum staple_state state;
	bool must_staple;   /* clients refuse the certificate when nothing is stapled */
	int64_t until_us;   /* STAPLE_GOOD: how long it is shown; else 0 */
	int64_t next_us;    /* when the responder is asked next */
	struct why problem; /* of the last try; empty: none */
};

/* "none", "good", "wanted", "revoked", "off". */
const char *staple_state_name(enum staple_state state);

/* What is known about a certificate. Never blocks. */
void staple_report(struct env *e, const struct cert *cert, struct staple_report *ret_report);

/* Each certificate that is looked after, in no order; until each() returns non-zero. The spans are
 * valid during each(), which must not call this module. */
int staple_each(struct env *e,
	int (*each)(struct span domain, struct span alias, const struct staple_report *report,
		void *context),
	void *context) MUST_CHECK;

/* Called every few seconds: starts asking where that is due. Returns at once. */
void staple_tend(struct env *e);

/* What it starts: all that is due. Blocks. At the start it is called once with fetches false: what the
 * store has is shown from the first handshake on. */
int staple_run_due(struct env *e, bool fetches) MUST_CHECK;
