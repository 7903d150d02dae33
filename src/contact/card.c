/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "contact/card.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "base/limit.h"
#include "contact/schema.h"

#include <jansson.h>
#include <stdlib.h>

struct card *card_free(struct card *card)
{
	if (!card)
		return NULL;
	json_decref(card->json);
	arena_done(&card->arena);
	free(card);
	return NULL;
}

static struct span text_of(const json_t *value)
{
	return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value))
				     : (struct span){};
}

static struct span member_text(const json_t *object, const char *name)
{
	return text_of(json_object_get(object, name));
}

/* Levels of objects and arrays are bounded before anything recurses over them for a reason of its
 * own; the reader of JSON has a limit too, but a larger one. */
static bool is_shallow(const json_t *value, unsigned levels)
{
	const char *key;
	const json_t *member;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return true;
	if (levels == 0)
		return false;
	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		if (!is_shallow(member, levels - 1))
			return false;
	}
	json_array_foreach(value, i, member)
	{
		if (!is_shallow(member, levels - 1))
			return false;
	}
	return true;
}

/* Section 2.2.1: full, else the components put together. */
static struct span full_name(struct card *card)
{
	const json_t *name = json_object_get(card->json, "name");
	struct span full = member_text(name, "full");
	struct span gap = member_text(name, "defaultSeparator");
	CLEANUP(buf_done) struct buf out = {};
	const json_t *component;
	size_t i;

	if (full.n)
		return full;
	json_array_foreach(json_object_get(name, "components"), i, component)
	{
		if (span_is(member_text(component, "kind"), "separator")) {
			buf_add(&out, member_text(component, "value"));
			continue;
		}
		if (buf_size(&out))
			buf_add(&out, gap.p ? gap : SPAN(" "));
		buf_add(&out, member_text(component, "value"));
	}
	return arena_span(&card->arena, buf_span(&out));
}

static int too_many(struct why *why, const char *what, int max)
{
	why_set(why, "a card has at most %d %s", max, what);
	return CARD_E_INVALID;
}

static json_int_t pref_of(const json_t *object)
{
	const json_t *pref = json_object_get(object, "pref");

	return pref ? json_integer_value(pref) : 101;
}

/* Lists of addresses have one in each line. */
static bool has_control(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < ' ' || text.p[i] == 0x7f)
			return true;
	}
	return false;
}

/* By preference (section 1.5.4: the lowest first), then in the order of the card. */
static int find_addresses(struct card *card, struct why *why)
{
	const json_t *emails = json_object_get(card->json, "emails"), *email;
	size_t n = json_object_size(emails);
	json_int_t *prefs = arena_alloc(&card->arena, (n + 1) * sizeof *prefs);
	const char *key;

	if (n > CARD_ADDRESSES_MAX)
		return too_many(why, "mail addresses", CARD_ADDRESSES_MAX);
	card->addresses = arena_alloc(&card->arena, (n + 1) * sizeof *card->addresses);
	json_object_foreach((json_t *)(uintptr_t)emails, key, email)
	{
		struct span address = member_text(email, "address");
		size_t at = card->n_addresses++;

		if (address.n == 0 || address.n > LIMIT_ADDRESS) {
			why_set(why, "emails/%.60s/address has 1 to %d octets", key, LIMIT_ADDRESS);
			return CARD_E_INVALID;
		}
		if (has_control(address)) {
			why_set(why, "emails/%.60s/address has a control character", key);
			return CARD_E_INVALID;
		}
		for (; at > 0 && prefs[at - 1] > pref_of(email); at--) {
			prefs[at] = prefs[at - 1];
			card->addresses[at] = card->addresses[at - 1];
		}
		prefs[at] = pref_of(email);
		card->addresses[at] = address;
	}
	return 0;
}

/* RFC 3986 section 2.1. */
static bool undo_percent(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '%') {
			buf_add_octet(out, text.p[i]);
			continue;
		}
		if (i + 2 >= text.n || !enc_hex_decode(out, span_of(text.p + i + 1, 2)))
			return false;
		i += 2;
	}
	return true;
}

/* The base64 of a data: URL of a certificate; p is NULL where it is something else. RFC 2397: the
 * type, parameters, ";base64", a comma. */
static struct span cert_data(const json_t *key)
{
	struct span uri = member_text(key, "uri"), type, last = {};

	if (!span_starts_nocase(uri, SPAN("data:")))
		return (struct span){};
	uri = span_skip(uri, 5);
	type = span_cut(&uri, ',');
	for (struct span rest = type; rest.n;)
		last = span_cut(&rest, ';');
	if (!span_is_nocase(last, "base64"))
		return (struct span){};
	type = span_head(type, span_find(type, ';'));
	if (span_is_nocase(type, "base64") || type.n == 0)
		type = member_text(key, "mediaType");
	return span_is_nocase(type, "application/pkix-cert") ? uri : (struct span){};
}

static int find_certs(struct card *card, struct why *why)
{
	const json_t *keys = json_object_get(card->json, "cryptoKeys"), *value;
	size_t n = json_object_size(keys);
	const char *key;

	card->certs = arena_alloc(&card->arena, (n + 1) * sizeof *card->certs);
	json_object_foreach((json_t *)(uintptr_t)keys, key, value)
	{
		CLEANUP(buf_done) struct buf text = {}, der = {};
		struct span data = cert_data(value);

		if (!data.p)
			continue;
		if (card->n_certs == CARD_CERTS_MAX)
			return too_many(why, "certificates", CARD_CERTS_MAX);
		if (!undo_percent(&text, data) || !enc_base64_decode(&der, buf_span(&text)) ||
			buf_size(&der) == 0 || buf_size(&der) > LIMIT_CERT) {
			why_set(why, "cryptoKeys/%.60s/uri is not a certificate in base64", key);
			return CARD_E_INVALID;
		}
		card->certs[card->n_certs++] = arena_span(&card->arena, buf_span(&der));
	}
	return 0;
}

/* Section 2.1.6. */
static int find_members(struct card *card, struct why *why)
{
	const json_t *members = json_object_get(card->json, "members"), *value;
	size_t n = json_object_size(members);
	const char *uid;

	if (members && !span_is(card->kind, "group")) {
		why_set(why, "members are for cards of the kind group");
		return CARD_E_INVALID;
	}
	if (n > CARD_MEMBERS_MAX)
		return too_many(why, "members", CARD_MEMBERS_MAX);
	card->members = arena_alloc(&card->arena, (n + 1) * sizeof *card->members);
	json_object_foreach((json_t *)(uintptr_t)members, uid, value)
		card->members[card->n_members++] = span_str(uid);
	return 0;
}

static int find_all(struct card *card, struct why *why)
{
	int r;

	card->uid = member_text(card->json, "uid");
	if (card->uid.n == 0 || card->uid.n > CARD_UID_MAX) {
		why_set(why, "uid has 1 to %d octets", CARD_UID_MAX);
		return CARD_E_INVALID;
	}
	card->kind = member_text(card->json, "kind");
	if (!card->kind.n)
		card->kind = SPAN("individual"); /* section 2.1.4 */
	card->name = full_name(card);
	r = find_addresses(card, why);
	if (!r)
		r = find_certs(card, why);
	return r ? r : find_members(card, why);
}

int card_parse(struct card **ret_card, struct span text, struct why *why)
{
	CLEANUP(card_freep) struct card *card = ALLOC(struct card);
	json_error_t error;
	int r;

	if (text.n > LIMIT_CARD) {
		why_set(why, "a card has at most %d octets", LIMIT_CARD);
		return CARD_E_INVALID;
	}
	card->json = json_loadb(text.n ? (const char *)text.p : "", text.n, JSON_REJECT_DUPLICATES,
		&error);
	if (!card->json) {
		why_set(why, "the card is not JSON: %s, line %d", error.text, error.line);
		return CARD_E_INVALID;
	}
	if (!is_shallow(card->json, CARD_DEPTH_MAX)) {
		why_set(why, "the card has more than %d levels", CARD_DEPTH_MAX);
		return CARD_E_INVALID;
	}
	r = schema_check_card(card->json, why);
	if (!r)
		r = find_all(card, why);
	if (r)
		return r < 0 ? r : CARD_E_INVALID;
	*ret_card = TAKE(card);
	return 0;
}

void card_print(const struct card *card, struct buf *out)
{
	char *text = json_dumps(card->json, JSON_COMPACT);

	buf_add_string(out, text);
	free(text);
}

static void set_text(json_t *object, const char *name, struct span text)
{
	/* What is not UTF-8 is left out: it came from a certificate. */
	json_t *value = json_stringn(text.n ? (const char *)text.p : "", text.n);

	if (value)
		(void)json_object_set_new(object, name, value);
}

/* The JSON as a card of its own; the reference is taken. */
static int read_again(struct card **ret_card, json_t *json, struct why *why)
{
	CLEANUP(alloc_freep) char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return card_parse(ret_card, span_str(text), why);
}

int card_new(struct card **ret_card, struct span uid, struct span name, struct span address,
	struct why *why)
{
	json_t *json = json_object(), *email = json_object(), *emails = json_object();

	set_text(json, "@type", SPAN("Card"));
	set_text(json, "version", SPAN("1.0"));
	set_text(json, "uid", uid);
	if (name.n) {
		json_t *object = json_object();

		set_text(object, "full", name);
		(void)json_object_set_new(json, "name", object);
	}
	set_text(email, "address", address);
	(void)json_object_set_new(emails, "e1", email);
	(void)json_object_set_new(json, "emails", emails);
	return read_again(ret_card, json, why);
}

static bool has_cert(const struct card *card, struct span der)
{
	for (size_t i = 0; i < card->n_certs; i++) {
		if (span_equal(card->certs[i], der))
			return true;
	}
	return false;
}

/* An Id that the object does not have yet. */
static void add_under_new_id(json_t *object, json_t *value)
{
	char id[24];

	for (unsigned n = 1;; n++) {
		(void)snprintf(id, sizeof id, "k%u", n);
		if (!json_object_get(object, id))
			break;
	}
	(void)json_object_set_new(object, id, value);
}

int card_add_cert(struct card **card, struct span der, struct why *why)
{
	CLEANUP(card_freep) struct card *changed = NULL;
	CLEANUP(buf_done) struct buf uri = {};
	json_t *json, *keys, *key;
	int r;

	if (has_cert(*card, der))
		return 0;
	json = json_deep_copy((*card)->json);
	key = json_object();
	buf_add_string(&uri, "data:application/pkix-cert;base64,");
	enc_base64(&uri, der);
	set_text(key, "uri", buf_span(&uri));
	keys = json_object_get(json, "cryptoKeys");
	if (!keys) {
		keys = json_object();
		(void)json_object_set_new(json, "cryptoKeys", keys);
	}
	add_under_new_id(keys, key);
	r = read_again(&changed, json, why);
	if (r)
		return r;
	card_free(*card);
	*card = TAKE(changed);
	return 0;
}

static bool key_is(const json_t *key, struct span der)
{
	CLEANUP(buf_done) struct buf text = {}, octets = {};
	struct span data = cert_data(key);

	return data.p && undo_percent(&text, data) && enc_base64_decode(&octets, buf_span(&text)) &&
	       span_equal(buf_span(&octets), der);
}

int card_remove_cert(struct card **card, struct span der, struct why *why)
{
	CLEANUP(card_freep) struct card *changed = NULL;
	json_t *json = json_deep_copy((*card)->json);
	json_t *keys = json_object_get(json, "cryptoKeys"), *key;
	const char *id;
	void *next;
	int r;

	json_object_foreach_safe(keys, next, id, key)
	{
		if (key_is(key, der))
			(void)json_object_del(keys, id);
	}
	if (keys && json_object_size(keys) == 0)
		(void)json_object_del(json, "cryptoKeys");
	r = read_again(&changed, json, why);
	if (r)
		return r;
	card_free(*card);
	*card = TAKE(changed);
	return 0;
}
