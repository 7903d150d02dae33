/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Whatever a directory server answers: what is accepted is within the bounds that its readers rely
 * on, and what is kept of a problem is printable. */

#include "acme/message.h"

#include "pki/name.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_problem(const struct acme_problem *p)
{
	struct span text = span_str(p->text);

	check(text.n > 0 && text.n < sizeof p->text && span_is_ascii(text));
	for (size_t i = 0; i < text.n; i++)
		check(text.p[i] >= ' ' && text.p[i] < 0x7F);
}

static void fuzz_directory(struct arena *a, struct span json)
{
	struct acme_directory d;

	if (acme_directory_read(a, json, &d, NULL))
		return;
	check(acme_url_fits(d.new_nonce) && acme_url_fits(d.new_account) &&
		acme_url_fits(d.new_order));
	check(!d.renewal_info || acme_url_fits(d.renewal_info));
	check(!d.terms || acme_url_fits(d.terms));
}

static void fuzz_order(struct arena *a, struct span json)
{
	struct acme_order o;

	if (acme_order_read(a, json, &o, NULL))
		return;
	check(o.n_authorizations >= 1 && o.n_authorizations <= ACME_NAMES_MAX);
	for (size_t i = 0; i < o.n_authorizations; i++)
		check(acme_url_fits(o.authorizations[i]));
	check(acme_url_fits(o.finalize) && (!o.certificate || acme_url_fits(o.certificate)));
	if (o.has_problem)
		check_problem(&o.problem);
}

static void fuzz_authorization(struct arena *a, struct span json)
{
	struct acme_authorization z;

	if (acme_authorization_read(a, json, &z, NULL))
		return;
	check(name_is_dns(span_str(z.name), false));
	for (enum acme_challenge c = 0; c < ACME_CHALLENGES; c++) {
		if (!z.challenges[c].url)
			continue;
		check(acme_url_fits(z.challenges[c].url));
		check(acme_nonce_fits(z.challenges[c].token));
		check(strlen(z.challenges[c].token) <= ACME_TOKEN_MAX);
	}
	if (z.has_problem)
		check_problem(&z.problem);
}

static void fuzz_renewal(struct arena *a, struct span json)
{
	struct acme_renewal_info i;

	if (acme_renewal_info_read(a, json, &i, NULL))
		return;
	check(i.start_us >= 0 - (int64_t)86400 * 1000000 && i.start_us < i.end_us);
	check(!i.explanation || acme_url_fits(i.explanation));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct span json = span_of(data, size);
	struct acme_problem problem;

	fuzz_directory(&arena, json);
	fuzz_order(&arena, json);
	fuzz_authorization(&arena, json);
	fuzz_renewal(&arena, json);
	acme_problem_read(json, &problem);
	check_problem(&problem);
	return 0;
}
