/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/pem.h"

#include "base/enc.h"

#include <openssl/err.h>
#include <openssl/pem.h>

enum { LINE = 48 }; /* octets that make 64 characters, RFC 7468 section 2 */

void pem_add(struct buf *out, const char *label, struct span der)
{
	buf_add_format(out, "-----BEGIN %s-----\n", label);
	for (struct span rest = der; rest.n; rest = span_skip(rest, LINE)) {
		enc_base64(out, span_head(rest, LINE));
		buf_add_octet(out, '\n');
	}
	buf_add_format(out, "-----END %s-----\n", label);
}

bool pem_is(struct span file)
{
	return span_find_span(file, SPAN("-----BEGIN ")) < file.n;
}

bool pem_has_private_key(struct span text)
{
	return pem_is(text) && span_find_span(text, SPAN("PRIVATE KEY-----")) < text.n;
}

bool pem_find(struct span text, const char *label, struct buf *out)
{
	BIO *bio = text.n <= INT32_MAX ? BIO_new_mem_buf(text.p, (int)text.n) : NULL;
	char *name = NULL, *header = NULL;
	uint8_t *data = NULL;
	bool found = false;
	long n = 0;

	while (bio && !found && PEM_read_bio(bio, &name, &header, &data, &n)) {
		found = !label || strcmp(name, label) == 0;
		if (found)
			buf_add(out, span_of(data, (size_t)n));
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, (size_t)n);
	}
	BIO_free(bio);
	ERR_clear_error();
	return found;
}
