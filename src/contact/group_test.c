/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Groups of address books: whom they stand for, and that every search for it ends. */

#include "contact/group.h"

#include "base/test.h"

/* Cards as a test writes them: "uid|kind|name|address,address|member,member". */
struct book {
	const char *const *cards;
	size_t n_fetched;
};

static struct span field(const char *card, unsigned n)
{
	struct span rest = span_str(card), value = {};

	for (unsigned i = 0; i <= n; i++)
		value = span_cut(&rest, '|');
	return value;
}

static struct card *made(const char *text)
{
	CLEANUP(buf_done) struct buf json = {};
	struct span addresses = field(text, 3), members = field(text, 4), kind = field(text, 1);
	struct card *card = NULL;
	struct why why = {};

	buf_add_format(&json, "{\"@type\":\"Card\",\"version\":\"1.0\",\"uid\":\"%.*s\",\"kind\":\"%.*s\",",
		(int)field(text, 0).n, (const char *)field(text, 0).p, (int)kind.n, (const char *)kind.p);
	buf_add_format(&json, "\"name\":{\"full\":\"%.*s\"},\"emails\":{", (int)field(text, 2).n,
		(const char *)field(text, 2).p);
	for (unsigned i = 0; addresses.n; i++) {
		struct span address = span_cut(&addresses, ',');

		buf_add_format(&json, "%s\"e%u\":{\"address\":\"%.*s\"}", i ? "," : "", i, (int)address.n,
			(const char *)address.p);
	}
	buf_add_string(&json, "}");
	for (unsigned i = 0; members.n; i++) {
		struct span member = span_cut(&members, ',');

		buf_add_format(&json, "%s\"%.*s\":true", i ? "," : ",\"members\":{", (int)member.n,
			(const char *)member.p);
	}
	buf_add_string(&json, field(text, 4).n ? "}}" : "}");
	if (card_parse(&card, buf_span(&json), &why))
		fail_msg("%s: %s", text, why.text);
	return card;
}

static int find(void *context, struct span uid, struct card **ret_card)
{
	struct book *book = context;

	book->n_fetched++;
	for (size_t i = 0; book->cards[i]; i++) {
		if (span_equal(field(book->cards[i], 0), uid)) {
			*ret_card = made(book->cards[i]);
			return 0;
		}
	}
	return GROUP_E_NO_CARD;
}

/* The first card's members as "uid address;" or "uid !fault;". */
static void expect(const char *const *cards, const char *expected)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(card_freep) struct card *card = made(cards[0]);
	CLEANUP(buf_done) struct buf got = {};
	struct book book = { .cards = cards };
	struct group group;
	size_t n_cards;

	assert_int_equal(group_expand(card, 100, find, &book, &arena, &group, &n_cards), 0);
	assert_int_equal(n_cards, book.n_fetched);
	for (size_t i = 0; i < group.n; i++) {
		const struct group_member *m = &group.members[i];

		assert_true(!m->fault == (m->address.n > 0));
		buf_add_format(&got, "%.*s %s%.*s;", (int)m->uid.n, (const char *)m->uid.p,
			m->fault ? m->fault : "", (int)m->address.n, (const char *)m->address.p);
	}
	if (!span_is(buf_span(&got), expected))
		fail_msg("\"%.*s\"", (int)buf_size(&got), (const char *)buf_span(&got).p);
}

static void test_members(void **state)
{
	static const char *const cards[] = { "g|group|Friends|list@x|b,a,none,mute,o",
		"a|individual|Anna|anna@x,other@x", "b|individual|Ben|ben@x", "mute|individual|Mute||",
		"o|org|Office|office@x", NULL };

	(void)state;
	expect(cards, "b ben@x;a anna@x;none the address books have no card of this member;"
		      "mute the card has no mail address;o office@x;");
}

static void test_nested(void **state)
{
	static const char *const cards[] = { "g|group|All||a,h,i", "h|group|Half||b,a,i,g",
		"i|group|Inner||h,c,i", "a|individual|A|a@x", "b|individual|B|b@x", "c|individual|C|c@x",
		NULL };
	static const char *const empty[] = { "g|group|Nobody|list@x", NULL };
	static const char *const inner[] = { "g|group|All||h,a", "h|group|Nobody|h@x|",
		"a|individual|A|a@x", NULL };
	static const char *const self[] = { "g|group|Self||g", NULL };

	(void)state;
	expect(cards, "a a@x;b b@x;c c@x;");
	expect(empty, "g the group has no members;");
	expect(inner, "h the group has no members;a a@x;");
	expect(self, "g the group has no members;");
}

static void test_bounds(void **state)
{
	static const char *const cards[] = { "g|group|All||a,h", "h|group|Half||b,a,c",
		"a|individual|A|a@x", "b|individual|B|b@x", "c|individual|C|c@x", NULL };

	(void)state;
	for (size_t max = 0; max < 6; max++) {
		CLEANUP(arena_done) struct arena arena = {};
		CLEANUP(card_freep) struct card *card = made(cards[0]);
		struct book book = { .cards = cards };
		struct group group = {};
		size_t n_cards = 0;
		int r = group_expand(card, max, find, &book, &arena, &group, &n_cards);

		assert_int_equal(r, max < 4 ? GROUP_E_TOO_LARGE : 0);
		assert_true(book.n_fetched <= max);
		assert_int_equal(group.n, max < 4 ? 0 : 3);
		assert_int_equal(n_cards, max < 4 ? 0 : 4);
	}
}

/* A fault of whoever fetches ends it. */
static int broken(void *context, struct span uid, struct card **ret_card)
{
	(void)context;
	(void)uid;
	(void)ret_card;
	return -5;
}

static void test_fault(void **state)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(card_freep) struct card *card = made("g|group|All||a");
	struct group group = {};
	size_t n_cards;

	(void)state;
	assert_int_equal(group_expand(card, 10, broken, NULL, &arena, &group, &n_cards), -5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_fault),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
