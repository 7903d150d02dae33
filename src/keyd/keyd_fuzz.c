/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Messages as they might come from a server that was taken over. The first octet chooses the keyd,
 * the rest is one message. What holds: a message is malformed or has a well-formed reply with the
 * same serial and request, and reading a request and writing it again gives the same octets.
 *
 * Requests that make keys, or hash passwords, are parsed only: that takes long and finds nothing. So
 * that the others reach a key, three are loaded at the start, and the first octet of a handle chooses
 * which of their handles is put in its place.
 */

#include "base/log.h"
#include "keyd/request.h"
#include "pki/key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct keyd *make(enum keyd_role role)
{
	struct kek kek;

	log_set_stderr(false);
	if (kek_derive(&kek, SPAN("0123456789abcdef0123456789abcdef"), role))
		abort();
	return keyd_new(role, &kek);
}

enum { N_KEYS = 3 };

static uint8_t handles[N_KEYS][KEYD_HANDLE];

static size_t ask(struct keyd *k, unsigned request, const struct span *fields, uint8_t *reply)
{
	static uint8_t message[KEYD_MESSAGE_MAX];
	const struct keyd_header header = { .request = (uint16_t)request };
	size_t n = keyd_message_write(message, sizeof message, &header, fields,
		keyd_shape(request)->n_fields);

	if (keyd_answer(k, span_of(message, n), reply, &n))
		abort();
	return n;
}

static void load_keys(struct keyd *k)
{
	static const uint8_t types[N_KEYS] = { KEY_RSA_2048, KEY_EC_P256, KEY_ED25519 };
	static const uint8_t purpose = KEYD_SMIME;
	static uint8_t made[KEYD_MESSAGE_MAX], loaded[KEYD_MESSAGE_MAX];

	for (size_t i = 0; i < N_KEYS; i++) {
		const struct span how[] = { span_of(&types[i], 1), span_of(&purpose, 1), SPAN("d") };
		struct span key[KEYD_FIELDS], handle[KEYD_FIELDS];
		struct keyd_header header;
		size_t n = ask(k, KEYD_GENERATE, how, made);

		if (keyd_message_read_reply(span_of(made, n), &header, key))
			abort();
		n = ask(k, KEYD_LOAD,
			(const struct span[]){ span_of(&purpose, 1), SPAN("d"), key[0], key[2] }, loaded);
		if (keyd_message_read_reply(span_of(loaded, n), &header, handle))
			abort();
		memcpy(handles[i], handle[0].p, KEYD_HANDLE);
	}
}

static bool is_slow(unsigned request)
{
	return request == KEYD_GENERATE || request == KEYD_WRAP || request == KEYD_USER_GENERATE ||
		request == KEYD_USER_WRAP || request == KEYD_UNLOCK || request == KEYD_REWRAP ||
		request == KEYD_EXPORT || request == KEYD_STORE_PASSWORD;
}

static bool has_handle(unsigned request)
{
	return request == KEYD_SIGN || request == KEYD_DECRYPT || request == KEYD_DERIVE;
}

static void check_written(struct span message, const struct keyd_header *header,
	struct span *fields, uint8_t *ret_again)
{
	size_t n = keyd_message_write(ret_again, KEYD_MESSAGE_MAX, header, fields,
		keyd_shape(header->request)->n_fields);

	if (!span_equal(span_of(ret_again, n), message))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keyd *instances[2];
	static uint8_t again[KEYD_MESSAGE_MAX], reply[KEYD_MESSAGE_MAX];
	struct span fields[KEYD_FIELDS], answers[KEYD_FIELDS], message;
	struct keyd_header header, replied;
	enum keyd_role role;
	size_t n;

	if (!instances[0]) {
		instances[0] = make(KEYD_DOMAIN);
		instances[1] = make(KEYD_USER);
		load_keys(instances[0]);
	}
	if (size == 0)
		return 0;
	role = data[0] & 1 ? KEYD_USER : KEYD_DOMAIN;
	message = span_of(data + 1, size - 1);
	(void)!keyd_message_read_reply(message, &header, answers);
	if (keyd_message_read_request(message, role, &header, fields))
		return 0;
	check_written(message, &header, fields, again);
	if (is_slow(header.request))
		return 0;
	if (has_handle(header.request))
		memcpy(again + (fields[0].p - message.p), handles[fields[0].p[0] % N_KEYS],
			KEYD_HANDLE);
	if (keyd_answer(instances[data[0] & 1], span_of(again, message.n), reply, &n))
		return 0;
	if (keyd_message_read_reply(span_of(reply, n), &replied, answers) ||
		replied.serial != header.serial || replied.request != header.request)
		abort();
	return 0;
}
