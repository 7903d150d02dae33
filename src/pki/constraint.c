/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Constraints and names meet as values of a type and octets. A wildcard name stands for every host
 * it matches: it must lie within what is permitted as a whole, and may share no host with what is
 * excluded. What is not understood, a kind of name or a form of constraint, is refused where it
 * could matter, never passed over.
 */

#include "pki/constraint.h"

#include "pki/altname.h"
#include "pki/name.h"
#include "pki/profile.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

CLEANUP_POINTER(NAME_CONSTRAINTS, NAME_CONSTRAINTS_free)
CLEANUP_POINTER(X509_NAME, X509_NAME_free)

/* A name of a certificate below: of a general name's type, as octets or as a directory name. Mail
 * addresses in UTF-8 are mail addresses here (RFC 9598 section 6). */
struct name {
	int type;
	struct span text;
	const X509_NAME *directory;
	const ASN1_OBJECT *other; /* the kind of another name */
};

struct walk {
	const NAME_CONSTRAINTS *constraints;
	struct cert *authority;
	struct cert *cert; /* whose names are looked at */
	size_t depth;
	size_t *budget;
	struct verdict *out;
	bool ended;
};

static void fail(struct walk *w, const char *rule, const char *text)
{
	CLEANUP(buf_done) struct buf subject = {};

	cert_add_subject(w->authority, &subject);
	verdict_add(w->out, FINDING_ERROR, rule, "RFC 5280 4.2.1.10", w->cert, w->depth,
		"%s the authority %.*s", text,
		(int)(buf_size(&subject) < 200 ? buf_size(&subject) : 200),
		(const char *)buf_span(&subject).p);
	w->ended = true;
}

/* host is the base or below it. */
static bool host_is_within(struct span host, struct span base)
{
	if (base.n == 0)
		return true;
	if (host.n < base.n || !span_equal_nocase(span_skip(host, host.n - base.n), base))
		return false;
	return host.n == base.n || host.p[host.n - base.n - 1] == '.';
}

static bool dns_matches(struct span host, struct span base, bool excluded)
{
	struct span label = base;

	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	if (!span_starts(host, SPAN("*.")))
		return host_is_within(host, base);
	/* The hosts of a wildcard lie within a base if the wildcard's own base does. */
	if (host_is_within(span_skip(host, 2), base))
		return true;
	/* One of them is the base itself if that has one label more. */
	(void)span_cut(&label, '.');
	return excluded && base.n && span_equal_nocase(label, span_skip(host, 2));
}

/* RFC 5280 section 4.2.1.10: a mailbox, a host, or ".domain" for the hosts below it. */
static bool email_matches(struct span address, struct span base)
{
	struct span local, domain, base_local, base_domain;

	if (!altname_split_address(address, &local, &domain))
		return false;
	if (altname_split_address(base, &base_local, &base_domain))
		return span_equal(local, base_local) && span_equal_nocase(domain, base_domain);
	if (base.n && base.p[0] == '.')
		return domain.n > base.n &&
		       span_equal_nocase(span_skip(domain, domain.n - base.n), base);
	return base.n == 0 || span_equal_nocase(domain, base);
}

static bool ip_matches(struct span address, struct span base)
{
	if (base.n != 2 * address.n)
		return false;
	for (size_t i = 0; i < address.n; i++) {
		if ((address.p[i] ^ base.p[i]) & base.p[address.n + i])
			return false;
	}
	return true;
}

/* The host of a URI (RFC 3986 section 3.2), empty if it has none or an address. */
static struct span uri_host(struct span uri)
{
	struct span host = {};
	size_t n;

	(void)span_cut(&uri, ':');
	if (!span_starts(uri, SPAN("//")))
		return host;
	uri = span_skip(uri, 2);
	for (n = 0; n < uri.n && uri.p[n] != '/' && uri.p[n] != '?' && uri.p[n] != '#'; n++)
		;
	host = span_head(uri, n);
	if (span_find(host, '@') < host.n)
		(void)span_cut(&host, '@');
	host = span_head(host, span_find(host, ':'));
	return name_is_dns(host, false) ? host : (struct span){};
}

static bool uri_matches(struct span uri, struct span base)
{
	struct span host = uri_host(uri);

	if (base.n && base.p[0] == '.')
		return host.n > base.n && span_equal_nocase(span_skip(host, host.n - base.n), base);
	return host.n && (base.n == 0 || span_equal_nocase(host, base));
}

/* The base's relative names are the first of the name's. */
static bool directory_matches(const X509_NAME *name, const X509_NAME *base)
{
	CLEANUP(X509_NAME_freep) X509_NAME *front = NULL;
	int n = X509_NAME_entry_count(base), n_all = X509_NAME_entry_count(name);

	if (n == 0)
		return true;
	if (n_all < n ||
		(n_all > n && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, n)) ==
				      X509_NAME_ENTRY_set(X509_NAME_get_entry(name, n - 1))))
		return false;
	front = X509_NAME_dup(name);
	while (front && X509_NAME_entry_count(front) > n)
		X509_NAME_ENTRY_free(X509_NAME_delete_entry(front, n));
	return front && X509_NAME_cmp(front, base) == 0;
}

static bool matches(const struct name *name, const GENERAL_NAME *base, bool excluded)
{
	switch (name->type) {
	case GEN_DNS:
		return dns_matches(name->text, altname_text(base), excluded);
	case GEN_EMAIL:
		return email_matches(name->text, altname_text(base));
	case GEN_IPADD:
		return ip_matches(name->text, altname_text(base));
	case GEN_URI:
		return uri_matches(name->text, altname_text(base));
	case GEN_DIRNAME:
		return directory_matches(name->directory, base->d.directoryName);
	default:
		return false;
	}
}

static bool is_understood(int type)
{
	return type == GEN_DNS || type == GEN_EMAIL || type == GEN_IPADD || type == GEN_URI ||
	       type == GEN_DIRNAME;
}

static bool is_same_kind(const struct name *name, const GENERAL_NAME *base)
{
	return name->type == base->type &&
	       (name->type != GEN_OTHERNAME ||
		       OBJ_cmp(name->other, base->d.otherName->type_id) == 0);
}

/* False, and a finding, if so much work is more than what is left. */
static bool charge(struct walk *w, size_t cost)
{
	if (*w->budget >= cost) {
		*w->budget -= cost;
		return true;
	}
	*w->budget = 0;
	fail(w, "limit", "there are too many names to compare with the constraints of");
	return false;
}

/* A directory name is taken apart to be compared. */
static size_t cost_of(const struct name *name)
{
	return name->directory ? 20 + (size_t)X509_NAME_entry_count(name->directory) : 1;
}

/* Whether any of the subtrees has the name; *ret_applies: there is one of its kind. */
static bool match_any(struct walk *w, const STACK_OF(GENERAL_SUBTREE) *trees,
	const struct name *name, bool excluded, bool *ret_applies)
{
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); i++) {
		const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(trees, i)->base;

		if (!charge(w, is_same_kind(name, base) ? cost_of(name) : 1))
			return false;
		if (!is_same_kind(name, base))
			continue;
		*ret_applies = true;
		if (matches(name, base, excluded))
			return true;
	}
	return false;
}

static void check_name(struct walk *w, const struct name *name)
{
	bool permits = false, excludes = false, hit;

	if (w->ended)
		return;
	hit = match_any(w, w->constraints->excludedSubtrees, name, true, &excludes);
	if (hit && !w->ended)
		fail(w, "name-constraints", "a name is excluded by");
	hit = !w->ended && match_any(w, w->constraints->permittedSubtrees, name, false, &permits);
	if (w->ended)
		return;
	if ((permits || excludes) && !is_understood(name->type))
		fail(w, "name-constraints",
			"a name is of a kind that is not understood here, and constrained by");
	else if (permits && !hit)
		fail(w, "name-constraints", "a name is not among those permitted to");
	/* A URI without a host cannot be held against constraints on hosts. */
	else if (excludes && name->type == GEN_URI && uri_host(name->text).n == 0)
		fail(w, "name-constraints", "a URI names no host, which is constrained by");
}

static void check_general_name(struct walk *w, const GENERAL_NAME *general)
{
	struct name name = { .type = general->type };

	switch (general->type) {
	case GEN_DNS:
	case GEN_EMAIL:
	case GEN_IPADD:
	case GEN_URI:
		name.text = altname_text(general);
		break;
	case GEN_DIRNAME:
		name.directory = general->d.directoryName;
		break;
	case GEN_OTHERNAME:
		name.other = general->d.otherName->type_id;
		if (altname_is_utf8_mailbox(general, &name.text)) {
			check_name(w, &name); /* constraints on this very kind are not understood */
			name.type = GEN_EMAIL;
		}
		break;
	default:
		break;
	}
	check_name(w, &name);
}

static bool has_name(const GENERAL_NAMES *names, int type)
{
	struct span text;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == type ||
			(type == GEN_EMAIL && altname_is_utf8_mailbox(name, &text)))
			return true;
	}
	return false;
}

/* Common names that have the form of a host: nobody here takes them for one, but others do where
 * there is no alternative name of a host. */
static void check_common_names(struct walk *w)
{
	const X509_NAME *subject = X509_get_subject_name(cert_x509(w->cert));
	int at = -1;

	while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
		const ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
		struct name name = { .type = GEN_DNS };
		uint8_t *utf8 = NULL;
		int n = ASN1_STRING_to_UTF8(&utf8, s);

		name.text = span_of(utf8, n > 0 ? (size_t)n : 0);
		if (name_is_dns(name.text, true) && span_find(name.text, '.') < name.text.n)
			check_name(w, &name);
		OPENSSL_free(utf8);
	}
	ERR_clear_error();
}

static void check_cert(struct walk *w)
{
	const GENERAL_NAMES *names = cert_alt_names(w->cert);
	struct name name = { .type = GEN_DIRNAME,
		.directory = X509_get_subject_name(cert_x509(w->cert)) };

	if (X509_NAME_entry_count(name.directory) > 0)
		check_name(w, &name);
	name = (struct name){ .type = GEN_EMAIL };
	for (size_t i = 0; altname_subject_email(w->cert, i, &name.text); i++)
		check_name(w, &name);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !w->ended; i++)
		check_general_name(w, sk_GENERAL_NAME_value(names, i));
	if (w->depth == 0 && !has_name(names, GEN_DNS) && !has_name(names, GEN_IPADD))
		check_common_names(w);
}

/* In the style of CIDR (RFC 5280 section 4.2.1.10): ones, then zeros. */
static bool mask_is_prefix(struct span mask)
{
	bool ended = false;

	for (size_t i = 0; i < 8 * mask.n; i++) {
		bool one = mask.p[i / 8] & (0x80 >> i % 8);

		if (one && ended)
			return false;
		ended = ended || !one;
	}
	return true;
}

static bool domain_is_well_formed(struct span domain)
{
	return domain.n == 0 || name_is_dns(domain, false);
}

static bool base_is_well_formed(const GENERAL_NAME *base)
{
	struct span text, local, domain;

	if (!is_understood(base->type) || base->type == GEN_DIRNAME)
		return true;
	text = altname_text(base);
	switch (base->type) {
	case GEN_DNS:
		return domain_is_well_formed(text);
	case GEN_IPADD:
		return (text.n == 8 || text.n == 32) && mask_is_prefix(span_skip(text, text.n / 2));
	case GEN_EMAIL:
		if (altname_split_address(text, &local, &domain))
			return local.n && span_find(local, '@') == local.n &&
			       name_is_dns(domain, false);
		break;
	default:
		break;
	}
	if (text.n && text.p[0] == '.')
		return name_is_dns(span_skip(text, 1), false);
	return domain_is_well_formed(text);
}

/* Minimum and maximum are not used in any profile (RFC 5280 section 4.2.1.10). */
static bool trees_are_well_formed(const STACK_OF(GENERAL_SUBTREE) *trees)
{
	if (trees && sk_GENERAL_SUBTREE_num(trees) == 0)
		return false;
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); i++) {
		const GENERAL_SUBTREE *tree = sk_GENERAL_SUBTREE_value(trees, i);

		if ((tree->minimum && ASN1_INTEGER_get(tree->minimum) != 0) || tree->maximum ||
			!base_is_well_formed(tree->base))
			return false;
	}
	return true;
}

static bool constraints_are_well_formed(const NAME_CONSTRAINTS *c)
{
	return (c->permittedSubtrees || c->excludedSubtrees) &&
	       trees_are_well_formed(c->permittedSubtrees) &&
	       trees_are_well_formed(c->excludedSubtrees);
}

/* Reading them costs as much as comparing one name. */
static size_t n_trees(const NAME_CONSTRAINTS *c)
{
	int n = 0;

	if (c->permittedSubtrees)
		n += sk_GENERAL_SUBTREE_num(c->permittedSubtrees);
	if (c->excludedSubtrees)
		n += sk_GENERAL_SUBTREE_num(c->excludedSubtrees);
	return (size_t)n;
}

void constraint_check(struct cert *authority, size_t depth, struct cert *const *below,
	size_t n_below, size_t *budget, struct verdict *out)
{
	CLEANUP(NAME_CONSTRAINTS_freep) NAME_CONSTRAINTS *constraints = NULL;
	struct walk w = { .authority = authority,
		.cert = authority,
		.depth = depth,
		.budget = budget,
		.out = out };
	int critical;

	constraints = X509_get_ext_d2i(cert_x509(authority), NID_name_constraints, &critical, NULL);
	if (!constraints && critical == -1)
		return;
	w.constraints = constraints;
	if (!constraints || !constraints_are_well_formed(constraints)) {
		verdict_add(out, FINDING_ERROR, "name-constraints", "RFC 5280 4.2.1.10", authority,
			depth, "the name constraints are empty or not well-formed");
		ERR_clear_error();
		return;
	}
	if (!charge(&w, n_trees(constraints)))
		return;
	for (size_t i = 0; i < n_below && !w.ended; i++) {
		/* RFC 5280 section 6.1.3 (b): not to self-issued authorities. */
		if (i > 0 && profile_is_self_issued(below[i]))
			continue;
		w.cert = below[i];
		w.depth = i;
		check_cert(&w);
	}
}
