/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "contact/group.h"

#include "base/map.h"

struct expanding {
	group_find_fn *find;
	void *context;
	struct arena *arena;
	struct map met;      /* uids */
	struct span *waiting; /* whose cards are still to be fetched, the first first */
	size_t n_waiting, max;
	struct group group; /* has room for one member more than max */
};

static void add_member(struct expanding *k, struct span uid, const struct card *card, const char *fault)
{
	k->group.members[k->group.n++] = (struct group_member){
		.uid = uid,
		.name = card ? arena_span(k->arena, card->name) : (struct span){},
		.address = fault ? (struct span){} : arena_span(k->arena, card->addresses[0]),
		.fault = fault,
	};
}

/* A group stands for its members alone: its own address, if it has one, is a mailing list's, and who
 * reads that is not known here. */
static int add_group(struct expanding *k, struct span uid, const struct card *card)
{
	if (card->n_members == 0)
		add_member(k, uid, card, "the group has no members");
	for (size_t i = 0; i < card->n_members; i++) {
		if (map_get(&k->met, card->members[i]))
			continue;
		if (k->n_waiting == k->max)
			return GROUP_E_TOO_LARGE;
		(void)map_put(&k->met, card->members[i], k);
		k->waiting[k->n_waiting++] = arena_span(k->arena, card->members[i]);
	}
	return 0;
}

static int add_card(struct expanding *k, struct span uid)
{
	CLEANUP(card_freep) struct card *card = NULL;
	int r = k->find(k->context, uid, &card);

	if (r < 0)
		return r;
	if (r)
		add_member(k, uid, NULL, "the address books have no card of this member");
	else if (span_is(card->kind, "group"))
		return add_group(k, uid, card);
	else
		add_member(k, uid, card,
			card->n_addresses ? NULL : "the card has no mail address");
	return 0;
}

int group_expand(const struct card *card, size_t max, group_find_fn *find, void *context,
	struct arena *a, struct group *ret_group, size_t *ret_n_cards)
{
	struct expanding k = { .find = find,
		.context = context,
		.arena = a,
		.waiting = arena_alloc(a, (max + 1) * sizeof *k.waiting),
		.max = max,
		.group.members = arena_alloc(a, (max + 1) * sizeof *k.group.members) };
	int r;

	(void)map_put(&k.met, card->uid, &k);
	r = add_group(&k, arena_span(a, card->uid), card);
	for (size_t i = 0; !r && i < k.n_waiting; i++)
		r = add_card(&k, k.waiting[i]);
	map_done(&k.met, NULL);
	if (r)
		return r;
	/* Groups that have nobody but each other. */
	if (k.group.n == 0)
		add_member(&k, arena_span(a, card->uid), card, "the group has no members");
	*ret_group = k.group;
	*ret_n_cards = k.n_waiting;
	return 0;
}
