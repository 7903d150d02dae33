/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Objects made by others' functions, whole, cut everywhere, and with one octet changed. */

#include "smime/cms_front.h"

#include "base/test.h"
#include "mime/decode.h"
#include "mime/header.h"
#include "mime/word.h"
#include "smime/smime_fixture.h"

static struct people people;

static int setup(void **state)
{
	(void)state;
	word_init();
	people_make(&people);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_done(&people);
	return 0;
}

/* The object in an entity. */
static void take_object(const struct buf *entity, struct buf *out)
{
	struct decoder d = { .encoding = ENCODING_BASE64 };

	decoder_feed(&d, span_skip(buf_span(entity), header_size(buf_span(entity))), out);
	decoder_end(&d, out);
}

static void encrypted(unsigned flags, const EVP_CIPHER *cipher, struct buf *out)
{
	CLEANUP(buf_done) struct buf entity = {};
	const struct cert_made *to[] = { &people.bob, &people.carol };

	fixture_encrypt(SPAN("Content-Type: text/plain\r\n\r\nsecret\r\n"), cipher, to, 2, flags,
		&entity);
	take_object(&entity, out);
}

/* A cut object is none if it is said to be all there is; as a front it is one from some place on.
 */
static void cuts(void **state)
{
	const EVP_CIPHER *ciphers[] = { EVP_aes_128_cbc(), EVP_aes_256_gcm() };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		CLEANUP(buf_done) struct buf object = {};
		bool before = false, now;
		size_t n;

		encrypted(i & 1 ? FIXTURE_STREAM : 0, ciphers[i / 2], &object);
		n = buf_size(&object);
		assert_true(cms_front_is_encrypted(buf_span(&object), true));
		for (size_t cut = 0; cut < n; cut++) {
			struct span front = span_head(buf_span(&object), cut);

			now = cms_front_is_encrypted(front, false);
			assert_true(now || !before);
			before = now;
			if (!(i & 1))
				assert_false(cms_front_is_encrypted(front, true));
		}
		assert_true(before);
		/* The recipients alone are not enough. */
		assert_false(cms_front_is_encrypted(span_head(buf_span(&object), n / 2), false));
	}
}

static void others(void **state)
{
	CLEANUP(buf_done) struct buf object = {}, entity = {};

	(void)state;
	fixture_sign_der(SPAN("clear"), &people.alice, 0, &object);
	assert_false(cms_front_is_encrypted(buf_span(&object), true));
	buf_clear(&object);
	fixture_compress(SPAN("Content-Type: text/plain\r\n\r\nclear\r\n"), &entity);
	take_object(&entity, &object);
	assert_false(cms_front_is_encrypted(buf_span(&object), true));
	assert_false(cms_front_is_encrypted(SPAN("clear text"), false));
	assert_false(cms_front_is_encrypted(SPAN("0 clear text that begins as a SEQUENCE"), false));
	assert_false(cms_front_is_encrypted((struct span){}, false));
	/* EnvelopedData for nobody, and without content. */
	assert_false(cms_front_is_encrypted(
		SPAN("0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80\x30\x80\x02\x01\x00"
		     "\x31\x00\x30\x80\x06\x01\x2a\x30\x00\x80\x03"
		     "abc"),
		false));
	assert_false(cms_front_is_encrypted(
		SPAN("0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80\x30\x80\x02\x01\x00"
		     "\x31\x02\x30\x00\x30\x80\x06\x01\x2a\x30\x00\x80\x00"
		     "abc"),
		false));
	assert_true(cms_front_is_encrypted(
		SPAN("0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80\x30\x80\x02\x01\x00"
		     "\x31\x02\x30\x00\x30\x80\x06\x01\x2a\x30\x00\x80\x03"
		     "abc"),
		false));
}

/* Content that says to be longer than what is there may be the front of more, and is no whole. */
static void content_that_is_missing(void **state)
{
	static const struct span ends[] = { { (const uint8_t *)"\x80\x03" "abc", 5 },
		{ (const uint8_t *)"\x80\x04" "abc", 5 }, { (const uint8_t *)"\x80\x82\x10\x00" "abc", 7 } };

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		CLEANUP(buf_done) struct buf object = {};
		size_t n = ends[i].n;

		/* All outer lengths are right. */
		buf_add(&object, SPAN("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0"));
		buf_add_octet(&object, (uint8_t)(n + 16));
		buf_add_octet(&object, 0x30);
		buf_add_octet(&object, (uint8_t)(n + 14));
		buf_add(&object, SPAN("\x02\x01\x00\x31\x02\x30\x00\x30"));
		buf_add_octet(&object, (uint8_t)(n + 5));
		buf_add(&object, SPAN("\x06\x01\x2a\x30\x00"));
		buf_add(&object, ends[i]);
		{
			CLEANUP(buf_done) struct buf whole = {};

			buf_add_octet(&whole, 0x30);
			buf_add_octet(&whole, (uint8_t)buf_size(&object));
			buf_add(&whole, buf_span(&object));
			assert_true(cms_front_is_encrypted(buf_span(&whole), false));
			assert_int_equal(cms_front_is_encrypted(buf_span(&whole), true), i == 0);
		}
	}
}

/* Lengths that lie are refused, and never read beyond what is there. */
static void changed(void **state)
{
	CLEANUP(buf_done) struct buf object = {};
	size_t n, n_refused = 0;

	(void)state;
	encrypted(0, EVP_aes_128_cbc(), &object);
	n = buf_size(&object);
	for (size_t i = 0; i < n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			object.p[object.start + i] ^= (uint8_t)(1U << bit);
			n_refused += !cms_front_is_encrypted(buf_span(&object), true);
			object.p[object.start + i] ^= (uint8_t)(1U << bit);
		}
	}
	assert_true(n_refused > 200);
	buf_add_octet(&object, 0);
	assert_false(cms_front_is_encrypted(buf_span(&object), true));
	assert_true(cms_front_is_encrypted(buf_span(&object), false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts),
		cmocka_unit_test(others),
		cmocka_unit_test(content_that_is_missing),
		cmocka_unit_test(changed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
