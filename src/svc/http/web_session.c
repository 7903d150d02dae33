/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A map by digest and a list by time of use. Ended sessions are found when somebody asks for them or
 * when room is made, so no timer is needed: what hangs on a session and must not outlast it has a time of
 * its own. Who is told that one has ended may take long, so that happens without the lock.
 */

#include "svc/http/web_session.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/enc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct list link;
	uint8_t digest[SHA256_OCTETS];
	struct web_session session;
	int64_t idle_ms;
	int64_t ends_ms;
};

struct web_sessions {
	pthread_mutex_t lock;
	struct map by_digest;
	struct list by_use; /* idle longest first */
	web_session_ended_fn *ended;
	void *context;
};

struct web_sessions *web_sessions_new(web_session_ended_fn *ended, void *context)
{
	struct web_sessions *w = ALLOC(struct web_sessions);

	w->ended = ended;
	w->context = context;
	(void)pthread_mutex_init(&w->lock, NULL);
	list_init(&w->by_use);
	return w;
}

void web_session_id(struct span token, uint8_t ret_id[static WEB_SESSION_ID])
{
	digest_sha256(token, ret_id);
}

/* Under the lock; tell_ended follows without it. */
static void entry_end(struct web_sessions *w, struct entry *e, struct list *ended)
{
	(void)map_remove(&w->by_digest, span_of(e->digest, sizeof e->digest));
	list_remove(&e->link);
	list_append(ended, &e->link);
}

static void tell_ended(struct web_sessions *w, struct list *ended)
{
	list_each(l, ended) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);

		if (w->ended)
			w->ended(span_of(e->digest, sizeof e->digest), w->context);
		list_remove(l);
		free(e);
	}
}

struct web_sessions *web_sessions_free(struct web_sessions *w)
{
	struct list ended;

	if (!w)
		return NULL;
	list_init(&ended);
	list_each(l, &w->by_use)
		entry_end(w, CONTAINER_OF(l, struct entry, link), &ended);
	tell_ended(w, &ended);
	map_done(&w->by_digest, NULL);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

static void make_token(char ret_token[static WEB_TOKEN + 1])
{
	CLEANUP(buf_wipe) struct buf text = {};
	uint8_t octets[32];

	random_fill(octets, sizeof octets);
	enc_base64url(&text, span_of(octets, sizeof octets));
	memcpy(ret_token, buf_span(&text).p, WEB_TOKEN);
	ret_token[WEB_TOKEN] = 0;
	explicit_bzero(octets, sizeof octets);
}

static struct entry *entry_of(struct web_sessions *w, struct span token)
{
	uint8_t digest[SHA256_OCTETS];

	if (token.n != WEB_TOKEN)
		return NULL;
	digest_sha256(token, digest);
	return map_get(&w->by_digest, span_of(digest, sizeof digest));
}

/* Ended sessions go; then the account's oldest and the oldest of all, if there are too many. */
static void make_room(struct web_sessions *w, int64_t account, int64_t now_ms, struct list *ended)
{
	struct entry *oldest = NULL;
	size_t n = 0;

	list_each(l, &w->by_use) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);

		if (e->ends_ms <= now_ms) {
			entry_end(w, e, ended);
		} else if (e->session.who.account == account) {
			n++;
			if (!oldest)
				oldest = e;
		}
	}
	if (n >= WEB_ACCOUNT_MAX)
		entry_end(w, oldest, ended);
	if (w->by_digest.n >= WEB_SESSIONS_MAX)
		entry_end(w, CONTAINER_OF(w->by_use.next, struct entry, link), ended);
}

void web_session_start(struct web_sessions *w, const struct auth_identity *who, int64_t now_ms,
	int64_t idle_ms, char ret_token[static WEB_TOKEN + 1], struct web_session *ret_session)
{
	struct entry *e = ALLOC(struct entry);
	struct list ended;

	list_init(&ended);
	make_token(ret_token);
	make_token(e->session.csrf);
	e->session.who = *who;
	e->idle_ms = idle_ms;
	e->ends_ms = now_ms + idle_ms;
	digest_sha256(span_of(ret_token, WEB_TOKEN), e->digest);
	*ret_session = e->session;
	(void)pthread_mutex_lock(&w->lock);
	make_room(w, who->account, now_ms, &ended);
	(void)map_put(&w->by_digest, span_of(e->digest, sizeof e->digest), e);
	list_append(&w->by_use, &e->link);
	(void)pthread_mutex_unlock(&w->lock);
	tell_ended(w, &ended);
}

bool web_session_find(struct web_sessions *w, struct span token, int64_t now_ms,
	struct web_session *ret_session)
{
	struct list ended;
	struct entry *e;
	bool found = false;

	list_init(&ended);
	(void)pthread_mutex_lock(&w->lock);
	e = entry_of(w, token);
	if (e && e->ends_ms <= now_ms) {
		entry_end(w, e, &ended);
	} else if (e) {
		e->ends_ms = now_ms + e->idle_ms;
		list_remove(&e->link);
		list_append(&w->by_use, &e->link);
		*ret_session = e->session;
		found = true;
	}
	(void)pthread_mutex_unlock(&w->lock);
	tell_ended(w, &ended);
	return found;
}

void web_session_end(struct web_sessions *w, struct span token)
{
	struct list ended;
	struct entry *e;

	list_init(&ended);
	(void)pthread_mutex_lock(&w->lock);
	e = entry_of(w, token);
	if (e)
		entry_end(w, e, &ended);
	(void)pthread_mutex_unlock(&w->lock);
	tell_ended(w, &ended);
}

size_t web_sessions_count(struct web_sessions *w)
{
	size_t n;

	(void)pthread_mutex_lock(&w->lock);
	n = w->by_digest.n;
	(void)pthread_mutex_unlock(&w->lock);
	return n;
}
