/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Doubly linked lists whose links live in the members. A list head and an unlinked member both
 * point to themselves, so removing twice does no harm.
 */

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *previous;
};

#define CONTAINER_OF(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l->previous = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *l)
{
	l->previous = head->previous;
	l->next = head;
	head->previous->next = l;
	head->previous = l;
}

static inline void list_remove(struct list *l)
{
	l->previous->next = l->next;
	l->next->previous = l->previous;
	list_init(l);
}

/* Walks the members; the current one may be removed meanwhile. */
#define list_each(l, head)                                                                         \
	for (struct list *l = (head)->next, *l##_next = l->next; l != (head);                      \
		l = l##_next, l##_next = l->next)
