/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is canonical stays as it is to the octet; what is not becomes it, and says the same. */

#include "smime/entity.h"

#include "base/err.h"
#include "base/test.h"
#include "mime/word.h"

static void split(void **state)
{
	static const struct {
		const char *message, *outer, *entity;
	} rows[] = {
		{ "From: a@b\r\nContent-Type: text/html\r\nSubject: s\r\n"
		  "content-transfer-encoding: 8bit\r\n\r\nbody\r\n",
			"From: a@b\r\nSubject: s\r\n",
			"Content-Type: text/html\r\ncontent-transfer-encoding: "
			"8bit\r\n\r\nbody\r\n" },
		{ "From: a@b\r\nMIME-Version: 1.0\r\n\r\nx", "From: a@b\r\nMIME-Version: 1.0\r\n",
			"Content-Type: text/plain; charset=us-ascii\r\n\r\nx" },
		{ "\r\ngr\xc3\xbc\xc3\x9f\r\n", "",
			"Content-Type: text/plain; charset=utf-8\r\n\r\ngr\xc3\xbc\xc3\x9f\r\n" },
		{ "\r\n\xfc\r\n", "",
			"Content-Type: text/plain; charset=unknown-8bit\r\n\r\n\xfc\r\n" },
		{ "From a@b Mon Jan  1\r\nTo: c@d\r\n\r\n", "To: c@d\r\n",
			"Content-Type: text/plain; charset=us-ascii\r\n\r\n" },
		{ "Content-Type: a/b;\r\n c=d\r\nTo: c@d,\r\n\te@f", "To: c@d,\r\n\te@f\r\n",
			"Content-Type: a/b;\r\n c=d\r\n\r\n" },
		{ "Contentment: x\r\n\r\n", "Contentment: x\r\n",
			"Content-Type: text/plain; charset=us-ascii\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf outer = {}, entity = {};

		entity_split(span_str(rows[i].message), &outer, &entity);
		if (!span_is(buf_span(&outer), rows[i].outer) ||
			!span_is(buf_span(&entity), rows[i].entity))
			fail_msg("row %zu: %.*s|%.*s", i, (int)buf_size(&outer),
				(const char *)outer.p, (int)buf_size(&entity),
				(const char *)entity.p);
	}
}

#define TEXT_8BIT                                                                                  \
	"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
#define TEXT_QP                                                                                    \
	"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "                   \
	"quoted-printable\r\n\r\n"
#define MIXED  "Content-Type: multipart/mixed; boundary=x\r\n"
#define BINARY "Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
#define BASE64 "Content-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"

static void seven_bits(void **state)
{
	static const struct {
		const char *in, *out;
		bool is_7bit;
	} rows[] = {
		/* As it was. */
		{ "To: a@b\r\n\r\nx\r\n", "To: a@b\r\n\r\nx\r\n", true },
		{ MIXED "\r\npre\r\n--x\r\n\r\na\r\n--x--\r\npost\r\n",
			MIXED "\r\npre\r\n--x\r\n\r\na\r\n--x--\r\npost\r\n", true },
		/* One part, at the top and in a multipart. */
		{ TEXT_8BIT "gr\xc3\xbcn wie das Gras\r\n", TEXT_QP "gr=C3=BCn wie das Gras\r\n",
			true },
		{ "Content-Type: text/plain; charset=utf-8\r\nSubject: s\r\n\r\ngr\xc3\xbcn wie "
		  "das Gras",
			"Content-Type: text/plain; charset=utf-8\r\nSubject: s\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn wie das Gras",
			true },
		{ TEXT_8BIT "\xd0\xb4\xd0\xb0\r\n",
			"Content-Type: text/plain; charset=utf-8\r\n"
			"Content-Transfer-Encoding: base64\r\n\r\n0LTQsA0K\r\n",
			true },
		{ MIXED "Content-Transfer-Encoding: 8bit\r\n\r\n--x\r\n" TEXT_8BIT
			"gr\xc3\xbcn wie das Gras\r\n--x\r\n\r\nb\r\n--x--\r\n",
			MIXED "\r\n--x\r\n" TEXT_QP
			      "gr=C3=BCn wie das Gras\r\n--x\r\n\r\nb\r\n--x--\r\n",
			true },
		/* Octets whose line ends are none. */
		{ MIXED "Content-Transfer-Encoding: binary\r\n\r\n--x\r\n" BINARY
			"\n\r\x80\r\n--x--\r\n",
			MIXED "\r\n--x\r\n" BASE64 "Cg2A\r\n--x--\r\n", true },
		/* In a message that is attached, whose own encoding may be none (RFC 2046 5.2.1).
		 */
		{ "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		  "Subject: s\r\n" TEXT_8BIT "gr\xc3\xbcn wie das Gras\r\n",
			"Content-Type: message/rfc822\r\n\r\nSubject: s\r\n" TEXT_QP
			"gr=C3=BCn wie das Gras\r\n",
			true },
		/* Somebody's signature is not broken for ours. */
		{ "Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n" TEXT_8BIT
		  "gr\xc3\xbcn\r\n--x\r\n\r\ns\r\n--x--\r\n",
			"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n" TEXT_8BIT
			"gr\xc3\xbcn\r\n--x\r\n\r\ns\r\n--x--\r\n",
			false },
		{ "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-mine\r\n\r\n\xfc\n",
			"Content-Type: text/plain\r\nContent-Transfer-Encoding: "
			"x-mine\r\n\r\n\xfc\r\n",
			false },
		/* LF, all through. */
		{ "To: a@b\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x--\n",
			"To: a@b\r\n" MIXED "\r\n--x\r\n\r\na\r\n--x--\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf out = {}, again = {};

		assert_int_equal(entity_canonical(span_str(rows[i].in), ENTITY_7BIT, &out),
			rows[i].is_7bit);
		if (!span_is(buf_span(&out), rows[i].out))
			fail_msg("row %zu: %.*s", i, (int)buf_size(&out), (const char *)out.p);
		assert_int_equal(entity_canonical(buf_span(&out), ENTITY_7BIT, &again),
			rows[i].is_7bit);
		assert_true(span_equal(buf_span(&out), buf_span(&again)));
	}
}

/* A CR that ends no line ends none in what is made either: no field comes out of another's value.
 */
static void lone_cr_is_no_line_end(void **state)
{
	CLEANUP(buf_done) struct buf outer = {}, entity = {}, joined = {};

	(void)state;
	entity_split(SPAN("Subject: a\rBcc: b@c\r\n\td\r\nContent-Type: text/plain;\rX: y\r\n\r\n"),
		&outer, &entity);
	assert_true(span_is(buf_span(&outer), "Subject: a Bcc: b@c\r\n\td\r\n"));
	assert_true(span_is(buf_span(&entity), "Content-Type: text/plain; X: y\r\n\r\n"));
	entity_join(SPAN("Subject: a\r\rBcc: b@c\r"), SPAN("\r\n"), &joined);
	assert_true(
		span_is(buf_span(&joined), "Subject: a  Bcc: b@c \r\nMIME-Version: 1.0\r\n\r\n"));
}

static void long_lines(void **state)
{
	CLEANUP(buf_done) struct buf message = {}, out = {}, kept = {};

	(void)state;
	buf_add_string(&message, "Content-Type: text/plain\r\n\r\n");
	memset(buf_room(&message, 999), 'a', 999);
	buf_added(&message, 999);
	buf_add_string(&message, "\r\n");
	assert_true(entity_canonical(buf_span(&message), ENTITY_7BIT, &out));
	assert_true(span_find_span(buf_span(&out), SPAN("quoted-printable")) < buf_size(&out));
	(void)entity_canonical(buf_span(&message), ENTITY_8BIT, &kept);
	assert_true(span_equal(buf_span(&kept), buf_span(&message)));
}

static void eight_bits(void **state)
{
	CLEANUP(buf_done) struct buf text = {}, parts = {};

	(void)state;
	assert_false(entity_canonical(SPAN(TEXT_8BIT "\xfc\n"), ENTITY_8BIT, &text));
	assert_true(span_is(buf_span(&text), TEXT_8BIT "\xfc\r\n"));
	(void)entity_canonical(SPAN(MIXED "Content-Transfer-Encoding: binary\r\n\r\n--x\r\n" BINARY
					  "\n\r\x80\r\n--x--\r\n"),
		ENTITY_8BIT, &parts);
	assert_true(span_is(buf_span(&parts),
		MIXED "Content-Transfer-Encoding: 8bit\r\n\r\n--x\r\n" BASE64 "Cg2A\r\n--x--\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split),
		cmocka_unit_test(seven_bits),
		cmocka_unit_test(lone_cr_is_no_line_end),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(eight_bits),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
