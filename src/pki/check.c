/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/check.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "pki/key.h"

#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	DAYS_SOON = 30,
	DAYS_VERY_SOON = 7,
	DAYS_PUBLIC_MAX = 398, /* what browsers take from public authorities */
	RSA_BITS_MIN = 2048,   /* RFC 9325 section 4.5 */
	NAMES_SHOWN = 10,
};

static const int64_t day_us = (int64_t)24 * 3600 * 1000000;

const char *check_result_name(enum check_result result)
{
	static const char *const names[] = { "ok", "note", "warning", "error" };

	return names[result];
}

void check_add(struct check_list *l, const char *check, enum check_result result,
	const char *format, ...)
{
	struct check_row *rows = arena_alloc(l->arena, (l->n + 1) * sizeof *rows);
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		abort(); /* no memory */
	if (l->n)
		memcpy(rows, l->rows, l->n * sizeof *rows);
	rows[l->n] = (struct check_row){ check, result,
		arena_span(l->arena, span_of(text, (size_t)n)) };
	l->rows = rows;
	l->n++;
	free(text);
}

enum check_result check_worst(const struct check_list *l)
{
	enum check_result worst = CHECK_OK;

	for (size_t i = 0; i < l->n; i++) {
		if (l->rows[i].result > worst)
			worst = l->rows[i].result;
	}
	return worst;
}

static char *time_text(int64_t time_us)
{
	struct buf text = {};

	clock_add_rfc3339(&text, time_us);
	return buf_steal_string(&text);
}

static void check_validity(struct check_list *l, const struct cert *cert, int64_t now_us)
{
	int64_t from_us = cert_not_before_us(cert), till_us = cert_not_after_us(cert);
	long long left = (long long)((till_us - now_us) / day_us);
	CLEANUP(alloc_freep) char *from = time_text(from_us);
	CLEANUP(alloc_freep) char *till = time_text(till_us);

	if (now_us > till_us)
		check_add(l, "validity", CHECK_ERROR, "it has expired on %s: renew it", till);
	else if (now_us < from_us)
		check_add(l, "validity", CHECK_ERROR,
			"it is valid from %s on, which is still to come (is the clock right?)", from);
	else if (left < DAYS_SOON)
		check_add(l, "validity", CHECK_WARNING, "it expires in %lld days, on %s%s", left, till,
			left < DAYS_VERY_SOON ? ": renew it now" : "");
	else if ((till_us - from_us) / day_us > DAYS_PUBLIC_MAX && !cert_is_self_signed(cert))
		check_add(l, "validity", CHECK_NOTE,
			"valid until %s; browsers refuse certificates of public authorities that are"
			" valid for more than %d days", till, DAYS_PUBLIC_MAX);
	else
		check_add(l, "validity", CHECK_OK, "valid until %s, %lld days", till, left);
}

static void add_name(struct buf *out, struct span name, size_t n)
{
	if (n > NAMES_SHOWN)
		return;
	buf_add_string(out, n == 0 ? "" : n == NAMES_SHOWN ? ", ..." : ", ");
	if (n < NAMES_SHOWN)
		buf_add(out, name);
}

static void check_names(struct check_list *l, const struct cert *cert, const struct span *names,
	size_t n_names)
{
	CLEANUP(buf_done) struct buf covered = {}, missing = {};
	size_t n_covered = 0, n_missing = 0;

	for (size_t i = 0; i < n_names; i++) {
		if (cert_covers_host(cert, names[i]))
			add_name(&covered, names[i], n_covered++);
		else
			add_name(&missing, names[i], n_missing++);
	}
	if (n_covered == 0)
		check_add(l, "names", CHECK_ERROR, "it is for none of the domain's names (%.*s)",
			(int)buf_size(&missing), (const char *)buf_span(&missing).p);
	else if (n_missing)
		check_add(l, "names", CHECK_WARNING,
			"it is for %.*s, but not for %.*s: clients that use those will refuse it",
			(int)buf_size(&covered), (const char *)buf_span(&covered).p,
			(int)buf_size(&missing), (const char *)buf_span(&missing).p);
	else
		check_add(l, "names", CHECK_OK, "%.*s", (int)buf_size(&covered),
			(const char *)buf_span(&covered).p);
}

static void check_usage(struct check_list *l, const struct cert *cert)
{
	uint32_t usage = X509_get_key_usage(cert_x509(cert));
	const EVP_PKEY *key = X509_get0_pubkey(cert_x509(cert));

	if (cert_is_ca(cert) && !cert_is_self_signed(cert))
		check_add(l, "usage", CHECK_ERROR,
			"this is an authority's own certificate, not a server's");
	else if (!cert_allows(cert, CERT_USE_SERVER))
		check_add(l, "usage", CHECK_ERROR,
			"it may not be used for servers (serverAuth is missing)");
	else if (!(usage & KU_DIGITAL_SIGNATURE) && !(key && key_is_rsa(key) &&
							(usage & KU_KEY_ENCIPHERMENT)))
		check_add(l, "usage", CHECK_ERROR, "its key may not sign (keyUsage)");
	else if (!(usage & KU_DIGITAL_SIGNATURE))
		check_add(l, "usage", CHECK_ERROR,
			"its key may only decipher (keyUsage): not what TLS 1.3 needs");
	else if (!cert_allows(cert, CERT_USE_CLIENT))
		check_add(l, "usage", CHECK_OK, "for servers; not for logging in elsewhere as a client"
			" (clientAuth), which public authorities do not grant any more");
	else
		check_add(l, "usage", CHECK_OK, "for servers and clients");
}

static void check_key(struct check_list *l, const struct cert *cert)
{
	const EVP_PKEY *key = X509_get0_pubkey(cert_x509(cert));
	CLEANUP(buf_done) struct buf text = {};

	cert_add_key_text(cert, &text);
	if (!key)
		check_add(l, "key", CHECK_ERROR, "its key is of a kind that is not known here");
	else if (key_is_rsa(key) && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
		check_add(l, "key", CHECK_ERROR, "%.*s: too weak, clients want %d or more",
			(int)buf_size(&text), (const char *)buf_span(&text).p, RSA_BITS_MIN);
	else if (key_is_ed25519(key))
		check_add(l, "key", CHECK_WARNING,
			"%.*s: few clients know this kind yet; keep an EC or RSA one beside it",
			(int)buf_size(&text), (const char *)buf_span(&text).p);
	else
		check_add(l, "key", CHECK_OK, "%.*s", (int)buf_size(&text),
			(const char *)buf_span(&text).p);
}

/* The digest of a self-signed certificate's signature protects nothing. */
static void check_signature(struct check_list *l, const struct cert *cert)
{
	CLEANUP(buf_done) struct buf text = {};
	int digest = NID_undef;
	bool weak;

	cert_add_signature_name(cert, &text);
	(void)X509_get_signature_info(cert_x509(cert), &digest, NULL, NULL, NULL);
	weak = digest == NID_sha1 || digest == NID_md5 || digest == NID_md4 || digest == NID_md2;
	check_add(l, "signature", weak ? CHECK_ERROR : CHECK_OK, "%.*s%s", (int)buf_size(&text),
		(const char *)buf_span(&text).p,
		weak ? ": clients refuse this digest; ask for a new certificate" : "");
}

void check_certificate(struct check_list *l, const struct cert *cert, const struct span *names,
	size_t n_names, int64_t now_us)
{
	check_validity(l, cert, now_us);
	check_names(l, cert, names, n_names);
	check_usage(l, cert);
	check_key(l, cert);
	check_signature(l, cert);
}

void check_chain(struct check_list *l, const struct chain *chain)
{
	CLEANUP(buf_done) struct buf text = {};
	enum check_result result = CHECK_OK;
	const char *remedy = "";

	chain_add_text(chain, &text);
	if (!chain_is_sound(chain))
		result = CHECK_WARNING;
	if (chain->end == CHAIN_SELF_SIGNED)
		remedy = ": clients that have not installed it warn or refuse; get one from an"
			 " authority (acme order, request create)";
	check_add(l, "chain", result, "%.*s%s", (int)buf_size(&text),
		(const char *)buf_span(&text).p, remedy);
}
