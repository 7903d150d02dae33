/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The checks are a list in the order in which they are worth telling. */

#include "smime/recipient.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "pki/altname.h"
#include "pki/key.h"
#include "smime/sender.h"

#include <openssl/err.h>

enum {
	RSA_BITS_MIN = 1024, /* RFC 8551 section 4.3 */
	NAME_SHOWN = 200,    /* octets of a name in a reason */
};

static const char *const fault_names[] = {
	[RECIPIENT_FIT] = "ok",
	[RECIPIENT_NONE] = "no_certificate",
	[RECIPIENT_NOT_YET] = "not_yet_valid",
	[RECIPIENT_EXPIRED] = "expired",
	[RECIPIENT_KEY_KIND] = "unsupported_key",
	[RECIPIENT_WEAK_KEY] = "weak_key",
	[RECIPIENT_KEY_USAGE] = "key_usage",
	[RECIPIENT_EXTENDED_USAGE] = "extended_key_usage",
	[RECIPIENT_ADDRESS] = "address",
	[RECIPIENT_REVOKED] = "revoked",
};

const char *recipient_fault_name(enum recipient_fault fault)
{
	return fault_names[fault];
}

/* Many certificates for mail have no subject, only addresses (RFC 5280 section 4.1.2.6). */
static void add_name(const struct cert *cert, struct buf *out)
{
	struct span address;

	cert_add_subject(cert, out);
	if (!buf_size(out) && sender_cert_address(cert, 0, &address))
		buf_add(out, address);
}

static void why_set_list(const struct cert *cert, struct why *why, const char *format, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void why_set_list(const struct cert *cert, struct why *why, const char *format, va_list ap)
{
	CLEANUP(buf_done) struct buf name = {};
	CLEANUP(alloc_freep) char *reason = alloc_format_list(format, ap);
	struct span shown;

	add_name(cert, &name);
	shown = span_head_utf8(buf_span(&name), NAME_SHOWN);
	why_set(why, "the certificate of %.*s %s", (int)shown.n, (const char *)shown.p, reason);
}

void recipient_why(const struct cert *cert, struct why *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	why_set_list(cert, why, format, ap);
	va_end(ap);
}

static enum recipient_fault refuse(const struct cert *cert, enum recipient_fault fault,
	struct why *why, const char *format, ...) __attribute__((format(printf, 4, 5)));

static enum recipient_fault refuse(const struct cert *cert, enum recipient_fault fault,
	struct why *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	why_set_list(cert, why, format, ap);
	va_end(ap);
	return fault;
}

enum recipient_fault recipient_check_time(const struct cert *cert, int64_t now_us, struct why *why)
{
	bool early = now_us < cert_not_before_us(cert);
	CLEANUP(buf_done) struct buf time = {};

	if (!early && now_us <= cert_not_after_us(cert))
		return RECIPIENT_FIT;
	clock_add_rfc3339(&time, early ? cert_not_before_us(cert) : cert_not_after_us(cert));
	return refuse(cert, early ? RECIPIENT_NOT_YET : RECIPIENT_EXPIRED, why, "%s %.*s",
		early ? "is not valid before" : "expired at", (int)buf_size(&time),
		(const char *)buf_span(&time).p);
}

static enum recipient_fault check_key(const struct cert *cert, struct why *why)
{
	EVP_PKEY *key = X509_get0_pubkey(cert_x509(cert));

	ERR_clear_error();
	if (key && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
		return refuse(cert, RECIPIENT_WEAK_KEY, why,
			"has an RSA key of %d bits: anybody can break that",
			EVP_PKEY_get_bits(key));
	if (!key || key_check(key, NULL) || !key_is_bounded(key))
		return refuse(cert, RECIPIENT_KEY_KIND, why,
			"has a key (%s) that nothing is encrypted to here: supported are RSA of "
			"1024 to 8192 bits, and EC on the named curves P-256, P-384 and P-521",
			key ? EVP_PKEY_get0_type_name(key) : "unknown");
	if (!EVP_PKEY_is_a(key, "RSA") && !key_is_ec(key))
		return refuse(cert, RECIPIENT_KEY_KIND, why,
			"has a key (%s) that only signs: ask for a certificate that is good for "
			"encryption",
			EVP_PKEY_get0_type_name(key));
	return RECIPIENT_FIT;
}

/* RFC 8550 section 4.4.2 and RFC 5753 section 2.1 say which bit a kind of key needs. */
static enum recipient_fault check_usage(const struct cert *cert, struct why *why)
{
	X509 *x = cert_x509(cert);
	bool is_ec = key_is_ec(X509_get0_pubkey(x));
	uint32_t needed = is_ec ? KU_KEY_AGREEMENT : KU_KEY_ENCIPHERMENT;

	/* All bits, where there is no such extension. */
	if (!(X509_get_key_usage(x) & needed))
		return refuse(cert, RECIPIENT_KEY_USAGE, why,
			"is not for encryption (its key usage lacks %s)",
			is_ec ? "keyAgreement" : "keyEncipherment");
	if (!cert_allows(cert, CERT_USE_MAIL)) /* RFC 8550 section 4.4.4 */
		return refuse(cert, RECIPIENT_EXTENDED_USAGE, why,
			"is not for mail (its extended key usage lacks emailProtection)");
	return RECIPIENT_FIT;
}

static enum recipient_fault check_address(const struct cert *cert, struct span address,
	struct why *why)
{
	const struct path_name name = { PATH_EMAIL, address };

	if (address.n == 0 || altname_covers(cert, &name))
		return RECIPIENT_FIT;
	return refuse(cert, RECIPIENT_ADDRESS, why, "is not for the address %.*s",
		(int)span_head_utf8(address, NAME_SHOWN).n, (const char *)address.p);
}

enum recipient_fault recipient_check(const struct cert *cert, struct span address, int64_t now_us,
	struct why *why)
{
	enum recipient_fault fault = recipient_check_time(cert, now_us, why);

	if (!fault)
		fault = check_key(cert, why);
	if (!fault)
		fault = check_usage(cert, why);
	if (!fault)
		fault = check_address(cert, address, why);
	ERR_clear_error();
	return fault;
}

/* Whether b is to be preferred to a. */
static bool is_newer(const struct cert *a, const struct cert *b)
{
	if (cert_not_before_us(a) != cert_not_before_us(b))
		return cert_not_before_us(b) > cert_not_before_us(a);
	return cert_not_after_us(b) > cert_not_after_us(a);
}

enum recipient_fault recipient_choose(const struct cert_list *certs, struct span address,
	int64_t now_us, struct cert **ret_cert, struct why *why)
{
	struct cert *best = NULL, *unfit = NULL;

	for (size_t i = 0; i < certs->n; i++) {
		struct cert *c = certs->certs[i];
		struct cert **newest = recipient_check(c, address, now_us, NULL) ? &unfit : &best;

		if (!*newest || is_newer(*newest, c))
			*newest = c;
	}
	if (best) {
		*ret_cert = best;
		return RECIPIENT_FIT;
	}
	if (unfit)
		return recipient_check(unfit, address, now_us, why);
	why_set(why, "there is no certificate of %.*s", (int)span_head_utf8(address, NAME_SHOWN).n,
		(const char *)address.p);
	return RECIPIENT_NONE;
}
