/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The importer, as a process: each form of key file with and without its passphrase, files that are
 * damaged, and files that ask for too much. The files are made in a child, which may load OpenSSL's
 * legacy algorithms: the importer has to load them itself.
 */

#include "keyd/import.h"

#include "keyd/testing.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/selfsign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum form {
	PEM_PKCS8,
	PEM_ENCRYPTED,
	PEM_TRADITIONAL,
	PEM_TRADITIONAL_ENCRYPTED,
	PEM_WITH_CERTS, /* the issuer's certificate first */
	PEM_TWO_KEYS,
	PEM_CERTS_ONLY,
	DER_PKCS8,
	DER_ENCRYPTED,
	DER_TRADITIONAL,
	PFX_AES,
	PFX_3DES,
	PFX_RC2,
	PFX_NO_PASSWORD,
	PFX_ITERATIONS,
	PFX_SEVERAL, /* the key of the row as "old", another as "new", a third without a name */
	PEM_X25519,
	PEM_SMALL,
};

static const char password[] = "p\xc3\xa4ssword";

static EVP_PKEY *make_key(const char *kind)
{
	EVP_PKEY *key = NULL;
	enum key_type type;

	if (key_type_parse(span_str(kind), &type))
		return key_generate(&key, type) ? NULL : key;
	return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)512);
}

static struct cert *make_cert(EVP_PKEY *key, const char *name)
{
	CLEANUP(buf_done) struct buf spki = {};
	const struct span names[] = { span_str(name) };
	struct selfsign s = {
		.signer = key,
		.subject = { .common_name = names[0], .names = names, .n_names = 1 },
		.now_us = 1000000000000000,
		.days = 10,
	};
	struct cert *cert = NULL;

	if (key_to_spki(key, &spki))
		return NULL;
	s.spki = buf_span(&spki);
	return selfsign_make(&cert, &s, NULL) ? NULL : cert;
}

static void write_pfx(BIO *out, EVP_PKEY *key, enum form form)
{
	static const struct {
		enum form form;
		int key, cert, iterations;
	} kinds[] = {
		{ PFX_AES, NID_aes_256_cbc, NID_aes_256_cbc, 2048 },
		{ PFX_3DES, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
			NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 2048 },
		{ PFX_RC2, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NID_pbe_WithSHA1And40BitRC2_CBC, 2048 },
		{ PFX_NO_PASSWORD, NID_aes_256_cbc, NID_aes_256_cbc, 1 },
		{ PFX_ITERATIONS, NID_aes_256_cbc, NID_aes_256_cbc, 1 },
	};
	struct cert *cert = make_cert(key, "pfx.example.org");
	PKCS12 *p12 = NULL;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].form == form)
			p12 = PKCS12_create(form == PFX_NO_PASSWORD ? NULL : password, "name", key,
				cert_x509(cert), NULL, kinds[i].key, kinds[i].cert, kinds[i].iterations,
				kinds[i].iterations, 0);
	if (form == PFX_ITERATIONS) {
		const ASN1_INTEGER *iterations = NULL;

		/* The number is changed after the file was made with one that does not take years. */
		(void)PKCS12_set_mac(p12, password, -1, NULL, 0, 2, NULL);
		PKCS12_get0_mac(NULL, NULL, NULL, &iterations, p12);
		(void)ASN1_INTEGER_set((ASN1_INTEGER *)iterations, 2000000000);
	}
	(void)i2d_PKCS12_bio(out, p12);
	PKCS12_free(p12);
	cert_unref(cert);
}

static void write_several(BIO *out, EVP_PKEY *key)
{
	EVP_PKEY *keys[] = { key, make_key("ec:p256"), make_key("ec:p384") };
	const char *const names[] = { "old", "new", NULL };
	STACK_OF(PKCS12_SAFEBAG) *certs = NULL, *bags = NULL;
	STACK_OF(PKCS7) *safes = NULL;
	PKCS12 *p12;

	for (size_t i = 0; i < 3; i++) {
		struct cert *cert = make_cert(keys[i], names[i] ? names[i] : "third");
		PKCS12_SAFEBAG *bag = PKCS12_add_key(&bags, keys[i], 0, 100, NID_aes_256_cbc, password);

		if (names[i])
			(void)PKCS12_add_friendlyname_utf8(bag, names[i], -1);
		(void)PKCS12_add_cert(&certs, cert_x509(cert));
		cert_unref(cert);
	}
	(void)PKCS12_add_safe(&safes, certs, NID_aes_256_cbc, 100, password);
	(void)PKCS12_add_safe(&safes, bags, -1, 0, NULL);
	p12 = PKCS12_add_safes(safes, 0);
	(void)PKCS12_set_mac(p12, password, -1, NULL, 0, 100, EVP_sha256());
	(void)i2d_PKCS12_bio(out, p12);
	PKCS12_free(p12);
}

static void write_certs(BIO *out, EVP_PKEY *key)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = make_key("ec:p256");
	CLEANUP(cert_unrefp) struct cert *own = make_cert(key, "own.example.org");
	CLEANUP(cert_unrefp) struct cert *foreign = make_cert(other, "foreign.example.org");
	CLEANUP(buf_done) struct buf pem = {};

	cert_add_pem(foreign, &pem);
	cert_add_pem(own, &pem);
	(void)BIO_write(out, buf_span(&pem).p, (int)buf_size(&pem));
}

static void write_file(BIO *out, EVP_PKEY *key, enum form form)
{
	const EVP_CIPHER *aes = EVP_aes_256_cbc();
	int n = (int)strlen(password);

	switch (form) {
	case PEM_TWO_KEYS:
		(void)PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
		__attribute__((fallthrough));
	case PEM_WITH_CERTS:
	case PEM_CERTS_ONLY:
		write_certs(out, key);
		if (form == PEM_CERTS_ONLY)
			return;
		__attribute__((fallthrough));
	case PEM_PKCS8:
	case PEM_X25519:
	case PEM_SMALL:
		(void)PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
		return;
	case PEM_ENCRYPTED:
		(void)PEM_write_bio_PrivateKey(out, key, aes, (const void *)password, n, NULL, NULL);
		return;
	case PEM_TRADITIONAL:
		(void)PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL);
		return;
	case PEM_TRADITIONAL_ENCRYPTED:
		(void)PEM_write_bio_PrivateKey_traditional(out, key, aes, (const void *)password, n,
			NULL, NULL);
		return;
	case DER_PKCS8:
		(void)i2d_PKCS8PrivateKey_bio(out, key, NULL, NULL, 0, NULL, NULL);
		return;
	case DER_ENCRYPTED:
		(void)i2d_PKCS8PrivateKey_bio(out, key, aes, password, n, NULL, NULL);
		return;
	case DER_TRADITIONAL:
		(void)i2d_PrivateKey_bio(out, key);
		return;
	case PFX_SEVERAL:
		write_several(out, key);
		return;
	default:
		write_pfx(out, key, form);
	}
}

/* In the child: the public key's length, the public key, the file. */
static void child_make(int fd, const char *kind, enum form form)
{
	CLEANUP(buf_done) struct buf spki = {};
	EVP_PKEY *key = form == PEM_X25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519") : make_key(kind);
	BIO *out = BIO_new(BIO_s_mem());
	uint32_t n;
	char *p;
	long size;

	(void)OSSL_PROVIDER_load(NULL, "default");
	(void)OSSL_PROVIDER_load(NULL, "legacy");
	if (key_to_spki(key, &spki))
		_exit(1);
	n = (uint32_t)buf_size(&spki);
	write_file(out, key, form);
	size = BIO_get_mem_data(out, &p);
	if (write(fd, &n, sizeof n) < 0 || write(fd, buf_span(&spki).p, n) < 0 ||
		write(fd, p, (size_t)size) < 0)
		_exit(1);
	_exit(0);
}

static void make_file(const char *kind, enum form form, struct buf *ret_spki, struct buf *ret_file)
{
	int fds[2], status = 0;
	uint8_t block[4096];
	uint32_t size;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		child_make(fds[1], kind, form);
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &size, sizeof size), sizeof size);
	assert_true(size < sizeof block);
	assert_int_equal(read(fds[0], block, size), size);
	buf_clear(ret_spki);
	buf_add(ret_spki, span_of(block, size));
	buf_clear(ret_file);
	while ((n = read(fds[0], block, sizeof block)) > 0)
		buf_add(ret_file, span_of(block, (size_t)n));
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Through a fresh importer. */
static int import_order_it(const struct import_order *order, struct imported *ret_imported,
	struct why *why)
{
	int fds[2], status = 0, r;
	pid_t pid;

	why->text[0] = '\0';
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		_exit(importer_main(fds[1]));
	}
	(void)close(fds[1]);
	r = import_key(fds[0], order, ret_imported, why);
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (r >= 0)
		assert_int_equal(status, 0);
	return r;
}

static int import_it(struct span file, const char *passphrase, struct imported *ret_imported,
	struct why *why)
{
	const struct import_order order = { .file = file, .passphrase = span_str(passphrase) };

	return import_order_it(&order, ret_imported, why);
}

static const struct row {
	const char *kind;
	enum form form;
	const char *passphrase;
	int outcome;
	unsigned n_certs;
	const char *why;
} rows[] = {
	{ "rsa:2048", PEM_PKCS8, NULL, 0, 0, NULL },
	{ "ec:p256", PEM_PKCS8, NULL, 0, 0, NULL },
	{ "ec:p384", PEM_PKCS8, NULL, 0, 0, NULL },
	{ "ed25519", PEM_PKCS8, NULL, 0, 0, NULL },
	{ "rsa:2048", PEM_PKCS8, password, 0, 0, NULL },
	{ "ec:p256", PEM_ENCRYPTED, password, 0, 0, NULL },
	{ "ec:p256", PEM_ENCRYPTED, NULL, IMPORT_E_PASSWORD, 0, "give its passphrase" },
	{ "ec:p256", PEM_ENCRYPTED, "wrong", IMPORT_E_PASSWORD, 0, "passphrase is wrong" },
	{ "rsa:2048", PEM_TRADITIONAL, NULL, 0, 0, NULL },
	{ "ec:p256", PEM_TRADITIONAL, NULL, 0, 0, NULL },
	{ "rsa:2048", PEM_TRADITIONAL_ENCRYPTED, password, 0, 0, NULL },
	{ "ec:p256", PEM_TRADITIONAL_ENCRYPTED, NULL, IMPORT_E_PASSWORD, 0, "openssl pkey" },
	{ "ec:p256", PEM_TRADITIONAL_ENCRYPTED, "wrong", IMPORT_E_PASSWORD, 0, "passphrase is wrong" },
	{ "ec:p256", PEM_WITH_CERTS, NULL, 0, 2, NULL },
	{ "ec:p256", PEM_TWO_KEYS, NULL, IMPORT_E_FILE, 0, "more than one private key" },
	{ "ec:p256", PEM_CERTS_ONLY, NULL, IMPORT_E_FILE, 0, "only certificates" },
	{ "ed25519", DER_PKCS8, NULL, 0, 0, NULL },
	{ "rsa:2048", DER_ENCRYPTED, password, 0, 0, NULL },
	{ "rsa:2048", DER_ENCRYPTED, NULL, IMPORT_E_PASSWORD, 0, "give its passphrase" },
	{ "rsa:2048", DER_TRADITIONAL, NULL, 0, 0, NULL },
	{ "ec:p256", DER_TRADITIONAL, NULL, 0, 0, NULL },
	{ "rsa:2048", PFX_AES, password, 0, 1, NULL },
	{ "ec:p384", PFX_AES, password, 0, 1, NULL },
	{ "ec:p384", PFX_AES, NULL, IMPORT_E_PASSWORD, 0, "give its passphrase" },
	{ "ec:p384", PFX_AES, "wrong", IMPORT_E_PASSWORD, 0, "passphrase is wrong" },
	{ "rsa:2048", PFX_3DES, password, 0, 1, NULL },
	{ "rsa:2048", PFX_RC2, password, 0, 1, NULL },
	{ "rsa:2048", PFX_NO_PASSWORD, NULL, 0, 1, NULL },
	{ "rsa:2048", PFX_ITERATIONS, password, IMPORT_E_KIND, 0, "iterations" },
	{ "rsa:2048", PFX_SEVERAL, password, IMPORT_E_WHICH, 0, "(1: old; 2: new; 3: CN=third)" },
	{ "", PEM_X25519, NULL, IMPORT_E_KIND, 0, "not supported" },
	{ "", PEM_SMALL, NULL, IMPORT_E_KIND, 0, "512 bits" },
};

static void check_row(const struct row *row, size_t number)
{
	CLEANUP(buf_done) struct buf spki = {};
	CLEANUP(buf_done) struct buf file = {};
	CLEANUP(buf_done) struct buf got = {};
	CLEANUP(imported_done) struct imported imported = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct cert_list certs = {};
	struct why why;
	int r;

	make_file(row->kind, row->form, &spki, &file);
	r = import_it(buf_span(&file), row->passphrase, &imported, &why);
	if (r != row->outcome)
		fail_msg("row %zu: %d instead of %d: %s", number, r, row->outcome, why.text);
	if (r) {
		if (!strstr(why.text, row->why))
			fail_msg("row %zu says '%s'", number, why.text);
		return;
	}
	assert_int_equal(key_from_pkcs8(&key, secret_span(&imported.pkcs8), NULL), 0);
	assert_int_equal(key_to_spki(key, &got), 0);
	assert_true(span_equal(buf_span(&got), buf_span(&spki)));
	assert_true(span_equal(buf_span(&imported.spki), buf_span(&spki)));
	assert_int_equal(cert_list_from_der(&certs, buf_span(&imported.certs), NULL), 0);
	if (certs.n != row->n_certs)
		fail_msg("row %zu: %zu certificates", number, certs.n);
	if (certs.n)
		assert_true(cert_has_key(certs.certs[0], buf_span(&spki)));
	cert_list_done(&certs);
	assert_true(span_is(buf_span(&imported.name), row->form >= PFX_AES ? "name" : ""));
}

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_row(&rows[i], i);
}

/* Of several keys the one that is named; its certificate comes first. */
static void test_which(void **state)
{
	static const struct {
		const char *which;
		int outcome;
		const char *name;
		bool is_first;
	} cases[] = {
		{ "old", 0, "old", true },
		{ "1", 0, "old", true },
		{ "new", 0, "new", false },
		{ "3", 0, "CN=third", false },
		{ "CN=third", 0, "CN=third", false },
		{ "4", IMPORT_E_WHICH, "no such private key", false },
		{ "Old", IMPORT_E_WHICH, "no such private key (1: old; 2: new;", false },
	};
	CLEANUP(buf_done) struct buf spki = {};
	CLEANUP(buf_done) struct buf file = {};

	(void)state;
	make_file("ec:p256", PFX_SEVERAL, &spki, &file);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(imported_done) struct imported imported = {};
		struct import_order order = { buf_span(&file), span_str(password),
			span_str(cases[i].which), false };
		struct cert_list certs = {};
		struct why why;

		assert_int_equal(import_order_it(&order, &imported, &why), cases[i].outcome);
		if (cases[i].outcome) {
			assert_non_null(strstr(why.text, cases[i].name));
			continue;
		}
		assert_true(span_is(buf_span(&imported.name), cases[i].name));
		assert_int_equal(span_equal(buf_span(&imported.spki), buf_span(&spki)),
			cases[i].is_first);
		assert_int_equal(cert_list_from_der(&certs, buf_span(&imported.certs), NULL), 0);
		assert_int_equal(certs.n, 3);
		assert_true(cert_has_key(certs.certs[0], buf_span(&imported.spki)));
		cert_list_done(&certs);
	}
}

/* Who only compares gets no private key. */
static void test_public_only(void **state)
{
	CLEANUP(imported_done) struct imported imported = {};
	CLEANUP(buf_done) struct buf spki = {};
	CLEANUP(buf_done) struct buf file = {};
	struct import_order order = { .passphrase = span_str(password), .public_only = true };
	struct why why;

	(void)state;
	make_file("rsa:2048", PFX_AES, &spki, &file);
	order.file = buf_span(&file);
	assert_int_equal(import_order_it(&order, &imported, &why), 0);
	assert_int_equal(imported.pkcs8.n, 0);
	assert_true(span_equal(buf_span(&imported.spki), buf_span(&spki)));
	order.passphrase = SPAN("wrong");
	assert_int_equal(import_order_it(&order, &imported, &why), IMPORT_E_PASSWORD);
}

static void test_not_a_key(void **state)
{
	static const char *const files[] = {
		"",
		"hello",
		"-----BEGIN PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\n****\n-----END PRIVATE KEY-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"\x30\x80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct imported imported = {};
		struct why why;

		assert_int_equal(import_it(span_str(files[i]), NULL, &imported, &why), IMPORT_E_FILE);
		assert_true(why.text[0] != '\0');
	}
}

/* A damaged file is refused, whichever octet it is; a changed one that still reads is the same key
 * or none. Every 7th octet keeps this short. */
static void test_damaged(void **state)
{
	CLEANUP(buf_done) struct buf spki = {};
	CLEANUP(buf_done) struct buf file = {};
	unsigned n_refused = 0;

	(void)state;
	make_file("ec:p256", DER_PKCS8, &spki, &file);
	for (size_t i = 0; i < buf_size(&file); i += 7) {
		CLEANUP(imported_done) struct imported imported = {};
		struct why why;
		int r;

		file.p[file.start + i] ^= 0x11;
		r = import_it(buf_span(&file), NULL, &imported, &why);
		assert_true(r >= 0);
		n_refused += r > 0;
		file.p[file.start + i] ^= 0x11;
	}
	assert_true(n_refused > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_public_only),
		cmocka_unit_test(test_not_a_key),
		cmocka_unit_test(test_damaged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
