/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The certificates a server sends behind its own: put in order, each the issuer of the one before
 * (RFC 8446 section 4.4.2), as far as they can be found. Only that signatures hold is looked at here;
 * whether a client accepts the whole is a path's business (pki/path.h).
 */

#include "pki/trust.h"

enum { CHAIN_MAX = 10 };

enum chain_end {
	CHAIN_TRUSTED,    /* the last is issued by, or is, a certificate that is trusted */
	CHAIN_SELF_SIGNED, /* the certificate has signed itself */
	CHAIN_UNTRUSTED,  /* it ends at a self-signed certificate that is not trusted */
	CHAIN_INCOMPLETE, /* nobody knows who issued the last: missing says who */
};

struct chain {
	struct cert_list sent;    /* nearest issuer first; a root is left out: who trusts it has it */
	struct cert_list added;   /* those of sent that were not given but known */
	struct cert_list foreign; /* given, and not part of it */
	enum chain_end end;
	struct buf missing;       /* CHAIN_INCOMPLETE: subject of the issuer that is wanted, as text */
	struct buf forged;        /* subject of a given certificate that has the issuer's name but did
	                           * not sign; empty: none */
};
void chain_done(struct chain *c);

/* From what was given (in any order), then from what is trusted (may be NULL), then from what is
 * known besides. */
int chain_build(const struct cert *leaf, const struct cert_list *given, const struct cert_list *known,
	const struct trust *trust, struct chain *ret_chain) MUST_CHECK;

/* What people want to know of it, one sentence: "complete", or what is missing, foreign or forged. */
bool chain_is_sound(const struct chain *c); /* nothing foreign, nothing forged, ends at a trusted one */
void chain_add_text(const struct chain *c, struct buf *out);
