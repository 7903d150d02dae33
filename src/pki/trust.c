/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A pile of sets. Each has two indices: by the certificate's digest, for what is said of one
 * certificate, and by its subject's hash, for who may have issued another. What is denied is found
 * by its subject and key together: an authority that nobody here wants is not let in again by
 * another certificate for the same key, such as one that another authority made for it.
 */

#include "pki/trust.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/map.h"

#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdlib.h>

struct entry {
	struct cert *cert;
	unsigned purposes; /* 0 if denied */
	bool denied;
	struct entry *next_of_subject;
	struct entry *next_denied; /* with the same key */
};

struct trust {
	atomic_uint references;
	enum trust_scope scope;
	struct trust *below;
	struct entry **entries; /* in the order in which they came */
	size_t n;
	struct map by_digest;
	struct map by_subject; /* the first with that hash of the subject */
	struct map denied;     /* the first with that key */
};

static const char *const scope_names[TRUST_SCOPES] = { "domain", "cluster", "server", "built-in" };

static const struct {
	const char *name;
	unsigned purposes;
} purpose_names[] = {
	{ "server", TRUST_SERVER },
	{ "client", TRUST_CLIENT },
	{ "mail", TRUST_MAIL },
	{ "all", TRUST_ALL_PURPOSES },
};

const char *trust_scope_name(enum trust_scope scope)
{
	return scope_names[scope];
}

static unsigned purpose_parse(struct span word)
{
	for (size_t i = 0; i < sizeof purpose_names / sizeof purpose_names[0]; i++) {
		if (span_is(word, purpose_names[i].name))
			return purpose_names[i].purposes;
	}
	return 0;
}

bool trust_purposes_parse(struct span text, unsigned *ret_purposes)
{
	unsigned purposes = 0;
	bool more;

	do {
		unsigned one;

		more = span_find(text, ',') < text.n;
		one = purpose_parse(span_trim(span_cut(&text, ',')));
		if (!one)
			return false;
		purposes |= one;
	} while (more);
	*ret_purposes = purposes;
	return true;
}

void trust_purposes_print(unsigned purposes, struct buf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < sizeof purpose_names / sizeof purpose_names[0]; i++) {
		if (!(purposes & purpose_names[i].purposes) ||
			purpose_names[i].purposes == TRUST_ALL_PURPOSES)
			continue;
		buf_add_format(out, "%s%s", comma, purpose_names[i].name);
		comma = ",";
	}
}

struct trust *trust_new(enum trust_scope scope, struct trust *below)
{
	struct trust *t = ALLOC(struct trust);

	atomic_init(&t->references, 1);
	t->scope = scope;
	t->below = below ? trust_ref(below) : NULL;
	return t;
}

struct trust *trust_ref(struct trust *t)
{
	atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
	return t;
}

struct trust *trust_unref(struct trust *t)
{
	while (t && atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) == 1) {
		struct trust *below = t->below;

		for (size_t i = 0; i < t->n; i++) {
			cert_unref(t->entries[i]->cert);
			free(t->entries[i]);
		}
		free(t->entries);
		map_done(&t->by_digest, NULL);
		map_done(&t->by_subject, NULL);
		map_done(&t->denied, NULL);
		free(t);
		t = below;
	}
	return NULL;
}

/* Where names are equal but for case and spaces, so are their hashes (RFC 5280 section 7.1). */
struct name_key {
	uint64_t hash;
};

static struct span name_key_span(const struct name_key *k)
{
	return span_of(&k->hash, sizeof k->hash);
}

static struct name_key name_key_of(const X509_NAME *name)
{
	return (struct name_key){ X509_NAME_hash_ex(name, NULL, "provider=default", NULL) };
}

static struct entry *entry_find(const struct trust *t, const struct cert *cert)
{
	uint8_t digest[SHA256_OCTETS];

	if (t->n == 0)
		return NULL;
	cert_fingerprint(cert, digest);
	return map_get(&t->by_digest, span_of(digest, sizeof digest));
}

static void link_by_subject(struct trust *t, struct entry *e)
{
	const struct name_key key = name_key_of(X509_get_subject_name(cert_x509(e->cert)));
	struct entry *last = map_get(&t->by_subject, name_key_span(&key));

	if (!last) {
		(void)map_put(&t->by_subject, name_key_span(&key), e);
		return;
	}
	while (last->next_of_subject)
		last = last->next_of_subject;
	last->next_of_subject = e;
}

static struct entry *entry_make(struct trust *t, struct cert *cert)
{
	struct entry *e = entry_find(t, cert);
	uint8_t digest[SHA256_OCTETS];

	if (e)
		return e;
	e = ALLOC(struct entry);
	e->cert = cert_ref(cert);
	t->entries = alloc_array(t->entries, t->n + 1, sizeof(struct entry *));
	t->entries[t->n++] = e;
	cert_fingerprint(cert, digest);
	(void)map_put(&t->by_digest, span_of(digest, sizeof digest), e);
	link_by_subject(t, e);
	return e;
}

void trust_add(struct trust *t, struct cert *cert, unsigned purposes)
{
	struct entry *e = entry_make(t, cert);

	assert(purposes && !(purposes & ~(unsigned)TRUST_ALL_PURPOSES));
	if (!e->denied)
		e->purposes |= purposes;
}

void trust_deny(struct trust *t, struct cert *cert)
{
	struct entry *e = entry_make(t, cert);

	if (e->denied)
		return;
	e->denied = true;
	e->purposes = 0;
	e->next_denied = map_put(&t->denied, cert_spki(cert), e);
}

void trust_add_bundle(struct trust *t, struct span pem, unsigned purposes, size_t *ret_n_unreadable)
{
	char *name = NULL, *header = NULL;
	uint8_t *data = NULL;
	size_t n_unreadable = 0;
	BIO *bio = BIO_new_mem_buf(pem.p, pem.n < INT_MAX ? (int)pem.n : INT_MAX);
	long n = 0;

	while (bio && PEM_read_bio(bio, &name, &header, &data, &n)) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;

		if (cert_from_der(&cert, span_of(data, (size_t)n), NULL) == 0)
			trust_add(t, cert, purposes);
		else
			n_unreadable++;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(data);
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		n_unreadable++; /* the rest of a damaged text */
	ERR_clear_error();
	BIO_free_all(bio);
	*ret_n_unreadable = n_unreadable;
}

static bool is_denied_here(const struct trust *t, const struct cert *cert)
{
	const struct entry *e = map_get(&t->denied, cert_spki(cert));

	while (e && X509_NAME_cmp(X509_get_subject_name(cert_x509(e->cert)),
			    X509_get_subject_name(cert_x509(cert))) != 0)
		e = e->next_denied;
	return e;
}

bool trust_is_denied(const struct trust *t, const struct cert *cert)
{
	for (; t; t = t->below) {
		if (is_denied_here(t, cert))
			return true;
	}
	return false;
}

unsigned trust_purposes(const struct trust *t, const struct cert *cert, enum trust_scope *ret_scope)
{
	unsigned purposes = 0;

	if (trust_is_denied(t, cert))
		return 0;
	for (; t; t = t->below) {
		const struct entry *e = entry_find(t, cert);

		if (e && !purposes && ret_scope)
			*ret_scope = t->scope;
		if (e)
			purposes |= e->purposes;
	}
	return purposes;
}

/* A set between top and t, that one left out, has the certificate too. */
static bool is_above(const struct trust *top, const struct trust *t, const struct cert *cert)
{
	for (; top != t; top = top->below) {
		if (entry_find(top, cert))
			return true;
	}
	return false;
}

bool trust_by_subject(const struct trust *t, const X509_NAME *subject, size_t i,
	struct cert **ret_cert)
{
	const struct name_key key = name_key_of(subject);

	for (const struct trust *set = t; set; set = set->below) {
		const struct entry *e = map_get(&set->by_subject, name_key_span(&key));

		for (; e; e = e->next_of_subject) {
			if (X509_NAME_cmp(X509_get_subject_name(cert_x509(e->cert)), subject) !=
					0 ||
				is_above(t, set, e->cert) || trust_is_denied(t, e->cert))
				continue;
			if (i-- > 0)
				continue;
			*ret_cert = e->cert;
			return true;
		}
	}
	return false;
}

int trust_each(const struct trust *t, int (*each)(const struct trust_entry *, void *),
	void *context)
{
	for (; t; t = t->below) {
		for (size_t i = 0; i < t->n; i++) {
			const struct trust_entry entry = { t->entries[i]->cert, t->scope,
				t->entries[i]->purposes };
			int r = each(&entry, context);

			if (r)
				return r;
		}
	}
	return 0;
}

void trust_print_pem(const struct trust *t, unsigned purposes, struct buf *out)
{
	for (const struct trust *set = t; set; set = set->below) {
		for (size_t i = 0; i < set->n; i++) {
			const struct cert *cert = set->entries[i]->cert;

			if (!is_above(t, set, cert) && (trust_purposes(t, cert, NULL) & purposes))
				cert_add_pem(cert, out);
		}
	}
}

struct by_fingerprint {
	struct span text;
	struct cert *found;
};

static int match_fingerprint(const struct trust_entry *entry, void *context)
{
	struct by_fingerprint *f = context;

	if (!cert_has_fingerprint(entry->cert, f->text))
		return 0;
	f->found = cert_ref(entry->cert);
	return 1;
}

bool trust_by_fingerprint(const struct trust *t, struct span text, struct cert **ret_cert)
{
	struct by_fingerprint f = { .text = text };

	if (trust_each(t, match_fingerprint, &f) == 0)
		return false;
	*ret_cert = f.found;
	return true;
}
