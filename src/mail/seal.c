/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/seal.h"

#include "mime/part.h"
#include "smime/cert_cache.h"
#include "smime/encrypt.h"

enum { SEAL_RECIPIENTS_MAX = 4 };

bool seal_is_sealed(const struct part_tree *tree)
{
	const struct part *p = &tree->parts[0];
	struct span kind = param_raw(p->params, p->n_params, "smime-type");

	if (span_is(p->type, "multipart"))
		return span_is(p->subtype, "encrypted");
	if (!span_is(p->type, "application") ||
		(!span_is(p->subtype, "pkcs7-mime") && !span_is(p->subtype, "x-pkcs7-mime")))
		return false;
	return span_is_nocase(kind, "enveloped-data") || span_is_nocase(kind, "authEnveloped-data");
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
	for (size_t i = 0; i < n && r == 0; i++) {
		to[i].address = recipients[i].address;
		r = cert_cache_read(certs, recipients[i].der, &to[i].cert, why);
	}
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
