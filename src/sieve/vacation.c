/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Answers of somebody who is away: RFC 5230 with the rules of RFC 3834 about who gets none. That
 * nobody is answered twice in a time is seen to by whoever sends it, by the handle.
 */

#include "base/digest.h"
#include "base/enc.h"
#include "mime/address.h"
#include "sieve/expand.h"
#include "sieve/run.h"

enum { SUBJECT_MAX = 500 }; /* octets of the message's that an answer repeats */

static struct sieve_field *first_field(struct sieve_run *r, const char *name)
{
	size_t i = 0;

	return run_field_next(r, span_str(name), &i);
}

/* RFC 3834 section 2, RFC 5230 section 4.6: mail of programs and lists. */
static bool is_automatic(struct sieve_run *r)
{
	static const char *const list_fields[] = { "List-Id", "List-Help", "List-Subscribe",
		"List-Unsubscribe", "List-Post", "List-Owner", "List-Archive", "Feedback-ID",
		"X-Loop" };
	static const char *const precedences[] = { "bulk", "list", "junk" };
	const struct sieve_field *f = first_field(r, "Auto-Submitted");
	struct span value;

	if (f) {
		value = f->value; /* RFC 3834 section 5: "no", perhaps with parameters and comments
				   */
		value = span_trim(span_cut(&value, ';'));
		value = span_trim(span_cut(&value, '('));
		if (!span_is_nocase(value, "no"))
			return true;
	}
	for (size_t i = 0; i < sizeof list_fields / sizeof list_fields[0]; i++) {
		if (first_field(r, list_fields[i]))
			return true;
	}
	f = first_field(r, "Precedence");
	for (size_t i = 0; f && i < sizeof precedences / sizeof precedences[0]; i++) {
		if (span_is_nocase(span_trim(f->value), precedences[i]))
			return true;
	}
	f = first_field(r, "X-Auto-Response-Suppress"); /* what some servers write */
	return f != NULL;
}

static bool ends_nocase(struct span text, const char *end)
{
	size_t n = strlen(end);

	return text.n >= n && span_equal_nocase(span_skip(text, text.n - n), span_str(end));
}

/* RFC 5230 section 4.6, RFC 3834 section 2: addresses behind which there is nobody. */
static bool is_nobody(struct span address)
{
	static const char *const names[] = { "mailer-daemon", "listserv", "majordomo", "postmaster",
		"noreply", "no-reply", "donotreply", "do-not-reply", "bounce", "bounces" };
	struct span local = address;
	size_t at = address.n;

	while (at && address.p[at - 1] != '@')
		at--;
	local = span_head(address, at ? at - 1 : 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (span_is_nocase(local, names[i]))
			return true;
	}
	return local.n == 0 || span_starts_nocase(local, SPAN("owner-")) ||
	       span_starts_nocase(local, SPAN("bounce-")) ||
	       span_starts_nocase(local, SPAN("bounces-")) ||
	       span_starts_nocase(local, SPAN("noreply-")) || ends_nocase(local, "-request") ||
	       ends_nocase(local, "-owner") || ends_nocase(local, "-noreply");
}

/* The addresses that mean this account: RFC 5230 section 4.5. */
static int is_own(struct sieve_run *r, const struct sieve_node *n, struct span address,
	bool *ret_own)
{
	const struct sieve_slot_value *more = &n->slots[SLOT_ADDRESSES];
	struct span text;
	int result = 0;

	*ret_own = span_equal_nocase(address, r->input->own_address) ||
		   span_equal_nocase(address, r->input->recipient);
	for (size_t i = 0; more->value && i < more->value->n_strings && result == 0 && !*ret_own;
		i++) {
		result = sieve_expand(r, &more->value->strings[i], &text);
		if (result == 0)
			result = run_spend(r, text.n);
		*ret_own = result == 0 && span_equal_nocase(text, address);
	}
	return result;
}

static int field_names_own(struct sieve_run *r, const struct sieve_node *n, struct span value,
	bool *ret_found)
{
	struct address_reader reader = { .rest = span_head(value, LIMIT_HEADER_VALUE) };
	struct address a;
	int result = run_spend_addresses(r, reader.rest.n);

	*ret_found = false;
	while (result == 0 && !*ret_found && address_next(&reader, &a)) {
		CLEANUP(buf_done) struct buf text = {};

		if (a.kind != ADDRESS_MAILBOX || a.host.n == 0)
			continue;
		address_add(&text, a.local, a.host);
		result = is_own(r, n, buf_span(&text), ret_found);
	}
	address_reader_done(&reader);
	return result;
}

/* RFC 5230 section 4.5: only to who has written to us, not to a list that we are on. */
static int is_addressed(struct sieve_run *r, const struct sieve_node *n, bool *ret_found)
{
	static const char *const names[] = { "To", "Cc", "Bcc", "Resent-To", "Resent-Cc",
		"Resent-Bcc" };
	const struct sieve_field *f;
	int result = 0;

	*ret_found = false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t at = 0;

		while (result == 0 && !*ret_found &&
			(f = run_field_next(r, span_str(names[i]), &at)))
			result = field_names_own(r, n, f->value, ret_found);
	}
	return result;
}

static int expand_slot(struct sieve_run *r, const struct sieve_node *n, enum sieve_slot slot,
	struct span *ret_text)
{
	*ret_text = (struct span){};
	if (!n->slots[slot].value)
		return 0;
	return sieve_expand(r, &n->slots[slot].value->strings[0], ret_text);
}

/* RFC 5230 section 4.2: without a handle, another answer is another one. */
static void set_handle(struct sieve_run *r, struct sieve_action *a)
{
	CLEANUP(buf_done) struct buf all = {}, hex = {};
	uint8_t digest[SHA256_OCTETS];

	buf_add_format(&all, "%d", a->handle.n > 0);
	if (a->handle.n) {
		buf_add(&all, a->handle);
	} else {
		buf_add(&all, a->subject);
		buf_add_octet(&all, 0);
		buf_add(&all, a->from);
		buf_add_octet(&all, a->mime);
		buf_add(&all, a->reason);
	}
	digest_sha256(buf_span(&all), digest);
	enc_hex(&hex, span_of(digest, sizeof digest));
	a->handle = arena_span(r->arena, buf_span(&hex));
}

/* RFC 5230 section 4.3: what is not said is made of the message's own. */
static int set_subject(struct sieve_run *r, struct sieve_action *a)
{
	CLEANUP(buf_done) struct buf subject = {};
	struct sieve_field *f = first_field(r, "Subject");
	struct span text = SPAN("your message");
	int result = 0;

	if (a->subject.n)
		return 0;
	if (f)
		result = run_field_text(r, f, &text);
	if (result)
		return result;
	buf_add_string(&subject, "Auto: ");
	buf_add(&subject, span_head_utf8(text, SUBJECT_MAX));
	a->subject = arena_span(r->arena, buf_span(&subject));
	return 0;
}

static int fill_in(struct sieve_run *r, const struct sieve_node *n, struct sieve_action *a)
{
	CLEANUP(buf_done) struct buf address = {};
	const struct sieve_slot_value *days = &n->slots[SLOT_DAYS];
	uint64_t asked = days->tag ? days->value->number : 7;
	int result = sieve_expand(r, &n->positional[0]->strings[0], &a->reason);

	if (result == 0)
		result = expand_slot(r, n, SLOT_SUBJECT, &a->subject);
	if (result == 0)
		result = expand_slot(r, n, SLOT_FROM, &a->from);
	if (result == 0)
		result = expand_slot(r, n, SLOT_HANDLE, &a->handle);
	if (result)
		return result;
	if (a->from.n && !run_single_address(a->from, &address))
		return run_fail(r, "line %u: :from is no mail address", n->place.line);
	a->reason = span_head_utf8(a->reason, SIEVE_REASON_MAX);
	a->mime = n->slots[SLOT_MIME].tag != TAG_NOTHING;
	/* RFC 5230 section 4.1 */
	a->days = asked < 1 ? 1 : asked > SIEVE_DAYS_MAX ? SIEVE_DAYS_MAX : (unsigned)asked;
	set_handle(r, a);
	return set_subject(r, a);
}

int run_vacation(struct sieve_run *r, const struct sieve_node *n, bool *ret_true)
{
	struct sieve_action a = { .kind = SIEVE_VACATION };
	bool own = false, addressed = false;
	int result = run_fields(r);

	(void)ret_true;
	if (result == 0)
		result = run_spend(r, r->n_fields * 20 * SIEVE_STEP_OCTETS / 4);
	/* RFC 3834 section 3.3: not to the null path. */
	if (result || r->input->sender.n == 0 || is_nobody(r->input->sender) || is_automatic(r))
		return result;
	result = is_own(r, n, r->input->sender, &own);
	if (result == 0 && !own)
		result = is_addressed(r, n, &addressed);
	if (result || own || !addressed)
		return result;
	a.target = arena_span(r->arena, r->input->sender);
	result = fill_in(r, n, &a);
	return result ? result : run_add_vacation(r, n, &a);
}
