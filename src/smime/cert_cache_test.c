/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/cert_cache.h"

#include "base/clock.h"
#include "base/test.h"
#include "pki/cert_fixture.h"

#include <pthread.h>

enum { N_CERTS = 6, N_THREADS = 4, ROUNDS = 300 };

static struct cert_made ca, certs[N_CERTS];
static struct trust *trust;
static int64_t now_us;

static int setup(void **state)
{
	struct cert_order order = { .subject = "CN=CA", .is_authority = true };

	(void)state;
	now_us = clock_now_us();
	ca = cert_make(&order);
	order = (struct cert_order){ .subject = "CN=x",
		.names = "email:x@example.org",
		.usage = "emailProtection",
		.issuer = &ca };
	for (size_t i = 0; i < N_CERTS; i++)
		certs[i] = cert_make(&order);
	trust = trust_new(TRUST_DOMAIN, NULL);
	trust_add(trust, ca.cert, TRUST_ALL_PURPOSES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CERTS; i++)
		cert_made_done(&certs[i]);
	cert_made_done(&ca);
	trust_unref(trust);
	return 0;
}

static struct cert *read_one(struct cert_cache *cache, size_t i)
{
	struct cert *cert = NULL;

	assert_int_equal(cert_cache_read(cache, cert_der(certs[i].cert), &cert, NULL), 0);
	assert_true(span_equal(cert_der(cert), cert_der(certs[i].cert)));
	return cert;
}

static bool holds(struct cert_cache *cache, uint64_t generation, const struct trust *by,
	int64_t time_us, size_t i)
{
	const struct path_request q = {
		.leaf = certs[i].cert,
		.trust = by,
		.time_us = time_us,
		.purposes = TRUST_MAIL,
		.revocation = PATH_REVOCATION_IGNORED,
	};
	struct verdict verdict = {};
	bool valid;

	assert_int_equal(cert_cache_validate(cache, generation, &q, &verdict), 0);
	valid = verdict.valid;
	if (valid)
		assert_int_equal(verdict.path.n, 2);
	verdict_done(&verdict);
	return valid;
}

static void same_object_twice(void **state)
{
	CLEANUP(cert_cache_freep) struct cert_cache *cache = cert_cache_new(10);
	struct cert *a = read_one(cache, 0), *b = read_one(cache, 0);

	(void)state;
	assert_ptr_equal(a, b);
	cert_unref(a);
	cert_unref(b);
	assert_int_equal(cert_cache_read(cache, SPAN("no certificate"), &a, NULL), CERT_E_SYNTAX);
}

/* The one that was used least recently goes; what somebody holds stays. */
static void is_bounded(void **state)
{
	CLEANUP(cert_cache_freep) struct cert_cache *cache = cert_cache_new(2);
	struct cert *first = read_one(cache, 0), *again;

	(void)state;
	cert_unref(read_one(cache, 1));
	again = read_one(cache, 0);
	assert_ptr_equal(first, again);
	cert_unref(again);
	cert_unref(read_one(cache, 2)); /* 1 goes */
	again = read_one(cache, 0);
	assert_ptr_equal(first, again);
	cert_unref(again);
	cert_unref(read_one(cache, 1));
	cert_unref(read_one(cache, 2));
	again = read_one(cache, 0);
	assert_ptr_not_equal(first, again);
	cert_unref(again);
	cert_unref(first);
}

static void paths_are_bound_to_time_and_trust(void **state)
{
	CLEANUP(cert_cache_freep) struct cert_cache *cache = cert_cache_new(10);
	CLEANUP(trust_unrefp) struct trust *nobody = trust_new(TRUST_DOMAIN, NULL);

	(void)state;
	/* What does not hold is not kept. */
	assert_false(holds(cache, 1, nobody, now_us, 0));
	assert_true(holds(cache, 1, trust, now_us, 0));
	assert_true(holds(cache, 1, nobody, now_us, 0));
	assert_false(holds(cache, 1, nobody, now_us, 1));
	assert_false(holds(cache, 1, nobody, cert_not_after_us(certs[0].cert) + 1000000, 0));
	assert_false(holds(cache, 1, nobody, cert_not_before_us(certs[0].cert) - 1000000, 0));
	/* Another generation is somebody else's: it has to find its own, which is kept in the place of
	 * this one. */
	assert_false(holds(cache, 2, nobody, now_us, 0));
	assert_true(holds(cache, 1, nobody, now_us, 0));
	assert_true(holds(cache, 2, trust, now_us, 0));
	assert_true(holds(cache, 2, nobody, now_us, 0));
	assert_false(holds(cache, 1, nobody, now_us, 0));
}

static void *use(void *context)
{
	struct cert_cache *cache = context;

	for (size_t i = 0; i < ROUNDS; i++) {
		cert_unref(read_one(cache, i % N_CERTS));
		assert_true(holds(cache, 1 + i / 100, trust, now_us, (i * 5) % N_CERTS));
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	CLEANUP(cert_cache_freep) struct cert_cache *cache = cert_cache_new(3);
	pthread_t threads[N_THREADS];

	(void)state;
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, cache), 0);
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void works_without_one(void **state)
{
	(void)state;
	cert_unref(read_one(NULL, 0));
	assert_true(holds(NULL, 1, trust, now_us, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_object_twice),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(paths_are_bound_to_time_and_trust),
		cmocka_unit_test(threads_share_it),
		cmocka_unit_test(works_without_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
