/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The report as JSON. Each member brings its own comma: a list of them is one function after the
 * other. */

#include "smime/report.h"

#include "base/clock.h"
#include "base/enc.h"
#include "mime/word.h"
#include "smime/sender.h"

static void add_name(struct buf *out, const char *name)
{
	struct span s = buf_span(out);

	if (s.n && s.p[s.n - 1] != '{')
		buf_add_octet(out, ',');
	buf_add_format(out, "\"%s\":", name);
}

static void add_text(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	add_name(out, name);
	verdict_add_json_string(span_str(text), out);
}

static void add_bool(struct buf *out, const char *name, bool value)
{
	add_name(out, name);
	buf_add_string(out, value ? "true" : "false");
}

static void add_number(struct buf *out, const char *name, size_t n)
{
	add_name(out, name);
	buf_add_u64(out, n);
}

static void add_time(struct buf *out, const char *name, int64_t time_us)
{
	add_name(out, name);
	buf_add_octet(out, '"');
	clock_add_rfc3339(out, time_us);
	buf_add_octet(out, '"');
}

/* A member made by a function of something that appends text. */
static void add_printed(struct buf *out, const char *name, const struct cert *cert,
	void (*print)(const struct cert *cert, struct buf *out))
{
	CLEANUP(buf_done) struct buf text = {};

	print(cert, &text);
	add_name(out, name);
	verdict_add_json_string(buf_span(&text), out);
}

static void add_emails(struct buf *out, const struct cert *cert)
{
	struct span address;

	add_name(out, "emails");
	buf_add_octet(out, '[');
	for (size_t i = 0; sender_cert_address(cert, i, &address); i++) {
		if (i)
			buf_add_octet(out, ',');
		verdict_add_json_string(address, out);
	}
	buf_add_octet(out, ']');
}

static void add_cert(struct buf *out, const char *name, const struct cert *cert)
{
	add_name(out, name);
	buf_add_octet(out, '{');
	add_printed(out, "subject", cert, cert_add_subject);
	add_emails(out, cert);
	add_printed(out, "issuer", cert, cert_add_issuer);
	add_printed(out, "serial", cert, cert_add_serial);
	add_time(out, "not_before", cert_not_before_us(cert));
	add_time(out, "not_after", cert_not_after_us(cert));
	add_printed(out, "key", cert, cert_add_key_text);
	add_printed(out, "fingerprint", cert, cert_add_fingerprint_text);
	buf_add_octet(out, '}');
}

static const char *address_name_of(enum smime_address_match match)
{
	static const char *const names[] = { "not-compared", "from", "sender", "none" };

	return names[match];
}

static void add_signer(struct buf *out, const struct smime_signer *s)
{
	buf_add_octet(out, '{');
	add_text(out, "verdict", smime_signer_verdict_name(s->verdict));
	add_text(out, "reason", s->reason ? s->reason : smime_signer_verdict_text(s->verdict));
	add_text(out, "issuer", s->issuer);
	add_text(out, "serial", s->serial);
	add_text(out, "key_id", s->key_id);
	add_text(out, "digest", s->digest);
	add_text(out, "algorithm", s->algorithm);
	add_bool(out, "weak", s->is_weak);
	if (s->has_signing_time)
		add_time(out, "signing_time", s->signing_time_us);
	if (s->verified_at_us)
		add_time(out, "verified_at", s->verified_at_us);
	add_bool(out, "expired_since", s->expired_since);
	add_bool(out, "signing_certificate", s->has_signing_certificate);
	if (buf_size(&s->capabilities)) {
		add_name(out, "capabilities");
		buf_add_octet(out, '"');
		enc_base64(out, buf_span(&s->capabilities));
		buf_add_octet(out, '"');
	}
	add_text(out, "address", address_name_of(s->address));
	if (s->cert)
		add_cert(out, "certificate", s->cert);
	add_name(out, "findings");
	verdict_add_findings_json(&s->path, out);
	buf_add_octet(out, '}');
}

static void add_recipient(struct buf *out, const struct smime_recipient *r)
{
	buf_add_octet(out, '{');
	add_text(out, "issuer", r->issuer);
	add_text(out, "serial", r->serial);
	add_text(out, "key_id", r->key_id);
	add_text(out, "method", r->method);
	add_bool(out, "supported", r->is_supported);
	add_bool(out, "ours", r->is_ours);
	add_bool(out, "opened", r->opened);
	buf_add_octet(out, '}');
}

static void begin_list(struct buf *out, const char *name)
{
	add_name(out, name);
	buf_add_octet(out, '[');
}

/* Between the items of a list. */
static void separate(struct buf *out, size_t i)
{
	if (i)
		buf_add_octet(out, ',');
}

static void add_layer(struct buf *out, const struct smime_layer *l)
{
	buf_add_octet(out, '{');
	add_text(out, "kind", smime_layer_kind_name(l->kind));
	add_text(out, "state", smime_layer_state_name(l->state));
	add_text(out, "reason", l->reason);
	add_bool(out, "errant", l->is_errant);
	if (l->parent != SIZE_MAX)
		add_number(out, "parent", l->parent);
	add_text(out, "part", l->part);
	add_number(out, "octets", l->n_octets);
	add_text(out, "cipher", l->cipher);
	add_bool(out, "weak", l->is_weak);
	begin_list(out, "recipients");
	for (size_t i = 0; i < l->n_recipients; i++) {
		separate(out, i);
		add_recipient(out, &l->recipients[i]);
	}
	buf_add_octet(out, ']');
	begin_list(out, "signers");
	for (size_t i = 0; i < l->n_signers; i++) {
		separate(out, i);
		add_signer(out, &l->signers[i]);
	}
	buf_add_string(out, "]}");
}

static void add_field(struct buf *out, const struct smime_field *f)
{
	CLEANUP(buf_wipe) struct buf text = {};

	word_decode(span_str(f->value), &text);
	buf_add_octet(out, '{');
	add_text(out, "name", f->name);
	add_text(out, "value", f->value);
	add_name(out, "text");
	verdict_add_json_string(buf_span(&text), out);
	add_text(out, "outer", f->outer);
	add_bool(out, "differs", f->differs);
	add_text(out, "protection", smime_field_protection_name(f->protection));
	buf_add_octet(out, '}');
}

static void add_note(struct buf *out, const struct smime_note *n)
{
	buf_add_octet(out, '{');
	add_text(out, "rule", n->rule);
	add_text(out, "text", n->text);
	buf_add_octet(out, '}');
}

void smime_report_add_json(const struct smime_report *r, struct buf *out)
{
	buf_add_octet(out, '{');
	add_text(out, "status", smime_status_name(r->status));
	add_bool(out, "verified", smime_report_is_verified(r));
	add_bool(out, "encrypted", r->is_encrypted);
	add_bool(out, "authenticated", r->is_authenticated);
	add_bool(out, "weak", r->is_weak);
	add_number(out, "envelope", r->n_envelope);
	begin_list(out, "layers");
	for (size_t i = 0; i < r->n_layers; i++) {
		separate(out, i);
		add_layer(out, &r->layers[i]);
	}
	buf_add_octet(out, ']');
	add_text(out, "header", smime_header_source_name(r->header));
	add_bool(out, "from_mismatch", r->from_mismatch);
	begin_list(out, "fields");
	for (size_t i = 0; i < r->n_fields; i++) {
		separate(out, i);
		add_field(out, &r->fields[i]);
	}
	buf_add_octet(out, ']');
	begin_list(out, "notes");
	for (size_t i = 0; i < r->n_notes; i++) {
		separate(out, i);
		add_note(out, &r->notes[i]);
	}
	buf_add_string(out, "]}");
}
