/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/http/api_party.h"

#include "mime/address.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/contact_group.h"
#include "svc/env.h"
#include "svc/recipient_certs.h"

static const char *const fields[PARTY_FIELDS] = { "to", "cc", "bcc" };

struct reading {
	struct http_request *q;
	int64_t account;
	struct parties *parties;
	size_t n_left; /* so many recipients, groups and cards of groups there may still be */
	size_t max;
	const char *field;
	struct buf value;

	/* The group that is being read. */
	struct span group_name;
	struct contact_group group;
	struct why why;
};

static struct span json_span(const json_t *text)
{
	return span_of(json_string_value(text), json_string_length(text));
}

/* Whether it is one address, with or without a name, and nothing behind it. */
static bool take_mailbox(struct arena *a, struct span given, struct mail_address *ret_address,
	struct span *ret_text)
{
	CLEANUP(address_reader_done) struct address_reader r = { .rest = given };
	CLEANUP(buf_done) struct buf text = {};
	struct address_name name;
	struct address found;

	if (!address_next(&r, &found) || found.kind != ADDRESS_MAILBOX || found.host.n == 0)
		return false;
	address_add(&text, found.local, found.host);
	if (address_normalize(buf_span(&text), &name) || address_next(&r, &found))
		return false;
	*ret_address = (struct mail_address){
		.local = arena_span(a, address_name_local(&name)),
		.domain = arena_span(a, address_name_domain(&name)),
	};
	buf_clear(&text);
	mail_address_add(&text, ret_address);
	*ret_text = arena_span(a, buf_span(&text));
	return true;
}

int party_read_mailbox(struct http_request *q, const char *field, struct span given,
	struct mail_address *ret_address, struct span *ret_text)
{
	if (take_mailbox(&q->arena, given, ret_address, ret_text))
		return 0;
	return http_problem(q, 422, field, "\"%.*s\" is not one mail address",
		(int)span_head_utf8(given, 100).n, (const char *)given.p);
}

static bool is_there(const struct parties *p, const struct mail_address *address)
{
	for (size_t i = 0; i < p->n; i++) {
		if (mail_address_equal(&p->list[i].address, address))
			return true;
	}
	return false;
}

static int too_many(struct reading *k)
{
	return http_problem(k->q, 422, k->field,
		"too many recipients: a message has at most %zu, groups and their members counted",
		k->max);
}

static void add_value(struct reading *k, struct span text)
{
	buf_add_string(&k->value, buf_size(&k->value) ? ", " : "");
	buf_add(&k->value, text);
}

/* Who is in several lists counts for the first. */
static void add_party(struct reading *k, const struct party *party)
{
	if (!is_there(k->parties, &party->address))
		k->parties->list[k->parties->n++] = *party;
}

static int add_named(struct reading *k, struct span given)
{
	struct party party = { .field = k->field };
	int r;

	if (k->n_left == 0)
		return too_many(k);
	r = party_read_mailbox(k->q, k->field, given, &party.address, &party.text);
	if (r)
		return r;
	k->n_left--;
	add_value(k, given);
	add_party(k, &party);
	return 0;
}

/* By address alone: a group's name, and the names that its members have in the account's books, are
 * words about others that were not written for them to read. */
static void add_member(struct reading *k, const struct group_member *member)
{
	struct party party = { .field = k->field, .group = k->group.name };

	if (!member->fault &&
		take_mailbox(&k->q->arena, member->address, &party.address, &party.text)) {
		if (is_there(k->parties, &party.address))
			return;
		add_value(k, party.text);
		add_party(k, &party);
		return;
	}
	party.uid = member->uid;
	party.name = member->name.n ? member->name : member->uid;
	party.fault = member->fault ? span_str(member->fault)
				    : SPAN("the card's mail address cannot be written to");
	k->parties->lost[k->parties->n_lost++] = party;
}

static int read_group(struct store_conn *c, void *arg)
{
	struct reading *k = arg;

	return contact_group_read(c, &k->q->arena, k->account, k->group_name, k->n_left, &k->group,
		&k->why);
}

static int add_group(struct reading *k)
{
	int r;

	if (k->n_left == 0)
		return too_many(k);
	k->n_left--;
	r = store_read(k->q->env->store, read_group, k);
	if (r == CONTACT_GROUP_E_TOO_LARGE)
		return too_many(k);
	if (r > 0)
		return http_problem(k->q, 422, k->field, "%s", k->why.text);
	TRY(r);
	k->n_left -= k->group.n_cards;
	for (size_t i = 0; i < k->group.group.n; i++)
		add_member(k, &k->group.group.members[i]);
	return 0;
}

static int read_list(struct reading *k)
{
	const json_t *list = json_object_get(k->q->json, k->field), *one;
	size_t i;

	buf_clear(&k->value);
	json_array_foreach(list, i, one)
	{
		struct span given = json_span(one);
		int r = contact_group_is(&k->q->arena, given, &k->group_name) ? add_group(k)
									       : add_named(k, given);

		if (r)
			return r;
	}
	return 0;
}

int parties_read(struct http_request *q, int64_t account, struct parties *ret_parties)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(q->env->store);
	struct reading k = { .q = q, .account = account, .parties = ret_parties };
	int r = 0;

	k.max = settings->recipients_max < RECIPIENTS_ASKED_MAX ? (size_t)settings->recipients_max
								: RECIPIENTS_ASKED_MAX;
	k.n_left = k.max;
	ret_parties->list = arena_alloc(&q->arena, k.max * sizeof *ret_parties->list);
	ret_parties->lost = arena_alloc(&q->arena, k.max * sizeof *ret_parties->lost);
	for (size_t i = 0; !r && i < PARTY_FIELDS; i++) {
		k.field = fields[i];
		r = read_list(&k);
		ret_parties->values[i] = arena_span(&q->arena, buf_span(&k.value));
	}
	buf_done(&k.value);
	return r;
}

json_t *party_json(const struct party *party)
{
	json_t *object = json_object();

	api_set_text(object, "address", party->text);
	(void)json_object_set_new(object, "field", json_string(party->field));
	if (party->group.n)
		api_set_text(object, "group", party->group);
	if (!party->fault.n)
		return object;
	api_set_text(object, "name", party->name);
	api_set_text(object, "uid", party->uid);
	(void)json_object_set_new(object, "accepted", json_false());
	api_set_text(object, "refusal", party->fault);
	return object;
}
