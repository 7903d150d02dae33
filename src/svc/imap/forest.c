/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Link-cut trees (Sleator and Tarjan), without what re-rooting needs. THREAD=REFERENCES asks at
 * each link whether it would close a loop; walking up the parents for that is quadratic on a chain
 * of a hundred thousand replies. Each tree is split into paths from a node towards the root; a path
 * is a splay tree ordered by depth, and its root's `up` is the node the path hangs below.
 */

#include "svc/imap/forest.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct forest_node {
	uint32_t parent;      /* in the forest; the rest is the splay trees */
	uint32_t left, right; /* nearer to the root; farther from it */
	uint32_t up;
};

uint32_t forest_add(struct forest *f)
{
	if (f->n + 1 >= f->capacity) {
		f->capacity = f->capacity ? 2 * f->capacity : 1024;
		f->nodes = alloc_array(f->nodes, f->capacity, sizeof *f->nodes);
		f->nodes[0] = (struct forest_node){};
	}
	f->nodes[++f->n] = (struct forest_node){};
	return f->n;
}

uint32_t forest_parent(const struct forest *f, uint32_t node)
{
	return f->nodes[node].parent;
}

void forest_done(struct forest *f)
{
	free(f->nodes);
	*f = (struct forest){};
}

/* Whether the node is the root of its splay tree. */
static bool tops_path(const struct forest_node *t, uint32_t x)
{
	uint32_t up = t[x].up;

	return up == 0 || (t[up].left != x && t[up].right != x);
}

static void rotate(struct forest_node *t, uint32_t x)
{
	uint32_t p = t[x].up, g = t[p].up;
	bool was_left = t[p].left == x;
	uint32_t middle = was_left ? t[x].right : t[x].left;

	if (!tops_path(t, p)) {
		if (t[g].left == p)
			t[g].left = x;
		else
			t[g].right = x;
	}
	if (was_left) {
		t[x].right = p;
		t[p].left = middle;
	} else {
		t[x].left = p;
		t[p].right = middle;
	}
	if (middle)
		t[middle].up = p;
	t[x].up = g;
	t[p].up = x;
}

static void splay(struct forest_node *t, uint32_t x)
{
	while (!tops_path(t, x)) {
		uint32_t p = t[x].up, g = t[p].up;

		if (!tops_path(t, p))
			rotate(t, (t[p].left == x) == (t[g].left == p) ? p : x);
		rotate(t, x);
	}
}

/* Makes the way from the node to its root one path, which ends at the node and has it on top. */
static void expose(struct forest_node *t, uint32_t x)
{
	uint32_t below = 0;

	for (uint32_t y = x; y; y = t[y].up) {
		splay(t, y);
		t[y].right = below;
		below = y;
	}
	splay(t, x);
}

uint32_t forest_root(struct forest *f, uint32_t node)
{
	struct forest_node *t = f->nodes;

	expose(t, node);
	while (t[node].left)
		node = t[node].left;
	splay(t, node);
	return node;
}

void forest_link(struct forest *f, uint32_t root, uint32_t parent)
{
	struct forest_node *t = f->nodes;

	assert(t[root].parent == 0);
	expose(t, root);
	t[root].up = parent;
	t[root].parent = parent;
}

void forest_cut(struct forest *f, uint32_t node)
{
	struct forest_node *t = f->nodes;
	uint32_t above;

	if (t[node].parent == 0)
		return;
	expose(t, node);
	above = t[node].left;
	t[above].up = 0;
	t[node].left = 0;
	t[node].parent = 0;
}
