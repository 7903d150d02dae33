/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The request table and the form of messages. Everything that can be wrong with a message's form is
 * found here, before any handler runs: unknown request, not for this role, too many or too few
 * fields, a field out of its bounds, octets left over. What a field means is the handlers' business.
 */

#include "keyd/protocol.h"

enum { BOTH = KEYD_DOMAIN | KEYD_USER };

#define TYPE     { 1, 1 }
#define PURPOSE  { 1, 1 }
#define FORM     { 1, 1 }
#define OWNER    { 1, KEYD_OWNER_MAX }
#define KEY_ID   { 64, 64 }
#define SPKI     { 1, KEYD_SPKI_MAX }
#define WRAPPED  { 1, KEYD_WRAPPED_MAX }
#define PKCS8    { 1, KEYD_PKCS8_MAX }
#define HANDLE   { KEYD_HANDLE, KEYD_HANDLE }
#define SESSION  { 0, KEYD_SESSION_MAX }
#define PASSWORD { 1, KEYD_PASSWORD_MAX }
#define MILLISECONDS { sizeof(uint32_t), sizeof(uint32_t) }

static const struct keyd_shape shapes[KEYD_REQUESTS] = {
	[KEYD_HELLO] = { "hello", BOTH, 0, {}, 1, { { KEYD_CHECK, KEYD_CHECK } } },
	[KEYD_GENERATE] = { "generate", KEYD_DOMAIN, 3, { TYPE, PURPOSE, OWNER },
		3, { KEY_ID, SPKI, WRAPPED } },
	[KEYD_WRAP] = { "wrap", KEYD_DOMAIN, 3, { PKCS8, PURPOSE, OWNER },
		3, { KEY_ID, SPKI, WRAPPED } },
	[KEYD_LOAD] = { "load", KEYD_DOMAIN, 4, { PURPOSE, OWNER, KEY_ID, WRAPPED }, 1, { HANDLE } },
	[KEYD_FORGET] = { "forget", BOTH, 2, { HANDLE, SESSION }, 0, {} },
	[KEYD_SIGN] = { "sign", BOTH, 4,
		{ HANDLE, SESSION, { sizeof(struct keyd_sign), sizeof(struct keyd_sign) },
			{ 0, KEYD_SIGN_MAX } },
		1, { { 1, 1024 } } },
	[KEYD_DECRYPT] = { "decrypt", BOTH, 5,
		{ HANDLE, SESSION, { sizeof(struct keyd_decrypt), sizeof(struct keyd_decrypt) },
			{ 0, 256 }, { 1, 1024 } },
		1, { { 0, 1024 } } },
	[KEYD_DERIVE] = { "derive", BOTH, 5,
		{ HANDLE, SESSION, { sizeof(struct keyd_derive), sizeof(struct keyd_derive) },
			{ 1, 256 }, { 0, 1024 } },
		1, { { 1, KEYD_DERIVED_MAX } } },
	[KEYD_EXPORT] = { "export", BOTH, 6,
		{ HANDLE, SESSION, FORM, { 0, KEYD_CERTS_MAX }, { 0, 255 }, PASSWORD },
		1, { { 1, KEYD_MESSAGE_MAX } } },
	[KEYD_SEAL] = { "seal", KEYD_DOMAIN, 3, { PURPOSE, OWNER, { 0, KEYD_SECRET_MAX } },
		1, { { 1, 2 * KEYD_SECRET_MAX } } },
	[KEYD_UNSEAL] = { "unseal", KEYD_DOMAIN, 3, { PURPOSE, OWNER, { 1, 2 * KEYD_SECRET_MAX } },
		1, { { 0, KEYD_SECRET_MAX } } },
	[KEYD_TICKET] = { "ticket", KEYD_DOMAIN, 2, { { 1, 255 }, { 8, 8 } },
		1, { { KEYD_TICKET_KEY, KEYD_TICKET_KEY } } },
	[KEYD_USER_GENERATE] = { "user-generate", KEYD_USER, 3, { TYPE, OWNER, PASSWORD },
		3, { KEY_ID, SPKI, WRAPPED } },
	[KEYD_USER_WRAP] = { "user-wrap", KEYD_USER, 3, { PKCS8, OWNER, PASSWORD },
		3, { KEY_ID, SPKI, WRAPPED } },
	[KEYD_UNLOCK] = { "unlock", KEYD_USER, 6,
		{ OWNER, KEY_ID, WRAPPED, PASSWORD, { 1, KEYD_SESSION_MAX }, MILLISECONDS },
		1, { HANDLE } },
	[KEYD_LOCK_SESSION] = { "lock-session", KEYD_USER, 1, { { 1, KEYD_SESSION_MAX } }, 0, {} },
	[KEYD_REWRAP] = { "rewrap", KEYD_USER, 5, { OWNER, KEY_ID, WRAPPED, PASSWORD, PASSWORD },
		1, { WRAPPED } },
	[KEYD_STORE_PASSWORD] = { "store-password", KEYD_DOMAIN, 1,
		{ { 0, KEYD_STORE_PASSWORD_MAX } }, 1, { { 1, 1 } } },
	[KEYD_LEFT] = { "left", KEYD_USER, 2, { HANDLE, SESSION }, 1, { MILLISECONDS } },
};

const struct keyd_shape *keyd_shape(unsigned request)
{
	return request < KEYD_REQUESTS && shapes[request].name ? &shapes[request] : NULL;
}

size_t keyd_message_write(uint8_t *out, size_t room, const struct keyd_header *header,
	const struct span *fields, unsigned n_fields)
{
	size_t n = sizeof *header;

	if (room < n)
		return 0;
	memcpy(out, header, n);
	for (unsigned i = 0; i < n_fields; i++) {
		uint32_t size = (uint32_t)fields[i].n;

		if (fields[i].n > room || room - n < sizeof size + fields[i].n)
			return 0;
		memcpy(out + n, &size, sizeof size);
		if (size)
			memcpy(out + n + sizeof size, fields[i].p, size);
		n += sizeof size + size;
	}
	return n;
}

static bool read_header(struct span *message, struct keyd_header *ret_header)
{
	if (message->n < sizeof *ret_header)
		return false;
	memcpy(ret_header, message->p, sizeof *ret_header);
	*message = span_skip(*message, sizeof *ret_header);
	return true;
}

static bool read_fields(struct span rest, const struct keyd_field *bounds, unsigned n_fields,
	struct span *ret_fields)
{
	for (unsigned i = 0; i < n_fields; i++) {
		uint32_t size;

		if (rest.n < sizeof size)
			return false;
		memcpy(&size, rest.p, sizeof size);
		rest = span_skip(rest, sizeof size);
		if (size < bounds[i].min || size > bounds[i].max || size > rest.n)
			return false;
		ret_fields[i] = span_head(rest, size);
		rest = span_skip(rest, size);
	}
	return rest.n == 0;
}

int keyd_message_read_request(struct span message, enum keyd_role role,
	struct keyd_header *ret_header, struct span ret_fields[static KEYD_FIELDS])
{
	const struct keyd_shape *shape;

	if (message.n > KEYD_MESSAGE_MAX || !read_header(&message, ret_header))
		return KEYD_PARSE_E_MALFORMED;
	shape = keyd_shape(ret_header->request);
	if (!shape || !(shape->permit & role) || ret_header->outcome)
		return KEYD_PARSE_E_MALFORMED;
	if (!read_fields(message, shape->fields, shape->n_fields, ret_fields))
		return KEYD_PARSE_E_MALFORMED;
	return 0;
}

int keyd_message_read_reply(struct span message, struct keyd_header *ret_header,
	struct span ret_fields[static KEYD_FIELDS])
{
	const struct keyd_shape *shape;

	if (message.n > KEYD_MESSAGE_MAX || !read_header(&message, ret_header))
		return KEYD_PARSE_E_MALFORMED;
	shape = keyd_shape(ret_header->request);
	if (!shape || ret_header->outcome >= KEYD_OUTCOMES)
		return KEYD_PARSE_E_MALFORMED;
	/* A refusal carries nothing. */
	if (!read_fields(message, shape->reply, ret_header->outcome ? 0 : shape->n_reply, ret_fields))
		return KEYD_PARSE_E_MALFORMED;
	return 0;
}
