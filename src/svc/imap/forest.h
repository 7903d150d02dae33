/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Rooted trees that can be joined and cut, and asked which root a node is under, in logarithmic
 * (amortized) time however deep they are. Nodes are numbers from 1 on; 0 is none. */

#include <stddef.h>
#include <stdint.h>

struct forest_node;

struct forest {
	struct forest_node *nodes;
	uint32_t n;
	uint32_t capacity;
};

/* A new node, a tree of its own. */
uint32_t forest_add(struct forest *f);

/* The parent, or 0. */
uint32_t forest_parent(const struct forest *f, uint32_t node);
uint32_t forest_root(struct forest *f, uint32_t node);

/* Puts a root under a node of another tree. */
void forest_link(struct forest *f, uint32_t root, uint32_t parent);
/* Makes a node a root, with what is below it. */
void forest_cut(struct forest *f, uint32_t node);
void forest_done(struct forest *f);
