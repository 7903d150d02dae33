/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/report.h"

#include "base/alloc.h"

#include <stdlib.h>

static const struct {
	const char *name, *text;
} verdicts[SMIME_SIGNER_VERDICTS] = {
	[SMIME_SIGNER_OK] = { "ok", "the signature holds" },
	[SMIME_SIGNER_ALTERED] = { "content-altered",
		"the content was changed after it was signed" },
	[SMIME_SIGNER_INVALID] = { "signature-invalid", "the signature does not hold" },
	[SMIME_SIGNER_NO_CERTIFICATE] = { "certificate-missing",
		"the signer's certificate was not sent along and is not known here" },
	[SMIME_SIGNER_CHAIN_INCOMPLETE] = { "chain-incomplete",
		"an issuer's certificate was not sent along and is not known here" },
	[SMIME_SIGNER_UNTRUSTED] = { "untrusted",
		"the certificate's authority is not trusted here" },
	[SMIME_SIGNER_EXPIRED] = { "expired",
		"the certificate had expired when the message was signed" },
	[SMIME_SIGNER_NOT_YET_VALID] = { "not-yet-valid",
		"the certificate was not valid yet when the message was signed" },
	[SMIME_SIGNER_REVOKED] = { "revoked", "the certificate was revoked" },
	[SMIME_SIGNER_WRONG_PURPOSE] = { "wrong-purpose",
		"the certificate is not for signing mail" },
	[SMIME_SIGNER_CERTIFICATE_INVALID] = { "certificate-invalid",
		"the certificate is not valid" },
	[SMIME_SIGNER_ADDRESS_MISMATCH] = { "address-mismatch",
		"the certificate is for another address than the sender's" },
	[SMIME_SIGNER_SENDER_ONLY] = { "sender-only",
		"the signature is the sender's, not the author's" },
	[SMIME_SIGNER_WEAK] = { "weak-algorithm",
		"the signature rests on an algorithm or a key that no longer protects" },
	[SMIME_SIGNER_UNSUPPORTED] = { "unsupported-algorithm",
		"signatures of this kind are not verified here" },
	[SMIME_SIGNER_MALFORMED] = { "malformed", "the signature is not well-formed" },
};

const char *smime_signer_verdict_name(enum smime_signer_verdict verdict)
{
	return verdicts[verdict].name;
}

const char *smime_signer_verdict_text(enum smime_signer_verdict verdict)
{
	return verdicts[verdict].text;
}

const char *smime_layer_kind_name(enum smime_layer_kind kind)
{
	static const char *const names[] = { "signed", "opaque-signed", "certificates", "encrypted",
		"authenticated-encrypted", "compressed", "unknown" };

	return names[kind];
}

const char *smime_layer_state_name(enum smime_layer_state state)
{
	static const char *const names[] = { "open", "locked", "failed", "malformed", "unsupported",
		"too-large" };

	return names[state];
}

const char *smime_status_name(enum smime_status status)
{
	static const char *const names[] = { "none", "signed", "signed-encrypted", "encrypted",
		"not-verified", "locked", "unreadable" };

	return names[status];
}

const char *smime_field_protection_name(enum smime_field_protection protection)
{
	static const char *const names[] = { "unprotected", "signed", "encrypted",
		"signed-encrypted" };

	return names[protection];
}

const char *smime_header_source_name(enum smime_header_source source)
{
	static const char *const names[] = { "outer", "hp", "wrapped", "protected-headers" };

	return names[source];
}

static void signer_done(struct smime_signer *s)
{
	free(s->reason);
	free(s->issuer);
	free(s->serial);
	free(s->key_id);
	free(s->digest);
	free(s->algorithm);
	buf_done(&s->capabilities);
	cert_unref(s->cert);
	verdict_done(&s->path);
}

static void recipient_done(struct smime_recipient *r)
{
	free(r->issuer);
	free(r->serial);
	free(r->key_id);
	free(r->method);
}

static void layer_done(struct smime_layer *l)
{
	for (size_t i = 0; i < l->n_signers; i++)
		signer_done(&l->signers[i]);
	for (size_t i = 0; i < l->n_recipients; i++)
		recipient_done(&l->recipients[i]);
	free(l->signers);
	free(l->recipients);
	free(l->reason);
	free(l->part);
	free(l->cipher);
	cert_list_done(&l->certs);
}

/* A protected field may have been a secret. */
static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void smime_report_done(struct smime_report *r)
{
	for (size_t i = 0; i < r->n_layers; i++)
		layer_done(&r->layers[i]);
	for (size_t i = 0; i < r->n_fields; i++) {
		free(r->fields[i].name);
		wipe(r->fields[i].value);
		wipe(r->fields[i].outer);
	}
	for (size_t i = 0; i < r->n_notes; i++)
		free(r->notes[i].text);
	free(r->layers);
	free(r->fields);
	free(r->notes);
	*r = (struct smime_report){};
}

bool smime_report_is_verified(const struct smime_report *r)
{
	if (r->status != SMIME_STATUS_SIGNED && r->status != SMIME_STATUS_SIGNED_ENCRYPTED)
		return false;
	for (size_t i = 0; i < r->n_envelope; i++) {
		for (size_t k = 0; k < r->layers[i].n_signers; k++) {
			if (r->layers[i].signers[k].verdict != SMIME_SIGNER_OK)
				return false;
		}
	}
	return true;
}

bool smime_report_wants_key(const struct smime_report *r)
{
	for (size_t i = 0; i < r->n_envelope; i++) {
		const struct smime_layer *layer = &r->layers[i];

		for (size_t k = 0; layer->state == SMIME_LOCKED && k < layer->n_recipients; k++) {
			if (layer->recipients[k].is_ours)
				return true;
		}
	}
	return false;
}

const struct smime_field *smime_report_field(const struct smime_report *r, const char *name)
{
	for (size_t i = 0; i < r->n_fields; i++) {
		if (span_is_nocase(span_str(r->fields[i].name), name))
			return &r->fields[i];
	}
	return NULL;
}

static const char *signer_reason(const struct smime_signer *s)
{
	return s->reason ? s->reason : smime_signer_verdict_text(s->verdict);
}

/* Whether a note says why a message is not verified, rather than something beside that. */
static bool is_a_reason(const char *rule)
{
	static const char *const rules[] = { "partly-signed", "partly-encrypted", "signed-outside",
		"certificates-only", "no-signer", "from", "limit" };

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if (strcmp(rule, rules[i]) == 0)
			return true;
	}
	return false;
}

void smime_report_add_reason(const struct smime_report *r, struct buf *out)
{
	for (size_t i = 0; i < r->n_envelope; i++) {
		const struct smime_layer *l = &r->layers[i];

		if (l->reason) {
			buf_add_string(out, l->reason);
			return;
		}
		for (size_t k = 0; k < l->n_signers; k++) {
			if (l->signers[k].verdict == SMIME_SIGNER_OK)
				continue;
			buf_add_string(out, signer_reason(&l->signers[k]));
			return;
		}
	}
	for (size_t i = 0; i < r->n_notes; i++) {
		if (is_a_reason(r->notes[i].rule)) {
			buf_add_string(out, r->notes[i].text);
			return;
		}
	}
}
