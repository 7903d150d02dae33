/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Where the key-encryption key comes from, and when it is refused. */

#include "keyd/kek.h"

#include "base/folder_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char path[FOLDER_FIXTURE_MAX];
	int dir;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	folder_fixture(p->path, "kek");
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	(void)unlinkat(p->dir, "kek", 0);
	(void)unlinkat(p->dir, "password", 0);
	(void)unlinkat(p->dir, "other", 0);
	(void)close(p->dir);
	/* Fails if anything was left behind. */
	assert_int_equal(rmdir(p->path), 0);
	free(p);
	return 0;
}

static void put(const struct place *p, const char *name, struct span content, mode_t mode)
{
	int fd;

	(void)unlinkat(p->dir, name, 0);
	fd = openat(p->dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_equal(write(fd, content.p, content.n), content.n);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static int open_kek(const struct keyd_options *o, uint8_t *check, struct why *why)
{
	CLEANUP(kek_done) struct kek kek = {};
	int r = kek_open(&kek, o, why);

	if (!r)
		memcpy(check, kek.check, KEYD_CHECK);
	return r;
}

static void test_file(void **state)
{
	const struct place *p = *state;
	struct keyd_options o = { .role = KEYD_DOMAIN, .dir = p->dir };
	uint8_t check[KEYD_CHECK], again[KEYD_CHECK];
	struct why why = {};
	struct stat st;

	assert_int_equal(open_kek(&o, check, &why), KEK_E_REFUSED);
	assert_non_null(strstr(why.text, "backup"));
	o.create = true;
	assert_int_equal(open_kek(&o, check, &why), 0);
	assert_int_equal(fstatat(p->dir, "kek", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	/* There now, it is not made again, whoever asks. */
	assert_int_equal(open_kek(&o, again, &why), 0);
	assert_memory_equal(check, again, sizeof check);
	o.create = false;
	o.role = KEYD_USER;
	assert_int_equal(open_kek(&o, again, &why), 0);
	assert_memory_equal(check, again, sizeof check);
}

static void test_file_refused(void **state)
{
	const struct place *p = *state;
	const struct keyd_options o = { .role = KEYD_DOMAIN, .dir = p->dir, .create = true };
	static const uint8_t octets[33] = { 1 };
	uint8_t check[KEYD_CHECK];
	struct why why = {};

	put(p, "kek", span_of(octets, 32), 0604);
	assert_int_equal(open_kek(&o, check, &why), KEK_E_REFUSED);
	assert_non_null(strstr(why.text, "chmod 600"));
	put(p, "kek", span_of(octets, 31), 0600);
	assert_int_equal(open_kek(&o, check, &why), KEK_E_REFUSED);
	assert_non_null(strstr(why.text, "damaged"));
	put(p, "kek", span_of(octets, 33), 0600);
	assert_int_equal(open_kek(&o, check, &why), KEK_E_REFUSED);
	put(p, "kek", span_of(octets, 0), 0600);
	assert_int_equal(open_kek(&o, check, &why), KEK_E_REFUSED);
	(void)unlinkat(p->dir, "kek", 0);
	put(p, "other", span_of(octets, 32), 0600);
	assert_int_equal(symlinkat("other", p->dir, "kek"), 0);
	assert_int_equal(open_kek(&o, check, &why), KEK_E_REFUSED);
}

/* As the supervisor hands a file over: opened. */
static int open_kek_file(const struct place *p, enum keyd_source source, uint8_t *check,
	struct why *why)
{
	struct keyd_options o = { .role = KEYD_DOMAIN, .dir = -1, .source = source,
		.file = openat(p->dir, "password", O_RDONLY), .name = "the file" };
	int r;

	assert_true(o.file >= 0);
	r = open_kek(&o, check, why);
	(void)close(o.file);
	return r;
}

static void test_password_file(void **state)
{
	const struct place *p = *state;
	const enum keyd_source source = KEYD_SOURCE_PASSWORD;
	uint8_t check[KEYD_CHECK], again[KEYD_CHECK];
	struct why why = {};

	put(p, "password", SPAN("a password long enough\n"), 0644);
	assert_int_equal(open_kek_file(p, source, check, &why), KEK_E_REFUSED);
	assert_string_equal(
		why.text, "the file must be a plain file that others cannot read (chmod 600)");
	put(p, "password", SPAN("too short\n"), 0600);
	assert_int_equal(open_kek_file(p, source, check, &why), KEK_E_REFUSED);
	assert_non_null(strstr(why.text, "at least 16"));

	put(p, "password", SPAN("a password long enough\n"), 0640);
	assert_int_equal(open_kek_file(p, source, check, &why), 0);
	put(p, "password", SPAN("a password long enough"), 0600);
	assert_int_equal(open_kek_file(p, source, again, &why), 0);
	assert_memory_equal(check, again, sizeof check);
	put(p, "password", SPAN("a password long enough\n\n"), 0600);
	assert_int_equal(open_kek_file(p, source, again, &why), 0);
	assert_memory_not_equal(check, again, sizeof check);
}

/* Asked later whether it was this password, the KEK says so and nothing else. */
static void test_password_is_checked(void **state)
{
	const struct place *p = *state;
	struct keyd_options o = { .role = KEYD_DOMAIN, .dir = p->dir, .create = true };
	CLEANUP(kek_done) struct kek kek = {};
	CLEANUP(kek_done) struct kek other = {};
	struct why why = {};

	assert_int_equal(kek_open(&other, &o, &why), 0);
	assert_false(other.has_password);
	put(p, "password", SPAN("a password long enough\n"), 0600);
	o.source = KEYD_SOURCE_PASSWORD;
	o.file = openat(p->dir, "password", O_RDONLY);
	o.name = "the file";
	assert_int_equal(kek_open(&kek, &o, &why), 0);
	(void)close(o.file);
	assert_true(kek.has_password);
	assert_int_equal(kek_check_password(&kek, SPAN("a password long enough")), 0);
	assert_int_equal(kek_check_password(&kek, SPAN("a password long enough\n")), KEK_E_REFUSED);
	assert_int_equal(kek_check_password(&kek, SPAN("a password long enougg")), KEK_E_REFUSED);
	assert_int_equal(kek_check_password(&kek, SPAN("")), KEK_E_REFUSED);
	assert_int_equal(kek_check_password(&other, SPAN("a password long enough")), KEK_E_REFUSED);
}

static void test_credential(void **state)
{
	const struct place *p = *state;
	const enum keyd_source source = KEYD_SOURCE_CREDENTIAL;
	uint8_t check[KEYD_CHECK];
	struct why why = {};

	put(p, "password", SPAN("0123456789abcdef"), 0400);
	assert_int_equal(open_kek_file(p, source, check, &why), KEK_E_REFUSED);
	assert_non_null(strstr(why.text, "at least 32"));
	put(p, "password", SPAN("0123456789abcdef0123456789abcdef"), 0444);
	assert_int_equal(open_kek_file(p, source, check, &why), KEK_E_REFUSED);
	put(p, "password", SPAN("0123456789abcdef0123456789abcdef"), 0400);
	assert_int_equal(open_kek_file(p, source, check, &why), 0);
}

/* The keys for each use and role are all different. */
static void test_derived(void **state)
{
	CLEANUP(kek_done) struct kek domain = {};
	CLEANUP(kek_done) struct kek user = {};
	struct span all[6];

	(void)state;
	assert_int_equal(kek_derive(&domain, SPAN("master"), KEYD_DOMAIN), 0);
	assert_int_equal(kek_derive(&user, SPAN("master"), KEYD_USER), 0);
	all[0] = secret_span(&domain.wrap);
	all[1] = secret_span(&user.wrap);
	all[2] = secret_span(&domain.seal);
	all[3] = secret_span(&domain.ticket);
	all[4] = span_of(domain.check, KEYD_CHECK);
	all[5] = SPAN("master");
	for (size_t i = 0; i < 6; i++)
		for (size_t k = 0; k < i; k++)
			assert_false(span_equal(all[i], all[k]));
}

/* RFC 5869 appendix A.3: SHA-256, no salt, no info. */
static void test_hkdf(void **state)
{
	static const uint8_t expected[42] = { 0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f,
		0x80, 0x2a, 0x06, 0x3c, 0x5a, 0x31, 0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1, 0x87, 0x9e,
		0xc3, 0x45, 0x4e, 0x5f, 0x3c, 0x73, 0x8d, 0x2d, 0x9d, 0x20, 0x13, 0x95, 0xfa, 0xa4,
		0xb6, 0x1a, 0x96, 0xc8 };
	uint8_t key[22], out[42];

	(void)state;
	memset(key, 0x0b, sizeof key);
	assert_int_equal(kek_hkdf(span_of(key, sizeof key), SPAN(""), out, sizeof out), 0);
	assert_memory_equal(out, expected, sizeof out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_password_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_password_is_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_credential, setup, teardown),
		cmocka_unit_test(test_derived),
		cmocka_unit_test(test_hkdf),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kek", tests, NULL, NULL);
}
