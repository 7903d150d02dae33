/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The requests themselves, without a process around them: what opens what, who may use which handle
 * and for how long, and which messages nobody should send. */

#include "keyd/request.h"

#include "base/clock.h"
#include "base/log.h"
#include "keyd/wrap.h"
#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <stdlib.h>

enum { MALFORMED = -1, MINUTE_MS = 60000 };

/* One keyd with its last reply. */
struct side {
	struct keyd *keyd;
	uint8_t message[2 * KEYD_MESSAGE_MAX];
	uint8_t reply[KEYD_MESSAGE_MAX];
	struct span f[KEYD_FIELDS];
};

static struct side domain, user;

static struct keyd *make(enum keyd_role role, const char *master)
{
	struct kek kek;

	assert_int_equal(kek_derive(&kek, span_str(master), role), 0);
	return keyd_new(role, &kek);
}

static int setup(void **state)
{
	(void)state;
	log_set_stderr(false);
	clock_set(0, 1000000);
	domain.keyd = make(KEYD_DOMAIN, "0123456789abcdef0123456789abcdef");
	user.keyd = make(KEYD_USER, "0123456789abcdef0123456789abcdef");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keyd_free(domain.keyd);
	keyd_free(user.keyd);
	return 0;
}

/* The outcome, or MALFORMED. */
static int ask_n(struct side *s, unsigned request, const struct span *fields, unsigned n)
{
	struct keyd_header header = { .serial = 7, .request = (uint16_t)request };
	size_t size = keyd_message_write(s->message, sizeof s->message, &header, fields, n);
	size_t n_reply;
	int r;

	assert_true(size > 0);
	r = keyd_answer(s->keyd, span_of(s->message, size), s->reply, &n_reply);
	assert_true(r >= 0);
	if (r == KEYD_ANSWER_E_MALFORMED)
		return MALFORMED;
	assert_int_equal(keyd_message_read_reply(span_of(s->reply, n_reply), &header, s->f), 0);
	assert_int_equal(header.serial, 7);
	assert_int_equal(header.request, request);
	return header.outcome;
}

#define ask(side, request, ...)                                                                    \
	ask_n(side, request, (const struct span[]){ __VA_ARGS__ },                                 \
		sizeof((const struct span[]){ __VA_ARGS__ }) / sizeof(struct span))

static struct span octet(uint8_t value)
{
	static const uint8_t all[256] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, [99] = 99, [255] = 255 };

	return span_of(&all[value], 1);
}

static const uint32_t three_minutes = 3 * MINUTE_MS;
#define THREE_MINUTES span_of(&three_minutes, sizeof three_minutes)

/* What the store keeps. */
struct stored {
	struct buf id, spki, wrapped;
};

static void keep(const struct side *s, struct stored *ret_stored)
{
	*ret_stored = (struct stored){};
	buf_add(&ret_stored->id, s->f[0]);
	buf_add(&ret_stored->spki, s->f[1]);
	buf_add(&ret_stored->wrapped, s->f[2]);
}

static void stored_done(struct stored *k)
{
	buf_done(&k->id);
	buf_done(&k->spki);
	buf_done(&k->wrapped);
}

static struct stored generate(enum key_type type, enum keyd_purpose purpose)
{
	struct stored k;

	assert_int_equal(ask(&domain, KEYD_GENERATE, octet((uint8_t)type), octet((uint8_t)purpose),
				 SPAN("domain:1")),
		0);
	keep(&domain, &k);
	return k;
}

static struct stored user_generate(const char *password)
{
	struct stored k;

	assert_int_equal(ask(&user, KEYD_USER_GENERATE, octet(KEY_EC_P256), SPAN("user:1"),
				 span_str(password)),
		0);
	keep(&user, &k);
	return k;
}

static int sign(struct side *s, struct span handle, struct span session)
{
	const struct keyd_sign how = { .digest = "SHA256" };
	uint8_t digest[32] = { 1 };

	return ask(s, KEYD_SIGN, handle, session, span_of(&how, sizeof how),
		span_of(digest, sizeof digest));
}

struct handle {
	uint8_t p[KEYD_HANDLE];
};

static struct handle take_handle(const struct side *s)
{
	struct handle h;

	memcpy(h.p, s->f[0].p, sizeof h.p);
	return h;
}

#define HANDLE(h) span_of((h).p, sizeof (h).p)

static void test_load_and_sign(void **state)
{
	CLEANUP(stored_done) struct stored k = generate(KEY_EC_P256, KEYD_TLS);
	struct handle h;

	(void)state;
	assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_TLS), SPAN("domain:1"), buf_span(&k.id),
				 buf_span(&k.wrapped)),
		0);
	h = take_handle(&domain);
	assert_int_equal(sign(&domain, HANDLE(h), SPAN("")), 0);
	assert_int_equal(sign(&domain, HANDLE(h), SPAN("session")), KEYD_E_GONE);
	assert_int_equal(ask(&domain, KEYD_FORGET, HANDLE(h), SPAN("")), 0);
	assert_int_equal(sign(&domain, HANDLE(h), SPAN("")), KEYD_E_GONE);
}

/* A key of an account with an authority signs, and that is all. */
static void test_acme(void **state)
{
	CLEANUP(stored_done) struct stored k = generate(KEY_EC_P256, KEYD_ACME);
	const struct keyd_derive how = { .size = 32, .digest = "SHA256" };
	struct handle h;

	(void)state;
	assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_TLS), SPAN("domain:1"), buf_span(&k.id),
				 buf_span(&k.wrapped)),
		KEYD_E_OPEN);
	assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_ACME), SPAN("domain:1"), buf_span(&k.id),
				 buf_span(&k.wrapped)),
		0);
	h = take_handle(&domain);
	assert_int_equal(sign(&domain, HANDLE(h), SPAN("")), 0);
	assert_int_equal(ask(&domain, KEYD_EXPORT, HANDLE(h), SPAN(""), octet(KEYD_FORM_PKCS12), SPAN(""), SPAN("my key"),
				 SPAN("password")),
		KEYD_E_REFUSED);
	assert_int_equal(ask(&domain, KEYD_DERIVE, HANDLE(h), SPAN(""), span_of(&how, sizeof how),
				 buf_span(&k.spki), SPAN("")),
		KEYD_E_REFUSED);
	assert_int_equal(ask(&domain, KEYD_SEAL, octet(KEYD_ACME), SPAN("acme"), SPAN("x")),
		MALFORMED);
}

static void test_wrapping_is_bound(void **state)
{
	CLEANUP(stored_done) struct stored k = generate(KEY_EC_P256, KEYD_TLS);
	CLEANUP(stored_done) struct stored other = generate(KEY_EC_P256, KEYD_TLS);
	struct side stranger = { .keyd = make(KEYD_DOMAIN, "another key-encryption key") };
	struct span wrapped = buf_span(&k.wrapped), id = buf_span(&k.id);

	(void)state;
	assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_SMIME), SPAN("domain:1"), id, wrapped),
		KEYD_E_OPEN);
	assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_TLS), SPAN("domain:2"), id, wrapped),
		KEYD_E_OPEN);
	assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_TLS), SPAN("domain:1"),
				 buf_span(&other.id), wrapped),
		KEYD_E_OPEN);
	assert_int_equal(ask(&stranger, KEYD_LOAD, octet(KEYD_TLS), SPAN("domain:1"), id, wrapped),
		KEYD_E_OPEN);
	for (size_t i = 0; i < wrapped.n; i++) {
		k.wrapped.p[k.wrapped.start + i] ^= 1;
		assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_TLS), SPAN("domain:1"), id,
					 wrapped),
			KEYD_E_OPEN);
		k.wrapped.p[k.wrapped.start + i] ^= 1;
	}
	for (size_t n = 1; n < wrapped.n; n++)
		assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_TLS), SPAN("domain:1"), id,
					 span_head(wrapped, n)),
			KEYD_E_OPEN);
	assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_TLS), SPAN("domain:1"), id, wrapped), 0);
	keyd_free(stranger.keyd);
}

/* The wrapped form holds no part of the key in clear, and two wrappings are never alike. */
static void test_wrap(void **state)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(secret_done) struct secret pkcs8 = {};
	CLEANUP(stored_done) struct stored one = {};
	CLEANUP(stored_done) struct stored two = {};
	CLEANUP(buf_done) struct buf spki = {};

	(void)state;
	assert_int_equal(key_generate(&key, KEY_ED25519), 0);
	assert_int_equal(key_to_pkcs8(key, &pkcs8), 0);
	assert_int_equal(key_to_spki(key, &spki), 0);
	assert_int_equal(ask(&domain, KEYD_WRAP, secret_span(&pkcs8), octet(KEYD_DKIM), SPAN("d")), 0);
	keep(&domain, &one);
	assert_int_equal(ask(&domain, KEYD_WRAP, secret_span(&pkcs8), octet(KEYD_DKIM), SPAN("d")), 0);
	keep(&domain, &two);
	assert_true(span_equal(buf_span(&one.spki), buf_span(&spki)));
	assert_true(span_equal(buf_span(&one.id), buf_span(&two.id)));
	assert_false(span_equal(buf_span(&one.wrapped), buf_span(&two.wrapped)));
	assert_int_equal(span_find_span(buf_span(&one.wrapped), span_of(pkcs8.p + 16, 8)),
		buf_size(&one.wrapped));

	pkcs8.p[0] ^= 1;
	assert_int_equal(ask(&domain, KEYD_WRAP, secret_span(&pkcs8), octet(KEYD_DKIM), SPAN("d")),
		KEYD_E_REFUSED);
}

static void test_unlock(void **state)
{
	CLEANUP(stored_done) struct stored k = user_generate("correct horse");
	struct span id = buf_span(&k.id), wrapped = buf_span(&k.wrapped), owner = SPAN("user:1");
	struct handle h;

	(void)state;
	assert_int_equal(ask(&user, KEYD_UNLOCK, owner, id, wrapped, SPAN("wrong"), SPAN("s1"),
				 THREE_MINUTES),
		KEYD_E_PASSWORD);
	assert_int_equal(ask(&user, KEYD_UNLOCK, SPAN("user:2"), id, wrapped, SPAN("correct horse"),
				 SPAN("s1"), THREE_MINUTES),
		KEYD_E_OPEN);
	assert_int_equal(ask(&user, KEYD_UNLOCK, owner, id, wrapped, SPAN("correct horse"), SPAN("s1"),
				 THREE_MINUTES),
		0);
	h = take_handle(&user);
	assert_int_equal(sign(&user, HANDLE(h), SPAN("s1")), 0);
	assert_int_equal(sign(&user, HANDLE(h), SPAN("s2")), KEYD_E_GONE);
	assert_int_equal(sign(&user, HANDLE(h), SPAN("")), KEYD_E_GONE);

	/* Another session cannot lock it either. */
	assert_int_equal(ask(&user, KEYD_LOCK_SESSION, SPAN("s2")), 0);
	assert_int_equal(ask(&user, KEYD_FORGET, HANDLE(h), SPAN("s2")), 0);
	assert_int_equal(sign(&user, HANDLE(h), SPAN("s1")), 0);
	assert_int_equal(ask(&user, KEYD_LOCK_SESSION, SPAN("s1")), 0);
	assert_int_equal(sign(&user, HANDLE(h), SPAN("s1")), KEYD_E_GONE);
}

static void test_unlock_expires(void **state)
{
	CLEANUP(stored_done) struct stored k = user_generate("correct horse");
	int64_t now = 5000000;
	struct handle h;

	(void)state;
	clock_set(0, now);
	assert_int_equal(ask(&user, KEYD_UNLOCK, SPAN("user:1"), buf_span(&k.id),
				 buf_span(&k.wrapped), SPAN("correct horse"), SPAN("s1"), THREE_MINUTES),
		0);
	h = take_handle(&user);
	/* Each use counts anew. */
	for (int i = 0; i < 5; i++) {
		clock_set(0, now += 3 * MINUTE_MS - 1);
		keyd_expire(user.keyd);
		assert_int_equal(sign(&user, HANDLE(h), SPAN("s1")), 0);
	}
	clock_set(0, now += 3 * MINUTE_MS);
	assert_int_equal(sign(&user, HANDLE(h), SPAN("s1")), KEYD_E_GONE);
	/* It was forgotten, not only refused: the clock going back does not help. */
	clock_set(0, now - MINUTE_MS);
	assert_int_equal(sign(&user, HANDLE(h), SPAN("s1")), KEYD_E_GONE);
}

static int unlock_for(const struct stored *k, const char *password, const uint32_t *idle_ms)
{
	return ask(&user, KEYD_UNLOCK, SPAN("user:1"), buf_span(&k->id), buf_span(&k->wrapped),
		span_str(password), SPAN("s"), span_of(idle_ms, sizeof *idle_ms));
}

static uint32_t left(struct span handle)
{
	uint32_t ms;

	assert_int_equal(ask(&user, KEYD_LEFT, handle, SPAN("s")), 0);
	memcpy(&ms, user.f[0].p, sizeof ms);
	return ms;
}

/* How long is the server's to say, up to an hour; asking how much of it is left is no use of the key. */
static void test_left(void **state)
{
	static const uint32_t none = 0, short_ms = 1000, most = KEYD_IDLE_MAX_MS, more = most + 1;
	CLEANUP(stored_done) struct stored k = user_generate("pass");
	int64_t now = 6000000;
	struct handle h;

	(void)state;
	clock_set(0, now);
	assert_int_equal(unlock_for(&k, "pass", &none), MALFORMED);
	assert_int_equal(unlock_for(&k, "pass", &more), MALFORMED);
	assert_int_equal(unlock_for(&k, "pass", &most), 0);
	assert_int_equal(unlock_for(&k, "pass", &short_ms), 0);
	h = take_handle(&user);
	clock_set(0, now + 400);
	assert_int_equal(left(HANDLE(h)), 600);
	assert_int_equal(left(HANDLE(h)), 600);
	assert_int_equal(ask(&user, KEYD_LEFT, HANDLE(h), SPAN("t")), KEYD_E_GONE);
	assert_int_equal(sign(&user, HANDLE(h), SPAN("s")), 0);
	assert_int_equal(left(HANDLE(h)), 1000);
	clock_set(0, now + 1400);
	assert_int_equal(ask(&user, KEYD_LEFT, HANDLE(h), SPAN("s")), KEYD_E_GONE);
}

/* Wrong passwords of one owner end in "later", which costs nothing and ends by itself; others go on. */
static void test_wrong_passwords(void **state)
{
	CLEANUP(stored_done) struct stored k = user_generate("pass");
	CLEANUP(buf_done) struct buf other = {}, other_id = {};
	int64_t now = clock_monotonic_ms() + 1000000;
	int wrong = 0;

	(void)state;
	clock_set(0, now);
	assert_int_equal(ask(&user, KEYD_USER_GENERATE, octet(KEY_EC_P256), SPAN("user:9"),
				 SPAN("theirs")),
		0);
	buf_add(&other_id, user.f[0]);
	buf_add(&other, user.f[2]);
	for (int i = 0; i < 1000; i++) {
		int r = unlock_for(&k, "bad", &three_minutes);

		wrong += r == KEYD_E_PASSWORD;
		assert_true(r == KEYD_E_PASSWORD || r == KEYD_E_LATER);
	}
	assert_int_equal(wrong, 20);
	assert_int_equal(unlock_for(&k, "pass", &three_minutes), KEYD_E_LATER);
	assert_int_equal(ask(&user, KEYD_REWRAP, SPAN("user:1"), buf_span(&k.id), buf_span(&k.wrapped),
				 SPAN("pass"), SPAN("new")),
		KEYD_E_LATER);
	assert_int_equal(ask(&user, KEYD_UNLOCK, SPAN("user:9"), buf_span(&other_id),
				 buf_span(&other), SPAN("theirs"), SPAN("s"), THREE_MINUTES),
		0);
	clock_set(0, now + 20000);
	assert_int_equal(unlock_for(&k, "pass", &three_minutes), 0);
	/* What was right took no try away. */
	assert_int_equal(unlock_for(&k, "pass", &three_minutes), 0);
}

static void test_rewrap(void **state)
{
	CLEANUP(stored_done) struct stored k = user_generate("old password");
	CLEANUP(buf_done) struct buf again = {};
	struct span id = buf_span(&k.id), owner = SPAN("user:1");

	(void)state;
	assert_int_equal(ask(&user, KEYD_REWRAP, owner, id, buf_span(&k.wrapped), SPAN("bad"),
				 SPAN("new password")),
		KEYD_E_PASSWORD);
	assert_int_equal(ask(&user, KEYD_REWRAP, owner, id, buf_span(&k.wrapped),
				 SPAN("old password"), SPAN("new password")),
		0);
	buf_add(&again, user.f[0]);
	assert_int_equal(ask(&user, KEYD_UNLOCK, owner, id, buf_span(&again), SPAN("old password"),
				 SPAN("s"), THREE_MINUTES),
		KEYD_E_PASSWORD);
	assert_int_equal(ask(&user, KEYD_UNLOCK, owner, id, buf_span(&again), SPAN("new password"),
				 SPAN("s"), THREE_MINUTES),
		0);
}

static void test_seal(void **state)
{
	CLEANUP(buf_done) struct buf sealed = {};
	struct span plain = SPAN("scram verifier");
	uint8_t purpose = KEYD_SCRAM;

	(void)state;
	assert_int_equal(ask(&domain, KEYD_SEAL, octet(KEYD_SCRAM), SPAN("account:1"), plain), 0);
	buf_add(&sealed, domain.f[0]);
	assert_int_equal(span_find_span(buf_span(&sealed), plain), buf_size(&sealed));
	assert_int_equal(ask(&domain, KEYD_UNSEAL, span_of(&purpose, 1), SPAN("account:1"),
				 buf_span(&sealed)),
		0);
	assert_true(span_equal(domain.f[0], plain));
	assert_int_equal(ask(&domain, KEYD_UNSEAL, octet(KEYD_SCRAM), SPAN("account:2"),
				 buf_span(&sealed)),
		KEYD_E_OPEN);
	assert_int_equal(ask(&domain, KEYD_UNSEAL, octet(KEYD_SETTING), SPAN("account:1"),
				 buf_span(&sealed)),
		KEYD_E_OPEN);
	assert_int_equal(ask(&domain, KEYD_SEAL, octet(KEYD_SCRAM), SPAN("account:1"), SPAN("")), 0);
}

static void test_ticket(void **state)
{
	struct side same = { .keyd = make(KEYD_DOMAIN, "0123456789abcdef0123456789abcdef") };
	struct side other = { .keyd = make(KEYD_DOMAIN, "another key-encryption key") };
	uint64_t epoch = 5, next = 6;
	uint8_t key[KEYD_TICKET_KEY];

	(void)state;
	assert_int_equal(ask(&domain, KEYD_TICKET, SPAN("example.org"), span_of(&epoch, 8)), 0);
	memcpy(key, domain.f[0].p, sizeof key);
	assert_int_equal(ask(&same, KEYD_TICKET, SPAN("example.org"), span_of(&epoch, 8)), 0);
	assert_memory_equal(same.f[0].p, key, sizeof key);
	assert_int_equal(ask(&same, KEYD_TICKET, SPAN("example.org"), span_of(&next, 8)), 0);
	assert_memory_not_equal(same.f[0].p, key, sizeof key);
	assert_int_equal(ask(&same, KEYD_TICKET, SPAN("example.net"), span_of(&epoch, 8)), 0);
	assert_memory_not_equal(same.f[0].p, key, sizeof key);
	assert_int_equal(ask(&other, KEYD_TICKET, SPAN("example.org"), span_of(&epoch, 8)), 0);
	assert_memory_not_equal(other.f[0].p, key, sizeof key);

	assert_int_equal(ask_n(&domain, KEYD_HELLO, NULL, 0), 0);
	memcpy(key, domain.f[0].p, KEYD_CHECK);
	assert_int_equal(ask_n(&user, KEYD_HELLO, NULL, 0), 0);
	assert_memory_equal(user.f[0].p, key, KEYD_CHECK);
	assert_int_equal(ask_n(&other, KEYD_HELLO, NULL, 0), 0);
	assert_memory_not_equal(other.f[0].p, key, KEYD_CHECK);
	keyd_free(same.keyd);
	keyd_free(other.keyd);
}

/* The file's key is encrypted and its integrity protected as its form says. */
static void check_pkcs12(const struct handle *h, enum keyd_form form, int cipher, int mac,
	const struct stored *k)
{
	CLEANUP(buf_done) struct buf spki = {};
	const X509_ALGOR *algorithm;
	STACK_OF(PKCS12_SAFEBAG) *bags;
	STACK_OF(PKCS7) *safes;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	const uint8_t *p;
	PKCS12 *p12;

	assert_int_equal(ask(&domain, KEYD_EXPORT, HANDLE(*h), SPAN(""), octet((uint8_t)form),
				 SPAN(""), SPAN("my key"), SPAN("file password")),
		0);
	p = domain.f[0].p;
	p12 = d2i_PKCS12(NULL, &p, (long)domain.f[0].n);
	assert_non_null(p12);
	PKCS12_get0_mac(NULL, &algorithm, NULL, NULL, p12);
	assert_int_equal(OBJ_obj2nid(algorithm->algorithm), mac);
	safes = PKCS12_unpack_authsafes(p12);
	assert_int_equal(sk_PKCS7_num(safes), 1);
	bags = PKCS12_unpack_p7data(sk_PKCS7_value(safes, 0));
	X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(sk_PKCS12_SAFEBAG_value(bags, 0)), &algorithm, NULL);
	assert_int_equal(OBJ_obj2nid(algorithm->algorithm), cipher);
	assert_true(PKCS12_parse(p12, "file password", &key, &cert, NULL));
	assert_int_equal(key_to_spki(key, &spki), 0);
	assert_true(span_equal(buf_span(&spki), buf_span(&k->spki)));
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	EVP_PKEY_free(key);
	PKCS12_free(p12);
}

static void test_export(void **state)
{
	CLEANUP(stored_done) struct stored k = generate(KEY_EC_P384, KEYD_SMIME);
	CLEANUP(buf_done) struct buf spki = {};
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	struct handle h;
	PKCS8_PRIV_KEY_INFO *info;
	X509_SIG *sealed;
	const uint8_t *p;
	PKCS12 *p12;

	(void)state;
	assert_int_equal(ask(&domain, KEYD_LOAD, octet(KEYD_SMIME), SPAN("domain:1"),
				 buf_span(&k.id), buf_span(&k.wrapped)),
		0);
	h = take_handle(&domain);
	assert_int_equal(ask(&domain, KEYD_EXPORT, HANDLE(h), SPAN(""), octet(9), SPAN(""), SPAN("my key"),
				 SPAN("file password")),
		KEYD_E_REFUSED);
	assert_int_equal(ask(&domain, KEYD_EXPORT, HANDLE(h), SPAN(""), octet(KEYD_FORM_PKCS12), SPAN(""),
				 SPAN("my key"), SPAN("file password")),
		0);
	p = domain.f[0].p;
	p12 = d2i_PKCS12(NULL, &p, (long)domain.f[0].n);
	assert_non_null(p12);
	assert_false(PKCS12_parse(p12, "other password", &key, &cert, NULL));
	assert_true(PKCS12_parse(p12, "file password", &key, &cert, NULL));
	assert_int_equal(key_to_spki(key, &spki), 0);
	assert_true(span_equal(buf_span(&spki), buf_span(&k.spki)));
	assert_null(cert);
	EVP_PKEY_free(key);
	PKCS12_free(p12);
	ERR_clear_error();

	check_pkcs12(&h, KEYD_FORM_PKCS12, NID_pbes2, NID_sha256, &k);
	check_pkcs12(&h, KEYD_FORM_PKCS12_OLD, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NID_sha1, &k);

	assert_int_equal(ask(&domain, KEYD_EXPORT, HANDLE(h), SPAN(""), octet(KEYD_FORM_PKCS8),
				 SPAN(""), SPAN(""), SPAN("file password")),
		0);
	p = domain.f[0].p;
	sealed = d2i_X509_SIG(NULL, &p, (long)domain.f[0].n);
	assert_non_null(sealed);
	assert_null(PKCS8_decrypt(sealed, "other password", -1));
	info = PKCS8_decrypt(sealed, "file password", -1);
	assert_non_null(info);
	key = EVP_PKCS82PKEY(info);
	buf_clear(&spki);
	assert_int_equal(key_to_spki(key, &spki), 0);
	assert_true(span_equal(buf_span(&spki), buf_span(&k.spki)));
	EVP_PKEY_free(key);
	PKCS8_PRIV_KEY_INFO_free(info);
	X509_SIG_free(sealed);
	ERR_clear_error();

	assert_int_equal(ask(&domain, KEYD_EXPORT, HANDLE(h), SPAN(""), octet(KEYD_FORM_PKCS12),
				 SPAN("not a certificate"), SPAN("my key"), SPAN("file password")),
		KEYD_E_REFUSED);
	assert_int_equal(ask(&domain, KEYD_EXPORT, HANDLE(h), SPAN(""), octet(KEYD_FORM_PKCS12), SPAN(""),
				 SPAN("my key"), SPAN("pass\0word")),
		KEYD_E_REFUSED);
}

/* A keyd whose KEK comes from a password tells who has it, for a few tries. */
static void test_store_password(void **state)
{
	static const char password[] = "a password long enough";
	int64_t now_ms = clock_monotonic_ms();
	struct side side = {};
	uint8_t master[32];
	struct kek kek;

	(void)state;
	assert_int_equal(ask(&domain, KEYD_STORE_PASSWORD, SPAN("")), 0);
	assert_int_equal(domain.f[0].p[0], 0);
	assert_int_equal(ask(&domain, KEYD_STORE_PASSWORD, SPAN("whatever it is")), 0);
	assert_int_equal(domain.f[0].p[0], 0);

	assert_int_equal(wrap_scrypt(span_str(password), SPAN("signet key-encryption key"), &wrap_cost,
				 master, sizeof master),
		0);
	assert_int_equal(kek_derive(&kek, span_of(master, sizeof master), KEYD_DOMAIN), 0);
	kek.has_password = true;
	side.keyd = keyd_new(KEYD_DOMAIN, &kek);
	assert_int_equal(ask(&side, KEYD_STORE_PASSWORD, SPAN("")), 0);
	assert_int_equal(side.f[0].p[0], 1);
	assert_int_equal(ask(&side, KEYD_STORE_PASSWORD, span_str(password)), 0);
	assert_int_equal(side.f[0].p[0], 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&side, KEYD_STORE_PASSWORD, SPAN("not this one")), KEYD_E_PASSWORD);
	assert_int_equal(ask(&side, KEYD_STORE_PASSWORD, span_str(password)), KEYD_E_LATER);
	clock_set(0, now_ms + MINUTE_MS);
	assert_int_equal(ask(&side, KEYD_STORE_PASSWORD, span_str(password)), 0);
	assert_int_equal(ask(&side, KEYD_STORE_PASSWORD, SPAN("not this one")), KEYD_E_PASSWORD);
	assert_int_equal(ask(&side, KEYD_STORE_PASSWORD, SPAN("not this one")), KEYD_E_LATER);
	clock_set(0, now_ms);
	keyd_free(side.keyd);
}

static void test_malformed_content(void **state)
{
	struct keyd_sign how = { .digest = "SHA256" };
	uint8_t handle[KEYD_HANDLE] = { 0 };

	(void)state;
	assert_int_equal(ask(&domain, KEYD_GENERATE, octet(99), octet(KEYD_TLS), SPAN("d")), MALFORMED);
	assert_int_equal(ask(&domain, KEYD_GENERATE, octet(0), octet(KEYD_TLS), SPAN("d")), MALFORMED);
	assert_int_equal(ask(&domain, KEYD_GENERATE, octet(KEY_ED25519), octet(0), SPAN("d")),
		MALFORMED);
	assert_int_equal(ask(&domain, KEYD_GENERATE, octet(KEY_ED25519), octet(255), SPAN("d")),
		MALFORMED);
	assert_int_equal(ask(&domain, KEYD_GENERATE, octet(KEY_ED25519), octet(KEYD_USER_SMIME),
				 SPAN("d")),
		MALFORMED);
	assert_int_equal(ask(&domain, KEYD_GENERATE, octet(KEY_ED25519), octet(KEYD_SCRAM), SPAN("d")),
		MALFORMED);
	assert_int_equal(ask(&domain, KEYD_SEAL, octet(KEYD_TLS), SPAN("d"), SPAN("x")), MALFORMED);
	memset(how.digest, 'A', sizeof how.digest);
	assert_int_equal(ask(&domain, KEYD_SIGN, HANDLE((struct handle){}), SPAN(""),
				 span_of(&how, sizeof how), SPAN("x")),
		MALFORMED);
	how.digest[0] = '\0';
	assert_int_equal(ask(&domain, KEYD_SIGN, span_of(handle, sizeof handle), SPAN(""),
				 span_of(&how, sizeof how), SPAN("x")),
		KEYD_E_GONE);
}

/* Each request of the table with one field too few, one too many, and each field out of its bounds,
 * at the keyd it is for; and well-formed at the other one. */
static void test_malformed_form(void **state)
{
	static uint8_t content[KEYD_MESSAGE_MAX];
	unsigned n_seen = 0;

	(void)state;
	for (unsigned request = 0; request < KEYD_REQUESTS + 3; request++) {
		const struct keyd_shape *shape = keyd_shape(request);
		struct side *s = shape && shape->permit == KEYD_USER ? &user : &domain;
		struct span fields[KEYD_FIELDS + 1] = {};

		if (!shape) {
			assert_int_equal(ask_n(s, request, NULL, 0), MALFORMED);
			continue;
		}
		n_seen++;
		for (unsigned i = 0; i < shape->n_fields; i++)
			fields[i] = span_of(content, shape->fields[i].min);
		if (shape->n_fields)
			assert_int_equal(ask_n(s, request, fields, shape->n_fields - 1), MALFORMED);
		assert_int_equal(ask_n(s, request, fields, shape->n_fields + 1), MALFORMED);
		for (unsigned i = 0; i < shape->n_fields; i++) {
			if (shape->fields[i].min) {
				fields[i].n = shape->fields[i].min - 1;
				assert_int_equal(ask_n(s, request, fields, shape->n_fields), MALFORMED);
			}
			if (shape->fields[i].max < sizeof content) {
				fields[i].n = shape->fields[i].max + 1;
				assert_int_equal(ask_n(s, request, fields, shape->n_fields), MALFORMED);
			}
			fields[i].n = shape->fields[i].min;
		}
		if (shape->permit != (KEYD_DOMAIN | KEYD_USER))
			assert_int_equal(ask_n(s == &user ? &domain : &user, request, fields,
						 shape->n_fields),
				MALFORMED);
	}
	assert_int_equal(n_seen, KEYD_REQUESTS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load_and_sign),
		cmocka_unit_test(test_acme),
		cmocka_unit_test(test_wrapping_is_bound),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_unlock),
		cmocka_unit_test(test_unlock_expires),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_rewrap),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_ticket),
		cmocka_unit_test(test_export),
		cmocka_unit_test(test_store_password),
		cmocka_unit_test(test_malformed_content),
		cmocka_unit_test(test_malformed_form),
		/* The last: it leaves user:1 without tries. */
		cmocka_unit_test(test_wrong_passwords),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("request", tests, setup, teardown);
}
