/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Rules from certificates to accounts. Everything that is not plain leads to a refusal: an attribute
 * that is there twice, addresses of two accounts, an alias with two targets. A rule that found an
 * account and refuses it is not followed by the next one, which might be less strict.
 */

#include "svc/certmap.h"

#include "mime/address.h"
#include "pki/person.h"
#include "store/client_rows.h"
#include "store/domain.h"
#include "store/store.h"

enum { SHA256_LENGTH = 32 };

static const char *const method_names[] = {
	[CERTMAP_EMAIL] = "email",
	[CERTMAP_SUBJECT] = "subject",
	[CERTMAP_FINGERPRINT] = "fingerprint",
};

const char *certmap_method_name(enum certmap_method method)
{
	return method_names[method];
}

/* Takes text up to the next placeholder and the placeholder's name out of *rest; name.p is NULL behind
 * the last. False if a brace has no partner. */
static bool template_cut(struct span *rest, struct span *ret_text, struct span *ret_name)
{
	size_t open = span_find(*rest, '{');
	struct span name = {};

	*ret_text = span_head(*rest, open);
	*rest = span_skip(*rest, open);
	if (rest->n) {
		*rest = span_skip(*rest, 1);
		if (span_find(*rest, '}') == rest->n)
			return false;
		name = span_cut(rest, '}');
	}
	*ret_name = name;
	return span_find(*ret_text, '}') == ret_text->n;
}

static int template_check(struct span template, struct why *why)
{
	struct span rest = template, text, name;
	unsigned n_names = 0;

	while (rest.n) {
		if (!template_cut(&rest, &text, &name)) {
			why_set(why, "a brace of the template has no partner");
			return CERTMAP_E_SYNTAX;
		}
		for (size_t i = 0; i < text.n; i++) {
			if (text.p[i] <= ' ' || text.p[i] == 0x7F) {
				why_set(why, "the template holds white space or a control character");
				return CERTMAP_E_SYNTAX;
			}
		}
		if (!name.p)
			break;
		if (!person_knows_attribute(name)) {
			why_set(why, "\"%.*s\" is no attribute of a subject; for example CN, UID, "
				"emailAddress", (int)name.n, (const char *)name.p);
			return CERTMAP_E_SYNTAX;
		}
		n_names++;
	}
	if (n_names == 0) {
		why_set(why, "the template names no attribute: write it as \"subject:{UID}\"");
		return CERTMAP_E_SYNTAX;
	}
	return 0;
}

static int parse_method(struct span text, struct certmap_rule *rule, struct why *why)
{
	struct span rest = text;
	struct span name = span_cut(&rest, ':');

	for (enum certmap_method m = 0; m < sizeof method_names / sizeof method_names[0]; m++) {
		if (!span_is(name, method_names[m]) || (m != CERTMAP_SUBJECT && name.n < text.n))
			continue;
		rule->method = m;
		rule->template = rest;
		return m == CERTMAP_SUBJECT ? template_check(rest, why) : 0;
	}
	why_set(why, "a rule begins with email, subject:TEMPLATE or fingerprint");
	return CERTMAP_E_SYNTAX;
}

int certmap_parse(struct span text, struct certmap_rule *ret_rule, struct why *why)
{
	struct certmap_rule rule = {};
	struct span rest;
	int r;

	if (text.n > CERTMAP_RULE_MAX || !span_is_utf8(text)) {
		why_set(why, "a rule is text of at most %d octets", CERTMAP_RULE_MAX);
		return CERTMAP_E_SYNTAX;
	}
	rest = span_skip(text, span_find(text, ';'));
	r = parse_method(span_head(text, text.n - rest.n), &rule, why);
	while (!r && rest.n) {
		/* A name may hold anything: it comes last. */
		if (span_starts(rest, SPAN(";issuer=")) && rest.n > sizeof ";issuer=" - 1) {
			rule.issuer = span_skip(rest, sizeof ";issuer=" - 1);
			break;
		}
		if (rule.verify || !span_starts(rest, SPAN(";verifycert"))) {
			why_set(why, "behind the method a rule may have ;verifycert and"
				" ;issuer=NAME");
			return CERTMAP_E_SYNTAX;
		}
		rule.verify = true;
		rest = span_skip(rest, sizeof ";verifycert" - 1);
	}
	if (r)
		return r;
	*ret_rule = rule;
	return 0;
}

/* One search. */
enum { ALIAS_DEPTH = 8 };

struct search {
	struct store_conn *c;
	struct arena *arena;
	int64_t domain;
	const struct cert *cert;
	struct span issuer; /* the certificate's, as rules write it */
	uint8_t sha256[SHA256_LENGTH];
	struct why *why;

	int64_t found; /* the account; 0: none yet */
	bool is_several;
	struct span rule; /* the one that decided */
};

static void search_add(struct search *s, int64_t account)
{
	s->is_several |= s->found && s->found != account;
	s->found = account;
}

/* Names as people write them: without regard to case and to spaces behind commas. */
static struct span name_form(struct arena *a, struct span name)
{
	CLEANUP(buf_done) struct buf form = {};

	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == ' ' && i > 0 && name.p[i - 1] == ',' &&
			!(i > 1 && name.p[i - 2] == '\\'))
			continue;
		buf_add_octet(&form, octet_lower(name.p[i]));
	}
	return arena_span(a, buf_span(&form));
}

/* The targets that are stored for an address alias. */
struct stored_alias {
	struct search *s;
	struct span address;
	struct span targets; /* in the arena; p NULL: there is no such alias */
};

static int match_alias(struct span address, struct span targets, void *context)
{
	struct stored_alias *alias = context;

	if (!span_equal_nocase(address, alias->address))
		return 0;
	alias->targets = arena_span(alias->s->arena, targets);
	return 1;
}

static int find_alias(struct search *s, struct span address, struct span *ret_targets)
{
	struct stored_alias alias = { .s = s, .address = address };
	int r = store_alias_each(s->c, s->domain, match_alias, &alias);

	*ret_targets = alias.targets;
	return r < 0 ? r : 0;
}

/* An account of that name, or an alias that was made for it alone. Where mail goes is another question:
 * it also finds who is left of several, and somebody for every "postmaster" (RFC 5321 section 4.5.1). */
static int look_up_holder(struct search *s, struct span address)
{
	for (unsigned depth = 0; depth < ALIAS_DEPTH; depth++) {
		struct store_account account;
		struct span targets;
		int r = store_account_find(s->c, s->arena, address, &account, NULL);

		if (r == 0) {
			/* An alias may lead to another domain, whose issuers have not been asked. */
			if (account.domain == s->domain)
				search_add(s, account.id);
			return 0;
		}
		if (r != STORE_E_NOT_FOUND)
			return err_fold(r);
		TRY(find_alias(s, address, &targets));
		if (span_find(targets, ',') < targets.n)
			s->is_several = true;
		if (!targets.p || s->is_several)
			return 0;
		address = targets;
	}
	return 0;
}

/* An address of the certificate; one that is none, or of another domain, is nobody's here. */
static int look_up_address(struct search *s, struct span text)
{
	CLEANUP(buf_done) struct buf address = {};
	struct address_name name;
	struct store_domain domain;
	int r = address_normalize(text, &name);

	if (r)
		return r < 0 ? r : 0;
	r = store_domain_find(s->c, s->arena, address_name_domain(&name), &domain);
	if (r == STORE_E_NOT_FOUND || (!r && domain.id != s->domain))
		return 0;
	TRY(r);
	buf_add(&address, address_name_local(&name));
	buf_add_octet(&address, '@');
	buf_add_string(&address, domain.name);
	return look_up_holder(s, arena_span(s->arena, buf_span(&address)));
}

static int by_email(struct search *s)
{
	struct span address;

	for (size_t i = 0; person_address(s->cert, i, &address); i++)
		TRY(look_up_address(s, address));
	return 0;
}

/* The template with the values of the attributes in it; CERTMAP_E_NOBODY if one is not there. */
static int template_fill(struct search *s, struct span template, struct buf *out)
{
	struct span text, name;
	int r;

	while (template.n && template_cut(&template, &text, &name)) {
		buf_add(out, text);
		if (!name.p)
			break;
		r = person_attribute(s->cert, name, out);
		if (r == PERSON_E_SEVERAL) {
			why_set(s->why, "the subject has more than one %.*s", (int)name.n,
				(const char *)name.p);
			return CERTMAP_E_REFUSED;
		}
		if (r)
			return r < 0 ? r : CERTMAP_E_NOBODY;
	}
	return 0;
}

static int by_subject(struct search *s, struct span template)
{
	CLEANUP(buf_done) struct buf address = {};
	struct store_domain domain;
	int r = template_fill(s, template, &address);

	if (r)
		return r == CERTMAP_E_NOBODY ? 0 : r;
	if (span_find(buf_span(&address), '@') == buf_size(&address)) {
		TRY(store_domain_get(s->c, s->arena, s->domain, &domain));
		buf_add_octet(&address, '@');
		buf_add_string(&address, domain.name);
	}
	return look_up_address(s, buf_span(&address));
}

static int add_owner(int64_t account, void *context)
{
	search_add(context, account);
	return 0;
}

static int by_method(struct search *s, const struct certmap_rule *rule)
{
	switch (rule->method) {
	case CERTMAP_EMAIL:
		return by_email(s);
	case CERTMAP_SUBJECT:
		return by_subject(s, rule->template);
	case CERTMAP_FINGERPRINT:
		break;
	}
	return store_account_cert_owners(s->c, s->domain, span_of(s->sha256, sizeof s->sha256),
		add_owner, s);
}

/* Somebody was found: whether the certificate is enough. */
static int decide(struct search *s, const struct certmap_rule *rule)
{
	struct store_account account;
	bool has = true;

	if (s->is_several) {
		why_set(s->why, "the certificate fits more than one account");
		return CERTMAP_E_REFUSED;
	}
	TRY(store_account_get(s->c, s->arena, s->found, &account));
	if (rule->verify)
		TRY(store_account_cert_has(s->c, s->found, span_of(s->sha256, sizeof s->sha256),
			&has));
	if (!has) {
		why_set(s->why, "it is not one of the certificates that are stored for %.*s",
			(int)account.address.n, (const char *)account.address.p);
		return CERTMAP_E_REFUSED;
	}
	if (account.disabled) {
		why_set(s->why, "the account %.*s is disabled", (int)account.address.n,
			(const char *)account.address.p);
		return CERTMAP_E_REFUSED;
	}
	return 0;
}

enum { RULE_DECIDES = 100 }; /* ends the loop over the rules: beside the outcomes */

static int try_rule(struct span text, void *context)
{
	struct search *s = context;
	struct certmap_rule rule;
	struct why why = {};
	int r = certmap_parse(text, &rule, &why);

	if (r < 0)
		return r;
	if (r) {
		/* It was one when it was written: better nobody than the wrong one. */
		why_set(s->why, "the rule \"%.*s\" cannot be read: %.200s", (int)text.n,
			(const char *)text.p, why.text);
		return CERTMAP_E_REFUSED;
	}
	if (rule.issuer.n && !span_equal(name_form(s->arena, rule.issuer), s->issuer))
		return 0;
	r = by_method(s, &rule);
	if (r)
		return r;
	if (!s->found && !s->is_several)
		return 0;
	s->rule = arena_span(s->arena, text);
	r = decide(s, &rule);
	return r ? r : RULE_DECIDES;
}

struct rules {
	struct search *search;
	unsigned n;
};

static int try_counted(struct span text, void *context)
{
	struct rules *rules = context;

	rules->n++;
	return try_rule(text, rules->search);
}

static int try_rules(struct search *s)
{
	struct rules rules = { .search = s };
	int r = store_certmap_each(s->c, s->domain, try_counted, &rules);

	if (!r && rules.n == 0)
		r = store_certmap_each(s->c, 0, try_counted, &rules);
	if (!r && rules.n == 0)
		r = try_rule(SPAN("email"), s);
	if (r)
		return r;
	why_set(s->why, "no rule leads from this certificate to an account of the domain");
	return CERTMAP_E_NOBODY;
}

int certmap_find(struct store_conn *c, struct arena *a, int64_t domain, const struct cert *cert,
	struct store_account *ret_account, struct span *ret_rule, struct why *why)
{
	CLEANUP(buf_done) struct buf issuer = {};
	struct search s = { .c = c, .arena = a, .domain = domain, .cert = cert, .why = why };
	int r;

	cert_add_issuer(cert, &issuer);
	s.issuer = name_form(a, buf_span(&issuer));
	cert_fingerprint(cert, s.sha256);
	r = try_rules(&s);
	if (r != RULE_DECIDES)
		return r;
	if (ret_rule)
		*ret_rule = s.rule;
	return store_account_get(c, a, s.found, ret_account);
}
