/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Bodies are JSON objects with the members that the route's table names, and no others: a misspelt
 * member is an error, not a change that silently did not happen. */

#include "svc/http/body.h"

static const struct body_field *field_find(const struct body_field *fields, const char *name)
{
	for (; fields->name; fields++) {
		if (strcmp(fields->name, name) == 0 || strcmp(fields->name, "*") == 0)
			return fields;
	}
	return NULL;
}

static int text_check(struct http_request *q, const struct body_field *field, const char *name,
	const json_t *value)
{
	if (json_string_length(value) <= field->max)
		return 0;
	return http_problem(q, 422, name, "%s is at most %llu octets long", name,
		(unsigned long long)field->max);
}

static int texts_check(struct http_request *q, const struct body_field *field, const char *name,
	const json_t *value)
{
	size_t i;
	json_t *element;

	if (!json_is_array(value) || json_array_size(value) == 0 ||
		json_array_size(value) > field->max)
		return http_problem(q, 422, name, "%s is an array of 1 to %llu texts", name,
			(unsigned long long)field->max);
	json_array_foreach(value, i, element) {
		if (!json_is_string(element))
			return http_problem(q, 422, name, "%s is an array of texts", name);
	}
	return 0;
}

static int objects_check(struct http_request *q, const struct body_field *field, const char *name,
	const json_t *value)
{
	size_t i;
	json_t *element;

	if (!json_is_array(value) || json_array_size(value) > field->max)
		return http_problem(q, 422, name, "%s is an array of at most %llu objects", name,
			(unsigned long long)field->max);
	json_array_foreach(value, i, element) {
		if (!json_is_object(element))
			return http_problem(q, 422, name, "%s is an array of objects", name);
	}
	return 0;
}

static int scalar_check(struct http_request *q, const struct body_field *field, const char *name,
	const json_t *value)
{
	if (json_is_string(value))
		return text_check(q, field, name, value);
	if (json_is_integer(value) || json_is_boolean(value))
		return 0;
	return http_problem(q, 422, name, "%s is a text, an integer, true or false", name);
}

static int value_check(struct http_request *q, const struct body_field *field, const char *name,
	const json_t *value)
{
	switch (field->type) {
	case BODY_TEXT:
		if (!json_is_string(value))
			return http_problem(q, 422, name, "%s is a text", name);
		return text_check(q, field, name, value);
	case BODY_TEXTS:
		return texts_check(q, field, name, value);
	case BODY_NUMBER:
		if (json_is_integer(value) && json_integer_value(value) >= 0 &&
			(uint64_t)json_integer_value(value) <= field->max)
			return 0;
		return http_problem(q, 422, name, "%s is an integer from 0 to %llu", name,
			(unsigned long long)field->max);
	case BODY_BOOL:
		if (json_is_boolean(value))
			return 0;
		return http_problem(q, 422, name, "%s is true or false", name);
	case BODY_OBJECT:
		if (json_is_object(value))
			return 0;
		return http_problem(q, 422, name, "%s is an object", name);
	case BODY_OBJECTS:
		return objects_check(q, field, name, value);
	case BODY_SCALAR_OR_NULL:
		if (json_is_null(value))
			return 0;
		return scalar_check(q, field, name, value);
	case BODY_SCALAR:
		return scalar_check(q, field, name, value);
	}
	return http_problem(q, 422, name, "%s has an unknown type", name);
}

/* "application/json", perhaps with a charset. Requiring it keeps forms of other sites out: a browser
 * asks before it sends this type across origins. */
static bool type_is_json(const struct http_request *q)
{
	struct span type = http_field(q, "Content-Type");

	return span_is_nocase(span_trim(span_cut(&type, ';')), "application/json");
}

int body_read(struct http_request *q, const struct body_field *fields)
{
	json_error_t error;
	const char *name;
	json_t *value;

	if (!type_is_json(q))
		return http_problem(q, 415, "Content-Type", "the body is application/json");
	if (!buf_size(&q->body))
		return http_problem(q, 400, NULL, "the body is missing; {} is the smallest");
	q->json = json_loadb((const char *)buf_span(&q->body).p, buf_size(&q->body),
		JSON_REJECT_DUPLICATES, &error);
	if (!q->json)
		return http_problem(q, 400, NULL, "the body is not JSON: %s, line %d", error.text,
			error.line);
	buf_wipe(&q->body); /* it may be large, and is there a second time now */
	if (!json_is_object(q->json))
		return http_problem(q, 422, NULL, "the body is an object");
	json_object_foreach(q->json, name, value) {
		const struct body_field *field = field_find(fields, name);
		int r;

		if (!field)
			return http_problem(q, 422, name, "this request has no member \"%s\"",
				name);
		r = value_check(q, field, name, value);
		if (r)
			return r;
	}
	for (; fields->name; fields++) {
		if (fields->required && !json_object_get(q->json, fields->name))
			return http_problem(q, 422, fields->name, "%s is missing", fields->name);
	}
	return 0;
}
