/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "acme/renewal.h"

#include "base/enc.h"

#include <openssl/x509v3.h>
#include <time.h>

#define SECOND_US ((int64_t)1000000)
#define MINUTE_US (60 * SECOND_US)
#define DAY_US    (24 * 60 * MINUTE_US)

/* So that no sum overflows, whatever a server says. */
#define RETRY_MAX_US (7 * DAY_US)

enum { SERIAL_MAX = 64 };

/* The octets of the INTEGER as DER has them, with a leading zero where the first bit is set. */
static bool add_serial(const ASN1_INTEGER *serial, struct buf *out)
{
	uint8_t der[SERIAL_MAX + 2], *p = der;
	int n = i2d_ASN1_INTEGER(serial, NULL);

	if (n <= 2 || n > (int)sizeof der || i2d_ASN1_INTEGER(serial, &p) != n)
		return false;
	enc_base64url(out, span_of(der + 2, (size_t)n - 2));
	return true;
}

int renewal_add_id(const struct cert *cert, struct buf *out)
{
	X509 *x509 = cert_x509(cert);
	const ASN1_OCTET_STRING *issuer = X509_get0_authority_key_id(x509);
	size_t before = buf_size(out);

	if (!issuer || ASN1_STRING_length(issuer) <= 0)
		return RENEWAL_E_NONE;
	enc_base64url(out,
		span_of(ASN1_STRING_get0_data(issuer), (size_t)ASN1_STRING_length(issuer)));
	buf_add_octet(out, '.');
	if (add_serial(X509_get0_serialNumber(x509), out))
		return 0;
	buf_cut(out, before);
	return RENEWAL_E_NONE;
}

static int64_t part(int64_t length_us, uint64_t random)
{
	return length_us > 0 ? (int64_t)(random % (uint64_t)length_us) : 0;
}

int64_t renewal_time(int64_t not_before_us, int64_t not_after_us, uint64_t random)
{
	int64_t life = not_after_us - not_before_us;

	return not_before_us + life / 3 * 2 - part(life / 20, random);
}

int64_t renewal_pick(int64_t start_us, int64_t end_us, int64_t now_us, uint64_t random)
{
	int64_t at = start_us + part(end_us - start_us, random);

	return at > now_us ? at : now_us;
}

int64_t renewal_ask_again(int64_t retry_after_us, int64_t now_us)
{
	if (retry_after_us == 0)
		return now_us + DAY_US / 4;
	if (retry_after_us < now_us + MINUTE_US)
		return now_us + MINUTE_US;
	return retry_after_us < now_us + DAY_US ? retry_after_us : now_us + DAY_US;
}

int64_t renewal_retry(unsigned n_failures, int64_t retry_after_us, int64_t now_us, uint64_t random)
{
	int64_t wait = 5 * MINUTE_US;

	while (n_failures-- > 1 && wait < DAY_US)
		wait *= 2;
	if (wait > DAY_US)
		wait = DAY_US;
	wait += part(wait / 4, random);
	if (retry_after_us > now_us + RETRY_MAX_US)
		retry_after_us = now_us + RETRY_MAX_US;
	return retry_after_us > now_us + wait ? retry_after_us : now_us + wait;
}

int64_t renewal_retry_after(const char *text, int64_t now_us)
{
	struct tm tm = {};
	uint64_t seconds;
	const char *end;

	if (!text)
		return 0;
	if (span_to_u64(span_str(text), (uint64_t)1 << 32, &seconds))
		return now_us + (int64_t)seconds * SECOND_US;
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!end || *end || tm.tm_year < 70)
		return 0;
	return (int64_t)timegm(&tm) * SECOND_US;
}
