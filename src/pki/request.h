/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Requests for certificates: PKCS #10 (RFC 2986), read strictly and never changed. */

#include "base/buf.h"
#include "pki/subject.h"

enum { REQUEST_MAX = 64 * 1024 };

/* Appends the DER of a request for the subject, signed by the key (a local one or one of
 * keyd/provider.h); spki is its public half. It asks for the names, the usages of a server, and
 * nothing else. REFUSED: the subject cannot be one, with why. */
enum request_outcome { REQUEST_E_REFUSED = 1, REQUEST_E_SYNTAX, REQUEST_E_SIGNATURE };
int request_make(EVP_PKEY *signer, struct span spki, const struct subject *s, struct buf *out,
	struct why *why) MUST_CHECK;

struct request;

/* From DER (nothing behind it) or PEM with one request. REQUEST_E_SYNTAX, REQUEST_E_SIGNATURE (it is
 * not signed by the key in it), with why. */
int request_read(struct request **ret_request, struct span file, struct why *why) MUST_CHECK;
struct request *request_free(struct request *r);
CLEANUP_POINTER(struct request, request_free)

/* Borrowed, as long as the request. */
struct span request_spki(const struct request *r);

/* The subject as text (RFC 4514), the i-th DNS name asked for (false behind the last), PEM. */
void request_add_subject(const struct request *r, struct buf *out);
bool request_name(const struct request *r, size_t i, struct span *ret_name);
void request_add_pem(const struct request *r, struct buf *out);
