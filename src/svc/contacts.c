/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/contacts.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/enc.h"
#include "base/random.h"
#include "contact/card.h"
#include "pki/path.h"
#include "pki/person.h"
#include "smime/capability.h"
#include "smime/cert_cache.h"
#include "smime/read.h"
#include "smime/sender.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/known_certs.h"
#include "svc/revocation.h"
#include "svc/trust.h"

#include <stdlib.h>

struct contact_trust {
	struct env *env;
	struct trust *trust;
	struct revocation *revocation;
	uint64_t view; /* for the certificates' cache */
	bool has_known;
	struct cert_list known; /* read when a path is to be found that was not before */
	int64_t now_us;
};

int contact_trust_new(struct contact_trust **ret_trust, struct env *e, int64_t domain)
{
	CLEANUP(contact_trust_freep) struct contact_trust *t = ALLOC(struct contact_trust);

	t->now_us = clock_now_us();
	t->env = e;
	t->revocation = revocation_of_domain(e, domain);
	/* Before trust is read: a change in between is not kept under the new number. */
	t->view = trust_view(e, domain, t->revocation);
	TRY(trust_of_domain(e, domain, &t->trust));
	*ret_trust = TAKE(t);
	return 0;
}

struct contact_trust *contact_trust_free(struct contact_trust *t)
{
	if (!t)
		return NULL;
	(void)trust_unref(t->trust);
	(void)revocation_unref(t->revocation);
	cert_list_done(&t->known);
	free(t);
	return NULL;
}

static int read_known(struct contact_trust *t)
{
	if (!t->has_known)
		TRY(known_intermediates(t->env, &t->known));
	t->has_known = true;
	return 0;
}

static void add_all(struct cert_list *to, const struct cert_list *from)
{
	for (size_t i = 0; from && i < from->n; i++)
		cert_list_add(to, from->certs[i]);
}

int contact_trust_judge(struct contact_trust *t, struct cert *cert, const struct cert_list *chain,
	struct why *why)
{
	CLEANUP(cert_list_done) struct cert_list others = {};
	CLEANUP(verdict_done) struct verdict verdict = {};
	CLEANUP(buf_done) struct buf text = {};
	struct path_request request = {
		.leaf = cert,
		.untrusted = &others,
		.trust = t->trust,
		.time_us = t->now_us,
		.purposes = TRUST_MAIL,
	};

	if (cert_cache_knows(t->env->mail_certs, t->view, &request, &verdict))
		return 0;
	TRY(read_known(t));
	add_all(&others, chain);
	add_all(&others, &t->known);
	TRY(revocation_validate_kept(t->revocation, t->env->mail_certs, t->view, &request,
		&verdict));
	if (verdict.valid)
		return 0;
	if (verdict_error(&verdict))
		finding_add_text(verdict_error(&verdict), &text);
	why_set(why, "%.*s", (int)buf_size(&text), (const char *)buf_span(&text).p);
	return CONTACT_E_REFUSED;
}

bool contact_cert_is_for(const struct cert *cert, struct span address)
{
	struct address_name name;

	return address_normalize(address, &name) == 0 && sender_cert_is_for(cert, &name);
}

static struct span arena_sha256(struct arena *a, const struct cert *cert)
{
	uint8_t digest[SHA256_OCTETS];

	cert_fingerprint(cert, digest);
	return arena_span(a, span_of(digest, sizeof digest));
}

/* The row of a certificate for one address. */
static struct store_contact_cert row_of(struct arena *a, const struct cert *cert,
	struct span address)
{
	return (struct store_contact_cert){
		.address = address,
		.sha256 = arena_sha256(a, cert),
		.der = arena_span(a, cert_der(cert)),
		.capabilities = arena_span(a, capability_of_cert(cert)),
		.state = CERT_WAITING,
		.source = CERT_FROM_CARD,
		.in_card = true,
		.not_before_us = cert_not_before_us(cert),
		.not_after_us = cert_not_after_us(cert),
	};
}

/* One certificate of a card: for those of the card's addresses that it is for; where there is none
 * of them, for all, and then it waits. */
static int rows_of_cert(const struct card *card, struct cert *cert, struct contact_trust *t,
	struct arena *a, struct buf *rows)
{
	size_t before = buf_size(rows);
	struct why why = { "it has not been verified" };
	int r = t ? contact_trust_judge(t, cert, NULL, &why) : CONTACT_E_REFUSED;
	struct span reason;

	if (r < 0)
		return r;
	reason = r ? arena_span(a, span_str(why.text)) : SPAN("");
	for (int all = 0; all < 2 && buf_size(rows) == before; all++) {
		if (all)
			reason = SPAN("the certificate is for other addresses than the card's");
		for (size_t i = 0; i < card->n_addresses; i++) {
			struct store_contact_cert row;

			if (!all && !contact_cert_is_for(cert, card->addresses[i]))
				continue;
			row = row_of(a, cert, arena_span(a, card->addresses[i]));
			row.reason = reason;
			row.state = all || r ? CERT_WAITING : CERT_TRUSTED;
			buf_add(rows, span_of(&row, sizeof row));
		}
	}
	return 0;
}

static struct span *copy_spans(struct arena *a, const struct span *spans, size_t n)
{
	struct span *copy = arena_alloc(a, (n + 1) * sizeof *copy);

	for (size_t i = 0; i < n; i++)
		copy[i] = arena_span(a, spans[i]);
	return copy;
}

int contact_rows_of(const struct card *card, struct contact_trust *t, struct arena *a,
	struct contact_put *ret_put, struct why *why)
{
	CLEANUP(buf_done) struct buf rows = {}, json = {};

	for (size_t i = 0; i < card->n_certs; i++) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		struct why wrong = {};
		int r = cert_from_der(&cert, card->certs[i], &wrong);

		if (r < 0)
			return r;
		if (r) {
			why_set(why, "cryptoKeys: %s", wrong.text);
			return CONTACT_E_REFUSED;
		}
		TRY(rows_of_cert(card, cert, t, a, &rows));
	}
	card_print(card, &json);
	*ret_put = (struct contact_put){
		.uid = arena_span(a, card->uid),
		.kind = arena_span(a, card->kind),
		.name = arena_span(a, card->name),
		.card = arena_span(a, buf_span(&json)),
		.addresses = copy_spans(a, card->addresses, card->n_addresses),
		.n_addresses = card->n_addresses,
		.certs = (const struct store_contact_cert *)(const void *)arena_span(a,
			buf_span(&rows))
				 .p,
		.n_certs = buf_size(&rows) / sizeof(struct store_contact_cert),
	};
	return 0;
}

void contact_take_done(struct contact_take *take)
{
	(void)cert_unref(take->cert);
	take->cert = NULL;
}

/* Names from the certificate, never from a header: whoever writes those is not vouched for. */
static struct span name_in(const struct cert *cert, struct arena *a)
{
	CLEANUP(buf_done) struct buf name = {};

	if (person_attribute(cert, SPAN("CN"), &name))
		return SPAN("");
	return arena_span(a, buf_span(&name));
}

static bool address_in(const struct cert *cert, struct arena *a, struct span *ret_address)
{
	struct address_name name;
	struct span address;

	for (size_t i = 0; sender_cert_address(cert, i, &address); i++) {
		if (address_normalize(address, &name))
			continue;
		*ret_address = arena_span(a, address);
		return true;
	}
	return false;
}

/* What of the others fits into the row. */
static struct span chain_of(const struct cert_list *certs, const struct cert *leaf, struct arena *a)
{
	CLEANUP(buf_done) struct buf chain = {};

	for (size_t i = 0; i < certs->n; i++) {
		struct span der = cert_der(certs->certs[i]);

		if (!span_equal(der, cert_der(leaf)) &&
			buf_size(&chain) + der.n <= CONTACT_CHAIN_MAX)
			buf_add(&chain, der);
	}
	return arena_span(a, buf_span(&chain));
}

/* A signature that does not hold proves nothing about who has the key; one that is revoked is a
 * warning. Neither is overruled. */
static bool may_be_overruled(enum smime_signer_verdict verdict)
{
	switch (verdict) {
	case SMIME_SIGNER_CHAIN_INCOMPLETE:
	case SMIME_SIGNER_UNTRUSTED:
	case SMIME_SIGNER_EXPIRED:
	case SMIME_SIGNER_NOT_YET_VALID:
	case SMIME_SIGNER_WRONG_PURPOSE:
	case SMIME_SIGNER_CERTIFICATE_INVALID:
	case SMIME_SIGNER_ADDRESS_MISMATCH:
	case SMIME_SIGNER_SENDER_ONLY:
		return true;
	default:
		return false;
	}
}

/* The signer to be taken: the first who is good; else the one that is asked for by fingerprint, or
 * that could be. */
static const struct smime_signer *choose_signer(const struct smime_report *r, struct span anyway,
	const struct smime_layer **ret_layer)
{
	const struct smime_signer *other = NULL;

	for (size_t i = 0; i < r->n_envelope; i++) {
		for (size_t k = 0; k < r->layers[i].n_signers; k++) {
			const struct smime_signer *s = &r->layers[i].signers[k];
			bool asked = s->cert && anyway.n && cert_has_fingerprint(s->cert, anyway);

			if (!s->cert)
				continue;
			if (s->verdict == SMIME_SIGNER_OK || asked || !other) {
				other = s;
				*ret_layer = &r->layers[i];
			}
			if (s->verdict == SMIME_SIGNER_OK && !anyway.n)
				return s;
			if (asked)
				return s;
		}
	}
	return other;
}

static const char *reason_of(const struct smime_signer *s)
{
	return s->reason ? s->reason : smime_signer_verdict_text(s->verdict);
}

/* What can be said of a refusal: the fingerprint to say it with. */
static void offer(struct contact_take *take, const struct cert *cert, const char *reason,
	struct why *why)
{
	CLEANUP(buf_done) struct buf print = {};

	cert_add_fingerprint_text(cert, &print);
	take->may_anyway = true;
	why_set(why, "%.300s; to take it anyway, name its fingerprint %.*s", reason,
		(int)buf_size(&print), (const char *)buf_span(&print).p);
}

static int take_signer(const struct smime_signer *s, const struct smime_layer *layer,
	struct arena *a, struct span anyway, struct contact_take *take, struct why *why)
{
	bool good = s->verdict == SMIME_SIGNER_OK;
	struct span capabilities = buf_span(&s->capabilities);

	if (!good && !may_be_overruled(s->verdict)) {
		why_set(why, "%s", reason_of(s));
		return CONTACT_E_REFUSED;
	}
	if (!good && !(anyway.n && cert_has_fingerprint(s->cert, anyway))) {
		offer(take, s->cert, reason_of(s), why);
		return CONTACT_E_REFUSED;
	}
	if (!address_in(s->cert, a, &take->address)) {
		why_set(why, "the certificate names no mail address");
		return CONTACT_E_REFUSED;
	}
	if (!capabilities.n)
		capabilities = capability_of_cert(s->cert);
	take->cert = cert_ref(s->cert);
	take->name = name_in(s->cert, a);
	take->chain = chain_of(&layer->certs, s->cert, a);
	take->capabilities = arena_span(a, span_head(capabilities, CONTACT_CAPABILITIES_MAX));
	take->reason = good ? SPAN("") : arena_span(a, span_str(reason_of(s)));
	take->source = CERT_FROM_MESSAGE;
	take->anyway = !good;
	return 0;
}

/* The address of a good signer is the one that From: has, where the certificate has several. */
static void prefer_author(struct contact_take *take, struct span message, struct arena *a)
{
	struct sender sender = {};
	struct span address;

	sender_of(message, &sender);
	for (size_t k = 0; k < sender.n_authors; k++) {
		for (size_t i = 0; sender_cert_address(take->cert, i, &address); i++) {
			struct address_name name;

			if (address_normalize(address, &name) ||
				!span_equal(address_name_folded(&name),
					address_name_folded(&sender.authors[k])) ||
				!span_equal(address_name_domain(&name),
					address_name_domain(&sender.authors[k])))
				continue;
			take->address = arena_span(a, address);
			sender_done(&sender);
			return;
		}
	}
	sender_done(&sender);
}

int contact_take_message(struct env *e, struct contact_trust *t, struct arena *a,
	struct span message, int64_t received_us, struct span anyway, struct contact_take *ret_take,
	struct why *why)
{
	struct smime_request request = {
		.message = message,
		.trust = t->trust,
		.known = &t->known,
		.crls = revocation_crls(t->revocation),
		.time_us = t->now_us,
		.received_us = received_us,
		.expect = SMIME_EXPECT_FROM,
		.cache = e->mail_certs,
		.generation = t->view,
	};
	const struct smime_layer *layer = NULL;
	const struct smime_signer *signer;
	struct smime_result result;
	int r = CONTACT_E_REFUSED;

	TRY(read_known(t));
	*ret_take = (struct contact_take){};
	TRY(smime_read(&request, &result));
	signer = choose_signer(&result.report, anyway, &layer);
	if (signer)
		r = take_signer(signer, layer, a, anyway, ret_take, why);
	else if (result.report.status == SMIME_STATUS_LOCKED)
		why_set(why,
			"the message is encrypted: take the certificate from the decrypted one");
	else
		why_set(why, "the message has no signature with a certificate");
	if (!r)
		prefer_author(ret_take, message, a);
	smime_result_done(&result);
	return r;
}

int contact_take_file(struct contact_trust *t, struct arena *a, const struct cert_list *certs,
	struct span address, struct span anyway, struct contact_take *ret_take, struct why *why)
{
	struct cert_list chain = { certs->certs + 1, certs->n - 1 };
	struct cert *cert = certs->certs[0];
	struct span first = {};
	struct why reason = {};
	bool good;
	int r;

	*ret_take = (struct contact_take){};
	if (!address_in(cert, a, &first)) {
		why_set(why, "the certificate names no mail address");
		return CONTACT_E_REFUSED;
	}
	if (address.n && !contact_cert_is_for(cert, address)) {
		why_set(why, "the certificate is for %.*s, not for that address", (int)first.n,
			(const char *)first.p);
		return CONTACT_E_REFUSED;
	}
	r = contact_trust_judge(t, cert, &chain, &reason);
	if (r < 0)
		return r;
	good = r == 0;
	if (!good && !(anyway.n && cert_has_fingerprint(cert, anyway))) {
		offer(ret_take, cert, reason.text, why);
		return CONTACT_E_REFUSED;
	}
	*ret_take = (struct contact_take){
		.cert = cert_ref(cert),
		.address = address.n ? arena_span(a, address) : first,
		.name = name_in(cert, a),
		.chain = chain_of(&chain, cert, a),
		.capabilities = arena_span(a,
			span_head(capability_of_cert(cert), CONTACT_CAPABILITIES_MAX)),
		.reason = good ? SPAN("") : arena_span(a, span_str(reason.text)),
		.source = CERT_FROM_FILE,
		.anyway = !good,
	};
	return 0;
}

/* RFC 9562 section 5.4. */
static struct span new_uid(struct arena *a)
{
	CLEANUP(buf_done) struct buf uid = {};
	uint8_t x[16];

	random_fill(x, sizeof x);
	x[6] = (uint8_t)((x[6] & 0x0f) | 0x40);
	x[8] = (uint8_t)((x[8] & 0x3f) | 0x80);
	buf_add_string(&uid, "urn:uuid:");
	for (size_t i = 0; i < sizeof x; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			buf_add_octet(&uid, '-');
		enc_hex(&uid, span_of(&x[i], 1));
	}
	return arena_span(a, buf_span(&uid));
}

static int put_card(struct store_conn *c, struct arena *a, int64_t account, int64_t book,
	const struct card *card, struct why *why)
{
	struct contact_put put;
	int64_t id;
	int r = contact_rows_of(card, NULL, a, &put, why);

	if (r)
		return r;
	put.book = book;
	r = store_contact_put(c, account, &put, &id, why);
	if (r == STORE_E_NOT_FOUND)
		why_set(why, "there is no such address book");
	return r > 0 ? CONTACT_E_REFUSED : r;
}

/* The card that the address has, or a new one with nothing but it. */
static int find_card(struct store_conn *c, struct arena *a, int64_t account, int64_t book,
	const struct contact_take *take, struct store_contact *ret_contact, struct why *why)
{
	CLEANUP(card_freep) struct card *card = NULL;
	struct span uid;
	int r = store_contact_of(c, a, account, take->address, ret_contact);

	if (r != STORE_E_NOT_FOUND)
		return r;
	uid = new_uid(a);
	r = card_new(&card, uid, take->name, take->address, why);
	if (!r)
		r = put_card(c, a, account, book, card, why);
	if (r)
		return r;
	TRY(store_contact_get(c, a, account, uid, ret_contact));
	return 0;
}

/* The certificate stands in the card from now on, or does not any more. */
static int change_card(struct store_conn *c, struct arena *a, int64_t account,
	const struct store_contact *contact, struct span der, bool add, struct why *why)
{
	CLEANUP(card_freep) struct card *card = NULL;
	int r = card_parse(&card, contact->card, why);

	if (!r)
		r = add ? card_add_cert(&card, der, why) : card_remove_cert(&card, der, why);
	if (r)
		return r;
	return put_card(c, a, account, 0, card, why);
}

int contact_take_write(struct store_conn *c, struct arena *a, int64_t account, int64_t book,
	const struct contact_take *take, struct store_contact *ret_contact,
	enum cert_state *ret_state, struct why *why)
{
	struct store_contact_cert row = row_of(a, take->cert, take->address);
	int r = find_card(c, a, account, book, take, ret_contact, why);

	if (r)
		return r;
	row.contact = ret_contact->id;
	row.chain = take->chain;
	row.capabilities = take->capabilities;
	row.reason = take->reason;
	row.state = take->anyway ? CERT_ANYWAY : CERT_TRUSTED;
	row.source = take->source;
	row.in_card = false;
	r = store_contact_cert_put(c, account, &row, take->anyway, ret_state, why);
	if (r)
		return r > 0 ? CONTACT_E_REFUSED : r;
	if (*ret_state == CERT_WAITING)
		return 0;
	return change_card(c, a, account, ret_contact, row.der, true, why);
}

static int contact_by_id(struct store_conn *c, struct arena *a, int64_t account, int64_t id,
	struct store_contact *ret_contact)
{
	struct span uid;
	int r = store_contact_uid(c, a, account, id, &uid);

	return r ? r : store_contact_get(c, a, account, uid, ret_contact);
}

int contact_decide(struct store_conn *c, struct arena *a, int64_t account, struct span address,
	struct span sha256, bool accept, bool trusted, struct why *why)
{
	struct store_contact_cert row;
	struct store_contact contact;
	enum cert_state state;
	int r = store_contact_cert_get(c, a, account, address, sha256, &row);

	if (r)
		return r;
	if (row.state != CERT_WAITING) {
		why_set(why, "the certificate does not wait");
		return STORE_E_REFUSED;
	}
	TRY(contact_by_id(c, a, account, row.contact, &contact));
	if (!accept) {
		TRY(store_contact_cert_remove(c, account, address, sha256));
		r = row.in_card ? change_card(c, a, account, &contact, row.der, false, why) : 0;
		return r > 0 ? STORE_E_REFUSED : r;
	}
	row.state = trusted ? CERT_TRUSTED : CERT_ANYWAY;
	row.reason = trusted ? SPAN("") : row.reason;
	TRY(store_contact_cert_put(c, account, &row, true, &state, why));
	r = change_card(c, a, account, &contact, row.der, true, why);
	return r > 0 ? STORE_E_LIMIT : r;
}
