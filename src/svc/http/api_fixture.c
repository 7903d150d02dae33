/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/http/api_fixture.h"

#include "base/enc.h"
#include "base/test.h"

#include <stdio.h>
#include <string.h>

const char *api_basic(const char *user_and_password)
{
	static char header[200];
	CLEANUP(buf_done) struct buf text = {};

	enc_base64(&text, span_str(user_and_password));
	(void)snprintf(header, sizeof header, "Authorization: Basic %.*s\r\n", (int)buf_size(&text),
		(const char *)buf_span(&text).p);
	return header;
}

unsigned api_call(struct http_fixture *f, enum http_kind kind, const char *fields,
	const char *method, const char *path, const char *json, json_t **ret_json)
{
	struct http_response r = http_request(f, kind, method, path, fields, json);
	unsigned status = r.status;

	if (ret_json)
		*ret_json = http_response_json(&r);
	http_response_done(&r);
	return status;
}

unsigned api_local(struct http_fixture *f, const char *method, const char *path, const char *json,
	json_t **ret_json)
{
	return api_call(f, HTTP_LOCAL, NULL, method, path, json, ret_json);
}

const char *api_text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "(none)";
}

long long api_number_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

void api_refused(struct http_fixture *f, const char *fields, const char *method, const char *path,
	const char *json, unsigned status, const char *field)
{
	enum http_kind kind = fields ? HTTP_PLAIN : HTTP_LOCAL;
	struct http_response r = http_request(f, kind, method, path, fields, json);
	json_t *problem = http_response_json(&r);

	if (r.status != status)
		fail_msg("%s %s: %u", method, path, r.status);
	assert_true(span_is(http_response_header(&r, "Content-Type"), "application/problem+json"));
	assert_int_equal(api_number_of(problem, "status"), status);
	assert_string_not_equal(api_text_of(problem, "detail"), "(none)");
	assert_string_not_equal(api_text_of(problem, "title"), "Error");
	assert_string_equal(api_text_of(problem, "field"), field ? field : "(none)");
	json_decref(problem);
	http_response_done(&r);
}

bool api_audited(struct http_fixture *f, const char *actor, const char *action, const char *target)
{
	json_t *answer, *entry;
	bool found = false;
	size_t i;

	assert_int_equal(api_local(f, "GET", "/api/v1/audit", NULL, &answer), 200);
	json_array_foreach(json_object_get(answer, "entries"), i, entry)
		found |= strcmp(api_text_of(entry, "actor"), actor) == 0 &&
			strcmp(api_text_of(entry, "action"), action) == 0 &&
			strcmp(api_text_of(entry, "target"), target) == 0;
	json_decref(answer);
	return found;
}
