/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Lists of the messages of a mailbox, newest first, all or those in whose subject, senders and
 * recipients words occur. A request looks at a bounded number of messages and says where the next goes on;
 * no body is read, so what is encrypted is not found by what it holds.
 */

#include "mime/envelope.h"
#include "mime/fold.h"
#include "mime/structure.h"
#include "mime/word.h"
#include "store/sharing.h"
#include "store/view.h"
#include "svc/http/api_message.h"

enum {
	LIST_MAX = 200,
	LIST_USUAL = 50,
	BATCH = 500,          /* messages that are looked at before it is seen what is left to do */
	LOOKED_AT_MAX = 5000, /* of one request that searches: a tenth of a second or two */
	WORDS_MAX = 10,
	SEARCH_MAX = 500,     /* octets of all words */
};

static json_t *decoded(struct span text)
{
	CLEANUP(buf_done) struct buf out = {};

	word_decode(text, &out);
	return http_json_text(buf_span(&out));
}

static json_t *addresses(const struct envelope_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct envelope_address *a = &list->addresses[i];
		CLEANUP(buf_done) struct buf address = {};
		json_t *object;

		if (!a->host.p || !a->mailbox.p)
			continue;
		buf_add(&address, a->mailbox);
		buf_add_octet(&address, '@');
		buf_add(&address, a->host);
		object = json_object();
		(void)json_object_set_new(object, "name", decoded(a->name));
		api_set_text(object, "address", buf_span(&address));
		(void)json_array_append_new(array, object);
	}
	return array;
}

static json_t *flag_names(uint64_t flags)
{
	static const struct {
		uint64_t flag;
		const char *name;
	} names[] = { { FLAG_SEEN, "seen" }, { FLAG_ANSWERED, "answered" },
		{ FLAG_FLAGGED, "flagged" }, { FLAG_DELETED, "deleted" }, { FLAG_DRAFT, "draft" } };
	json_t *array = json_array();

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (flags & names[i].flag)
			(void)json_array_append_new(array, json_string(names[i].name));
	}
	return array;
}

/* By its outermost type only: what it is worth is seen when it is read. */
static const char *smime_kind(const struct part *root)
{
	CLEANUP(buf_done) struct buf type = {};

	if (span_is(root->type, "multipart") && span_is(root->subtype, "signed"))
		return "signed";
	if (!span_is(root->type, "application") ||
		!(span_is(root->subtype, "pkcs7-mime") || span_is(root->subtype, "x-pkcs7-mime")))
		return NULL;
	(void)param_get(root->params, root->n_params, "smime-type", &type);
	return span_equal_nocase(buf_span(&type), SPAN("signed-data")) ? "signed" : "encrypted";
}

json_t *message_row_json(const struct store_message *m)
{
	json_t *object = json_object();

	(void)json_object_set_new(object, "id", message_json_id(m->id));
	(void)json_object_set_new(object, "thread", message_json_id(m->thread));
	api_set_number(object, "uid", m->uid);
	api_set_number(object, "size", m->size);
	(void)json_object_set_new(object, "flags", flag_names(m->flags));
	(void)json_object_set_new(object, "received", http_json_time(m->received_us));
	(void)json_object_set_new(object, "sent", http_json_time(m->sent_us));
	return object;
}

static json_t *row_with_header(const struct store_message *m, const struct envelope *envelope)
{
	CLEANUP(part_tree_freep) struct part_tree *tree = NULL;
	json_t *object = message_row_json(m);
	const char *kind = NULL;

	if (envelope) {
		(void)json_object_set_new(object, "subject", decoded(envelope->subject));
		(void)json_object_set_new(object, "from", addresses(&envelope->from));
		(void)json_object_set_new(object, "to", addresses(&envelope->to));
	}
	if (structure_unpack(m->structure, &tree) == 0)
		kind = smime_kind(&tree->parts[0]);
	(void)json_object_set_new(object, "smime", kind ? json_string(kind) : json_null());
	return object;
}

/* What is asked for. */
struct listing {
	struct buf words[WORDS_MAX]; /* folded */
	size_t n_words;
	uint64_t limit;
	json_t *found;     /* of one batch, oldest first */
	json_t *list;
	uint32_t next;     /* what is below this UID was not listed yet; 0: nothing is */
	uint32_t looked_at;
};

static void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->n_words; i++)
		buf_done(&l->words[i]);
	json_decref(l->found);
}

static void add_people(struct buf *out, const struct envelope_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct envelope_address *a = &list->addresses[i];

		word_decode_phrase(a->name, out);
		buf_add_string(out, " <");
		word_add_utf8(out, a->mailbox);
		buf_add_octet(out, '@');
		word_add_utf8(out, a->host);
		/* A word does not reach over into the next address. */
		buf_add_string(out, ">\n");
	}
}

static bool has_words(const struct listing *l, const struct envelope *e)
{
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP(buf_done) struct buf folded = {};
	struct span all;

	word_decode(e->subject, &text);
	buf_add_octet(&text, '\n');
	add_people(&text, &e->from);
	add_people(&text, &e->to);
	add_people(&text, &e->cc);
	fold_text(buf_span(&text), &folded);
	all = buf_span(&folded);
	for (size_t i = 0; i < l->n_words; i++) {
		if (span_find_span(all, buf_span(&l->words[i])) == all.n)
			return false;
	}
	return true;
}

static int look_at(const struct store_message *m, void *context)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct envelope envelope = {};
	struct listing *l = context;
	bool has_header = envelope_parse(m->envelope, &arena, &envelope) == 0;

	if (l->n_words && !(has_header && has_words(l, &envelope)))
		return 0;
	(void)json_array_append_new(l->found, row_with_header(m, has_header ? &envelope : NULL));
	return 0;
}

/* The newest of the batch that there is room for. False: there was not room for all. */
static bool take_found(struct listing *l)
{
	size_t n = json_array_size(l->found);

	while (n && json_array_size(l->list) < l->limit)
		(void)json_array_append(l->list, json_array_get(l->found, --n));
	(void)json_array_clear(l->found);
	return n == 0;
}

static uint32_t oldest_uid(const struct listing *l)
{
	const json_t *last = json_array_get(l->list, json_array_size(l->list) - 1);

	return (uint32_t)json_integer_value(json_object_get(last, "uid"));
}

/* end: how many of the view's messages, from the oldest on, may be listed. */
static int list_down(struct store_conn *c, const struct view *view, uint32_t end, struct listing *l)
{
	while (end && json_array_size(l->list) < l->limit && l->looked_at < LOOKED_AT_MAX) {
		uint32_t left = (uint32_t)(l->limit - json_array_size(l->list));
		uint32_t batch = l->n_words ? BATCH : left;
		uint32_t start = end > batch ? end - batch : 0;

		TRY(store_messages(c, view->mailbox, view->uids + start, end - start,
			WANT_ENVELOPE | WANT_STRUCTURE, look_at, l, NULL));
		l->looked_at += end - start;
		end = start;
		l->next = end ? view->uids[end] : 0;
		if (!take_found(l))
			l->next = oldest_uid(l);
	}
	return 0;
}

static int read_words(struct http_request *q, struct listing *l)
{
	struct span rest = http_query(q, "search");

	if (rest.n > SEARCH_MAX)
		return http_problem(q, 400, "search", "search is at most %d octets", SEARCH_MAX);
	while (rest.n) {
		struct span word = span_cut(&rest, ' ');

		if (!word.n)
			continue;
		if (l->n_words == WORDS_MAX)
			return http_problem(q, 400, "search", "search is at most %d words",
				WORDS_MAX);
		fold_text(word, &l->words[l->n_words++]);
	}
	return 0;
}

int api_message_list(struct http_request *q, struct store_conn *c)
{
	CLEANUP(listing_done) struct listing l = { .found = json_array() };
	CLEANUP(view_unrefp) struct view *view = NULL;
	struct store_account account;
	struct shared_mailbox mailbox;
	uint64_t before;
	int r = api_account(q, c, &account);

	if (!r)
		r = http_query_number(q, "before", UINT32_MAX, UINT32_MAX, &before);
	if (!r)
		r = http_query_number(q, "limit", LIST_MAX, LIST_USUAL, &l.limit);
	if (!r)
		r = read_words(q, &l);
	if (!r && !l.limit)
		r = http_problem(q, 400, "limit", "limit is a number of at least 1");
	if (r)
		return r;
	r = store_mailbox_reach(c, &q->arena, account.id, q->params[1], ACL_READ, &mailbox);
	if (r)
		return http_store_problem(q, r, "mailbox", "mailbox", NULL);
	TRY(store_view(c, mailbox.box.id, &view));
	l.list = api_answer_list(q, "messages");
	TRY(list_down(c, view, view_find(view, (uint32_t)before), &l));
	(void)json_object_set_new(q->answer, "next",
		l.next ? json_integer(l.next) : json_null());
	return 0;
}
