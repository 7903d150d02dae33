/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/tls_log.h"

#include "base/log.h"
#include "net/stream.h"
#include "net/tls_rules.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>

enum { FIELDS = 16, SUBJECT_MAX = 256 };

struct fields {
	struct log_field list[FIELDS];
	size_t n;
	char subject[SUBJECT_MAX];
};

CLEANUP_POINTER(BIO, BIO_free)

static void add(struct fields *f, struct log_field field)
{
	assert(f->n < FIELDS - 1);
	f->list[f->n++] = field;
}

/* A field that not every handshake has. */
static void add_text(struct fields *f, const char *key, const char *text)
{
	if (text)
		add(f, log_str(key, text));
}

/* RFC 4514, without more than a line of it. */
static const char *subject_of(struct fields *f, X509 *certificate)
{
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
			   XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_read(bio, f->subject, SUBJECT_MAX - 1);
	f->subject[n > 0 ? n : 0] = 0;
	ERR_clear_error();
	return f->subject;
}

static void add_client(struct fields *f, const struct tls_client *c)
{
	if (!c)
		return;
	add(f, log_str("client", subject_of(f, c->certificate)));
	add(f, log_str("client_verdict", c->result == X509_V_OK ? "valid" :
		c->reason ? c->reason : X509_verify_cert_error_string(c->result)));
}

static void add_asked(struct fields *f, const struct tls_info *tls)
{
	add_text(f, "name", tls->sni);
	if (tls->profile)
		add(f, log_str("domain", tls->profile->name));
	add_client(f, tls->client);
	add_text(f, "offered", tls->offered);
}

void tls_log_done(const struct log_context *log, const struct stream *s)
{
	const struct tls_info *tls = stream_tls(s);
	struct fields f = {};

	if (tls->rules->log < TLS_LOG_HANDSHAKES)
		return;
	add(&f, log_str("version", tls->version));
	add(&f, log_str("cipher", tls->cipher));
	add_text(&f, "group", tls->group);
	add_text(&f, "alpn", tls->alpn);
	add_asked(&f, tls);
	add(&f, log_int("resumed", tls->resumed));
	add(&f, log_str("outcome", "done"));
	log_write(log, LOG_INFO, "TLS", "tls.handshake", f.list);
}

void tls_log_failed(const struct log_context *log, const struct stream *s, const char *reason)
{
	const struct tls_info *tls = stream_handshake(s);
	struct fields f = {};
	char peer[NET_ADDRESS_TEXT];

	if (tls && tls->rules->log < TLS_LOG_FAILURES)
		return;
	add(&f, log_str("peer", net_address_text(stream_peer(s), peer)));
	if (tls)
		add_asked(&f, tls);
	add(&f, log_str("reason", reason));
	add(&f, log_str("outcome", "failed"));
	log_write(log, LOG_INFO, "TLS", "tls.handshake", f.list);
}
