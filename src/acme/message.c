/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * JSON through jansson, which bounds the depth; the size is bounded before. A server that sends
 * something else than the standard says is refused rather than guessed at: nothing good comes of a
 * half-understood authority.
 */

#include "acme/message.h"

#include "base/clock.h"
#include "base/enc.h"
#include "pki/name.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* RFC 8555 section 8.3: at least 128 bits, so 22 digits of base64url. */
enum { TOKEN_MIN = 22, NONCE_MAX = 512 };

typedef json_t json_owned;
static void json_owned_free(json_owned *j)
{
	json_decref(j);
}
CLEANUP_POINTER(json_owned, json_owned_free)

const char *const acme_challenge_names[ACME_CHALLENGES] = {
	[ACME_HTTP_01] = "http-01",
	[ACME_TLS_ALPN_01] = "tls-alpn-01",
	[ACME_DNS_01] = "dns-01",
};

bool acme_challenge_parse(struct span name, enum acme_challenge *ret_challenge)
{
	for (enum acme_challenge c = 0; c < ACME_CHALLENGES; c++) {
		if (!span_is(name, acme_challenge_names[c]))
			continue;
		*ret_challenge = c;
		return true;
	}
	return false;
}

static int malformed(struct why *why, const char *what)
{
	why_set(why, "the directory server's answer is not ACME: %s", what);
	return ACME_E_MALFORMED;
}

/* An object, or NULL. */
static json_t *load(struct span text)
{
	json_t *json;

	if (text.n == 0 || text.n > ACME_JSON_MAX)
		return NULL;
	json = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

/* A member that is text without control characters, else NULL. */
static const char *text_of(const json_t *object, const char *member, size_t max)
{
	const json_t *value = json_object_get(object, member);
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n > max)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if ((uint8_t)text[i] < ' ' || text[i] == 0x7F)
			return NULL;
	}
	return text;
}

bool acme_url_fits(const char *url)
{
	struct span text = span_str(url);

	if (text.n > ACME_URL_MAX || !span_starts(text, SPAN("https://")) || text.n < 9)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] >= 0x7F || text.p[i] == '"' || text.p[i] == '\\')
			return false;
	}
	return text.p[8] != '/';
}

static bool is_base64url(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (!octet_is_alpha(c) && !octet_is_digit(c) && c != '-' && c != '_')
			return false;
	}
	return text.n > 0;
}

bool acme_nonce_fits(const char *nonce)
{
	return strlen(nonce) <= NONCE_MAX && is_base64url(span_str(nonce));
}

static const char *url_of(struct arena *a, const json_t *object, const char *member)
{
	const char *url = text_of(object, member, ACME_URL_MAX);

	return url && acme_url_fits(url) ? arena_string(a, span_str(url)) : NULL;
}

int acme_directory_read(struct arena *a, struct span json, struct acme_directory *ret_directory,
	struct why *why)
{
	CLEANUP(json_owned_freep) json_t *root = load(json);
	const json_t *meta = json_object_get(root, "meta");
	struct acme_directory d = {
		.new_nonce = url_of(a, root, "newNonce"),
		.new_account = url_of(a, root, "newAccount"),
		.new_order = url_of(a, root, "newOrder"),
		.renewal_info = url_of(a, root, "renewalInfo"),
		.terms = url_of(a, meta, "termsOfService"),
		.binding_required = json_is_true(json_object_get(meta, "externalAccountRequired")),
	};

	if (!root)
		return malformed(why, "the directory is no JSON object");
	if (!d.new_nonce || !d.new_account || !d.new_order)
		return malformed(why,
			"the directory lacks newNonce, newAccount or newOrder (https)");
	*ret_directory = d;
	return 0;
}

static void add_printable(char *out, size_t room, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < room; text++)
		out[n++] = *text >= ' ' && *text < 0x7F ? *text : '?';
	out[n] = 0;
}

static const struct {
	const char *type;
	enum acme_problem_kind kind;
} problem_kinds[] = {
	{ "badNonce", ACME_PROBLEM_NONCE },
	{ "rateLimited", ACME_PROBLEM_RATE },
	{ "accountDoesNotExist", ACME_PROBLEM_ACCOUNT },
	{ "alreadyReplaced", ACME_PROBLEM_REPLACED },
	{ "externalAccountRequired", ACME_PROBLEM_BINDING },
	{ "userActionRequired", ACME_PROBLEM_TERMS },
};

static void problem_of(const json_t *root, struct acme_problem *p)
{
	static const char prefix[] = "urn:ietf:params:acme:error:";
	const char *type = json_string_value(json_object_get(root, "type"));
	const char *detail = json_string_value(json_object_get(root, "detail"));
	char short_type[64] = "", short_detail[ACME_DETAIL_MAX] = "";

	*p = (struct acme_problem){};
	if (type && strncmp(type, prefix, sizeof prefix - 1) == 0)
		type += sizeof prefix - 1;
	for (size_t i = 0; type && i < sizeof problem_kinds / sizeof problem_kinds[0]; i++) {
		if (strcmp(type, problem_kinds[i].type) == 0)
			p->kind = problem_kinds[i].kind;
	}
	add_printable(short_type, sizeof short_type, type ? type : "error");
	add_printable(short_detail, sizeof short_detail, detail ? detail : "without a reason");
	(void)snprintf(p->text, sizeof p->text, "%s: %s", short_type, short_detail);
}

void acme_problem_read(struct span json, struct acme_problem *ret_problem)
{
	CLEANUP(json_owned_freep) json_t *root = load(json);

	problem_of(root, ret_problem);
}

/* The member "error", where there is one. */
static bool error_of(const json_t *object, struct acme_problem *ret_problem)
{
	const json_t *error = json_object_get(object, "error");

	if (!json_is_object(error))
		return false;
	problem_of(error, ret_problem);
	return true;
}

/* RFC 8555 section 7.1.6. */
static bool status_of(const json_t *object, enum acme_status *ret_status)
{
	static const struct {
		const char *name;
		enum acme_status status;
	} names[] = {
		{ "pending", ACME_PENDING }, { "ready", ACME_READY },
		{ "processing", ACME_PROCESSING }, { "valid", ACME_VALID },
		{ "invalid", ACME_INVALID }, { "deactivated", ACME_INVALID },
		{ "expired", ACME_INVALID }, { "revoked", ACME_INVALID },
	};
	const char *text = text_of(object, "status", 32);

	for (size_t i = 0; text && i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(text, names[i].name) != 0)
			continue;
		*ret_status = names[i].status;
		return true;
	}
	return false;
}

static bool authorizations_of(struct arena *a, const json_t *root, struct acme_order *o)
{
	const json_t *list = json_object_get(root, "authorizations");
	const json_t *item;
	const char **urls;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0 ||
		json_array_size(list) > ACME_NAMES_MAX)
		return false;
	urls = arena_alloc(a, json_array_size(list) * sizeof *urls);
	json_array_foreach(list, i, item) {
		const char *url = json_string_value(item);

		if (!url || strlen(url) != json_string_length(item) || !acme_url_fits(url))
			return false;
		urls[i] = arena_string(a, span_str(url));
	}
	o->authorizations = urls;
	o->n_authorizations = json_array_size(list);
	return true;
}

int acme_order_read(struct arena *a, struct span json, struct acme_order *ret_order,
	struct why *why)
{
	CLEANUP(json_owned_freep) json_t *root = load(json);
	struct acme_order o = { .finalize = url_of(a, root, "finalize"),
		.certificate = url_of(a, root, "certificate") };

	if (!status_of(root, &o.status))
		return malformed(why, "an order without a status");
	if (!o.finalize)
		return malformed(why, "an order without a finalize URL");
	if (!authorizations_of(a, root, &o))
		return malformed(why, "an order without authorizations");
	o.has_problem = error_of(root, &o.problem);
	*ret_order = o;
	return 0;
}

static bool name_of(struct arena *a, const json_t *root, struct acme_authorization *z)
{
	const json_t *identifier = json_object_get(root, "identifier");
	const char *type = text_of(identifier, "type", 16);
	const char *value = text_of(identifier, "value", 256);

	/* RFC 8555 section 7.1.4: the name of an authorization has no "*.". */
	if (!type || strcmp(type, "dns") != 0 || !value || !name_is_dns(span_str(value), false))
		return false;
	z->name = arena_string(a, span_str(value));
	z->wildcard = json_is_true(json_object_get(root, "wildcard"));
	return true;
}

/* A challenge of a kind that is not known is left out; of a known one everything must be right. */
static bool challenge_of(struct arena *a, const json_t *item, struct acme_authorization *z)
{
	const char *type = text_of(item, "type", 64);
	const char *token = text_of(item, "token", ACME_TOKEN_MAX);
	struct acme_problem problem;
	enum acme_challenge kind;

	if (!type)
		return false;
	if (!acme_challenge_parse(span_str(type), &kind))
		return true;
	if (z->challenges[kind].url || !token || strlen(token) < TOKEN_MIN ||
		!is_base64url(span_str(token)) || !status_of(item, &z->challenges[kind].status))
		return false;
	z->challenges[kind].url = url_of(a, item, "url");
	z->challenges[kind].token = arena_string(a, span_str(token));
	if (error_of(item, &problem)) {
		z->has_problem = true;
		z->problem = problem;
	}
	return z->challenges[kind].url;
}

int acme_authorization_read(struct arena *a, struct span json,
	struct acme_authorization *ret_authorization, struct why *why)
{
	CLEANUP(json_owned_freep) json_t *root = load(json);
	const json_t *list = json_object_get(root, "challenges"), *item;
	struct acme_authorization z = {};
	size_t i;

	if (!status_of(root, &z.status))
		return malformed(why, "an authorization without a status");
	if (!name_of(a, root, &z))
		return malformed(why, "an authorization of no DNS name");
	if (!json_is_array(list) || json_array_size(list) > 20)
		return malformed(why, "an authorization without challenges");
	json_array_foreach(list, i, item) {
		if (!challenge_of(a, item, &z))
			return malformed(why, "a challenge without URL, token or status");
	}
	*ret_authorization = z;
	return 0;
}

int acme_renewal_info_read(struct arena *a, struct span json, struct acme_renewal_info *ret_info,
	struct why *why)
{
	CLEANUP(json_owned_freep) json_t *root = load(json);
	const json_t *window = json_object_get(root, "suggestedWindow");
	const char *start = text_of(window, "start", 64), *end = text_of(window, "end", 64);
	struct acme_renewal_info info = { .explanation = url_of(a, root, "explanationURL") };

	/* RFC 9773 section 4.2: a window whose end is not behind its start is to be treated as if
	 * there were none. */
	if (!start || !end || !clock_parse_rfc3339(span_str(start), &info.start_us) ||
		!clock_parse_rfc3339(span_str(end), &info.end_us) || info.start_us >= info.end_us)
		return malformed(why, "renewal information without a window");
	*ret_info = info;
	return 0;
}

static void print(json_t *json, struct buf *out)
{
	char *text = json_dumps(json, JSON_COMPACT);

	buf_add_string(out, text);
	free(text);
	json_decref(json);
}

static json_t *text_json(struct span text)
{
	return json_stringn((const char *)text.p, text.n);
}

/* RFC 6068 section 2: what may stand in a mailto URL's address without "%". */
static void add_mailto(struct buf *out, struct span address)
{
	buf_add_string(out, "mailto:");
	for (size_t i = 0; i < address.n; i++) {
		uint8_t c = address.p[i];

		if (octet_is_alpha(c) || octet_is_digit(c) || memchr("-._~@!$'*+", c, 10))
			buf_add_octet(out, c);
		else
			buf_add_format(out, "%%%02X", c);
	}
}

void acme_account_print(struct span contacts, bool terms_agreed, struct span binding,
	struct buf *out)
{
	json_t *account = json_object(), *list = json_array();

	if (terms_agreed)
		(void)json_object_set_new(account, "termsOfServiceAgreed", json_true());
	while (contacts.n) {
		CLEANUP(buf_done) struct buf url = {};

		add_mailto(&url, span_cut(&contacts, ','));
		(void)json_array_append_new(list, text_json(buf_span(&url)));
	}
	(void)json_object_set_new(account, "contact", list);
	if (binding.n)
		(void)json_object_set_new(account, "externalAccountBinding",
			json_loadb((const char *)binding.p, binding.n, 0, NULL));
	print(account, out);
}

void acme_order_print(const struct span *names, size_t n_names, struct span replaces,
	struct buf *out)
{
	json_t *order = json_object(), *list = json_array();

	for (size_t i = 0; i < n_names; i++)
		(void)json_array_append_new(list,
			json_pack("{s:s, s:o}", "type", "dns", "value", text_json(names[i])));
	(void)json_object_set_new(order, "identifiers", list);
	if (replaces.n)
		(void)json_object_set_new(order, "replaces", text_json(replaces));
	print(order, out);
}

void acme_finalize_print(struct span request_der, struct buf *out)
{
	buf_add_string(out, "{\"csr\":\"");
	enc_base64url(out, request_der);
	buf_add_string(out, "\"}");
}
