/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_reason.h"

#include <openssl/err.h>

/* RFC 8446 section 6. What the client says about us. */
static const struct {
	int alert;
	const char *name;
	const char *words;
} alerts[] = {
	{ 0, "close_notify", "the client went away" },
	{ 10, "unexpected_message", "the client did not expect what we sent" },
	{ 20, "bad_record_mac", "what we sent arrived damaged" },
	{ 22, "record_overflow", "what we sent is too long for the client" },
	{ 40, "handshake_failure", "the client cannot use what was agreed" },
	{ 42, "bad_certificate", "the client does not accept our certificate" },
	{ 43, "unsupported_certificate", "the client does not know certificates of our kind" },
	{ 44, "certificate_revoked", "the client knows that our certificate is revoked" },
	{ 45, "certificate_expired", "our certificate has expired, the client says" },
	{ 46, "certificate_unknown", "the client does not accept our certificate" },
	{ 47, "illegal_parameter", "the client does not accept what was agreed" },
	{ 48, "unknown_ca", "the client does not trust our certificate" },
	{ 49, "access_denied", "the client does not want to go on" },
	{ 50, "decode_error", "the client cannot read what we sent" },
	{ 51, "decrypt_error", "our signature is wrong, the client says" },
	{ 70, "protocol_version", "the client does not accept the version of TLS" },
	{ 71, "insufficient_security", "what was agreed is too weak for the client" },
	{ 80, "internal_error", "the client failed" },
	{ 86, "inappropriate_fallback", "the client holds the version for forged" },
	{ 90, "user_canceled", "the client's user canceled" },
	{ 109, "missing_extension", "the client misses an extension" },
	{ 110, "unsupported_extension", "we sent an extension that the client did not ask for" },
	{ 112, "unrecognized_name", "the client does not know the name" },
	{ 113, "bad_certificate_status_response", "the client does not accept the stapled status" },
	{ 116, "certificate_required", "the client wants a certificate" },
	{ 120, "no_application_protocol", "the client has no protocol in common (ALPN)" },
};

/* What we found. */
static const struct {
	int reason;
	const char *words;
} reasons[] = {
	{ SSL_R_HTTP_REQUEST, "plain text on a TLS port: an HTTP request" },
	{ SSL_R_HTTPS_PROXY_REQUEST, "plain text on a TLS port: a request to an HTTP proxy" },
	{ SSL_R_WRONG_VERSION_NUMBER, "plain text on a TLS port, or something else that is not TLS" },
	{ SSL_R_INAPPROPRIATE_FALLBACK, "the client tries an older version than it knows, although"
		" this server would take the newer (RFC 7507): somebody may be in between" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, "no group for the key exchange in common" },
	{ SSL_R_NO_SHARED_GROUPS, "no group for the key exchange in common" },
	{ SSL_R_NO_SUITABLE_GROUPS, "no group for the key exchange in common" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "the client cannot verify a signature by the key of"
		" any of our certificates; an RSA certificate beside it would help" },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no signature algorithm in common" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, "no application protocol in common (ALPN): the client is in"
		" the wrong place" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client has no certificate, and the domain"
		" requires one" },
	{ SSL_R_EXCESSIVE_MESSAGE_SIZE, "the client sends more than it may" },
	{ SSL_R_UNEXPECTED_EOF_WHILE_READING, "the client broke off" },
};

/* RFC 8701 and the signalling values of RFC 5746 and RFC 7507: nothing that could be agreed on. */
static bool is_placeholder(uint16_t suite)
{
	return (suite & 0x0F0F) == 0x0A0A || suite == 0x00FF || suite == 0x5600;
}

static void read_versions(struct tls_offer *o, SSL *ssl)
{
	const uint8_t *p = NULL;
	size_t n = 0;

	/* RFC 8446 section 4.2.1: without the list, what stands in the old field. */
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &n) != 1 || n < 1) {
		o->versions[o->n_versions++] = (uint16_t)SSL_client_hello_get0_legacy_version(ssl);
		return;
	}
	for (size_t i = 1; i + 1 < n && o->n_versions < TLS_OFFER_VERSIONS; i += 2) {
		uint16_t version = (uint16_t)(p[i] << 8 | p[i + 1]);

		if ((version & 0x0F0F) != 0x0A0A)
			o->versions[o->n_versions++] = version;
	}
}

static void add_suite(struct tls_offer *o, SSL *ssl, const uint8_t *octets)
{
	uint16_t number = (uint16_t)(octets[0] << 8 | octets[1]);
	const SSL_CIPHER *c;

	if (is_placeholder(number))
		return;
	if (o->n_suites < TLS_OFFER_SUITES) {
		c = SSL_CIPHER_find(ssl, octets);
		o->suites[o->n_suites].number = number;
		o->suites[o->n_suites].name = c ? SSL_CIPHER_standard_name(c) : NULL;
	}
	o->n_suites++;
}

void tls_offer_read(struct tls_offer *o, SSL *ssl)
{
	const uint8_t *p = NULL;
	size_t n = SSL_client_hello_get0_ciphers(ssl, &p), step;

	*o = (struct tls_offer){ .is_sslv2_hello = SSL_client_hello_isv2(ssl) };
	read_versions(o, ssl);
	/* RFC 6101 appendix E.1: three octets each, of which the first is 0 for the suites of TLS. */
	step = o->is_sslv2_hello ? 3 : 2;
	for (; n >= step; p += step, n -= step) {
		if (!o->is_sslv2_hello || p[0] == 0)
			add_suite(o, ssl, p + step - 2);
	}
}

static void add_version(uint16_t version, struct buf *out)
{
	if (version == SSL3_VERSION)
		buf_add_string(out, "SSL 3.0");
	else if (version == SSL2_VERSION)
		buf_add_string(out, "SSL 2");
	else if (version >= TLS1_VERSION && version <= TLS1_3_VERSION)
		buf_add_format(out, "TLS 1.%d", version - TLS1_VERSION);
	else
		buf_add_format(out, "0x%04X", version);
}

static void add_versions(const struct tls_offer *o, struct buf *out)
{
	for (size_t i = 0; i < o->n_versions; i++) {
		if (i)
			buf_add_string(out, ", ");
		add_version(o->versions[i], out);
	}
	if (o->is_sslv2_hello)
		buf_add_string(out, " in an SSL 2 hello");
}

static void add_suites(const struct tls_offer *o, struct buf *out)
{
	size_t n_shown = o->n_suites < TLS_OFFER_SUITES ? o->n_suites : TLS_OFFER_SUITES;

	for (size_t i = 0; i < n_shown; i++) {
		if (i)
			buf_add_string(out, ", ");
		if (o->suites[i].name)
			buf_add_string(out, o->suites[i].name);
		else
			buf_add_format(out, "0x%04X", o->suites[i].number);
	}
	if (o->n_suites > n_shown)
		buf_add_format(out, " and %zu more", o->n_suites - n_shown);
	if (o->n_suites == 0)
		buf_add_string(out, "nothing");
}

void tls_offer_add(const struct tls_offer *o, struct buf *out)
{
	add_versions(o, out);
	buf_add_string(out, "; ");
	add_suites(o, out);
}

static int version_of(int number)
{
	return number - TLS1_VERSION;
}

static void say_versions(const struct tls_offer *o, const struct tls_rules *r, struct why *why)
{
	CLEANUP(buf_done) struct buf text = {};
	bool any_older = false;

	for (size_t i = 0; i < o->n_versions; i++)
		any_older |= o->versions[i] < r->min_version;
	add_versions(o, &text);
	why_set(why, "the client offers only %.*s; the %s accepted is %s", (int)buf_size(&text),
		(const char *)buf_span(&text).p, any_older ? "oldest" : "newest",
		tls_version_name((enum tls_version)version_of(any_older ? r->min_version :
								     r->max_version)));
}

static void say_suites(const struct tls_offer *o, struct why *why)
{
	CLEANUP(buf_done) struct buf text = {};

	add_suites(o, &text);
	why_set(why, "no cipher in common, or none that goes with the key of a certificate of ours; the"
		" client offers %.*s", (int)span_head(buf_span(&text), 360).n,
		(const char *)buf_span(&text).p);
}

static bool say_alert(int alert, struct why *why)
{
	for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
		if (alerts[i].alert != alert)
			continue;
		why_set(why, "%s (alert %s)", alerts[i].words, alerts[i].name);
		return true;
	}
	return false;
}

bool tls_reason(unsigned long code, const struct tls_offer *offer, const struct tls_rules *rules,
	struct why *why)
{
	int reason = ERR_GET_REASON(code);

	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return false;
	if (reason >= SSL_AD_REASON_OFFSET)
		return say_alert(reason - SSL_AD_REASON_OFFSET, why);
	if (offer && (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW ||
			     reason == SSL_R_VERSION_TOO_HIGH)) {
		say_versions(offer, rules, why);
		return true;
	}
	if (offer && (reason == SSL_R_NO_SHARED_CIPHER || reason == SSL_R_NO_CIPHERS_SPECIFIED)) {
		say_suites(offer, why);
		return true;
	}
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i].reason != reason)
			continue;
		why_set(why, "%s", reasons[i].words);
		return true;
	}
	return false;
}
