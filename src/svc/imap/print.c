/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The pieces responses are made of. Strings go out in the simplest form that holds them: atom,
 * quoted, literal.
 */

#include "svc/imap/print.h"

#include "base/digest.h"
#include "base/enc.h"
#include "store/message.h"
#include "svc/imap/mutf7.h"

static bool can_quote(struct span s, bool utf8)
{
	bool ascii = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == 0)
			return false;
		ascii = ascii && s.p[i] < 0x80;
	}
	return ascii || (utf8 && span_is_utf8(s));
}

void print_string(struct buf *out, struct span s, bool utf8)
{
	if (!can_quote(s, utf8)) {
		buf_add_format(out, "{%zu}\r\n", s.n);
		buf_add(out, s);
		return;
	}
	buf_add_octet(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_octet(out, '\\');
		buf_add_octet(out, s.p[i]);
	}
	buf_add_octet(out, '"');
}

void print_nstring(struct buf *out, struct span s, bool utf8)
{
	if (s.p)
		print_string(out, s, utf8);
	else
		buf_add_string(out, "NIL");
}

static bool can_be_atom(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || memchr("(){%*\"\\]", s.p[i], 8))
			return false;
	}
	return s.n > 0 && !span_is_nocase(s, "NIL");
}

void print_astring(struct buf *out, struct span s, bool utf8)
{
	if (can_be_atom(s))
		buf_add(out, s);
	else
		print_string(out, s, utf8);
}

void print_mailbox(struct buf *out, struct span name, bool utf8)
{
	CLEANUP(buf_done) struct buf encoded = {};

	if (!utf8) {
		mutf7_encode(&encoded, name);
		name = buf_span(&encoded);
	}
	print_astring(out, name, utf8);
}

static const struct {
	uint64_t flag;
	const char *name;
} system_flags[] = {
	{ FLAG_ANSWERED, "\\Answered" }, { FLAG_FLAGGED, "\\Flagged" },
	{ FLAG_DELETED, "\\Deleted" },   { FLAG_SEEN, "\\Seen" },
	{ FLAG_DRAFT, "\\Draft" },
};

void print_flags(struct buf *out, uint64_t flags, const struct keywords *keywords, bool recent)
{
	const char *gap = "";

	buf_add_octet(out, '(');
	for (size_t i = 0; i < sizeof system_flags / sizeof system_flags[0]; i++) {
		if (flags & system_flags[i].flag) {
			buf_add_string(out, gap);
			buf_add_string(out, system_flags[i].name);
			gap = " ";
		}
	}
	if (recent) {
		buf_add_string(out, gap);
		buf_add_string(out, "\\Recent");
		gap = " ";
	}
	for (unsigned i = 0; keywords && i < keywords->n; i++) {
		if (flags & (UINT64_C(1) << (FLAG_KEYWORD_SHIFT + i))) {
			buf_add_string(out, gap);
			buf_add_string(out, keywords->names[i]);
			gap = " ";
		}
	}
	buf_add_octet(out, ')');
}

void print_object_id(struct buf *out, const uint8_t key[PRINT_ID_KEY], char kind, int64_t account,
	int64_t id)
{
	enum { OCTETS = 15 }; /* twenty characters */
	uint8_t mac[SHA256_OCTETS];
	struct {
		int64_t kind, account, id;
	} row = { kind, account, id };

	digest_hmac_sha256(span_of(key, PRINT_ID_KEY), span_of(&row, sizeof row), mac);
	buf_add_octet(out, (uint8_t)kind);
	enc_base64url(out, span_of(mac, OCTETS));
}
