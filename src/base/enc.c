/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/enc.h"

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct buf *out, struct span data, const char *digits, bool pad)
{
	uint8_t *to = buf_room(out, (data.n + 2) / 3 * 4);
	size_t n = 0;

	for (size_t i = 0; i < data.n; i += 3) {
		size_t left = data.n - i;
		uint32_t v = (uint32_t)data.p[i] << 16;

		if (left > 1)
			v |= (uint32_t)data.p[i + 1] << 8;
		if (left > 2)
			v |= data.p[i + 2];
		to[n++] = (uint8_t)digits[v >> 18];
		to[n++] = (uint8_t)digits[v >> 12 & 63];
		if (left > 1 || pad)
			to[n++] = left > 1 ? (uint8_t)digits[v >> 6 & 63] : '=';
		if (left > 2 || pad)
			to[n++] = left > 2 ? (uint8_t)digits[v & 63] : '=';
	}
	buf_added(out, n);
}

void enc_base64(struct buf *out, struct span data)
{
	encode(out, data, base64_digits, true);
}

void enc_base64url(struct buf *out, struct span data)
{
	encode(out, data, base64url_digits, false);
}

static int base64_value(uint8_t c)
{
	if (octet_is_alpha(c))
		return c <= 'Z' ? c - 'A' : c - 'a' + 26;
	if (octet_is_digit(c))
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool enc_base64_decode(struct buf *out, struct span text)
{
	size_t pad = 0, before = buf_size(out);

	if (text.n % 4)
		return false;
	while (pad < 2 && text.n > pad && text.p[text.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < text.n; i += 4) {
		size_t digits = i + 4 == text.n ? 4 - pad : 4;
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int digit = k < digits ? base64_value(text.p[i + k]) : 0;

			if (digit < 0) {
				buf_cut(out, before);
				return false;
			}
			v = v << 6 | (uint32_t)digit;
		}
		/* RFC 4648 section 3.5: the bits behind the last octet are zero. */
		if ((digits == 2 && v & 0xFFFF) || (digits == 3 && v & 0xFF)) {
			buf_cut(out, before);
			return false;
		}
		buf_add_octet(out, (uint8_t)(v >> 16));
		if (digits > 2)
			buf_add_octet(out, (uint8_t)(v >> 8));
		if (digits > 3)
			buf_add_octet(out, (uint8_t)v);
	}
	return true;
}

bool enc_base64url_decode(struct buf *out, struct span text)
{
	CLEANUP(buf_wipe) struct buf usual = {};
	uint8_t *p = buf_room(&usual, text.n + 2);

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '+' || c == '/' || c == '=')
			return false;
		p[i] = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	memcpy(p + text.n, "==", 2);
	buf_added(&usual, text.n + (4 - text.n % 4) % 4 % 3);
	return enc_base64_decode(out, buf_span(&usual));
}

void enc_hex(struct buf *out, struct span data)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < data.n; i++) {
		buf_add_octet(out, (uint8_t)digits[data.p[i] >> 4]);
		buf_add_octet(out, (uint8_t)digits[data.p[i] & 15]);
	}
}

static int hex_value(uint8_t c)
{
	if (octet_is_digit(c))
		return c - '0';
	c = octet_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool enc_hex_decode(struct buf *out, struct span text)
{
	size_t before = buf_size(out);

	if (text.n % 2)
		return false;
	for (size_t i = 0; i < text.n; i += 2) {
		int high = hex_value(text.p[i]), low = hex_value(text.p[i + 1]);

		if (high < 0 || low < 0) {
			buf_cut(out, before);
			return false;
		}
		buf_add_octet(out, (uint8_t)(high << 4 | low));
	}
	return true;
}
