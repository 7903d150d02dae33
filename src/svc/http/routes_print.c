/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Prints the route table as JSON for tools/check-openapi, which compares it with doc/openapi.yaml. */

#include "store/settings.h"
#include "svc/http/route.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const type_names[] = {
	[BODY_TEXT] = "text",
	[BODY_TEXTS] = "texts",
	[BODY_NUMBER] = "number",
	[BODY_SCALAR] = "scalar",
	[BODY_SCALAR_OR_NULL] = "scalar-or-null",
	[BODY_BOOL] = "bool",
	[BODY_OBJECT] = "object",
	[BODY_OBJECTS] = "objects",
};

/* "{name*}" is a parameter like others. */
static json_t *path_of(const char *path)
{
	char text[256];
	size_t n = 0;

	for (; *path && n < sizeof text - 1; path++) {
		if (*path != '*')
			text[n++] = *path;
	}
	text[n] = 0;
	return json_string(text);
}

static json_t *body_of(const struct body_field *field)
{
	json_t *body = json_object();

	if (!field) {
		json_decref(body);
		return json_null();
	}
	for (; field->name; field++)
		(void)json_object_set_new(body, field->name,
			json_pack("{s:s, s:b, s:I}", "type", type_names[field->type], "required",
				(int)field->required, "max", (json_int_t)field->max));
	return body;
}

/* NULL of the usual ones, which the description tells in its beginning. */
static json_t *limit_of(const struct http_route *r)
{
	static const struct settings any;

	if (r->size == SIZE_USUAL)
		return json_null();
	if (r->size == SIZE_MESSAGE)
		return json_string("message_max");
	return json_integer((json_int_t)route_body_max(r, &any));
}

int main(void)
{
	json_t *list = json_array();
	char *text;

	for (size_t i = 0; i < n_http_routes; i++) {
		const struct http_route *r = &http_routes[i];

		(void)json_array_append_new(list,
			json_pack("{s:s, s:o, s:s, s:b, s:o, s:o}", "method", r->method, "path",
				path_of(r->path),
				"query", r->query ? r->query : "", "open",
				(int)(r->right == RIGHT_ANYONE), "body", body_of(r->body),
				"limit", limit_of(r)));
	}
	text = json_dumps(list, JSON_INDENT(1));
	(void)puts(text);
	free(text);
	json_decref(list);
	return 0;
}
