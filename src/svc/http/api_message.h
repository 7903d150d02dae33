/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the routes of an account's messages share. */

#include "store/message.h"
#include "svc/http/api.h"
#include "svc/secure_mail.h"

/* Who asks for a message of the path. */
struct message_asked {
	struct http_request *q;
	struct store_account account;
	struct secure_keys keys; /* that are unlocked in this session; may be none */
	int r;                   /* outcome of secure_mail_keys */
	int64_t id;
	struct why why;
};
void message_asked_done(struct message_asked *k);

/* The account of parameter 0 and the keys; a problem if there is no such account. */
int message_asked_begin(struct http_request *q, struct message_asked *k) MUST_CHECK;

/* The same, with a problem if the keys are locked. */
int message_asked_unlocked(struct http_request *q, struct message_asked *k) MUST_CHECK;

/* Why what needs the keys cannot be done: they are locked, Secure Mail is off, or none fits. */
int message_locked_problem(struct message_asked *k) MUST_CHECK;

/* The id of parameter 1; a problem if it is none. */
int message_asked_id(struct message_asked *k) MUST_CHECK;

/* What an outcome of svc/stored.h is to a client; faults pass. */
int message_problem(struct message_asked *k, int r) MUST_CHECK;

/* An id as message_json_id writes it; false: the text is none. */
bool message_read_id(struct span text, int64_t *ret_id);
json_t *message_json_id(int64_t id);

/* What a message's row says by itself. */
json_t *message_row_json(const struct store_message *m);
