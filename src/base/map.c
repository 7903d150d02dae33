/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/map.h"

#include "base/alloc.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>

struct map_entry {
	struct map_entry *next;
	uint64_t hash;
	void *value;
	size_t n;
	uint8_t key[];
};

static uint64_t hash_key[2];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void hash_key_make(void)
{
	random_fill(hash_key, sizeof hash_key);
}

static uint64_t rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t map_hash(struct span key)
{
	uint64_t last = (uint64_t)key.n << 56;
	uint64_t v[4];

	(void)pthread_once(&hash_once, hash_key_make);
	v[0] = hash_key[0] ^ 0x736f6d6570736575;
	v[1] = hash_key[1] ^ 0x646f72616e646f6d;
	v[2] = hash_key[0] ^ 0x6c7967656e657261;
	v[3] = hash_key[1] ^ 0x7465646279746573;
	while (key.n >= 8) {
		uint64_t word;

		memcpy(&word, key.p, 8);
		sip_word(v, word);
		key = span_skip(key, 8);
	}
	for (size_t i = 0; i < key.n; i++)
		last |= (uint64_t)key.p[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The link that points to the entry, or to the NULL at the end of its slot. */
static struct map_entry **find(const struct map *m, struct span key, uint64_t hash)
{
	struct map_entry **link = &m->slots[hash & (m->n_slots - 1)];

	while (*link) {
		const struct map_entry *e = *link;

		if (e->hash == hash && span_equal(span_of(e->key, e->n), key))
			break;
		link = &(*link)->next;
	}
	return link;
}

void *map_get(const struct map *m, struct span key)
{
	struct map_entry *e;

	if (m->n == 0)
		return NULL;
	e = *find(m, key, map_hash(key));
	return e ? e->value : NULL;
}

static void grow(struct map *m)
{
	size_t n_slots = m->n_slots ? m->n_slots * 2 : 8;
	struct map_entry **slots = alloc_zero(n_slots * sizeof(struct map_entry *));

	for (size_t i = 0; i < m->n_slots; i++) {
		while (m->slots[i]) {
			struct map_entry *e = m->slots[i];
			struct map_entry **slot = &slots[e->hash & (n_slots - 1)];

			m->slots[i] = e->next;
			e->next = *slot;
			*slot = e;
		}
	}
	free(m->slots);
	m->slots = slots;
	m->n_slots = n_slots;
}

void *map_put(struct map *m, struct span key, void *value)
{
	uint64_t hash = map_hash(key);
	struct map_entry **link;
	struct map_entry *e;

	if (m->n >= m->n_slots)
		grow(m);
	link = find(m, key, hash);
	if (*link) {
		void *old = (*link)->value;

		(*link)->value = value;
		return old;
	}
	e = alloc_zero(sizeof *e + key.n);
	e->hash = hash;
	e->value = value;
	e->n = key.n;
	if (key.n)
		memcpy(e->key, key.p, key.n);
	*link = e;
	m->n++;
	return NULL;
}

void *map_remove(struct map *m, struct span key)
{
	struct map_entry **link;
	struct map_entry *e;
	void *value;

	if (m->n == 0)
		return NULL;
	link = find(m, key, map_hash(key));
	e = *link;
	if (!e)
		return NULL;
	value = e->value;
	*link = e->next;
	free(e);
	m->n--;
	return value;
}

void map_each(const struct map *m, void (*each)(void *, struct span, void *), void *context)
{
	for (size_t i = 0; i < m->n_slots; i++) {
		for (struct map_entry *e = m->slots[i]; e; e = e->next)
			each(e->value, span_of(e->key, e->n), context);
	}
}

void map_done(struct map *m, void (*free_value)(void *))
{
	for (size_t i = 0; i < m->n_slots; i++) {
		while (m->slots[i]) {
			struct map_entry *e = m->slots[i];

			m->slots[i] = e->next;
			if (free_value)
				free_value(e->value);
			free(e);
		}
	}
	free(m->slots);
	*m = (struct map){};
}
