/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What a policy means to the crypto library. Rules are made by trying them: what the library does
 * not know, or what leaves a version without a suite, is refused. Immutable and counted.
 *
 * A listener's rules are in the SSL_CTX its connections begin with; those of a domain are applied
 * to the SSL object, field by field, because switching the SSL_CTX would change certificates only.
 */

#include "net/tls.h"
#include "net/tls_policy.h"

struct tls_rules {
	int min_version, max_version; /* TLS1_2_VERSION */
	int security_level;           /* SSL_CTX_set_security_level(3) */
	char *ciphers;                /* TLS 1.2 */
	char *old_ciphers;            /* for clients that offer no more than TLS 1.1; may be empty */
	char *suites;
	char *groups;
	bool has_default_ciphers;
	bool refuses_sslv2_hello;
	bool uses_sni;
	bool gives_tickets;
	uint32_t lifetime_s;          /* of a session since its last use */
	bool client_abort;
	enum tls_log log;

	/* Private. */
	SSL_CTX *ctx;
	uint8_t digest[SHA256_OCTETS];
	_Atomic unsigned refs;
};

enum tls_rules_outcome { TLS_E_RULES = 1 };

/* TLS_E_RULES: why says which setting cannot be used, and what would help. Without a host they are
 * for looking at only. */
int tls_rules_new(struct tls_rules **ret_rules, struct tls_host *h, const struct tls_policy *p,
	struct why *why) MUST_CHECK;
struct tls_rules *tls_rules_ref(struct tls_rules *r);
struct tls_rules *tls_rules_unref(struct tls_rules *r);
CLEANUP_POINTER(struct tls_rules, tls_rules_unref)

/* All that a connection may still be told while its ClientHello is looked at. */
bool tls_rules_apply(const struct tls_rules *r, SSL *ssl);

/* Appends sentences on what the policy does that one might not expect of it, each ended by LF. */
void tls_rules_notes(const struct tls_policy *p, struct buf *out);
