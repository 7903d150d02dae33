/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A search from the leaf upwards, depth first, in two rounds. The first looks for a path that
 * holds: a certificate that breaks a rule at its place is left at once, so that the way around it
 * is found. If there is none, the second looks for the path that says best what is wrong: it goes
 * through such certificates, a few paths long, and the one with the fewest errors is reported.
 *
 * Signatures are verified as the path grows, each at most once however many paths need it, and only
 * under keys whose size is bounded. All work is counted: signatures, steps, complete paths, and
 * comparisons of names with constraints.
 */

#include "pki/path.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "base/map.h"
#include "pki/altname.h"
#include "pki/constraint.h"
#include "pki/judge.h"
#include "pki/profile.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum {
	CERTS_MAX = 20,     /* of one path */
	DEPTH_DEFAULT = 10, /* intermediates that are not self-issued */
	ISSUERS_MAX = CERT_LIST_MAX,
	STEPS_MAX = 2000, /* issuers tried, in both rounds */
	SIGNATURES_MAX = 200,
	CANDIDATES_MAX = 20, /* complete paths judged in the first round */
	EXPLAINED_MAX = 8,   /* paths looked at in the second */
	COMPARISONS_MAX = 1 << 20,
};

struct search {
	const struct path_request *q;
	bool explain; /* the second round */
	struct cert *certs[CERTS_MAX];
	size_t n;
	struct verdict now; /* what was found about the path so far */
	struct verdict best;
	size_t best_score;
	bool has_best;
	bool found;
	struct map signatures; /* child and issuer: whether it holds */
	struct map profiles;   /* certificate, and whether as anchor: what is said of it */
	size_t n_steps, n_signatures, n_candidates, n_explained, comparisons_left;
	bool spent; /* a limit was met */
	int fault;
};

static const int good, bad; /* values of the map of signatures */

static bool search_ended(const struct search *s)
{
	return s->found || s->fault || s->spent || (s->explain && s->n_explained >= EXPLAINED_MAX);
}

/* A path that is complete, or that ends nowhere: kept if none before was better. */
static void search_consider(struct search *s, bool complete)
{
	enum { INCOMPLETE = 2 * FINDINGS_MAX };
	size_t score = verdict_n_errors(&s->now) + (complete ? 0 : INCOMPLETE);

	if (s->has_best && score >= s->best_score)
		return;
	verdict_done(&s->best);
	s->best = verdict_copy(&s->now);
	for (size_t i = 0; i < s->n; i++) {
		s->best.path.certs = alloc_array(s->best.path.certs, i + 1, sizeof(struct cert *));
		s->best.path.certs[s->best.path.n++] = cert_ref(s->certs[i]);
	}
	s->best_score = score;
	s->has_best = true;
}

/* A trusted certificate is reached. */
static void search_judge(struct search *s)
{
	size_t mark = s->now.n;

	if (s->explain)
		s->n_explained++;
	else if (s->n_candidates++ >= CANDIDATES_MAX) {
		s->spent = true;
		return;
	}
	/* What has errors already is not worth the work. */
	if (verdict_n_errors(&s->now) == 0)
		s->fault = judge_path(s->q, s->certs, s->n, &s->now);
	if (!s->fault) {
		search_consider(s, true);
		s->found = s->best_score == 0;
	}
	verdict_cut(&s->now, mark);
}

struct trial {
	struct cert *issuer;
	bool anchor;
};

/* Names match; what the key identifiers say orders the tries and ends up as a finding. */
static bool key_identifier_matches(const struct cert *cert, const struct cert *issuer)
{
	const ASN1_OCTET_STRING *wanted = X509_get0_authority_key_id(cert_x509(cert));
	const ASN1_OCTET_STRING *has = X509_get0_subject_key_id(cert_x509(issuer));

	return !wanted || !has || ASN1_OCTET_STRING_cmp(wanted, has) == 0;
}

/* One key under one name twice in a path is a way in a circle. */
static bool is_in_path(const struct search *s, const struct cert *cert)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->certs[i] == cert || span_equal(cert_der(s->certs[i]), cert_der(cert)))
			return true;
		if (i > 0 && cert_has_key(cert, cert_spki(s->certs[i])) &&
			X509_NAME_cmp(X509_get_subject_name(cert_x509(cert)),
				X509_get_subject_name(cert_x509(s->certs[i]))) == 0)
			return true;
	}
	return false;
}

static bool may_issue(const struct cert *cert, const struct cert *issuer)
{
	return X509_NAME_cmp(X509_get_issuer_name(cert_x509(cert)),
		       X509_get_subject_name(cert_x509(issuer))) == 0;
}

static bool is_anchor(const struct search *s, const struct cert *cert)
{
	unsigned wanted = s->q->purposes & TRUST_ALL_PURPOSES;
	unsigned trusted = trust_purposes(s->q->trust, cert, NULL);

	return trusted && (trusted & wanted) == wanted;
}

static void trial_add(struct search *s, struct trial *trials, size_t *n, struct cert *issuer)
{
	if (is_in_path(s, issuer))
		return;
	for (size_t i = 0; i < *n; i++) {
		if (span_equal(cert_der(trials[i].issuer), cert_der(issuer)))
			return;
	}
	if (*n == ISSUERS_MAX)
		s->spent = true;
	else
		trials[(*n)++] = (struct trial){ issuer, is_anchor(s, issuer) };
}

/* Who may have issued the last certificate, in the order of the tries: whose key it names, then who
 * is trusted. */
static size_t search_issuers(struct search *s, struct trial *trials)
{
	const struct cert *last = s->certs[s->n - 1];
	const X509_NAME *name = X509_get_issuer_name(cert_x509(last));
	struct trial found[ISSUERS_MAX];
	struct cert *issuer;
	size_t n = 0, n_ordered = 0;

	for (size_t i = 0; i <= ISSUERS_MAX && trust_by_subject(s->q->trust, name, i, &issuer); i++)
		trial_add(s, found, &n, issuer);
	for (size_t i = 0; s->q->untrusted && i < s->q->untrusted->n; i++) {
		if (may_issue(last, s->q->untrusted->certs[i]))
			trial_add(s, found, &n, s->q->untrusted->certs[i]);
	}
	for (unsigned rank = 0; rank < 4; rank++) {
		for (size_t i = 0; i < n; i++) {
			bool named = key_identifier_matches(last, found[i].issuer);

			if ((found[i].anchor ? 0u : 1u) + (named ? 0u : 2u) == rank)
				trials[n_ordered++] = found[i];
		}
	}
	return n_ordered;
}

static bool search_signature_holds(struct search *s, const struct cert *cert,
	const struct cert *issuer)
{
	const struct cert *const pair[2] = { cert, issuer };
	const struct span key = span_of(pair, sizeof pair);
	const int *known = map_get(&s->signatures, key);

	if (known)
		return known == &good;
	if (!profile_key_is_bounded(issuer))
		return false;
	if (s->n_signatures++ >= SIGNATURES_MAX) {
		s->spent = true;
		return false;
	}
	known = &bad;
	if (X509_verify(cert_x509(cert), X509_get0_pubkey(cert_x509(issuer))) == 1)
		known = &good;
	ERR_clear_error();
	(void)map_put(&s->signatures, key, (void *)known);
	return known == &good;
}

/* Between the last and the leaf. */
static size_t n_intermediates(const struct search *s)
{
	size_t n = 0;

	for (size_t i = 1; i + 1 < s->n; i++)
		n += !profile_is_self_issued(s->certs[i]);
	return n;
}

#define FAIL(s, depth, rule, standard, ...)                                                        \
	verdict_add(&(s)->now, FINDING_ERROR, (rule), (standard), (s)->certs[depth], (depth),      \
		__VA_ARGS__)

static void check_names(struct search *s)
{
	static const char *const standards[] = { "RFC 9525 6", "RFC 9525 6", "RFC 8550 3" };

	for (size_t i = 0; i < s->q->n_names; i++) {
		const struct path_name *name = &s->q->names[i];

		if (!altname_covers(s->q->leaf, name))
			FAIL(s, 0, "name", standards[name->kind], "the certificate is not for %.*s",
				(int)(name->text.n < LIMIT_NAME ? name->text.n : LIMIT_NAME),
				(const char *)name->text.p);
	}
}

static void check_length(struct search *s)
{
	size_t max = s->q->has_max_depth ? s->q->max_depth : DEPTH_DEFAULT, n = n_intermediates(s);
	long own = X509_get_pathlen(cert_x509(s->certs[s->n - 1]));

	if (n > max)
		FAIL(s, s->n - 1, "max-depth", "",
			"%zu intermediate authorities; at most %zu are accepted", n, max);
	if (own >= 0 && n > (size_t)own)
		FAIL(s, s->n - 1, "path-length", "RFC 5280 4.2.1.9",
			"%zu intermediate authorities below one that allows %ld", n, own);
}

/* Above the leaf a certificate is looked at once, however many paths it is in. */
static void check_profile(struct search *s, bool anchor)
{
	struct cert *cert = s->certs[s->n - 1];
	enum trust_scope scope = TRUST_SCOPES;
	const struct profile_place place = {
		.cert = cert,
		.depth = s->n - 1,
		.anchor = anchor,
		.trusted_for = trust_purposes(s->q->trust, cert, &scope),
		.built_in = anchor && scope == TRUST_BUILT_IN,
	};
	const uintptr_t key[2] = { (uintptr_t)cert, anchor };
	struct verdict *known;

	if (s->n == 1) {
		profile_check(s->q, &place, &s->now);
		return;
	}
	known = map_get(&s->profiles, span_of(key, sizeof key));
	if (!known) {
		known = ALLOC(struct verdict);
		profile_check(s->q, &place, known);
		(void)map_put(&s->profiles, span_of(key, sizeof key), known);
	}
	verdict_add_all(&s->now, known, s->n - 1);
}

static void profile_free(void *known)
{
	verdict_done(known);
	free(known);
}

/* Everything that can be said of the last certificate, with those below it. */
static void check_last(struct search *s, bool anchor)
{
	struct cert *cert = s->certs[s->n - 1];

	if (trust_is_denied(s->q->trust, cert))
		FAIL(s, s->n - 1, "denied", "", "the certificate's holder is denied here");
	if (s->n > 1 && !key_identifier_matches(s->certs[s->n - 2], cert))
		FAIL(s, s->n - 2, "authority-key-identifier", "RFC 5280 4.2.1.1",
			"the certificate names another key of its issuer");
	check_profile(s, anchor);
	if (s->n == 1) {
		check_names(s);
		return;
	}
	check_length(s);
	/* What is not followed further is not compared either. */
	if (s->explain || verdict_n_errors(&s->now) == 0)
		constraint_check(cert, s->n - 1, s->certs, s->n - 1, &s->comparisons_left, &s->now);
}

static void search_from(struct search *s, bool anchor);

/* Goes on from the last certificate if it issued the one below. */
static void search_through(struct search *s, bool anchor)
{
	if (!s->explain && verdict_n_errors(&s->now) > 0)
		return;
	if (search_signature_holds(s, s->certs[s->n - 2], s->certs[s->n - 1])) {
		search_from(s, anchor);
		return;
	}
	if (!s->explain || s->spent)
		return;
	FAIL(s, s->n - 2, "signature", "RFC 5280 6.1.3",
		"the signature does not hold under its issuer's key, or that key is not used here");
	s->n_explained++;
	search_consider(s, false);
}

/* Two functions that call each other: as deep as a path is long. */
static void search_try(struct search *s, const struct trial *trial)
{
	size_t mark = s->now.n;

	if (s->n == CERTS_MAX || s->n_steps++ >= STEPS_MAX) {
		s->spent = true;
		return;
	}
	s->certs[s->n++] = trial->issuer;
	check_last(s, trial->anchor);
	search_through(s, trial->anchor);
	s->n--;
	verdict_cut(&s->now, mark);
}

static void say_dead_end(struct search *s)
{
	struct cert *last = s->certs[s->n - 1];
	unsigned trusted = trust_purposes(s->q->trust, last, NULL);

	if (trusted)
		FAIL(s, s->n - 1, "untrusted", "RFC 5280 6.1",
			"the certificate is trusted, but not for this purpose");
	else if (cert_is_self_signed(last))
		FAIL(s, s->n - 1, "untrusted", "RFC 5280 6.1",
			"the certificate is self-signed and not trusted here");
	else
		FAIL(s, s->n - 1, "no-issuer", "RFC 5280 6.1",
			"the certificate is not trusted here, and there is none of its issuer");
	search_consider(s, false);
	verdict_cut(&s->now, s->now.n - 1);
}

static void search_from(struct search *s, bool anchor)
{
	struct trial trials[ISSUERS_MAX];
	size_t n;

	if (anchor) {
		search_judge(s);
		return;
	}
	n = search_issuers(s, trials);
	for (size_t i = 0; i < n && !search_ended(s); i++)
		search_try(s, &trials[i]);
	if (n == 0 && s->explain && !search_ended(s)) {
		s->n_explained++;
		say_dead_end(s);
	}
}

static void search_round(struct search *s, bool explain)
{
	bool anchor = is_anchor(s, s->q->leaf);

	s->explain = explain;
	s->certs[0] = s->q->leaf;
	s->n = 1;
	verdict_cut(&s->now, 0);
	check_last(s, anchor);
	/* What is wrong with the leaf is wrong on every path. */
	if (explain || verdict_n_errors(&s->now) == 0)
		search_from(s, anchor);
}

static void say_spent(struct search *s)
{
	if (!s->has_best)
		search_consider(s, false);
	verdict_add(&s->best, FINDING_ERROR, "limit", "", NULL, 0,
		"the search for a path was given up: there are too many certificates to try");
}

int path_validate(const struct path_request *request, struct verdict *ret_verdict)
{
	struct search s = { .q = request, .comparisons_left = COMPARISONS_MAX };

	search_round(&s, false);
	if (!search_ended(&s))
		search_round(&s, true);
	if (s.spent && !s.found)
		say_spent(&s);
	s.best.valid = s.found;
	verdict_done(&s.now);
	map_done(&s.signatures, NULL);
	map_done(&s.profiles, profile_free);
	if (s.fault) {
		verdict_done(&s.best);
		return s.fault;
	}
	*ret_verdict = s.best;
	return 0;
}
