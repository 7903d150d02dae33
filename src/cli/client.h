/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Asking the server: HTTP over the Unix socket DATA/run/signet.sock, with libcurl. */

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
struct client *client_free(struct client *c);
CLEANUP_POINTER(struct client, client_free)

/* The member or parameter that the last refusal was about; "" for none. */
const char *client_field(const struct client *c);

/* path is below /api/v1, percent-encoded. body may be NULL. *ret_answer: the JSON answer, to be
 * json_decref'd; NULL for an empty one. */
int client_ask(struct client *c, const char *method, const char *path, const json_t *body,
	json_t **ret_answer, struct why *why) MUST_CHECK;
