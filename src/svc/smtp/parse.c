/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Parsing. Paths are found here and their addresses read by mime/address. The only tolerance is
 * white space after the colon of MAIL and RCPT, which clients have sent since ever, and source
 * routes, which RFC 5321 section 4.1.1.3 wants accepted and ignored.
 */

#include "svc/smtp/parse.h"

#include "mail/transaction.h"
#include "mail/xtext.h"

enum {
	ENVELOPE_ID_MAX = 100, /* RFC 3461 section 4.4 */
	ORIGINAL_MAX = 500,    /* RFC 3461 section 4.2 */
	AUTH_MAX = 500,        /* RFC 4954 section 5 */
};

/* Octets up to the '>' that ends a path, passing over quoted strings; n if it does not end. */
static size_t path_end(struct span text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		if (quoted && text.p[i] == '\\')
			i++;
		else if (text.p[i] == '"')
			quoted = !quoted;
		else if (text.p[i] == '>' && !quoted)
			return i;
	}
	return text.n;
}

/* Takes "<...>" out of *rest. */
static bool path_parse(struct span *rest, struct smtp_path *ret_path)
{
	struct span inner;
	size_t end;

	*ret_path = (struct smtp_path){};
	if (rest->n == 0 || rest->p[0] != '<')
		return false;
	*rest = span_skip(*rest, 1);
	end = path_end(*rest);
	if (end == rest->n)
		return false;
	inner = span_head(*rest, end);
	*rest = span_skip(*rest, end + 1);
	if (inner.n == 0) {
		ret_path->null = true;
		return true;
	}
	if (inner.p[0] == '@') { /* "@a,@b:" in front */
		(void)span_cut(&inner, ':');
		if (inner.n == 0)
			return false;
	}
	if (span_is_nocase(inner, "postmaster")) {
		ret_path->postmaster = true;
		return true;
	}
	ret_path->utf8 = !span_is_ascii(inner);
	return address_normalize(inner, &ret_path->address) == 0;
}

struct parameter {
	struct span keyword;
	struct span value; /* p NULL: none */
};

/* RFC 5321 section 4.1.2: one SP-separated esmtp-param. false at the end. */
static bool parameter_next(struct span *rest, struct parameter *ret_parameter)
{
	struct span word;

	*rest = span_trim(*rest);
	if (rest->n == 0)
		return false;
	word = span_word(rest);
	ret_parameter->keyword = span_cut(&word, '=');
	ret_parameter->value = word.n ? word : (struct span){};
	return true;
}

/* RFC 5321 section 4.1.2: the value is of octets 33-60, 62-126 or, with SMTPUTF8, not ASCII. */
static bool value_is_clean(struct span value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < 33 || value.p[i] == '=' || value.p[i] == 127)
			return false;
	}
	return value.n > 0;
}

static bool is_xtext(struct span value, size_t max)
{
	CLEANUP(buf_done) struct buf decoded = {};

	return value.n > 0 && value.n <= max && xtext_decode(value, &decoded);
}

/* Parameters that were there, to refuse the second. */
enum {
	SEEN_SIZE = 1,
	SEEN_BODY = 2,
	SEEN_UTF8 = 4,
	SEEN_AUTH = 8,
	SEEN_RET = 16,
	SEEN_ENVID = 32,
	SEEN_NOTIFY = 64,
	SEEN_ORCPT = 128
};

static bool mail_parameter(const struct parameter *p, struct smtp_mail *mail, unsigned *bit)
{
	if (span_is_nocase(p->keyword, "SIZE")) {
		*bit = SEEN_SIZE;
		return span_to_u64(p->value, UINT64_MAX, &mail->size);
	}
	if (span_is_nocase(p->keyword, "BODY")) { /* RFC 6152; BINARYMIME is not on offer */
		*bit = SEEN_BODY;
		return span_is_nocase(p->value, "7BIT") || span_is_nocase(p->value, "8BITMIME");
	}
	if (span_is_nocase(p->keyword, "SMTPUTF8")) {
		*bit = SEEN_UTF8;
		mail->utf8 = true;
		return !p->value.p;
	}
	if (span_is_nocase(p->keyword, "AUTH")) { /* RFC 4954 section 5: nobody here relies on it */
		*bit = SEEN_AUTH;
		return is_xtext(p->value, AUTH_MAX);
	}
	if (span_is_nocase(p->keyword, "RET")) {
		*bit = SEEN_RET;
		mail->return_full = span_is_nocase(p->value, "FULL");
		return mail->return_full || span_is_nocase(p->value, "HDRS");
	}
	if (span_is_nocase(p->keyword, "ENVID")) {
		*bit = SEEN_ENVID;
		mail->envelope_id = p->value;
		return is_xtext(p->value, ENVELOPE_ID_MAX);
	}
	return false;
}

/* Takes "FROM:" or "TO:" and the path. */
static bool keyword_and_path(struct span *rest, struct span keyword, struct smtp_path *ret_path)
{
	if (!span_starts_nocase(*rest, keyword))
		return false;
	*rest = span_trim(span_skip(*rest, keyword.n));
	if (!path_parse(rest, ret_path))
		return false;
	/* What follows the path is behind a space. */
	return rest->n == 0 || rest->p[0] == ' ' || rest->p[0] == '\t';
}

enum smtp_reply smtp_parse_mail(struct span text, struct smtp_mail *ret_mail)
{
	struct smtp_mail mail = {};
	struct parameter p;
	unsigned seen = 0;

	if (!span_starts_nocase(text, SPAN("FROM:")))
		return REPLY_SYNTAX;
	if (!keyword_and_path(&text, SPAN("FROM:"), &mail.sender))
		return REPLY_SENDER_SYNTAX;
	while (parameter_next(&text, &p)) {
		unsigned bit = 0;
		bool ok = (!p.value.p || value_is_clean(p.value)) &&
			  mail_parameter(&p, &mail, &bit);

		if (!ok)
			return bit ? REPLY_BAD_PARAMETER : REPLY_UNKNOWN_PARAMETER;
		if (seen & bit)
			return REPLY_BAD_PARAMETER;
		seen |= bit;
	}
	/* RFC 6531 section 3.4 */
	if (mail.sender.utf8 && !mail.utf8)
		return REPLY_NEEDS_UTF8;
	*ret_mail = mail;
	return REPLY_NONE;
}

/* RFC 3461 section 4.1: NEVER alone, or a list of the others. */
static bool notify_parse(struct span value, unsigned *ret_notify)
{
	unsigned notify = 0;

	if (span_is_nocase(value, "NEVER")) {
		*ret_notify = NOTIFY_NEVER;
		return true;
	}
	while (value.n) {
		struct span item = span_cut(&value, ',');

		if (span_is_nocase(item, "SUCCESS"))
			notify |= NOTIFY_SUCCESS;
		else if (span_is_nocase(item, "FAILURE"))
			notify |= NOTIFY_FAILURE;
		else if (span_is_nocase(item, "DELAY"))
			notify |= NOTIFY_DELAY;
		else
			return false;
	}
	*ret_notify = notify;
	return notify != 0;
}

/* RFC 3461 section 4.2: address type, a semicolon, xtext; RFC 6533 section 3 for type utf-8, whose
 * own form is printable too. */
static bool original_is_good(struct span value)
{
	struct span rest = value, type = span_cut(&rest, ';');

	for (size_t i = 0; i < type.n; i++) {
		if (!octet_is_alpha(type.p[i]) && !octet_is_digit(type.p[i]) && type.p[i] != '-')
			return false;
	}
	if (type.n == 0 || rest.n == 0 || value.n > ORIGINAL_MAX)
		return false;
	return span_is_nocase(type, "utf-8") ? span_is_utf8(rest) : is_xtext(rest, ORIGINAL_MAX);
}

static bool rcpt_parameter(const struct parameter *p, struct smtp_rcpt *rcpt, unsigned *bit)
{
	if (span_is_nocase(p->keyword, "NOTIFY")) {
		*bit = SEEN_NOTIFY;
		return notify_parse(p->value, &rcpt->notify);
	}
	if (span_is_nocase(p->keyword, "ORCPT")) {
		*bit = SEEN_ORCPT;
		rcpt->original = p->value;
		return original_is_good(p->value);
	}
	return false;
}

enum smtp_reply smtp_parse_rcpt(struct span text, struct smtp_rcpt *ret_rcpt)
{
	struct smtp_rcpt rcpt = {};
	struct parameter p;
	unsigned seen = 0;

	if (!span_starts_nocase(text, SPAN("TO:")))
		return REPLY_SYNTAX;
	if (!keyword_and_path(&text, SPAN("TO:"), &rcpt.recipient) || rcpt.recipient.null)
		return REPLY_RECIPIENT_SYNTAX;
	while (parameter_next(&text, &p)) {
		unsigned bit = 0;
		bool ok = (!p.value.p || value_is_clean(p.value)) &&
			  rcpt_parameter(&p, &rcpt, &bit);

		if (!ok)
			return bit ? REPLY_BAD_PARAMETER : REPLY_UNKNOWN_PARAMETER;
		if (seen & bit)
			return REPLY_BAD_PARAMETER;
		seen |= bit;
	}
	*ret_rcpt = rcpt;
	return REPLY_NONE;
}

/* RFC 3030 section 2. */
enum smtp_reply smtp_parse_bdat(struct span text, struct smtp_bdat *ret_bdat)
{
	struct span rest = text, size = span_word(&rest);

	rest = span_trim(rest);
	ret_bdat->last = rest.n != 0;
	if (!span_to_u64(size, INT64_MAX, &ret_bdat->size) ||
		(rest.n && !span_is_nocase(rest, "LAST")))
		return REPLY_CHUNK_SYNTAX;
	return REPLY_NONE;
}

enum smtp_reply smtp_parse_helo(struct span text, struct span *ret_name)
{
	struct span name = span_trim(text);

	if (name.n == 0 || name.n > LIMIT_NAME)
		return REPLY_HELO_NAME;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (!octet_is_alpha(c) && !octet_is_digit(c) && !memchr("-_.:[]", c, 6))
			return REPLY_HELO_NAME;
	}
	*ret_name = name;
	return REPLY_NONE;
}

enum smtp_reply smtp_parse_auth(
	struct span text, struct span *ret_mechanism, struct span *ret_initial)
{
	struct span rest = span_trim(text);

	*ret_mechanism = span_word(&rest);
	*ret_initial = rest.n ? rest : (struct span){};
	return ret_mechanism->n && span_find(rest, ' ') == rest.n ? REPLY_NONE : REPLY_SYNTAX;
}

/* How many octets of data are whole, clean lines or parts of a line, up to one that begins with a
 * dot. A CR at the end stays behind: its LF may come. */
static enum smtp_text_outcome clean_run(struct smtp_text *t, struct span data, size_t *ret_n)
{
	size_t n = 0;

	while (n < data.n && !(t->line_start && data.p[n] == '.')) {
		struct span rest = span_skip(data, n);
		size_t lf = span_find(rest, '\n');
		size_t cr = span_find(span_head(rest, lf), '\r');

		*ret_n = n;
		if (lf == rest.n) {
			if (cr + 1 < rest.n)
				return SMTP_TEXT_BARE;
			if (cr)
				t->line_start = false;
			*ret_n = n + cr;
			return SMTP_TEXT_MORE;
		}
		if (cr + 1 != lf)
			return SMTP_TEXT_BARE;
		t->line_start = true;
		n += lf + 1;
	}
	*ret_n = n;
	return SMTP_TEXT_MORE;
}

enum smtp_text_outcome smtp_text_next(
	struct smtp_text *t, struct span *data, struct span *ret_piece)
{
	enum smtp_text_outcome outcome;
	size_t n;

	*ret_piece = (struct span){};
	if (t->line_start && data->n && data->p[0] == '.') {
		if (data->n == 1 || (data->p[1] == '\r' && data->n == 2))
			return SMTP_TEXT_MORE;
		if (data->p[1] == '\r') {
			if (data->p[2] != '\n')
				return SMTP_TEXT_BARE;
			*data = span_skip(*data, 3);
			return SMTP_TEXT_END;
		}
		*data = span_skip(*data, 1);
		t->line_start = false;
	}
	outcome = clean_run(t, *data, &n);
	*ret_piece = span_head(*data, n);
	*data = span_skip(*data, n);
	return outcome;
}

bool smtp_has_bare(struct span data, bool *cr)
{
	for (size_t i = 0; i < data.n; i++) {
		if (*cr != (data.p[i] == '\n'))
			return true;
		*cr = data.p[i] == '\r';
	}
	return false;
}
