/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Answers to questions about certificates. What an answer says is looked up each time, so that a
 * revocation counts at once; the signature under it is kept for half the life of the answer, as long as
 * it says the same.
 *
 * Anybody may ask anything, so what costs a signature is bounded, and nobody makes others wait: answers
 * that others can use, about one certificate that there is, are as many as there are certificates. A nonce
 * or several certificates at once make an answer that is of use to nobody else, so these have a bucket of
 * their own; where it is empty, the answer without the nonce is given (RFC 9654 section 1 lets a responder
 * leave it out), else "try later". That there is no such certificate is said without a signature
 * (RFC 5019 section 2.2.3): of those there are as many as somebody likes to make up.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "pki/key.h"
#include "pki/responder.h"
#include "smime/cert_cache.h"
#include "store/ca_rows.h"
#include "store/domain.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "svc/ca_parts.h"
#include "svc/ca_status.h"
#include "svc/domain_keys.h"
#include "svc/env.h"

#include <stdlib.h>

static const int64_t answer_life_us = 12LL * 3600 * 1000000;
static const int64_t kept_us = 6LL * 3600 * 1000000;

/* An answer as it was signed. */
struct ca_kept {
	int64_t next_us;
	int64_t drop_us; /* it is signed anew from then on */
	size_t n;
	uint8_t der[];
};

struct answering {
	struct env *env;
	const struct ca_question *question;
	struct responder_request request;
	struct arena arena;
	bool found;
	size_t n_known; /* certificates that were issued here */
	struct store_authority authority;
	struct store_key key;
	struct cert *issuer;
	struct responder_answer answers[RESPONDER_CERTS_MAX];
};

static void answering_done(struct answering *w)
{
	(void)cert_unref(w->issuer);
	arena_done(&w->arena);
}

static int try_authority(const struct store_authority *row, void *context)
{
	struct answering *w = context;
	CLEANUP(cert_unrefp) struct cert *issuer = NULL;
	int r;

	if (w->found || !row->key)
		return 0;
	r = cert_cache_read(w->env->mail_certs, row->der, &issuer, NULL);
	if (r) /* one that nobody can read is asked about by nobody */
		return r < 0 ? r : 0;
	/* RFC 5019 section 2.1.1: all of them are of one issuer. */
	for (size_t i = 0; i < w->request.n; i++) {
		if (!responder_is_about(&w->request.questions[i], issuer))
			return 0;
	}
	w->found = true;
	w->authority = *row;
	w->authority.label = arena_span(&w->arena, row->label);
	(void)cert_unref(w->issuer);
	w->issuer = TAKE(issuer);
	return 0;
}

static int find_authority(struct store_conn *c, struct answering *w)
{
	struct store_authority row;
	struct store_domain domain;
	int r;

	if (w->question->label.n) {
		r = store_authority_by_label(c, &w->arena, w->question->label, &row);
		return r ? (r == STORE_E_NOT_FOUND ? 0 : r) : try_authority(&row, w);
	}
	r = store_domain_find(c, &w->arena, w->question->domain, &domain);
	if (r)
		return r == STORE_E_NOT_FOUND ? 0 : r;
	return store_authority_each(c, domain.id, try_authority, w);
}

static int look_up_one(struct store_conn *c, struct answering *w, size_t i)
{
	struct responder_answer *a = &w->answers[i];
	struct store_issued row;
	int r = store_issued_by_serial(c, &w->arena, w->request.questions[i].serial, &row);

	*a = (struct responder_answer){ .id = w->request.questions[i].id,
		.status = RESPONDER_UNKNOWN };
	if (r == STORE_E_NOT_FOUND || (r == 0 && row.authority != w->authority.id))
		return 0;
	TRY(r);
	w->n_known++;
	a->status = row.revoked_us ? RESPONDER_REVOKED : RESPONDER_GOOD;
	a->revoked_us = row.revoked_us;
	a->reason = row.reason;
	return 0;
}

static int look_up(struct store_conn *c, void *arg)
{
	struct answering *w = arg;

	w->found = false;
	w->n_known = 0;
	TRY(find_authority(c, w));
	if (!w->found)
		return 0;
	for (size_t i = 0; i < w->request.n; i++)
		TRY(look_up_one(c, w, i));
	TRY(store_key_get(c, &w->arena, w->authority.key, &w->key));
	return 0;
}

/* What an answer says, as octets. */
static void add_meaning(const struct answering *w, struct buf *out)
{
	buf_add_u64(out, (uint64_t)w->authority.id);
	for (size_t i = 0; i < w->request.n; i++) {
		const struct responder_answer *a = &w->answers[i];

		buf_add_format(out, " %d %lld %u ", (int)a->status, (long long)a->revoked_us,
			a->reason);
		buf_add(out, a->id);
	}
}

static bool find_kept(struct answering *w, struct span meaning, struct buf *out,
	int64_t *ret_until_us)
{
	struct ca *ca = w->env->ca;
	const struct ca_kept *kept;
	bool found = false;

	(void)pthread_mutex_lock(&ca->answers_lock);
	kept = map_get(&ca->answers, meaning);
	if (kept && kept->drop_us > clock_now_us()) {
		buf_add(out, span_of(kept->der, kept->n));
		*ret_until_us = kept->next_us;
		found = true;
	}
	(void)pthread_mutex_unlock(&ca->answers_lock);
	return found;
}

/* When there are too many, all go: it costs one signature each to have them back. */
static void keep(struct answering *w, struct span meaning, struct span der, int64_t now_us,
	int64_t next_us)
{
	struct ca *ca = w->env->ca;
	struct ca_kept *kept = alloc_zero(sizeof *kept + der.n);

	*kept = (struct ca_kept){ .next_us = next_us, .drop_us = now_us + kept_us, .n = der.n };
	memcpy(kept->der, der.p, der.n);
	(void)pthread_mutex_lock(&ca->answers_lock);
	if (ca->answers.n >= CA_ANSWERS_MAX)
		map_done(&ca->answers, free);
	free(map_put(&ca->answers, meaning, kept));
	(void)pthread_mutex_unlock(&ca->answers_lock);
}

static bool may_sign(struct answering *w, struct bucket *from)
{
	struct ca *ca = w->env->ca;
	bool may;

	(void)pthread_mutex_lock(&ca->answers_lock);
	may = bucket_take(from, 1, clock_monotonic_ms());
	ca->n_signed += may;
	(void)pthread_mutex_unlock(&ca->answers_lock);
	return may;
}

static int sign(struct answering *w, struct span nonce, int64_t now_us, struct buf *out)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	struct responder_reply reply = { .issuer = w->issuer, .answers = w->answers,
		.n = w->request.n, .nonce = nonce, .this_us = now_us,
		.next_us = now_us + answer_life_us };

	TRY(domain_key_open(w->env, &w->key, &signer));
	reply.signer = signer;
	return responder_write(&reply, out);
}

/* About one certificate, for whoever asks. */
static int answer_one(struct answering *w, struct buf *out, int64_t *ret_until_us)
{
	CLEANUP(buf_done) struct buf meaning = {};
	int64_t now_us = clock_now_us();
	int r;

	add_meaning(w, &meaning);
	if (find_kept(w, buf_span(&meaning), out, ret_until_us))
		return 0;
	if (!may_sign(w, &w->env->ca->signatures)) {
		responder_write_error(RESPONDER_TRY_LATER, out);
		return 0;
	}
	r = sign(w, SPAN(""), now_us, out);
	if (r)
		return r;
	keep(w, buf_span(&meaning), buf_span(out), now_us, now_us + answer_life_us);
	*ret_until_us = now_us + answer_life_us;
	return 0;
}

static int answer_known(struct answering *w, struct buf *out, int64_t *ret_until_us)
{
	bool is_single_use = w->request.nonce.n || w->request.n > 1;

	if (is_single_use && may_sign(w, &w->env->ca->single_use))
		return sign(w, w->request.nonce, clock_now_us(), out);
	if (w->request.n == 1)
		return answer_one(w, out, ret_until_us);
	responder_write_error(RESPONDER_TRY_LATER, out);
	return 0;
}

int ca_answer(struct env *e, const struct ca_question *q, struct buf *out, int64_t *ret_until_us)
{
	CLEANUP(answering_done) struct answering w = { .env = e, .question = q };
	int r;

	*ret_until_us = 0;
	env_count(e, COUNT_OCSP_ANSWERS);
	if (responder_read(q->request, &w.request)) {
		responder_write_error(RESPONDER_MALFORMED, out);
		return 0;
	}
	TRY(store_read(e->store, look_up, &w));
	if (!w.n_known) {
		/* RFC 5019 section 2.2.3. */
		responder_write_error(RESPONDER_UNAUTHORIZED, out);
		return 0;
	}
	r = answer_known(&w, out, ret_until_us);
	if (!r)
		return 0;
	/* keyd is away, or something failed: the client is told so in its own terms. */
	log_fault(NULL, "PKI", "ca.answer", err_fold(r));
	buf_clear(out);
	responder_write_error(RESPONDER_TRY_LATER, out);
	return 0;
}
