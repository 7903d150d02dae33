/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The rules for TLS of our own connections (svc/outgoing_rules.h) with the certificates that they
 * name, as an immutable snapshot that is swapped whole when rules, certificates or domains change.
 *
 * An identity that cannot be shown is none: a server that wants to know who we are refuses us then,
 * and what we trust does not depend on it. It is told: in warnings, in the log, by "cert check".
 */

#include "net/tls.h"
#include "svc/outgoing_rules.h"

#include <stdatomic.h>

struct cert;
struct env;
struct store_conn;

/* Of several certificates (RSA and ECDSA side by side) the server's choice decides. */
struct outgoing_identity {
	char *name; /* "main", "example.org" or "example.org/alias" */
	struct tls_identity tls[TLS_IDENTITIES];
	struct cert *certs[TLS_IDENTITIES]; /* the same, parsed */
	size_t n;                           /* 0: there is none */
	int64_t domain;                     /* whose they are; 0: it is gone */
	struct why problem;                 /* why there is none, or not all; else empty */
};

/* Appends what keeps servers from accepting it at that time, one sentence a line: no clientAuth,
 * not valid any more or not yet, not installed. */
void outgoing_identity_warn(const struct outgoing_identity *i, int64_t now_us, struct buf *out);

/* The same of a certificate by itself. */
void outgoing_cert_warn(const struct cert *cert, int64_t now_us, struct buf *out);

/* The same of the identity that a row names, as the store has it now; what is not stored yet is not
 * in a snapshot. */
int outgoing_row_warn(struct env *e, struct store_conn *c, const struct store_outgoing *row,
	struct buf *out) MUST_CHECK;

/* One moment's rules; shared by count, never changed. */
struct outgoing;
struct outgoing *outgoing_ref(struct outgoing *o);
struct outgoing *outgoing_unref(struct outgoing *o);
CLEANUP_POINTER(struct outgoing, outgoing_unref)

/* With a reference for the caller; never NULL, without rules before the first load. Never blocks.
 */
struct outgoing *outgoing_now(struct env *e);

/* What holds for a destination, and the identity that it names (NULL: nobody's). Borrowed from the
 * snapshot. */
void outgoing_find(const struct outgoing *o, struct span destination,
	struct outgoing_policy *ret_policy, const struct outgoing_identity **ret_identity);

/* The identity of a rule by what its row says; NULL: nobody's, or not in the snapshot. */
const struct outgoing_identity *outgoing_identity_of(const struct outgoing *o,
	enum outgoing_who who, int64_t domain, struct span alias);

/* Whether one of the rules shows this certificate. */
bool outgoing_shows(const struct outgoing *o, const struct cert *cert);

/* Appends what is wrong with the identities of that domain that rules name, one sentence a line. */
void outgoing_domain_warn(const struct outgoing *o, int64_t domain, struct buf *out);

/* Lives in env->outgoings. */
struct outgoings;
struct outgoings *outgoings_new(void);
struct outgoings *outgoings_free(struct outgoings *o);

/* Ends connections that are waited for, within a quarter of a second; what is opened later ends at
 * once. Before the threads end that wait. */
void outgoing_stop(struct env *e);
const atomic_bool *outgoing_stopping(const struct env *e);

/* Reads rules and certificates anew: at the start, and after they have changed. Blocks. */
int outgoing_load(struct env *e) MUST_CHECK;
