/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/contact_group.h"

#include "store/contact_rows.h"
#include "store/store.h"

#include <errno.h>

/* Without the mark at the end of the text, and white space; false: it is not there. */
static bool take_end(struct span *text, uint8_t mark)
{
	*text = span_trim(*text);
	if (text->n == 0 || text->p[text->n - 1] != mark)
		return false;
	*text = span_trim(span_head(*text, text->n - 1));
	return true;
}

/* RFC 5322 section 3.2.4; a name that needs quoting may stand without, too: nothing is behind it. */
static struct span unquote(struct arena *a, struct span name)
{
	CLEANUP(buf_done) struct buf out = {};

	if (name.n < 2 || name.p[0] != '"' || name.p[name.n - 1] != '"')
		return name;
	for (size_t i = 1; i < name.n - 1; i++) {
		if (name.p[i] == '\\' && i + 1 < name.n - 1)
			i++;
		buf_add_octet(&out, name.p[i]);
	}
	return arena_span(a, buf_span(&out));
}

bool contact_group_is(struct arena *a, struct span given, struct span *ret_name)
{
	if (!take_end(&given, ';') || !take_end(&given, ':') || given.n == 0)
		return false;
	*ret_name = unquote(a, given);
	return true;
}

struct finding {
	struct store_conn *conn;
	int64_t account;
};

static int read_card(const struct store_contact *contact, struct card **ret_card)
{
	struct why why;

	/* It was checked when it was written. */
	return card_parse(ret_card, contact->card, &why) ? err_fault(EBADMSG, "a stored card") : 0;
}

/* What is read for one card is not kept: there may be many. */
static int find_card(void *context, struct span uid, struct card **ret_card)
{
	const struct finding *f = context;
	CLEANUP(arena_done) struct arena arena = {};
	struct store_contact contact;
	int r = store_contact_get(f->conn, &arena, f->account, uid, &contact);

	if (r == STORE_E_NOT_FOUND)
		return GROUP_E_NO_CARD;
	return r ? r : read_card(&contact, ret_card);
}

/* By its uid, which nobody else has, else by its name. */
static int find_group(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	struct store_contact *ret_contact, struct why *why)
{
	int shown = (int)span_head_utf8(name, 100).n;
	int r = store_contact_get(c, a, account, name, ret_contact);

	if (r == 0 && span_is(ret_contact->kind, "group"))
		return 0;
	if (r == 0 || r == STORE_E_NOT_FOUND)
		r = store_contact_named(c, a, account, SPAN("group"), name, ret_contact);
	if (r == STORE_E_NOT_FOUND)
		why_set(why, "the address books have no group \"%.*s\"", shown, (const char *)name.p);
	else if (r == STORE_E_EXISTS)
		why_set(why, "the address books have several groups \"%.*s\": name it by its uid", shown,
			(const char *)name.p);
	return r > 0 ? CONTACT_GROUP_E_NONE : r;
}

int contact_group_read(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	size_t max, struct contact_group *ret_group, struct why *why)
{
	CLEANUP(card_freep) struct card *card = NULL;
	struct finding f = { .conn = c, .account = account };
	struct store_contact contact;
	int r = find_group(c, a, account, name, &contact, why);

	if (r)
		return r;
	TRY(read_card(&contact, &card));
	ret_group->name = contact.name.n ? contact.name : contact.uid;
	r = group_expand(card, max, find_card, &f, a, &ret_group->group, &ret_group->n_cards);
	if (r <= 0)
		return r;
	why_set(why, "the group has more members than a message may have recipients");
	return CONTACT_GROUP_E_TOO_LARGE;
}
