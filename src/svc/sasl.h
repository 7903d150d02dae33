/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * SASL mechanisms of the server's side: messages in, messages out, no I/O and no waiting. The one
 * who drives it looks the account up when asked, and sends the challenges.
 */

#include "base/buf.h"
#include "base/digest.h"
#include "base/secret.h"

enum sasl_mechanism {
	SASL_PLAIN,              /* RFC 4616 */
	SASL_LOGIN,              /* never standardized; old clients know nothing else */
	SASL_SCRAM_SHA_256,      /* RFC 5802, RFC 7677 */
	SASL_SCRAM_SHA_256_PLUS, /* with the channel binding tls-exporter, RFC 9266 */
	SASL_EXTERNAL,           /* RFC 4422 appendix A: by the client's certificate */
	SASL_MECHANISMS,
};

const char *sasl_name(enum sasl_mechanism mechanism);

/* By name, without case; false if unknown. */
bool sasl_find(struct span name, enum sasl_mechanism *ret_mechanism);

/* What the server knows of a password for SCRAM. */
enum { SCRAM_SALT = 16, SCRAM_ITERATIONS = 10000, SCRAM_NONCE_MAX = 63 };
struct scram_verifier {
	uint32_t iterations;
	uint8_t salt[SCRAM_SALT];
	uint8_t stored_key[SHA256_OCTETS];
	uint8_t server_key[SHA256_OCTETS];
};

/* RFC 5802 section 3; the password is prepared already. */
void scram_verifier_make(struct scram_verifier *v, struct span password, uint32_t iterations,
	const uint8_t salt[static SCRAM_SALT]);

enum sasl_step {
	SASL_CHALLENGE,      /* send .challenge, give the answer to sasl_step */
	SASL_CHECK_PASSWORD, /* .user and .password: the exchange is over, the check decides */
	SASL_CHECK_EXTERNAL, /* .user, or whoever it is if that is empty: the exchange is over, what TLS
			      * has shown decides */
	SASL_NEED_VERIFIER,  /* look .user up and call sasl_verifier */
	SASL_PROVEN,         /* .user is who he says */
	SASL_REFUSED,        /* wrong proof, or a binding or identity that does not fit */
	SASL_SYNTAX,         /* not a message of this mechanism */
};

enum { SASL_MESSAGE_MAX = 9216 }; /* octets of one message of a client */

struct sasl {
	enum sasl_mechanism mechanism;
	struct buf user;
	struct secret password;
	struct buf challenge;

	/* Private. */
	unsigned state;
	bool plus_offered;
	struct span binding;             /* the caller's */
	char nonce[SCRAM_NONCE_MAX + 1]; /* ours */
	struct buf gs2_header;
	struct buf client_first_bare;
	struct buf server_first;
	struct buf full_nonce;
	struct scram_verifier verifier;
};

/* binding: the channel's tls-exporter value, which must outlive the exchange; n 0 where there is
 * none. plus_offered: SCRAM-SHA-256-PLUS was on offer (RFC 5802 section 6, against downgrades).
 * nonce: at most SCRAM_NONCE_MAX printable characters, no comma; nobody can guess them. */
void sasl_init(struct sasl *s, enum sasl_mechanism mechanism, struct span binding,
	bool plus_offered, const char *nonce);
void sasl_done(struct sasl *s);

/* The start: initial is NULL if the client sent no initial response. */
enum sasl_step sasl_start(struct sasl *s, const struct span *initial);

/* The client's answer to a challenge. */
enum sasl_step sasl_step(struct sasl *s, struct span message);

/* The answer to SASL_NEED_VERIFIER. */
enum sasl_step sasl_verifier(struct sasl *s, const struct scram_verifier *v);
