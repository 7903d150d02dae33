/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Whose login a certificate is. A domain's rules are tried in order, the server's where it has none,
 * and the rule "email" where nobody has any. A rule is for certificates of one issuer or of all; one
 * that finds nobody leaves it to the next, one that finds somebody decides. Only accounts of the domain
 * that the connection was made for are found: what its issuers say about others counts for nothing.
 *
 * As text: METHOD[;verifycert][;issuer=NAME]
 *
 *   email             an address in the certificate's alternative names is the account's, or an alias
 *                     that leads to it alone
 *   subject:TEMPLATE  the template with the subject's attributes is such an address: "{UID}",
 *                     "{CN}@example.org"; without "@" it is a local part of the domain
 *   fingerprint       the certificate is one of the account's own
 *   verifycert        besides: it must be one of the account's own
 *   issuer=NAME       only where this is the issuer's name (RFC 4514)
 */

#include "pki/cert.h"
#include "store/account.h"

enum certmap_method { CERTMAP_EMAIL, CERTMAP_SUBJECT, CERTMAP_FINGERPRINT };

enum { CERTMAP_RULE_MAX = 1024 }; /* octets */

struct certmap_rule {
	enum certmap_method method;
	struct span template; /* of CERTMAP_SUBJECT */
	struct span issuer;   /* empty: any */
	bool verify;
};

/* The spans are the text's. */
enum certmap_parse_outcome { CERTMAP_E_SYNTAX = 1 };
int certmap_parse(struct span text, struct certmap_rule *ret_rule, struct why *why) MUST_CHECK;

const char *certmap_method_name(enum certmap_method method);

/* Reads. The account of the domain; rule (may be NULL): the one that found it, as text. Spans live in
 * the arena. NOBODY, REFUSED (more than one account, a disabled one, a certificate that is not its own)
 * with why. */
enum certmap_outcome { CERTMAP_E_NOBODY = 1, CERTMAP_E_REFUSED };
int certmap_find(struct store_conn *c, struct arena *a, int64_t domain, const struct cert *cert,
	struct store_account *ret_account, struct span *ret_rule, struct why *why) MUST_CHECK;
