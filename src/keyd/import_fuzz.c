/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Key files, with the passphrase of the corpus. What holds: a file is refused with a reason, or gives
 * a private key and certificates that read. */

#include "pki/import_file.h"
#include "pki/cert.h"
#include "pki/key.h"

#include <openssl/err.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(imported_done) struct imported imported = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	const struct import_order order = { .file = span_of(data, size), .passphrase = SPAN("password") };
	struct cert_list certs = {};
	struct why why = {};
	int r;

	r = import_parse(&order, &imported, &why);
	if (r < 0 || (r > 0 && !why.text[0]) || ERR_peek_error())
		abort();
	if (r)
		return 0;
	if (key_from_pkcs8(&key, secret_span(&imported.pkcs8), NULL) ||
		cert_list_from_der(&certs, buf_span(&imported.certs), NULL))
		abort();
	cert_list_done(&certs);
	return 0;
}
