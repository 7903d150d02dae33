/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The members are those of a test case of x509-limbo, and the inputs of RFC 5280 section 6.1.1
 * about policies. They are a table: a row reads one member into the request, and what it cannot
 * read is an answer "not valid", by the rule "input". Members that are not in the table are passed
 * over.
 */

#include "cli/batch.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "pki/path.h"
#include "pki/usage.h"

#include <jansson.h>
#include <stdlib.h>

enum { LIST_MAX = 256 }; /* elements of any list */

typedef json_t json_owned;
static void json_owned_free(json_owned *j)
{
	json_decref(j);
}
CLEANUP_POINTER(json_owned, json_owned_free)

struct batch_case {
	struct cert *leaf;
	struct cert_list untrusted;
	struct trust *trust;
	struct crl_list crls;
	struct path_name *names;
	struct span *policies;
	struct path_request q;
	struct verdict verdict;
	bool is_client;
	bool has_usages;
	struct why why; /* of what could not be read */
};

static void case_done(struct batch_case *c)
{
	cert_unref(c->leaf);
	cert_list_done(&c->untrusted);
	trust_unref(c->trust);
	crl_list_done(&c->crls);
	free(c->names);
	free(c->policies);
	verdict_done(&c->verdict);
}

static struct span text_of(const json_t *value)
{
	return span_of(json_string_value(value), json_string_length(value));
}

static bool take_leaf(struct batch_case *c, const json_t *value)
{
	return cert_from_pem(&c->leaf, text_of(value), &c->why) == 0;
}

static void list_append(struct cert_list *list, struct cert *cert)
{
	list->certs = alloc_array(list->certs, list->n + 1, sizeof(struct cert *));
	list->certs[list->n++] = cert_ref(cert);
}

/* A certificate that cannot be read leads nowhere, and does no harm to a path without it. */
static void say_unreadable(struct batch_case *c, const char *what, const struct why *why)
{
	verdict_add(&c->verdict, FINDING_WARNING, "encoding", "RFC 5280 4.1", NULL, 0, "%s: %s",
		what, why->text);
}

static bool take_untrusted(struct batch_case *c, const json_t *value)
{
	struct cert_list list = {};
	struct why why = {};

	if (cert_list_from_pem(&list, text_of(value), &why))
		say_unreadable(c, "an untrusted certificate is left out", &why);
	for (size_t i = 0; i < list.n && c->untrusted.n < LIST_MAX; i++)
		list_append(&c->untrusted, list.certs[i]);
	cert_list_done(&list);
	return true;
}

static bool take_trusted(struct batch_case *c, const json_t *value)
{
	struct cert_list list = {};
	struct why why = {};

	if (cert_list_from_pem(&list, text_of(value), &why))
		say_unreadable(c, "a trusted certificate is left out", &why);
	for (size_t i = 0; i < list.n; i++)
		trust_add(c->trust, list.certs[i], TRUST_ALL_PURPOSES);
	cert_list_done(&list);
	return true;
}

/* A list that cannot be read leaves open what is revoked. */
static bool take_crl(struct batch_case *c, const json_t *value)
{
	return crl_list_add(&c->crls, text_of(value), &c->why) == 0;
}

static bool take_time(struct batch_case *c, const json_t *value)
{
	why_set(&c->why, "it is not a time in the form of RFC 3339");
	return clock_parse_rfc3339(text_of(value), &c->q.time_us);
}

static bool take_kind(struct batch_case *c, const json_t *value)
{
	why_set(&c->why, "it is neither SERVER nor CLIENT");
	c->is_client = span_is(text_of(value), "CLIENT");
	return c->is_client || span_is(text_of(value), "SERVER");
}

static bool take_name(struct batch_case *c, const json_t *value)
{
	static const char
		*const kinds[] = { [PATH_DNS] = "DNS", [PATH_IP] = "IP", [PATH_EMAIL] = "RFC822" };
	struct span kind = text_of(json_object_get(value, "kind"));
	const json_t *text = json_object_get(value, "value");

	why_set(&c->why, "it has no kind of DNS, IP or RFC822 and no value");
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!span_is(kind, kinds[i]) || !json_is_string(text))
			continue;
		c->names = alloc_array(c->names, c->q.n_names + 1, sizeof *c->names);
		c->names[c->q.n_names++] = (struct path_name){ (enum path_name_kind)i,
			text_of(text) };
		return true;
	}
	return false;
}

static bool take_extended_usage(struct batch_case *c, const json_t *value)
{
	unsigned bit = usage_extended(text_of(value));

	why_set(&c->why, "there is no such extended key usage here");
	c->has_usages = true;
	c->q.purposes |= bit;
	return bit;
}

static bool take_key_usage(struct batch_case *c, const json_t *value)
{
	unsigned bit = usage_key(text_of(value));

	why_set(&c->why, "there is no such key usage");
	c->q.key_usage |= bit;
	return bit;
}

static bool take_depth(struct batch_case *c, const json_t *value)
{
	json_int_t depth = json_integer_value(value);

	why_set(&c->why, "it is not a number from 0");
	c->q.has_max_depth = true;
	c->q.max_depth = depth > 1000 ? 1000 : (unsigned)depth; /* no path is that long */
	return depth >= 0;
}

static bool take_policy(struct batch_case *c, const json_t *value)
{
	c->policies = alloc_array(c->policies, c->q.n_policies + 1, sizeof *c->policies);
	c->policies[c->q.n_policies++] = text_of(value);
	return true;
}

static bool take_explicit(struct batch_case *c, const json_t *value)
{
	c->q.require_explicit_policy = json_is_true(value);
	return true;
}

static bool take_mapping(struct batch_case *c, const json_t *value)
{
	c->q.inhibit_policy_mapping = json_is_true(value);
	return true;
}

static bool take_any_policy(struct batch_case *c, const json_t *value)
{
	c->q.inhibit_any_policy = json_is_true(value);
	return true;
}

static bool take_algorithm(struct batch_case *c, const json_t *value)
{
	(void)value;
	why_set(&c->why, "which algorithms are accepted cannot be chosen here");
	return false;
}

enum shape { TEXT, NUMBER, TRUTH, OBJECT };

static bool has_shape(const json_t *value, enum shape shape)
{
	switch (shape) {
	case TEXT:
		return json_is_string(value);
	case NUMBER:
		return json_is_integer(value);
	case TRUTH:
		return json_is_boolean(value);
	case OBJECT:
		return json_is_object(value);
	}
	return false;
}

static const struct member {
	const char *name;
	enum shape shape;
	bool list; /* of such values */
	bool must;
	bool (*take)(struct batch_case *c, const json_t *value);
} members[] = {
	{ "peer_certificate", TEXT, false, true, take_leaf },
	{ "untrusted_intermediates", TEXT, true, false, take_untrusted },
	{ "trusted_certs", TEXT, true, true, take_trusted },
	{ "crls", TEXT, true, false, take_crl },
	{ "validation_time", TEXT, false, false, take_time },
	{ "validation_kind", TEXT, false, false, take_kind },
	{ "expected_peer_name", OBJECT, false, false, take_name },
	{ "expected_peer_names", OBJECT, true, false, take_name },
	{ "extended_key_usage", TEXT, true, false, take_extended_usage },
	{ "key_usage", TEXT, true, false, take_key_usage },
	{ "signature_algorithms", TEXT, true, false, take_algorithm },
	{ "max_chain_depth", NUMBER, false, false, take_depth },
	{ "initial_policies", TEXT, true, false, take_policy },
	{ "require_explicit_policy", TRUTH, false, false, take_explicit },
	{ "inhibit_policy_mapping", TRUTH, false, false, take_mapping },
	{ "inhibit_any_policy", TRUTH, false, false, take_any_policy },
};

static bool take_list(struct batch_case *c, const struct member *m, const json_t *list)
{
	const json_t *value;
	size_t i;

	why_set(&c->why, "it is not a list of at most %d", LIST_MAX);
	if (!json_is_array(list) || json_array_size(list) > LIST_MAX)
		return false;
	json_array_foreach(list, i, value)
	{
		why_set(&c->why, "an element is of another kind");
		if (!has_shape(value, m->shape) || !m->take(c, value))
			return false;
	}
	return true;
}

static bool take_member(struct batch_case *c, const struct member *m, const json_t *value)
{
	if (!value || json_is_null(value)) {
		why_set(&c->why, "it is missing");
		return !m->must;
	}
	if (m->list)
		return take_list(c, m, value);
	why_set(&c->why, "it is of another kind");
	return has_shape(value, m->shape) && m->take(c, value);
}

/* False with a finding. */
static bool case_read(struct batch_case *c, const json_t *object)
{
	c->trust = trust_new(TRUST_DOMAIN, NULL);
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		const struct member *m = &members[i];

		if (take_member(c, m, json_object_get(object, m->name)))
			continue;
		verdict_add(&c->verdict, FINDING_ERROR, "input", "", NULL, 0, "%s: %s", m->name,
			c->why.text);
		return false;
	}
	c->q.leaf = c->leaf;
	c->q.untrusted = &c->untrusted;
	c->q.trust = c->trust;
	c->q.crls = &c->crls;
	c->q.names = c->names;
	c->q.policies = c->policies;
	if (!c->has_usages)
		c->q.purposes = c->is_client ? 0 : TRUST_SERVER;
	c->q.revocation = c->crls.n ? PATH_REVOCATION_REQUIRED : PATH_REVOCATION_IGNORED;
	return true;
}

/* What was said while reading goes behind what the validation says. */
static int case_validate(struct batch_case *c)
{
	struct verdict read = c->verdict;
	int r;

	c->verdict = (struct verdict){};
	r = path_validate(&c->q, &c->verdict);
	for (size_t i = 0; !r && i < read.n; i++)
		verdict_add(&c->verdict, read.findings[i].severity, read.findings[i].rule,
			read.findings[i].standard, NULL, 0, "%s", read.findings[i].text);
	verdict_done(&read);
	return r;
}

static void add_answer(const json_t *id, const struct verdict *v, struct buf *out)
{
	char *text = id ? json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	buf_add_format(out, "{\"id\":%s,\"valid\":%s,\"findings\":", text ? text : "null",
		v->valid ? "true" : "false");
	verdict_add_findings_json(v, out);
	buf_add_string(out, "}\n");
	free(text);
}

int batch_answer(struct span line, int64_t now_us, struct buf *out)
{
	CLEANUP(json_owned_freep) json_t *object = NULL;
	CLEANUP(case_done) struct batch_case c = { .q.time_us = now_us };
	json_error_t error = {};

	if (line.n <= BATCH_LINE_MAX)
		object = json_loadb((const char *)line.p, line.n,
			JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (line.n > BATCH_LINE_MAX)
		verdict_add(&c.verdict, FINDING_ERROR, "input", "", NULL, 0,
			"the line has more than %d octets", BATCH_LINE_MAX);
	else if (!json_is_object(object))
		verdict_add(&c.verdict, FINDING_ERROR, "input", "RFC 8259 4", NULL, 0,
			"the line is not a JSON object%s%s", error.text[0] ? ": " : "", error.text);
	else if (case_read(&c, object))
		TRY(case_validate(&c));
	add_answer(json_object_get(object, "id"), &c.verdict, out);
	return 0;
}
