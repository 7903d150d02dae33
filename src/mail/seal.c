/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/seal.h"

#include "mime/part.h"
#include "smime/cert_cache.h"
#include "smime/cms_front.h"
#include "smime/encrypt.h"
#include "smime/layer.h"

enum {
	SEAL_RECIPIENTS_MAX = 4,
	PACKET_FRONT = 256, /* octets of base64 that are looked at */
};

/* OpenPGP's own MIME type: RFC 3156 section 4. */
static bool is_pgp(const struct part_tree *tree)
{
	const struct part *p = &tree->parts[0], *first, *second;

	if (p->kind != PART_MULTIPART || !span_is(p->type, "multipart") ||
		!span_is(p->subtype, "encrypted"))
		return false;
	first = &tree->parts[p->first_child];
	if (first->next == PART_NONE)
		return false;
	second = &tree->parts[first->next];
	return second->next == PART_NONE && span_is(first->type, "application") &&
	       span_is(first->subtype, "pgp-encrypted") && span_is(second->type, "application") &&
	       span_is(second->subtype, "octet-stream");
}

static bool is_cms(const struct part_tree *tree)
{
	return tree->parts[0].kind == PART_LEAF && layer_is_one(&tree->parts[0], tree);
}

bool seal_is_claimed(const struct part_tree *tree)
{
	return is_pgp(tree) || is_cms(tree);
}

/* The body of a part as far as it is there, without its encoding. */
static void decode(const struct part *p, struct span message, struct buf *out)
{
	struct decoder decoder = { .encoding = p->encoding };
	size_t from = p->body_offset < message.n ? (size_t)p->body_offset : message.n;
	size_t to = p->end_offset < message.n ? (size_t)p->end_offset : message.n;

	decoder_feed(&decoder, span_head(span_skip(message, from), to - from), out);
	decoder_end(&decoder, out);
}

/* RFC 9580 section 4.2, 10.3.3: an encrypted message begins with a session key for somebody: a
 * packet of kind 1 and version 3 or 6, or of kind 3 and version 4 to 6 (sections 5.1, 5.3). */
static bool begins_with_session_key(struct span packets)
{
	uint8_t first = packets.n ? packets.p[0] : 0;
	bool is_new = first & 0x40;
	unsigned tag = is_new ? first & 0x3F : (first >> 2) & 0x0F;
	size_t n_length = is_new ? 1 : (size_t)1 << (first & 3);
	uint8_t version;

	if (is_new && packets.n > 1 && packets.p[1] >= 192)
		n_length = packets.p[1] == 255 ? 5 : 2;
	if (!(first & 0x80) || packets.n < 2 + n_length || (!is_new && (first & 3) == 3))
		return false;
	version = packets.p[1 + n_length];
	return (tag == 1 && (version == 3 || version == 6)) ||
	       (tag == 3 && version >= 4 && version <= 6);
}

/* RFC 9580 section 6.2: the line, header lines, an empty one, base64. */
static bool is_armored_pgp(struct span text)
{
	CLEANUP(buf_done) struct buf packets = {};
	struct decoder decoder = { .encoding = ENCODING_BASE64 };
	struct span line;

	do {
		if (text.n == 0)
			return false;
		line = span_trim(span_cut(&text, '\n'));
	} while (line.n == 0);
	if (!span_is(line, "-----BEGIN PGP MESSAGE-----"))
		return false;
	while (text.n && span_trim(span_cut(&text, '\n')).n)
		continue;
	decoder_feed(&decoder, span_head(text, PACKET_FRONT), &packets);
	decoder_end(&decoder, &packets);
	return begins_with_session_key(buf_span(&packets));
}

bool seal_is_sealed(const struct part_tree *tree, struct span message)
{
	CLEANUP(buf_done) struct buf body = {};
	const struct part *p = &tree->parts[0];

	if (is_cms(tree)) {
		decode(p, message, &body);
		return cms_front_is_encrypted(buf_span(&body), p->end_offset <= message.n);
	}
	if (!is_pgp(tree))
		return false;
	decode(&tree->parts[tree->parts[p->first_child].next], message, &body);
	return is_armored_pgp(buf_span(&body));
}

static int seal(const struct encrypt_request *e, struct span message, struct buf *out,
	struct why *why)
{
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	int r = encrypt_message(e, message, out, &faults, why);

	if (r == ENCRYPT_E_RECIPIENTS && faults.n)
		why_set(why, "%s", faults.faults[0].why.text);
	return r > 0 ? SEAL_E_REFUSED : r;
}

int seal_message(const struct seal_recipient *recipients, size_t n, struct span message,
	struct cert_cache *certs, int64_t now_us, struct buf *out, struct why *why)
{
	CLEANUP(buf_done) struct buf sealed = {};
	struct encrypt_recipient to[SEAL_RECIPIENTS_MAX] = {};
	struct encrypt_request request = { .recipients = to, .n_recipients = n, .now_us = now_us };
	int r = 0;

	if (recipients[0].cipher)
		request.cipher = cipher_by_name(span_str(recipients[0].cipher));
	for (size_t i = 0; i < n && r == 0; i++)
		r = cert_cache_read(certs, recipients[i].der, &to[i].cert, why);
	if (r == 0)
		r = seal(&request, message, &sealed, why);
	else if (r > 0)
		r = SEAL_E_REFUSED;
	for (size_t i = 0; i < n; i++)
		cert_unref(to[i].cert);
	if (r == 0)
		buf_add(out, buf_span(&sealed));
	return r;
}
