/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests of the API: one request a call, and what is said of its answer. alice (password "wonderland")
 * and bob ("builder") are users; a request over the Unix socket may do everything. */

#include "svc/http/client_fixture.h"

#define ALICE api_basic("alice@example.org:wonderland")
#define BOB api_basic("bob@example.org:builder")

/* The header of Basic credentials; valid until the next call. */
const char *api_basic(const char *user_and_password);

/* Does one request and returns the status; *ret_json, if asked for, is the body. */
unsigned api_call(struct http_fixture *f, enum http_kind kind, const char *fields,
	const char *method, const char *path, const char *json, json_t **ret_json);

/* The same over the Unix socket. */
unsigned api_local(struct http_fixture *f, const char *method, const char *path, const char *json,
	json_t **ret_json);

/* Members; "(none)" where there is no text. */
const char *api_text_of(const json_t *object, const char *member);
long long api_number_of(const json_t *object, const char *member);

/* Fails unless it is refused: a problem document of that status, which names the member. Without fields
 * it is asked over the Unix socket. */
void api_refused(struct http_fixture *f, const char *fields, const char *method, const char *path,
	const char *json, unsigned status, const char *field);

/* Whether the audit record has it. */
bool api_audited(struct http_fixture *f, const char *actor, const char *action, const char *target);
