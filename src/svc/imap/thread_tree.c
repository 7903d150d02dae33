/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Threading as RFC 5256 section 3 describes it, without its recursion and its quadratic parts.
 *
 * REFERENCES links ids to their parents in a forest that answers "would this close a loop?" fast.
 * Messages are sorted by date once. A set of siblings is in order if its members were appended in
 * that order, so "sort all siblings" is one pass over the sorted messages. Dummies, ids that no
 * message has, are only left at the top after pruning, where a dummy sorts like its first child: it
 * is appended when that child is.
 */

#include "svc/imap/thread_tree.h"

#include "base/alloc.h"
#include "base/map.h"
#include "mime/fold.h"
#include "mime/subject.h"
#include "svc/imap/forest.h"

#include <stdlib.h>

/* A message or a dummy; positions in threads.nodes, 0 is none. */
struct thread_node {
	uint32_t number;   /* 0: a dummy */
	uint32_t subject;  /* same base subject, same number; 0: empty */
	int64_t date_us;
	bool reply;        /* the subject says so, or that it was forwarded */

	uint32_t parent;   /* after pruning */
	uint32_t first, last, next;
	uint32_t n_children;
	bool placed;       /* a dummy that is in the list of roots */
};

struct threads {
	enum thread_by by;
	struct thread_node *nodes;
	uint32_t n, capacity;
	uint32_t *sorted;      /* messages by date, ties by number */
	uint32_t n_messages;
	struct map subjects;   /* folded base subject: its number */
	uint32_t n_subjects;
	struct map ids;        /* id: its node */
	struct forest forest;  /* REFERENCES: has the same nodes */
	struct thread_node root; /* of all threads */

	/* Printing. */
	uint32_t thread;       /* the top node of this thread */
	uint32_t at;           /* the node that comes next */
	bool opens;            /* it begins a list */
	uint32_t *stack;       /* for each list that is open: its next list, or 0 */
	uint32_t depth;
};

struct threads *threads_new(enum thread_by by)
{
	struct threads *t = ALLOC(struct threads);

	t->by = by;
	return t;
}

struct threads *threads_free(struct threads *t)
{
	if (!t)
		return NULL;
	map_done(&t->subjects, NULL);
	map_done(&t->ids, NULL);
	forest_done(&t->forest);
	free(t->nodes);
	free(t->sorted);
	free(t->stack);
	free(t);
	return NULL;
}

/* A new node; its number is that of the forest's node too. */
static uint32_t node_new(struct threads *t)
{
	if (t->n + 1 >= t->capacity) {
		t->capacity = t->capacity ? 2 * t->capacity : 1024;
		t->nodes = alloc_array(t->nodes, t->capacity, sizeof *t->nodes);
	}
	if (t->by == THREAD_REFERENCES)
		(void)forest_add(&t->forest);
	t->nodes[++t->n] = (struct thread_node){};
	return t->n;
}

static uint32_t node_of_id(struct threads *t, struct span id)
{
	uint32_t node = (uint32_t)(uintptr_t)map_get(&t->ids, id);

	if (node == 0) {
		node = node_new(t);
		(void)map_put(&t->ids, id, (void *)(uintptr_t)node);
	}
	return node;
}

static uint32_t subject_number(struct threads *t, struct span subject, bool *ret_reply)
{
	CLEANUP(buf_done) struct buf base = {}, folded = {};
	uint32_t number;

	*ret_reply = subject_base(subject, &base);
	fold_text(buf_span(&base), &folded);
	if (buf_size(&folded) == 0)
		return 0;
	number = (uint32_t)(uintptr_t)map_get(&t->subjects, buf_span(&folded));
	if (number == 0) {
		number = ++t->n_subjects;
		(void)map_put(&t->subjects, buf_span(&folded), (void *)(uintptr_t)number);
	}
	return number;
}

/* RFC 5256 section 3, REFERENCES (1) (A): the references themselves. Returns the last one. */
static uint32_t link_references(struct threads *t, struct span references)
{
	uint32_t parent = 0;

	while (references.n > 0) {
		uint32_t node = node_of_id(t, span_cut(&references, '\n'));

		/* What has a parent keeps it, and a root is not put below itself. */
		if (parent && forest_parent(&t->forest, node) == 0 &&
			forest_root(&t->forest, parent) != node)
			forest_link(&t->forest, node, parent);
		parent = node;
	}
	return parent;
}

/* The node of the message itself: an id that was used before counts as none. */
static uint32_t node_of_message(struct threads *t, struct span id)
{
	uint32_t node = id.n > 0 ? node_of_id(t, id) : 0;

	return node && t->nodes[node].number == 0 ? node : node_new(t);
}

int threads_add(struct threads *t, const struct thread_message *m)
{
	uint32_t node, parent = 0;

	if (t->n >= THREAD_NODES_MAX)
		return THREAD_E_LIMIT;
	node = node_of_message(t, m->id);
	t->nodes[node].number = m->number;
	t->nodes[node].date_us = m->date_us;
	t->nodes[node].subject = subject_number(t, m->subject, &t->nodes[node].reply);
	t->n_messages++;
	if (t->by == THREAD_ORDEREDSUBJECT)
		return 0;
	parent = link_references(t, m->references);
	/* (1) (B): a parent that others gave it is replaced by what it says itself, be it none. */
	forest_cut(&t->forest, node);
	if (parent && forest_root(&t->forest, parent) != node)
		forest_link(&t->forest, node, parent);
	return 0;
}

static int node_compare(const void *left, const void *right, void *context)
{
	const struct thread_node *nodes = context;
	const struct thread_node *a = &nodes[*(const uint32_t *)left];
	const struct thread_node *b = &nodes[*(const uint32_t *)right];

	if (a->date_us != b->date_us)
		return a->date_us > b->date_us ? 1 : -1;
	return (a->number > b->number) - (a->number < b->number);
}

static void sort_messages(struct threads *t)
{
	uint32_t n = 0;

	t->sorted = alloc_array(NULL, (size_t)t->n_messages + 1, sizeof *t->sorted);
	for (uint32_t i = 1; i <= t->n; i++) {
		if (t->nodes[i].number)
			t->sorted[n++] = i;
	}
	if (n > 1)
		qsort_r(t->sorted, n, sizeof *t->sorted, node_compare, t->nodes);
}

static void append(struct threads *t, struct thread_node *parent, uint32_t child)
{
	t->nodes[child].next = 0;
	if (parent->last)
		t->nodes[parent->last].next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n_children++;
}

/* All sets of siblings, in order, from the parents. REFERENCES (4) and (6). */
static void place(struct threads *t)
{
	t->root = (struct thread_node){};
	for (uint32_t i = 1; i <= t->n; i++) {
		struct thread_node *node = &t->nodes[i];

		node->first = node->last = node->next = node->n_children = 0;
		node->placed = false;
	}
	for (uint32_t i = 0; i < t->n_messages; i++) {
		uint32_t child = t->sorted[i], parent = t->nodes[child].parent;
		struct thread_node *p = parent ? &t->nodes[parent] : &t->root;

		if (parent && p->number == 0 && !p->placed) {
			p->placed = true;
			append(t, &t->root, parent);
		}
		append(t, p, child);
	}
}

/* The nearest node at or above this one that stays: a message, or a dummy at the top. Remembered in
 * `parent` of the dummies on the way, so the ways are walked once. */
static uint32_t survivor(struct threads *t, uint32_t node)
{
	uint32_t top = node;

	while (top && t->nodes[top].number == 0 && !t->nodes[top].parent) {
		uint32_t above = forest_parent(&t->forest, top);

		if (!above)
			break;
		top = above;
	}
	if (t->nodes[top].number == 0 && t->nodes[top].parent)
		top = t->nodes[top].parent;
	while (node != top && t->nodes[node].number == 0 && !t->nodes[node].parent) {
		t->nodes[node].parent = top;
		node = forest_parent(&t->forest, node);
	}
	return top;
}

/* REFERENCES (3): dummies go, their children move up, but not to the top unless there is one. */
static void prune(struct threads *t)
{
	for (uint32_t i = 0; i < t->n_messages; i++) {
		uint32_t node = t->sorted[i], parent = forest_parent(&t->forest, node);

		t->nodes[node].parent = parent ? survivor(t, parent) : 0;
	}
	for (uint32_t i = 1; i <= t->n; i++) {
		if (t->nodes[i].number == 0)
			t->nodes[i].parent = 0;
	}
	place(t);
	for (uint32_t i = 0; i < t->n_messages; i++) {
		struct thread_node *node = &t->nodes[t->sorted[i]];
		const struct thread_node *parent = &t->nodes[node->parent];

		if (node->parent && parent->number == 0 && parent->n_children == 1)
			node->parent = 0;
	}
	place(t);
}

/* The message whose subject stands for the thread. */
static const struct thread_node *speaker(const struct threads *t, uint32_t top)
{
	const struct thread_node *node = &t->nodes[top];

	return node->number ? node : &t->nodes[node->first];
}

/* REFERENCES (5) (B): for each subject the thread that the others join. */
static void find_hosts(const struct threads *t, uint32_t *hosts)
{
	for (uint32_t top = t->root.first; top; top = t->nodes[top].next) {
		const struct thread_node *s = speaker(t, top);
		uint32_t *host = &hosts[s->subject];

		if (s->subject == 0)
			continue;
		if (*host == 0 || (t->nodes[*host].number &&
			(t->nodes[top].number == 0 || (t->nodes[*host].reply && !s->reply))))
			*host = top;
	}
}

/* REFERENCES (5) (C), for one thread that is not its subject's host. */
static void join(struct threads *t, uint32_t top, uint32_t *host)
{
	struct thread_node *node = &t->nodes[top];
	bool dummy = t->nodes[*host].number == 0;

	if (node->number == 0) {
		for (uint32_t child = node->first; child; child = t->nodes[child].next)
			t->nodes[child].parent = *host;
	} else if (dummy || (node->reply && !t->nodes[*host].reply)) {
		node->parent = *host;
	} else {
		uint32_t both = node_new(t);

		t->nodes[top].parent = t->nodes[*host].parent = both;
		*host = both;
	}
}

static void join_subjects(struct threads *t)
{
	uint32_t *hosts = alloc_zero(((size_t)t->n_subjects + 1) * sizeof *hosts);

	find_hosts(t, hosts);
	for (uint32_t top = t->root.first, next; top; top = next) {
		uint32_t subject = speaker(t, top)->subject;

		next = t->nodes[top].next;
		if (subject && hosts[subject] != top)
			join(t, top, &hosts[subject]);
	}
	free(hosts);
	place(t);
}

/* Each subject's first message by date is the parent of the others. */
static void group_subjects(struct threads *t)
{
	uint32_t *firsts = alloc_zero(((size_t)t->n_subjects + 1) * sizeof *firsts);

	for (uint32_t i = 0; i < t->n_messages; i++) {
		struct thread_node *node = &t->nodes[t->sorted[i]];

		if (firsts[node->subject])
			node->parent = firsts[node->subject];
		else
			firsts[node->subject] = t->sorted[i];
	}
	free(firsts);
	place(t);
}

void threads_build(struct threads *t)
{
	if (t->n == 0)
		(void)node_new(t);
	sort_messages(t);
	if (t->by == THREAD_ORDEREDSUBJECT) {
		group_subjects(t);
	} else {
		prune(t);
		join_subjects(t);
	}
	t->stack = alloc_array(NULL, (size_t)t->n + 1, sizeof *t->stack);
	t->at = t->thread = t->root.first;
	t->opens = true;
}

/* A list is complete, and with it those of which it was the last. What was put off comes next. */
static void close_lists(struct threads *t, struct buf *out)
{
	buf_add_octet(out, ')');
	while (t->depth > 0 && t->stack[t->depth - 1] == 0) {
		t->depth--;
		buf_add_octet(out, ')');
	}
	t->opens = true;
	if (t->depth == 0) {
		t->at = t->thread = t->nodes[t->thread].next;
		return;
	}
	t->at = t->stack[t->depth - 1];
	t->stack[t->depth - 1] = t->nodes[t->at].next;
}

/* RFC 5256 section 4, thread-list: an only child follows its parent, several are lists. */
static void print_node(struct threads *t, struct buf *out)
{
	const struct thread_node *node = &t->nodes[t->at];

	if (t->opens)
		buf_add_octet(out, '(');
	else if (node->number)
		buf_add_octet(out, ' ');
	t->opens = false;
	if (node->number)
		buf_add_u64(out, node->number);
	if (node->n_children == 0) {
		close_lists(t, out);
		return;
	}
	t->at = node->first;
	if (node->n_children > 1) {
		if (node->number)
			buf_add_octet(out, ' ');
		t->stack[t->depth++] = t->nodes[t->at].next;
		t->opens = true;
	}
}

bool threads_print(struct threads *t, struct buf *out, size_t max)
{
	while (t->at && buf_size(out) < max)
		print_node(t, out);
	return t->at;
}
