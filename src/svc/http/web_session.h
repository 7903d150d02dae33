/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Who is logged in by cookie. Sessions live in this process's memory only, under the digest of their
 * token, so neither a copy of the table nor a timing of its search gives a token away. Thread-safe.
 */

#include "svc/auth.h"

struct web_sessions;

enum {
	WEB_TOKEN = 43,           /* base64url of 32 random octets */
	WEB_SESSIONS_MAX = 10000, /* in all; the one idle longest goes first */
	WEB_ACCOUNT_MAX = 50,     /* of one account, so that nobody can push the others out */
};

struct web_session {
	struct auth_identity who;
	char csrf[WEB_TOKEN + 1];
};

/* ended (may be NULL) is told of each session that ends, by its id; on the thread that finds out, with
 * nothing locked. */
typedef void web_session_ended_fn(struct span id, void *context);
struct web_sessions *web_sessions_new(web_session_ended_fn *ended, void *context);
struct web_sessions *web_sessions_free(struct web_sessions *w);

/* What names a session without giving it away: the digest of its token. */
enum { WEB_SESSION_ID = 32 };
void web_session_id(struct span token, uint8_t ret_id[static WEB_SESSION_ID]);

/* idle_ms: how long it lasts without use. */
void web_session_start(struct web_sessions *w, const struct auth_identity *who, int64_t now_ms,
	int64_t idle_ms, char ret_token[static WEB_TOKEN + 1], struct web_session *ret_session);

/* false: there is none (any more). Counts as use. */
bool web_session_find(struct web_sessions *w, struct span token, int64_t now_ms,
	struct web_session *ret_session);

void web_session_end(struct web_sessions *w, struct span token);

/* How many there are, for the metrics. */
size_t web_sessions_count(struct web_sessions *w);
