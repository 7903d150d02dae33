/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * That the process that uses keys does not hold them. This process plays the server: it has keys
 * made, used, imported, exported and unlocked, and then looks through all of its own memory for the
 * numbers that are the keys. It learns these numbers from children, with every octet masked, so
 * that knowing them does not put them into its memory. A planted number shows that looking finds.
 */

#include "keyd/import.h"
#include "keyd/provider.h"
#include "keyd/testing.h"
#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	NEEDLE = 16,        /* octets of a number that are looked for */
	NEEDLES_MAX = 64,
	CHUNK = 1 << 20,
	MAPPING_MAX = 1 << 30, /* larger ones are a sanitizer's shadow */
	MASK = 0xA7,
};

/* Masked. */
static uint8_t needles[NEEDLES_MAX][NEEDLE];
static size_t n_needles;

static const char file_password[] = "password of the file";

/* In a child: pieces of each secret number of the key, as they stand in DER and as OpenSSL's
 * arithmetic has them, masked. */
static void write_number(int fd, const BIGNUM *number)
{
	uint8_t big[1024], little[1024];
	int n = BN_num_bytes(number);

	BN_bn2bin(number, big);
	BN_bn2lebinpad(number, little, n);
	for (int i = 0; i < n; i++) {
		big[i] ^= MASK;
		little[i] ^= MASK;
	}
	/* The middle: no leading zeros there, and no part that is the same in all keys. */
	if (write(fd, big + n / 2 - NEEDLE / 2, NEEDLE) < 0 ||
		write(fd, little + n / 2 - NEEDLE / 2, NEEDLE) < 0)
		_exit(1);
}

static void write_numbers(int fd, const EVP_PKEY *key)
{
	static const char *const names[] = {
		OSSL_PKEY_PARAM_PRIV_KEY,
		OSSL_PKEY_PARAM_RSA_D,
		OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2,
	};
	uint8_t raw[64];
	size_t n = sizeof raw;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		BIGNUM *number = NULL;

		if (EVP_PKEY_get_bn_param(key, names[i], &number))
			write_number(fd, number);
		BN_clear_free(number);
	}
	if (key_is_ed25519(key) && EVP_PKEY_get_raw_private_key(key, raw, &n)) {
		BIGNUM *number = BN_bin2bn(raw, (int)n, NULL);

		write_number(fd, number);
		BN_clear_free(number);
	}
}

static void child_open_pfx(int fd, struct span pfx)
{
	const uint8_t *p = pfx.p;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)pfx.n);
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;

	if (!p12 || !PKCS12_parse(p12, file_password, &key, &cert, NULL))
		_exit(1);
	write_numbers(fd, key);
	_exit(0);
}

/* Makes a key and writes its needles, then a file with it: PKCS #12, or PEM in clear. */
static void child_make(int needle_fd, int file_fd, enum key_type type, bool pem)
{
	EVP_PKEY *key = NULL;
	BIO *out = BIO_new_fd(file_fd, BIO_NOCLOSE);

	if (key_generate(&key, type))
		_exit(1);
	write_numbers(needle_fd, key);
	if (pem)
		(void)PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	else
		(void)i2d_PKCS12_bio(out, PKCS12_create(file_password, "name", key, NULL, NULL, 0, 0, 0,
						0, 0));
	_exit(0);
}

static void take_needles(int fd)
{
	size_t before = n_needles;

	while (n_needles < NEEDLES_MAX && read(fd, needles[n_needles], NEEDLE) == NEEDLE)
		n_needles++;
	assert_true(n_needles > before);
	(void)close(fd);
}

static void wait_ok(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void needles_of_pfx(struct span pfx)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		child_open_pfx(fds[1], pfx);
	(void)close(fds[1]);
	take_needles(fds[0]);
	wait_ok(pid);
}

/* A key file in locked memory, as the server has an upload. */
static struct secret make_file(enum key_type type, bool pem)
{
	struct secret block = secret_new(16384), file;
	int needle_fds[2], file_fds[2];
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(needle_fds), 0);
	assert_int_equal(pipe(file_fds), 0);
	pid = fork();
	if (pid == 0)
		child_make(needle_fds[1], file_fds[1], type, pem);
	(void)close(needle_fds[1]);
	(void)close(file_fds[1]);
	while ((got = read(file_fds[0], block.p + n, block.n - n)) > 0)
		n += (size_t)got;
	(void)close(file_fds[0]);
	take_needles(needle_fds[0]);
	wait_ok(pid);
	file = secret_copy(span_head(secret_span(&block), n));
	secret_done(&block);
	return file;
}

static struct imported import_it(enum key_type type, bool pem)
{
	struct secret file = make_file(type, pem);
	struct imported imported = {};
	struct import_order order;
	struct why why = {};
	int fds[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		_exit(importer_main(fds[1]));
	}
	(void)close(fds[1]);
	order = (struct import_order){ .file = secret_span(&file),
		.passphrase = pem ? (struct span){} : span_str(file_password) };
	if (import_key(fds[0], &order, &imported, &why))
		fail_msg("%s", why.text);
	(void)close(fds[0]);
	wait_ok(pid);
	secret_done(&file);
	return imported;
}

/* Whether the needle is somewhere in [p, p+n). */
static bool has_needle(const uint8_t *p, size_t n, const uint8_t *masked)
{
	uint8_t first = (uint8_t)(masked[0] ^ MASK);
	const uint8_t *end = p + n;

	while (n >= NEEDLE && (p = memchr(p, first, (size_t)(end - p) - NEEDLE + 1))) {
		size_t i = 1;

		while (i < NEEDLE && (p[i] ^ MASK) == masked[i])
			i++;
		if (i == NEEDLE)
			return true;
		p++;
		n = (size_t)(end - p);
	}
	return false;
}

static size_t search_range(int mem, uint8_t *chunk, uint64_t from, uint64_t to)
{
	size_t hits = 0;

	for (uint64_t at = from; at < to; at += CHUNK - NEEDLE) {
		size_t want = to - at < CHUNK ? (size_t)(to - at) : CHUNK;
		ssize_t got = pread(mem, chunk, want, (off_t)at);

		/* Some mappings of the kernel cannot be read. */
		if (got < NEEDLE)
			break;
		for (size_t i = 0; i < n_needles; i++)
			hits += has_needle(chunk, (size_t)got, needles[i]);
	}
	return hits;
}

/* Looks through all of this process. */
static size_t search(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY);
	/* Shared, so that the kernel does not make one mapping of it and a neighbour. */
	uint8_t *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t hits = 0, octets = 0;
	uint64_t from, to;
	char line[512], mode[5];

	assert_non_null(maps);
	assert_true(mem >= 0 && chunk != MAP_FAILED);
	while (fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[0] != 'r')
			continue;
		/* Its own chunk would show what was just looked at. */
		if (to - from > MAPPING_MAX || ((uint64_t)chunk >= from && (uint64_t)chunk < to))
			continue;
		hits += search_range(mem, chunk, from, to);
		octets += to - from;
	}
	(void)munmap(chunk, CHUNK);
	(void)fclose(maps);
	(void)close(mem);
	assert_true(octets > 1 << 20);
	return hits;
}

/* Planted: on the heap, in locked memory, on the stack. */
static void assert_search_finds(void)
{
	struct secret secret = secret_new(4096);
	uint8_t *heap = malloc(100);
	volatile uint8_t stack[NEEDLE];

	for (size_t i = 0; i < NEEDLE; i++)
		heap[20 + i] = needles[0][i] ^ MASK;
	assert_true(search() > 0);
	explicit_bzero(heap, 100);
	free(heap);

	for (size_t i = 0; i < NEEDLE; i++)
		secret.p[1000 + i] = needles[n_needles - 1][i] ^ MASK;
	assert_true(search() > 0);
	secret_done(&secret);

	for (size_t i = 0; i < NEEDLE; i++)
		stack[i] = needles[1][i] ^ MASK;
	assert_true(search() > 0);
	for (size_t i = 0; i < NEEDLE; i++)
		stack[i] = 0;
	assert_int_equal(stack[0], 0);
}

static void use(const struct keyd_made *made, struct keyd_key *key)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	CLEANUP(buf_done) struct buf pfx = {};
	struct why why = {};

	assert_int_equal(provider_key(&pkey, key, buf_span(&made->spki)), 0);
	if (key_self_test(pkey, buf_span(&made->spki), true, &why))
		fail_msg("%s", why.text);
	assert_int_equal(
		keyd_key_export(key, KEYD_FORM_PKCS12, (struct span){}, SPAN("name"), span_str(file_password), &pfx), 0);
	needles_of_pfx(buf_span(&pfx));
}

static void use_domain(struct testing *t, struct keyd_made *made)
{
	struct keyd_key *key = keyd_key_new(t->client, buf_span(&made->wrapped), span_str(made->key_id),
		SPAN("domain:1"), KEYD_SMIME);

	use(made, key);
	keyd_key_unref(key);
	keyd_made_done(made);
}

static void use_user(struct testing *t, struct keyd_made *made)
{
	struct keyd_key *key = NULL;

	assert_int_equal(keyd_unlock(t->client, buf_span(&made->wrapped), span_str(made->key_id),
				 SPAN("user:1"), SPAN("secret"), SPAN("session"), 60000, &key),
		0);
	use(made, key);
	keyd_key_unref(key);
	keyd_made_done(made);
}

static void test_keys_stay_out(void **state)
{
	static const enum key_type types[] = { KEY_RSA_2048, KEY_EC_P256, KEY_ED25519 };
	struct testing domain, user;

	(void)state;
	testing_start(&domain, KEYD_DOMAIN, 2);
	testing_start(&user, KEYD_USER, 2);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct keyd_made made = {};
		struct imported imported;

		assert_int_equal(keyd_generate(domain.client, types[i], SPAN("domain:1"), KEYD_SMIME,
					 &made),
			0);
		use_domain(&domain, &made);

		imported = import_it(types[i], i % 2 == 0);
		assert_int_equal(keyd_wrap(domain.client, secret_span(&imported.pkcs8), SPAN("domain:1"),
					 KEYD_SMIME, &made),
			0);
		imported_done(&imported);
		use_domain(&domain, &made);

		imported = import_it(types[i], i % 2 == 1);
		assert_int_equal(keyd_user_wrap(user.client, secret_span(&imported.pkcs8), SPAN("user:1"),
					 SPAN("secret"), &made),
			0);
		imported_done(&imported);
		use_user(&user, &made);
	}
	assert_int_equal(search(), 0);
	assert_search_finds();
	assert_int_equal(search(), 0);
	testing_done(&domain);
	testing_done(&user);
}

/* And if the server forgot to wipe one: the test above would say so. */
static void test_unwiped_is_found(void **state)
{
	struct imported imported;

	(void)state;
	n_needles = 0;
	imported = import_it(KEY_EC_P256, false);
	assert_true(search() > 0);
	imported_done(&imported);
	assert_int_equal(search(), 0);
}

static int setup(void **state)
{
	(void)state;
	return provider_load();
}

static int teardown(void **state)
{
	(void)state;
	provider_unload();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_stay_out),
		cmocka_unit_test(test_unwiped_is_found),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("memory", tests, setup, teardown);
}
