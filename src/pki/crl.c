/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/crl.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "pki/cert.h"
#include "pki/der.h"
#include "pki/key.h"
#include "pki/pem.h"
#include "pki/subject.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdlib.h>

CLEANUP_POINTER(ASN1_TIME, ASN1_TIME_free)
CLEANUP_POINTER(BIO, BIO_free_all)

enum { TIME_OCTETS_MAX = 64 };

struct crl {
	atomic_uint references;
	X509_CRL *x509;
	struct buf der;
	int64_t this_update_us;
	int64_t next_update_us;
	bool has_next_update;
};

struct crl *crl_ref(struct crl *c)
{
	atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
	return c;
}

struct crl *crl_unref(struct crl *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) > 1)
		return NULL;
	X509_CRL_free(c->x509);
	buf_done(&c->der);
	free(c);
	return NULL;
}

static bool crl_take_times(struct crl *c)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(c->x509);

	c->has_next_update = next;
	return cert_time_us(X509_CRL_get0_lastUpdate(c->x509), &c->this_update_us) &&
	       (!next || cert_time_us(next, &c->next_update_us));
}

int crl_from_der(struct crl **ret_crl, struct span der, struct why *why)
{
	CLEANUP(crl_unrefp) struct crl *c = ALLOC(struct crl);
	const uint8_t *end = der.p;

	atomic_init(&c->references, 1);
	if (der.n > LIMIT_CRL) {
		why_set(why, "the revocation list has more than %d octets", LIMIT_CRL);
		return CRL_E_SYNTAX;
	}
	if (!der_is_strict(der)) {
		why_set(why, "not a revocation list in DER");
		return CRL_E_SYNTAX;
	}
	c->x509 = X509_CRL_new_ex(NULL, "provider=default");
	if (!d2i_X509_CRL(&c->x509, &end, (long)der.n) || end != der.p + der.n) {
		key_openssl_why(why, "not a revocation list");
		return CRL_E_SYNTAX;
	}
	if (!crl_take_times(c)) {
		key_openssl_why(why, "the revocation list's times are not readable");
		return CRL_E_SYNTAX;
	}
	buf_add(&c->der, der);
	*ret_crl = TAKE(c);
	return 0;
}

static bool read_time(struct span *from, int64_t *ret_us)
{
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *t = NULL;
	struct der value;
	const uint8_t *p;
	bool read;

	if (!der_next(from, &value) || value.whole.n > TIME_OCTETS_MAX)
		return false;
	p = value.whole.p;
	t = d2i_ASN1_TIME(NULL, &p, (long)value.whole.n);
	read = t && cert_time_us(t, ret_us);
	ERR_clear_error();
	return read;
}

/* CertificateList ::= SEQUENCE { tbsCertList SEQUENCE { version OPTIONAL, signature, issuer, thisUpdate,
 * nextUpdate OPTIONAL, ... (RFC 5280 section 5.1) */
bool crl_read_times(struct span der, struct crl_times *ret_times)
{
	struct crl_times times = {};
	struct span list, tbs;
	struct der value;

	if (!der_only(der, DER_SEQUENCE, &list) || !der_next(&list, &value) ||
		value.tag != DER_SEQUENCE)
		return false;
	tbs = value.content;
	if (tbs.n && tbs.p[0] == DER_INTEGER && !der_next(&tbs, &value))
		return false;
	if (!der_next(&tbs, &value) || value.tag != DER_SEQUENCE || !der_next(&tbs, &value) ||
		value.tag != DER_SEQUENCE || !read_time(&tbs, &times.this_update_us))
		return false;
	times.has_next_update = tbs.n &&
		(tbs.p[0] == V_ASN1_UTCTIME || tbs.p[0] == V_ASN1_GENERALIZEDTIME);
	if (times.has_next_update && !read_time(&tbs, &times.next_update_us))
		return false;
	*ret_times = times;
	return true;
}

void crl_list_done(struct crl_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		crl_unref(l->crls[i]);
	free(l->crls);
	*l = (struct crl_list){};
}

static int list_add_der(struct crl_list *list, struct span der, struct why *why)
{
	CLEANUP(crl_unrefp) struct crl *c = NULL;
	int r;

	if (list->n == CRL_LIST_MAX) {
		why_set(why, "more than %d revocation lists", CRL_LIST_MAX);
		return CRL_E_SYNTAX;
	}
	r = crl_from_der(&c, der, why);
	if (r)
		return r;
	list->crls = alloc_array(list->crls, list->n + 1, sizeof(struct crl *));
	list->crls[list->n++] = TAKE(c);
	return 0;
}

static int list_add_pem(struct crl_list *list, BIO *bio, struct why *why)
{
	char *name = NULL, *header = NULL;
	uint8_t *data = NULL;
	long n = 0;
	int r = 0;

	while (!r && PEM_read_bio(bio, &name, &header, &data, &n)) {
		if (strcmp(name, PEM_STRING_X509_CRL) == 0)
			r = list_add_der(list, span_of(data, (size_t)n), why);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(data);
	}
	if (!r && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		key_openssl_why(why, "the PEM text is damaged");
		r = CRL_E_SYNTAX;
	}
	ERR_clear_error();
	return r;
}

int crl_list_add(struct crl_list *list, struct span data, struct why *why)
{
	CLEANUP(BIO_free_allp) BIO *bio = NULL;
	size_t before = list->n;
	int r;

	if (data.n == 0 || data.n > 2 * (size_t)LIMIT_CRL) {
		why_set(why, data.n ? "the file is too large" : "the file is empty");
		return CRL_E_SYNTAX;
	}
	if (!pem_is(data))
		return list_add_der(list, data, why);
	bio = BIO_new_mem_buf(data.p, (int)data.n);
	if (!bio)
		return key_openssl_fault("BIO_new_mem_buf");
	r = list_add_pem(list, bio, why);
	if (!r && list->n == before) {
		why_set(why, "there is no revocation list in the file");
		r = CRL_E_SYNTAX;
	}
	return r;
}

X509_CRL *crl_x509(const struct crl *c)
{
	return c->x509;
}

struct span crl_der(const struct crl *c)
{
	return buf_span(&c->der);
}

void crl_add_pem(const struct crl *c, struct buf *out)
{
	pem_add(out, PEM_STRING_X509_CRL, crl_der(c));
}

void crl_add_issuer(const struct crl *c, struct buf *out)
{
	subject_add_text(X509_CRL_get_issuer(c->x509), out);
}

int64_t crl_this_update_us(const struct crl *c)
{
	return c->this_update_us;
}

bool crl_next_update_us(const struct crl *c, int64_t *ret_time_us)
{
	if (c->has_next_update)
		*ret_time_us = c->next_update_us;
	return c->has_next_update;
}
