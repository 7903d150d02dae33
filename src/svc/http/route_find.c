/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The search in the route table, row by row: they are compared faster than a request is read. */

#include "svc/http/route.h"

#include "store/settings.h"

/* Compares segment by segment; the parameters' segments are left undecoded. */
static bool path_fits(const char *pattern, struct span path,
	struct span ret_segments[static HTTP_PARAMS_MAX], size_t *ret_n)
{
	struct span rest = span_str(pattern);
	size_t n = 0;

	if (path.n == 0 || path.p[0] != '/')
		return false;
	while (rest.n && path.n) {
		struct span want, have;

		rest = span_skip(rest, 1);
		path = span_skip(path, 1);
		want = span_head(rest, span_find(rest, '/'));
		have = span_head(path, span_find(path, '/'));
		if (want.n > 2 && want.p[want.n - 2] == '*')
			have = path;
		rest = span_skip(rest, want.n);
		path = span_skip(path, have.n);
		if (!span_starts(want, SPAN("{"))) {
			if (!span_equal(want, have))
				return false;
			continue;
		}
		if (have.n == 0 || n == HTTP_PARAMS_MAX)
			return false;
		ret_segments[n++] = have;
	}
	*ret_n = n;
	return rest.n == 0 && path.n == 0;
}

const struct http_route *route_match(struct span method, struct span path)
{
	if (span_is(method, "HEAD"))
		method = SPAN("GET");
	for (size_t i = 0; i < n_http_routes; i++) {
		struct span segments[HTTP_PARAMS_MAX];
		size_t n;

		if (span_is(method, http_routes[i].method) &&
			path_fits(http_routes[i].path, path, segments, &n))
			return &http_routes[i];
	}
	return NULL;
}

uint64_t route_body_max(const struct http_route *route, const struct settings *settings)
{
	static const uint64_t octets[] = {
		[SIZE_USUAL] = SIZE_USUAL_OCTETS,
		[SIZE_FILE] = SIZE_FILE_OCTETS,
		[SIZE_CRL] = SIZE_CRL_OCTETS,
		[SIZE_COMPOSE] = SIZE_COMPOSE_OCTETS,
	};

	if (!route || (route->size == SIZE_USUAL && route->right == RIGHT_ANYONE))
		return SIZE_ANYONE_OCTETS;
	return route->size == SIZE_MESSAGE ? settings->message_max : octets[route->size];
}

bool http_target_split(struct span target, struct http_target *ret_target)
{
	struct http_target t = {};

	if (span_starts_nocase(target, SPAN("http://")) ||
		span_starts_nocase(target, SPAN("https://"))) {
		target = span_skip(target, span_find_span(target, SPAN("://")) + 3);
		t.authority = span_head(target, span_find(target, '/'));
		target = span_skip(target, t.authority.n);
		if (target.n == 0)
			target = SPAN("/");
	}
	t.path = span_cut(&target, '?');
	t.query = target;
	*ret_target = t;
	return span_is(t.path, "*") || span_starts(t.path, SPAN("/"));
}

int route_find(struct arena *a, struct span method, struct span path,
	const struct http_route **ret_route, struct span ret_params[static HTTP_PARAMS_MAX])
{
	bool path_is_known = false;

	if (span_is(method, "HEAD"))
		method = SPAN("GET");
	for (size_t i = 0; i < n_http_routes; i++) {
		struct span segments[HTTP_PARAMS_MAX];
		size_t n;

		if (!path_fits(http_routes[i].path, path, segments, &n))
			continue;
		path_is_known = true;
		if (!span_is(method, http_routes[i].method))
			continue;
		for (size_t k = 0; k < n; k++) {
			if (!http_decode(a, segments[k], &ret_params[k]))
				return ROUTE_E_NOT_FOUND;
		}
		*ret_route = &http_routes[i];
		return 0;
	}
	return path_is_known ? ROUTE_E_METHOD : ROUTE_E_NOT_FOUND;
}

void route_allow(struct span path, struct buf *out)
{
	for (size_t i = 0; i < n_http_routes; i++) {
		struct span segments[HTTP_PARAMS_MAX];
		size_t n;

		if (!path_fits(http_routes[i].path, path, segments, &n))
			continue;
		buf_add_string(out, buf_size(out) ? ", " : "OPTIONS, ");
		buf_add_string(out, http_routes[i].method);
		if (strcmp(http_routes[i].method, "GET") == 0)
			buf_add_string(out, ", HEAD");
	}
}
