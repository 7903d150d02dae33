/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Whether a certificate holds for a purpose and a name at a time: a path from it to a certificate
 * that is trusted (RFC 5280 section 6), found among the certificates that are there. Where several
 * paths are possible, one that holds is enough. Trust ends a path wherever it is met, at a root, at
 * an intermediate or at the certificate itself; a denied certificate is in no path.
 *
 * doc/path-validation.md lists the rules and where they differ from other validators.
 *
 * Not checked here: that the peer has the key; OCSP; transparency logs; what is fetched from
 * anywhere. The work is bounded, however hostile the certificates are, and may take some
 * milliseconds.
 */

#include "pki/crl.h"
#include "pki/trust.h"
#include "pki/verdict.h"

/* More extended key usages than trust has purposes (RFC 5280 section 4.2.1.12); bits that go with
 * those of enum trust_purpose. */
enum path_usage {
	PATH_CODE_SIGNING = 8,
	PATH_TIME_STAMPING = 16,
	PATH_OCSP_SIGNING = 32,
	PATH_ANY_USAGE = 64, /* anyExtendedKeyUsage itself */
};

enum path_name_kind { PATH_DNS, PATH_IP, PATH_EMAIL };

/* A name that the leaf must be for. */
struct path_name {
	enum path_name_kind kind;
	struct span text; /* a host (A-labels or UTF-8), an IP address in text, a mail address
			     (UTF-8) */
};

enum path_revocation {
	PATH_REVOCATION_GIVEN,    /* lists that are given count; who has none passes */
	PATH_REVOCATION_REQUIRED, /* everything but the trusted certificate needs a current list, or
				   * the word that there are none (RFC 9608) */
	PATH_REVOCATION_IGNORED,
};

struct path_request {
	struct cert *leaf;
	const struct cert_list
		*untrusted; /* intermediates from anywhere, in any order; may be NULL */
	const struct trust *trust;
	const struct crl_list *crls; /* may be NULL */
	int64_t time_us;

	unsigned
		purposes; /* bits of trust_purpose and path_usage, all of which must hold; 0: any */
	unsigned key_usage; /* KU_ bits of openssl/x509v3.h that the leaf must have; 0: none */
	const struct path_name *names; /* each must be one of the leaf's */
	size_t n_names;

	bool has_max_depth;
	unsigned max_depth; /* intermediates, those that are self-issued not counted */
	enum path_revocation revocation;

	/* RFC 5280 section 6.1.1 (c) to (g): object identifiers with dots; none: any policy. */
	const struct span *policies;
	size_t n_policies;
	bool require_explicit_policy;
	bool inhibit_policy_mapping;
	bool inhibit_any_policy;
};

/* Always a verdict, unless something is wrong on our side. verdict_done it. */
int path_validate(const struct path_request *request, struct verdict *ret_verdict) MUST_CHECK;
