/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A message encrypted and decrypted where it lies: what becomes of it, when it is left alone, and that
 * there is always one of it, whatever fails and whoever is at it at the same time. */

#include "svc/stored.h"

#include "base/log.h"
#include "base/test.h"
#include "db/db.h"
#include "db/fail.h"
#include "keyd/provider.h"
#include "mime/word.h"
#include "svc/mail_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX = 1 << 22, LARGE = 1000 * 1000, AT_ONCE = 6 };

#define LETTER                                                                                     \
	"From: Bob <bob@example.org>\r\nTo: alice@example.org\r\nSubject: A letter\r\n"            \
	"X-Kept: as it was\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"    \
	"\r\nNobody else reads this.\r\n"

static int read_of(struct env_fixture *f, const char *local, int64_t id, struct buf *out)
{
	struct store_message row;

	return stored_read(&f->env, env_fixture_account(f, local), id, MAX, out, &row);
}

static void assert_octets(struct env_fixture *f, int64_t id, struct span expected)
{
	CLEANUP(buf_done) struct buf octets = {};

	assert_int_equal(read_of(f, "alice", id, &octets), 0);
	assert_int_equal(buf_size(&octets), expected.n);
	assert_memory_equal(buf_span(&octets).p, expected.p, expected.n);
}

static void assert_sealed(struct env_fixture *f, int64_t id)
{
	CLEANUP(buf_done) struct buf octets = {};
	struct span all;

	assert_int_equal(read_of(f, "alice", id, &octets), 0);
	all = buf_span(&octets);
	assert_true(span_find_span(all, SPAN("Nobody else")) == all.n);
	assert_true(span_find_span(all, SPAN("application/pkcs7-mime")) < all.n);
	assert_true(span_find_span(all, SPAN("X-Kept: as it was\r\n")) < all.n);
}

static int encrypt(struct env_fixture *f, int64_t id, int64_t *ret_id, struct why *why)
{
	struct message_replaced done = {};
	int r = stored_encrypt(&f->env, f->store->account, id, &done, why);

	*ret_id = done.id;
	return r;
}

static int decrypt(struct env_fixture *f, int64_t id, const struct secure_keys *keys,
	int64_t *ret_id, struct why *why)
{
	struct message_replaced done = {};
	int r = stored_decrypt(&f->env, f->store->account, id, keys->keys, keys->n, &done, why);

	*ret_id = done.id;
	return r;
}

static void test_read(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(buf_done) struct buf octets = {};
	int64_t id = mail_fixture_deliver(f, LETTER);
	struct store_message row;

	assert_octets(f, id, SPAN(LETTER));
	/* Another's message is none. */
	assert_int_equal(read_of(f, "bob", id, &octets), STORED_E_NOT_FOUND);
	assert_int_equal(read_of(f, "alice", id + 1, &octets), STORED_E_NOT_FOUND);
	assert_int_equal(stored_read(&f->env, env_fixture_account(f, "alice"), id,
				 sizeof LETTER - 2, &octets, &row),
		STORED_E_TOO_LARGE);
	assert_int_equal(buf_size(&octets), 0);
	assert_int_equal(stored_read(&f->env, env_fixture_account(f, "alice"), id,
				 sizeof LETTER - 1, &octets, &row),
		0);
	assert_int_equal(row.size, sizeof LETTER - 1);
}

static void test_there_and_back(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_keys_done) struct secure_keys keys = {}, others = {};
	CLEANUP(buf_done) struct buf octets = {};
	int64_t id = mail_fixture_deliver(f, LETTER), sealed, clear, none;
	struct why why = {};

	mail_fixture_key(f, "alice", &keys);
	/* Somebody else's message is not found, and stays. */
	mail_fixture_key(f, "bob", &others);
	assert_int_equal(stored_encrypt(&f->env, env_fixture_account(f, "bob"), id,
				 &(struct message_replaced){}, &why),
		STORED_E_NOT_FOUND);
	assert_int_equal(encrypt(f, id, &sealed, &why), 0);
	assert_int_equal(mail_fixture_only(f), sealed);
	assert_int_equal(read_of(f, "alice", id, &octets), STORED_E_NOT_FOUND);
	assert_sealed(f, sealed);
	assert_int_equal(encrypt(f, sealed, &none, &why), STORED_E_ALREADY);
	assert_true(why.text[0]);
	assert_int_equal(decrypt(f, sealed, &keys, &clear, &why), 0);
	assert_int_equal(mail_fixture_only(f), clear);
	assert_octets(f, clear, SPAN(LETTER));
	assert_int_equal(decrypt(f, clear, &keys, &none, &why), STORED_E_ALREADY);
	fixture_recount(f->store);
}

/* Longer than what lies in one row of the store. */
static void test_large(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	CLEANUP(buf_done) struct buf text = {}, octets = {};
	int64_t sealed, clear;
	struct why why = {};

	mail_fixture_key(f, "alice", &keys);
	buf_add_string(&text, LETTER);
	while (buf_size(&text) < LARGE)
		buf_add_format(&text, "line %zu\r\n", buf_size(&text));
	buf_add_octet(&text, 0);
	assert_int_equal(encrypt(f, mail_fixture_deliver(f, (const char *)buf_span(&text).p),
				 &sealed, &why),
		0);
	assert_int_equal(read_of(f, "alice", sealed, &octets), 0);
	assert_true(buf_size(&octets) > CONTENT_INLINE);
	assert_int_equal(decrypt(f, sealed, &keys, &clear, &why), 0);
	assert_octets(f, clear, span_head(buf_span(&text), buf_size(&text) - 1));
}

static void test_not_to_be_encrypted(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	int64_t id = mail_fixture_deliver(f, LETTER), none;
	struct why why = {};

	assert_int_equal(encrypt(f, id, &none, &why), STORED_E_NO_CERT);
	assert_non_null(strstr(why.text, "generate or import a key"));
	mail_fixture_key(f, "alice", &keys);
	/* CGPW-7 */
	env_fixture_account_set(f, "alice", "smime", "no");
	assert_int_equal(encrypt(f, id, &none, &why), STORED_E_NO_CERT);
	assert_octets(f, mail_fixture_only(f), SPAN(LETTER));
}

/* What cannot be opened stays as it is. */
static void test_not_to_be_decrypted(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_keys_done) struct secure_keys keys = {}, others = {};
	const struct secure_keys locked = {};
	static const char *const damaged[] = {
		"MIAGCSqGSIb3DQEHA6CAMIACAQAxAAAA", /* cut off */
		"!", /* nothing that could be an encrypted layer */
		"",
	};
	int64_t id = mail_fixture_deliver(f, LETTER), sealed, none;
	struct why why = {};

	mail_fixture_key(f, "alice", &keys);
	mail_fixture_key(f, "bob", &others);
	assert_int_equal(encrypt(f, id, &sealed, &why), 0);
	assert_int_equal(decrypt(f, sealed, &locked, &none, &why), STORED_E_LOCKED);
	assert_true(why.text[0]);
	assert_int_equal(decrypt(f, sealed, &others, &none, &why), STORED_E_LOCKED);
	assert_int_equal(mail_fixture_only(f), sealed);
	assert_sealed(f, sealed);
	for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
		CLEANUP(buf_done) struct buf octets = {};

		buf_add_format(&octets,
			"From: x@example.org\r\nContent-Type: application/pkcs7-mime;"
			" smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n",
			damaged[i]);
		buf_add_octet(&octets, 0);
		why.text[0] = 0;
		id = mail_fixture_deliver(f, (const char *)buf_span(&octets).p);
		assert_int_equal(decrypt(f, id, &keys, &none, &why),
			STORED_E_UNREADABLE);
		assert_true(why.text[0]);
		assert_octets(f, id, span_head(buf_span(&octets), buf_size(&octets) - 1));
	}
}

/* Wherever the database fails: the one or the other, once, and whole. */
static void test_failures(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	struct why why = {};
	int64_t id, next;
	int n_failed = 0, r = -EIO;

	mail_fixture_key(f, "alice", &keys);
	id = mail_fixture_deliver(f, LETTER);
	for (uint64_t nth = 1; r; nth++) {
		db_fail_at(nth, -EIO);
		r = encrypt(f, id, &next, &why);
		db_fail_at(0, 0);
		n_failed += r != 0;
		if (r)
			assert_octets(f, mail_fixture_only(f), SPAN(LETTER));
	}
	assert_true(n_failed > 5);
	id = mail_fixture_only(f);
	assert_sealed(f, id);
	r = -EIO;
	for (uint64_t nth = 1; r; nth++) {
		db_fail_at(nth, -EIO);
		r = decrypt(f, id, &keys, &next, &why);
		db_fail_at(0, 0);
		if (r)
			assert_sealed(f, mail_fixture_only(f));
	}
	assert_octets(f, mail_fixture_only(f), SPAN(LETTER));
	fixture_recount(f->store);
}

struct encrypter {
	struct env_fixture *f;
	pthread_t thread;
	int64_t account, id;
	int result;
};

static void *encrypt_one(void *arg)
{
	struct encrypter *x = arg;
	struct message_replaced done;
	struct why why;

	x->result = stored_encrypt(&x->f->env, x->account, x->id, &done, &why);
	return NULL;
}

/* Several at once: one of them does it, the others are told that it is another message by now. */
static void test_at_once(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	struct encrypter all[AT_ONCE];
	int64_t id = mail_fixture_deliver(f, LETTER);
	int n_done = 0;

	mail_fixture_key(f, "alice", &keys);
	for (int i = 0; i < AT_ONCE; i++) {
		all[i] = (struct encrypter){ .f = f,
			.account = env_fixture_account(f, "alice"),
			.id = id };
		assert_int_equal(pthread_create(&all[i].thread, NULL, encrypt_one, &all[i]), 0);
	}
	for (int i = 0; i < AT_ONCE; i++) {
		assert_int_equal(pthread_join(all[i].thread, NULL), 0);
		n_done += all[i].result == 0;
		assert_true(all[i].result == 0 || all[i].result == STORED_E_CHANGED ||
			    all[i].result == STORED_E_NOT_FOUND);
	}
	assert_int_equal(n_done, 1);
	assert_sealed(f, mail_fixture_only(f));
	fixture_recount(f->store);
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	int failed;
	const struct CMUnitTest tests[] = {
		ENV_FIXTURE_TEST(test_read, f),
		ENV_FIXTURE_TEST(test_there_and_back, f),
		ENV_FIXTURE_TEST(test_large, f),
		ENV_FIXTURE_TEST(test_not_to_be_encrypted, f),
		ENV_FIXTURE_TEST(test_not_to_be_decrypted, f),
		ENV_FIXTURE_TEST(test_failures, f),
		ENV_FIXTURE_TEST(test_at_once, f),
	};

	log_set_stderr(false);
	env_fixture_person(f, "bob", "builder");
	word_init();
	if (provider_load())
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(f);
	provider_unload();
	return failed;
}
