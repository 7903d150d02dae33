/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The mechanisms as functions from a client's message to the next step. An identity to act for
 * (authzid) other than the one that is proven is refused: nobody here acts for somebody else (of
 * EXTERNAL, whoever looks the account up sees to that). A
 * failed SCRAM proof is a plain refusal without a server-final message: the protocols around it say
 * "no" by themselves.
 */

#include "svc/sasl.h"

#include "base/enc.h"

#include <stdio.h>
#include <string.h>

static const char *const names[SASL_MECHANISMS] = {
	[SASL_PLAIN] = "PLAIN",
	[SASL_LOGIN] = "LOGIN",
	[SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[SASL_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
	[SASL_EXTERNAL] = "EXTERNAL",
};

/* What the next message of the client is. */
enum { FIRST, LOGIN_PASSWORD, SCRAM_VERIFIER, SCRAM_FINAL, SCRAM_END, OVER };

const char *sasl_name(enum sasl_mechanism mechanism)
{
	return names[mechanism];
}

bool sasl_find(struct span name, enum sasl_mechanism *ret_mechanism)
{
	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		if (span_is_nocase(name, names[i])) {
			*ret_mechanism = i;
			return true;
		}
	}
	return false;
}

void scram_verifier_make(struct scram_verifier *v, struct span password, uint32_t iterations,
	const uint8_t salt[static SCRAM_SALT])
{
	uint8_t salted[SHA256_OCTETS], client_key[SHA256_OCTETS];

	v->iterations = iterations;
	memcpy(v->salt, salt, SCRAM_SALT);
	digest_pbkdf2_sha256(password, span_of(salt, SCRAM_SALT), iterations, salted);
	digest_hmac_sha256(span_of(salted, sizeof salted), SPAN("Client Key"), client_key);
	digest_sha256(span_of(client_key, sizeof client_key), v->stored_key);
	digest_hmac_sha256(span_of(salted, sizeof salted), SPAN("Server Key"), v->server_key);
	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client_key, sizeof client_key);
}

void sasl_init(struct sasl *s, enum sasl_mechanism mechanism, struct span binding,
	bool plus_offered, const char *nonce)
{
	*s = (struct sasl){
		.mechanism = mechanism,
		.binding = binding,
		.plus_offered = plus_offered,
	};
	(void)snprintf(s->nonce, sizeof s->nonce, "%s", nonce);
}

void sasl_done(struct sasl *s)
{
	buf_done(&s->user);
	secret_done(&s->password);
	buf_done(&s->challenge);
	buf_done(&s->gs2_header);
	buf_done(&s->client_first_bare);
	buf_done(&s->server_first);
	buf_done(&s->full_nonce);
	explicit_bzero(&s->verifier, sizeof s->verifier);
}

static enum sasl_step challenge(struct sasl *s, unsigned state, struct span text)
{
	buf_clear(&s->challenge);
	buf_add(&s->challenge, text);
	s->state = state;
	return SASL_CHALLENGE;
}

static enum sasl_step over(struct sasl *s, enum sasl_step step)
{
	s->state = OVER;
	return step;
}

/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd. */
static enum sasl_step plain_message(struct sasl *s, struct span message)
{
	struct span identity, user;

	if (span_find(message, 0) == message.n)
		return over(s, SASL_SYNTAX);
	identity = span_cut(&message, 0);
	if (span_find(message, 0) == message.n)
		return over(s, SASL_SYNTAX);
	user = span_cut(&message, 0);
	if (user.n == 0 || span_find(message, 0) < message.n)
		return over(s, SASL_SYNTAX);
	if (identity.n && !span_equal_nocase(identity, user))
		return over(s, SASL_REFUSED);
	buf_add(&s->user, user);
	s->password = secret_copy(message);
	return over(s, SASL_CHECK_PASSWORD);
}

static enum sasl_step login_user(struct sasl *s, struct span message)
{
	if (message.n == 0 || span_find(message, 0) < message.n)
		return over(s, SASL_SYNTAX);
	buf_add(&s->user, message);
	return challenge(s, LOGIN_PASSWORD, SPAN("Password:"));
}

static enum sasl_step login_password(struct sasl *s, struct span message)
{
	s->password = secret_copy(message);
	return over(s, SASL_CHECK_PASSWORD);
}

/* RFC 4422 section A.1: the identity to act as, in UTF-8 without NUL, or nothing. */
static enum sasl_step external_message(struct sasl *s, struct span message)
{
	if (!span_is_utf8(message) || span_find(message, 0) < message.n)
		return over(s, SASL_SYNTAX);
	buf_add(&s->user, message);
	return over(s, SASL_CHECK_EXTERNAL);
}

/* RFC 5802 section 5.1: a name with "=2C" for a comma and "=3D" for an equals sign, nothing else
 * behind "=". */
static bool scram_name(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		struct span rest = span_skip(text, i);

		if (text.p[i] == 0)
			return false;
		if (text.p[i] != '=') {
			buf_add_octet(out, text.p[i]);
			continue;
		}
		if (span_starts(rest, SPAN("=2C")))
			buf_add_octet(out, ',');
		else if (span_starts(rest, SPAN("=3D")))
			buf_add_octet(out, '=');
		else
			return false;
		i += 2;
	}
	return buf_size(out) > 0;
}

/* Takes "x=value" up to the next comma. */
static bool scram_attribute(struct span *rest, uint8_t name, struct span *ret_value)
{
	struct span item;

	if (rest->n < 2 || rest->p[0] != name || rest->p[1] != '=')
		return false;
	item = span_cut(rest, ',');
	*ret_value = span_skip(item, 2);
	return true;
}

/* RFC 5802 section 7: printable ASCII without a comma. */
static bool scram_is_nonce(struct span nonce)
{
	for (size_t i = 0; i < nonce.n; i++) {
		if (nonce.p[i] < 0x21 || nonce.p[i] > 0x7E || nonce.p[i] == ',')
			return false;
	}
	return nonce.n > 0;
}

/* The channel binding flag against what was chosen and offered (RFC 5802 section 6);
 * SASL_NEED_VERIFIER if it fits. */
static enum sasl_step scram_flag(const struct sasl *s, struct span flag)
{
	bool plus = s->mechanism == SASL_SCRAM_SHA_256_PLUS;

	if (span_is(flag, "n"))
		return plus ? SASL_REFUSED : SASL_NEED_VERIFIER;
	if (span_is(flag, "y")) /* "I could, but you cannot": somebody took our offer away */
		return plus || s->plus_offered ? SASL_REFUSED : SASL_NEED_VERIFIER;
	if (span_starts(flag, SPAN("p=")))
		return plus && span_is(flag, "p=tls-exporter") ? SASL_NEED_VERIFIER : SASL_REFUSED;
	return SASL_SYNTAX;
}

/* gs2-header and client-first-message-bare, RFC 5802 section 7. */
static enum sasl_step scram_first(struct sasl *s, struct span message)
{
	CLEANUP(buf_done) struct buf identity = {};
	struct span rest = message, flag, authzid, name, nonce;
	enum sasl_step verdict;

	flag = span_cut(&rest, ',');
	verdict = scram_flag(s, flag);
	if (verdict != SASL_NEED_VERIFIER)
		return over(s, verdict);
	if (span_find(rest, ',') == rest.n)
		return over(s, SASL_SYNTAX);
	authzid = span_cut(&rest, ',');
	buf_add(&s->gs2_header, span_head(message, message.n - rest.n));
	buf_add(&s->client_first_bare, rest);
	if (authzid.n &&
		!(span_starts(authzid, SPAN("a=")) && scram_name(span_skip(authzid, 2), &identity)))
		return over(s, SASL_SYNTAX);
	/* "m=" in front announces an extension that must be understood: there is none. */
	if (!scram_attribute(&rest, 'n', &name) || !scram_name(name, &s->user) ||
		!scram_attribute(&rest, 'r', &nonce) || !scram_is_nonce(nonce))
		return over(s, SASL_SYNTAX);
	if (authzid.n && !span_equal_nocase(buf_span(&identity), buf_span(&s->user)))
		return over(s, SASL_REFUSED);
	buf_add(&s->full_nonce, nonce);
	buf_add_string(&s->full_nonce, s->nonce);
	s->state = SCRAM_VERIFIER;
	return SASL_NEED_VERIFIER;
}

enum sasl_step sasl_verifier(struct sasl *s, const struct scram_verifier *v)
{
	if (s->state != SCRAM_VERIFIER)
		return over(s, SASL_SYNTAX);
	s->verifier = *v;
	buf_add_string(&s->server_first, "r=");
	buf_add(&s->server_first, buf_span(&s->full_nonce));
	buf_add_string(&s->server_first, ",s=");
	enc_base64(&s->server_first, span_of(v->salt, sizeof v->salt));
	buf_add_format(&s->server_first, ",i=%u", v->iterations);
	return challenge(s, SCRAM_FINAL, buf_span(&s->server_first));
}

/* c= must be the gs2-header of the first message and the binding of this channel. */
static bool scram_binding_is(const struct sasl *s, struct span base64)
{
	CLEANUP(buf_done) struct buf given = {};
	CLEANUP(buf_done) struct buf expected = {};

	if (!enc_base64_decode(&given, base64))
		return false;
	buf_add(&expected, buf_span(&s->gs2_header));
	if (s->mechanism == SASL_SCRAM_SHA_256_PLUS)
		buf_add(&expected, s->binding);
	return span_equal_secret(buf_span(&given), buf_span(&expected));
}

/* RFC 5802 section 3: the proof is ClientKey xor ClientSignature; StoredKey is H(ClientKey). */
static bool scram_proof_is(const struct sasl *s, struct span auth_message, struct span proof)
{
	uint8_t key[SHA256_OCTETS], stored[SHA256_OCTETS];

	if (proof.n != SHA256_OCTETS)
		return false;
	digest_hmac_sha256(span_of(s->verifier.stored_key, SHA256_OCTETS), auth_message, key);
	for (size_t i = 0; i < SHA256_OCTETS; i++)
		key[i] ^= proof.p[i];
	digest_sha256(span_of(key, sizeof key), stored);
	explicit_bzero(key, sizeof key);
	return span_equal_secret(
		span_of(stored, sizeof stored), span_of(s->verifier.stored_key, SHA256_OCTETS));
}

static enum sasl_step scram_final(struct sasl *s, struct span message)
{
	CLEANUP(buf_done) struct buf auth = {};
	CLEANUP(buf_done) struct buf proof = {};
	CLEANUP(buf_done) struct buf answer = {};
	struct span rest = message, binding, nonce, proof_text;
	uint8_t signature[SHA256_OCTETS];
	size_t without_proof = 0;

	/* The proof comes last; extensions may stand before it and are ignored. */
	for (size_t i = 0; i + 3 <= message.n; i++) {
		if (span_starts(span_skip(message, i), SPAN(",p=")))
			without_proof = i;
	}
	if (!without_proof || !scram_attribute(&rest, 'c', &binding) ||
		!scram_attribute(&rest, 'r', &nonce))
		return over(s, SASL_SYNTAX);
	proof_text = span_skip(message, without_proof + 3);
	if (!enc_base64_decode(&proof, proof_text))
		return over(s, SASL_SYNTAX);
	if (!span_equal(nonce, buf_span(&s->full_nonce)) || !scram_binding_is(s, binding))
		return over(s, SASL_REFUSED);
	buf_add(&auth, buf_span(&s->client_first_bare));
	buf_add_octet(&auth, ',');
	buf_add(&auth, buf_span(&s->server_first));
	buf_add_octet(&auth, ',');
	buf_add(&auth, span_head(message, without_proof));
	if (!scram_proof_is(s, buf_span(&auth), buf_span(&proof)))
		return over(s, SASL_REFUSED);
	digest_hmac_sha256(
		span_of(s->verifier.server_key, SHA256_OCTETS), buf_span(&auth), signature);
	buf_add_string(&answer, "v=");
	enc_base64(&answer, span_of(signature, sizeof signature));
	return challenge(s, SCRAM_END, buf_span(&answer));
}

enum sasl_step sasl_start(struct sasl *s, const struct span *initial)
{
	if (s->mechanism == SASL_SCRAM_SHA_256_PLUS && s->binding.n == 0)
		return over(s, SASL_REFUSED);
	if (initial)
		return sasl_step(s, *initial);
	return challenge(s, FIRST, s->mechanism == SASL_LOGIN ? SPAN("Username:") : SPAN(""));
}

enum sasl_step sasl_step(struct sasl *s, struct span message)
{
	if (message.n > SASL_MESSAGE_MAX)
		return over(s, SASL_SYNTAX);
	switch (s->state) {
	case FIRST:
		switch (s->mechanism) {
		case SASL_PLAIN:
			return plain_message(s, message);
		case SASL_LOGIN:
			return login_user(s, message);
		case SASL_EXTERNAL:
			return external_message(s, message);
		default:
			return scram_first(s, message);
		}
	case LOGIN_PASSWORD:
		return login_password(s, message);
	case SCRAM_FINAL:
		return scram_final(s, message);
	case SCRAM_END: /* the client has seen our signature and sends an empty answer */
		return over(s, message.n ? SASL_SYNTAX : SASL_PROVEN);
	default:
		return over(s, SASL_SYNTAX);
	}
}
