/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/opinion.h"

#include "base/alloc.h"
#include "pki/key.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

CLEANUP_POINTER(X509_STORE, X509_STORE_free)
CLEANUP_POINTER(X509_STORE_CTX, X509_STORE_CTX_free)

static int add_anchor(const struct trust_entry *entry, void *context)
{
	if ((entry->purposes & TRUST_SERVER) &&
		X509_STORE_add_cert(context, cert_x509(entry->cert)) != 1)
		return key_openssl_fault("X509_STORE_add_cert");
	return 0;
}

static STACK_OF(X509) *stack_of(const struct cert_list *list)
{
	STACK_OF(X509) *stack = sk_X509_new_null();

	for (size_t i = 0; stack && i < list->n; i++)
		(void)sk_X509_push(stack, cert_x509(list->certs[i]));
	return stack;
}

int opinion_openssl(const struct cert *leaf, const struct cert_list *sent, const struct trust *trust,
	struct span host, int64_t time_us, bool *ret_accepts, struct buf *out)
{
	CLEANUP(X509_STORE_freep) X509_STORE *store = X509_STORE_new();
	CLEANUP(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = stack_of(sent);
	X509_VERIFY_PARAM *param;
	int r = 0;

	if (!store || !ctx || !untrusted)
		r = key_openssl_fault("X509_STORE_CTX_new");
	if (!r)
		r = trust_each(trust, add_anchor, store);
	if (!r && X509_STORE_CTX_init(ctx, store, cert_x509(leaf), untrusted) != 1)
		r = key_openssl_fault("X509_STORE_CTX_init");
	if (r) {
		sk_X509_free(untrusted);
		return r;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)(time_us / 1000000));
	/* What its clients use by default: level 1 of 5. */
	X509_VERIFY_PARAM_set_auth_level(param, 1);
	(void)X509_VERIFY_PARAM_set1_host(param, (const char *)host.p, host.n);
	(void)X509_STORE_CTX_set_default(ctx, "ssl_server");
	*ret_accepts = X509_verify_cert(ctx) == 1;
	buf_add_string(out, *ret_accepts ? "OK" :
		X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	sk_X509_free(untrusted);
	key_openssl_why(NULL, "X509_verify_cert");
	return 0;
}

/* What is freed together. */
struct gnutls_work {
	gnutls_x509_trust_list_t anchors;
	gnutls_x509_crt_t certs[CERT_LIST_MAX + 1];
	unsigned n;
};

static void gnutls_work_done(struct gnutls_work *w)
{
	for (unsigned i = 0; i < w->n; i++)
		gnutls_x509_crt_deinit(w->certs[i]);
	if (w->anchors)
		gnutls_x509_trust_list_deinit(w->anchors, 1);
}

static int gnutls_add(struct gnutls_work *w, const struct cert *cert)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)cert_der(cert).p,
		(unsigned)cert_der(cert).n };

	if (w->n == CERT_LIST_MAX + 1)
		return 0;
	if (gnutls_x509_crt_init(&w->certs[w->n]) < 0)
		return err_fault(ENOMEM, "gnutls_x509_crt_init");
	w->n++;
	return gnutls_x509_crt_import(w->certs[w->n - 1], &der, GNUTLS_X509_FMT_DER);
}

static int gnutls_anchors(struct gnutls_work *w, const struct trust *trust)
{
	CLEANUP(buf_done) struct buf pem = {};
	gnutls_datum_t datum;

	if (gnutls_x509_trust_list_init(&w->anchors, 0) < 0)
		return err_fault(ENOMEM, "gnutls_x509_trust_list_init");
	trust_print_pem(trust, TRUST_SERVER, &pem);
	datum = (gnutls_datum_t){ (unsigned char *)(uintptr_t)buf_span(&pem).p,
		(unsigned)buf_size(&pem) };
	if (buf_size(&pem))
		(void)gnutls_x509_trust_list_add_trust_mem(w->anchors, &datum, NULL,
			GNUTLS_X509_FMT_PEM, 0, 0);
	return 0;
}

/* The status in words, without GnuTLS's introduction that the certificate is not trusted. */
static void gnutls_add_status(unsigned status, struct buf *out)
{
	gnutls_datum_t text = {};

	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
		return;
	buf_add(out, span_trim(span_of(text.data, text.data ? strlen((char *)text.data) : 0)));
	gnutls_free(text.data);
}

int opinion_gnutls(const struct cert *leaf, const struct cert_list *sent, const struct trust *trust,
	struct span host, bool *ret_accepts, struct buf *out)
{
	CLEANUP(gnutls_work_done) struct gnutls_work w = {};
	CLEANUP(alloc_freep) char *name = span_to_string(host);
	gnutls_typed_vdata_st wanted[] = {
		{ .type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)name },
		{ .type = GNUTLS_DT_KEY_PURPOSE_OID,
			.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER },
	};
	unsigned status = 0;
	int r = gnutls_add(&w, leaf);

	for (size_t i = 0; i < sent->n && r >= 0; i++)
		r = gnutls_add(&w, sent->certs[i]);
	*ret_accepts = false;
	if (r < 0) {
		buf_add_string(out, gnutls_strerror(r));
		return 0;
	}
	TRY(gnutls_anchors(&w, trust));
	r = gnutls_x509_trust_list_verify_crt2(w.anchors, w.certs, w.n, wanted, name ? 2 : 0, 0,
		&status, NULL);
	*ret_accepts = r >= 0 && status == 0;
	if (r < 0)
		buf_add_string(out, gnutls_strerror(r));
	else if (status)
		gnutls_add_status(status, out);
	else
		buf_add_string(out, "OK");
	return 0;
}
