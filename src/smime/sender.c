/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/sender.h"

#include "base/alloc.h"
#include "mime/header.h"
#include "mime/word.h"
#include "pki/altname.h"

#include <stdlib.h>

static bool name_of(const struct address *a, struct address_name *ret)
{
	CLEANUP(buf_done) struct buf text = {};

	address_add(&text, a->local, a->host);
	return a->host.n && address_normalize(buf_span(&text), ret) == 0;
}

static bool is_same(const struct address_name *a, const struct address_name *b)
{
	return span_equal(address_name_folded(a), address_name_folded(b)) &&
	       span_equal(address_name_domain(a), address_name_domain(b));
}

/* Whether some word of the display name is an address, and not the one that follows. */
static bool name_deceives(struct span phrase, const struct address_name *address)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span rest;
	struct address_name found;

	word_decode_phrase(phrase, &text);
	rest = buf_span(&text);
	while (rest.n) {
		struct span word = span_cut(&rest, ' ');

		while (word.n && memchr("<(\"'[", word.p[0], 5))
			word = span_skip(word, 1);
		while (word.n && memchr(">)\"'],;", word.p[word.n - 1], 7))
			word.n--;
		if (span_find(word, '@') < word.n && address_normalize(word, &found) == 0 &&
			!is_same(&found, address))
			return true;
	}
	return false;
}

static void add_authors(struct span value, struct sender *s)
{
	struct address_reader reader = { .rest = value };
	struct address a;
	struct address_name name;

	while (address_next(&reader, &a)) {
		if (a.kind != ADDRESS_MAILBOX)
			continue;
		if (s->n_authors == SENDER_AUTHORS_MAX || !name_of(&a, &name)) {
			s->is_odd = true;
			break;
		}
		s->name_is_address |= name_deceives(a.name, &name);
		s->authors = alloc_array(s->authors, s->n_authors + 1, sizeof *s->authors);
		s->authors[s->n_authors++] = name;
	}
	address_reader_done(&reader);
}

static void take_sender(struct span value, struct sender *s)
{
	struct address_reader reader = { .rest = value };
	struct address a;

	while (!s->has_sender && address_next(&reader, &a))
		s->has_sender = a.kind == ADDRESS_MAILBOX && name_of(&a, &s->sender);
	address_reader_done(&reader);
}

void sender_of(struct span header, struct sender *ret_sender)
{
	struct sender s = {};
	struct header_field f;
	size_t n = 0, n_from = 0;

	while (n++ < LIMIT_HEADERS && header_next(&header, &f)) {
		struct span value = span_head(f.value, LIMIT_HEADER_VALUE);

		if (span_is_nocase(f.name, "From")) {
			s.is_odd |= n_from++ > 0 || value.n < f.value.n;
			add_authors(value, &s);
		} else if (span_is_nocase(f.name, "Sender")) {
			take_sender(value, &s);
		}
	}
	s.is_odd |= s.n_authors == 0;
	*ret_sender = s;
}

void sender_done(struct sender *s)
{
	free(s->authors);
	*s = (struct sender){};
}

static bool has_author(const struct sender *s, const struct address_name *address)
{
	for (size_t i = 0; i < s->n_authors; i++) {
		if (is_same(&s->authors[i], address))
			return true;
	}
	return false;
}

bool sender_is_same(const struct sender *a, const struct sender *b)
{
	for (size_t i = 0; i < a->n_authors; i++) {
		if (!has_author(b, &a->authors[i]))
			return false;
	}
	for (size_t i = 0; i < b->n_authors; i++) {
		if (!has_author(a, &b->authors[i]))
			return false;
	}
	return true;
}

/* Of the alternative names those that are mail addresses, in the certificate's order. */
static bool alternative_address(const struct cert *cert, size_t i, struct span *ret_address)
{
	const STACK_OF(GENERAL_NAME) *names = cert_alt_names(cert);
	struct span found;

	for (int k = 0; names && k < sk_GENERAL_NAME_num(names); k++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, k);

		if (name->type == GEN_EMAIL)
			found = altname_text(name);
		else if (!altname_is_utf8_mailbox(name, &found))
			continue;
		if (i-- == 0) {
			*ret_address = found;
			return true;
		}
	}
	return false;
}

bool sender_cert_address(const struct cert *cert, size_t i, struct span *ret_address)
{
	struct span first;

	if (alternative_address(cert, 0, &first))
		return alternative_address(cert, i, ret_address);
	return altname_subject_email(cert, i, ret_address);
}

bool sender_cert_is_for(const struct cert *cert, const struct address_name *address)
{
	struct span text;
	struct address_name name;

	for (size_t i = 0; sender_cert_address(cert, i, &text); i++) {
		if (address_normalize(text, &name) == 0 && is_same(&name, address))
			return true;
	}
	return false;
}

enum smime_address_match sender_match(const struct sender *s, const struct cert *cert)
{
	for (size_t i = 0; i < s->n_authors; i++) {
		if (sender_cert_is_for(cert, &s->authors[i]))
			return SMIME_ADDRESS_FROM;
	}
	if (s->has_sender && sender_cert_is_for(cert, &s->sender))
		return SMIME_ADDRESS_SENDER;
	return SMIME_ADDRESS_NONE;
}
