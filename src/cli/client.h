/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Asking the server: HTTP over the Unix socket DATA/run/signet.sock, or HTTPS from elsewhere, with libcurl. */

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

/* A JSON value that ends with its scope: CLEANUP(json_owned_freep) json_t *answer = NULL; */
typedef json_t json_owned;
static inline void json_owned_free(json_owned *j)
{
	json_decref(j);
}
CLEANUP_POINTER(json_owned, json_owned_free)

struct client;

enum client_outcome {
	CLIENT_E_UNREACHABLE = 1, /* no server there, or not allowed; why */
	CLIENT_E_REFUSED,         /* an answer of 400 or more; why has the problem's words */
	CLIENT_E_NOT_FOUND,       /* the same, and what is named does not exist */
};

/* data: the folder. Nothing is sent yet. */
int client_new(struct client **ret_client, const char *data, struct why *why) MUST_CHECK;

/* url: "https://HOST" or "https://HOST:PORT". ca: a file of the certificates that are trusted, NULL: the
 * system's. The server does what whoever logs in may. */
int client_new_remote(struct client **ret_client, const char *url, const char *ca,
	struct why *why) MUST_CHECK;
struct client *client_free(struct client *c);
CLEANUP_POINTER(struct client, client_free)

/* The member or parameter that the last refusal was about; "" for none. c may be NULL: nothing was asked. */
const char *client_field(const struct client *c);

/* What the last refusal said (RFC 9457), as long as nothing else is asked; NULL: nothing. */
const json_t *client_problem(const struct client *c);

/* path is below /api/v1, percent-encoded. body may be NULL. *ret_answer: the JSON answer, to be
 * json_decref'd; NULL for an empty one. */
int client_ask(struct client *c, const char *method, const char *path, const json_t *body,
	json_t **ret_answer, struct why *why) MUST_CHECK;

/* A file on its way: the rest of what its descriptor has. */
struct client_file {
	const char *name; /* for what is said of it */
	int fd;           /* the caller's */
};

/* POSTs a file piece by piece as it is read, a regular one with its length; it may take its time as
 * long as it moves. REFUSED too where it cannot be read. */
int client_send(struct client *c, const char *path, const struct client_file *file,
	json_t **ret_answer, struct why *why) MUST_CHECK;

/* What is no JSON: appends the answer's octets. */
int client_fetch(struct client *c, const char *path, struct buf *out, struct why *why) MUST_CHECK;

/* Begins a session as a person: what is asked from now on is asked by that account, over the socket too.
 * client_log_out ends it; so does client_free. */
int client_log_in(struct client *c, const char *login, const char *password,
	struct why *why) MUST_CHECK;
void client_log_out(struct client *c);
