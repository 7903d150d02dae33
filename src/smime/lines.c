/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/lines.h"

bool lines_are_crlf(struct span entity)
{
	size_t lf = span_find(entity, '\n');

	return lf == entity.n || (lf > 0 && entity.p[lf - 1] == '\r');
}

bool lines_add_crlf(struct span entity, struct secret_buf *out)
{
	bool fits = true;

	while (entity.n && fits) {
		size_t n = span_find(entity, '\n');
		bool bare = n < entity.n && (n == 0 || entity.p[n - 1] != '\r');

		fits = secret_buf_add(out, span_head(entity, n)) &&
		       (n == entity.n || secret_buf_add(out, bare ? SPAN("\r\n") : SPAN("\n")));
		entity = span_skip(entity, n + 1);
	}
	return fits;
}
