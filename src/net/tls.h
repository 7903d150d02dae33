/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What TLS says about itself, per domain. A profile holds what one domain says: certificates, keys,
 * client certificates, rules of its own. A directory says which profile answers for a name or an
 * address, and each listener's rules; it never changes once it is in use, and is swapped whole while
 * connections go on. A host has the ticket keys and the directory; a service of it (smtp, imap, ...)
 * adds the protocol's ALPN names.
 *
 * The profile is applied to the SSL object while the ClientHello is looked at, because switching
 * the SSL_CTX there would change certificates only.
 */

#include "base/digest.h"
#include "base/err.h"
#include "net/address.h"

#include <openssl/ssl.h>

/* The certificate that a client has presented, and what the profile's verifier says of it. Shared by
 * count; not changed once the handshake is over. */
struct tls_client {
	X509 *certificate;
	STACK_OF(X509) *others; /* that came with it, in the client's order; never NULL */
	long result;            /* X509_V_OK, or the X509_V_ERR_ that an alert follows from */
	char *name;             /* heap: whom the verifier takes it for; NULL: nobody */
	char *reason;           /* heap: why it is not valid, or nobody's; else NULL */
	_Atomic unsigned refs;
};

/* Takes references of its own; the certificate itself is left out of the others. The result is
 * X509_V_ERR_UNSPECIFIED until a verifier has said something else. */
struct tls_client *tls_client_new(X509 *certificate, const STACK_OF(X509) *others);
struct tls_client *tls_client_ref(struct tls_client *c);
struct tls_client *tls_client_unref(struct tls_client *c);

/* Sets result, name and reason. Called before the client has proven that it has the key: what it
 * looks up must not change anything. On the thread that does the handshake step: where the stream
 * has an executor, not on the loop. */
typedef void tls_client_verify_fn(void *context, struct tls_client *c);

/* Octets of all certificates of a client; more ends the handshake. */
enum { TLS_CLIENT_OCTETS = 32 * 1024 };

/* One certificate with its chain and key. */
struct tls_identity {
	X509 *certificate;
	STACK_OF(X509) *chain; /* the issuers to be sent, may be NULL */
	EVP_PKEY *key;
	bool is_slow; /* signatures are not made on a loop: RSA; the maker may set it for others */
	unsigned services; /* it is shown for (tls_service_set); set by the maker, 0: all */
	struct tls_staple *staple; /* net/tls_staple.h: set by the maker, with its reference; NULL: none */
	uint16_t scheme; /* TLS numbers of signature scheme and curve; 0: RSA; no curve */
	uint16_t curve;
};

enum { TLS_IDENTITIES = 12 }; /* RSA, ECDSA, Ed25519, for each of four services */

struct tls_rules; /* net/tls_rules.h: versions, suites, tickets */

/* As many listeners as may have rules of their own. */
enum { TLS_LISTENERS = 16 };

/* What a domain says. Filled in by its maker after tls_profile_new, immutable once added to a
 * directory. Without identities it refuses: whoever asks for it gets no TLS. */
struct tls_profile {
	char *name; /* the domain */
	struct tls_identity identities[TLS_IDENTITIES];
	size_t n_identities;

	/* Instead of a listener's; NULL: as the listener says. With references. */
	struct tls_rules *rules[TLS_LISTENERS];

	/* Client certificates. A request is made if client_mode has SSL_VERIFY_PEER. */
	int client_mode;
	STACK_OF(X509_NAME) *client_names; /* of issuers, sent with the request */
	tls_client_verify_fn *client_verify; /* NULL: none is valid */
	void *client_context;
	void (*client_context_free)(void *context);
	uint8_t client_rule[SHA256_OCTETS]; /* of what else client_verify goes by */

	/* Private. A ticket is good only where name and rules are the same. */
	uint8_t session_context[SHA256_OCTETS];
	bool is_sealed;
	_Atomic unsigned refs;
};

enum tls_identity_outcome { TLS_E_IDENTITY = 1 };

/* Takes references of its own. TLS_E_IDENTITY: the key is not the certificate's, or of a kind that TLS
 * cannot use. */
int tls_identity_make(struct tls_identity *ret_identity, X509 *certificate, STACK_OF(X509) *chain,
	EVP_PKEY *key, struct why *why) MUST_CHECK;
void tls_identity_done(struct tls_identity *i);

/* A profile without identities, one reference. */
struct tls_profile *tls_profile_new(const char *name);
struct tls_profile *tls_profile_ref(struct tls_profile *p);
struct tls_profile *tls_profile_unref(struct tls_profile *p);

/* Makes an identity and adds it; TLS_E_IDENTITY also if there are too many. */
int tls_profile_add(struct tls_profile *p, X509 *certificate, STACK_OF(X509) *chain, EVP_PKEY *key,
	struct why *why) MUST_CHECK;

/* The same with one that has been made before: takes references of its own. */
int tls_profile_add_identity(struct tls_profile *p, const struct tls_identity *identity,
	struct why *why) MUST_CHECK;

/* Which profile answers. Built by one thread, then given to tls_host_swap. */
struct tls_directory;
struct tls_directory *tls_directory_new(void);
struct tls_directory *tls_directory_unref(struct tls_directory *d);

/* Takes a reference of the profile. Names are compared without case; a later add replaces. */
void tls_directory_add_name(struct tls_directory *d, const char *name, struct tls_profile *p);
void tls_directory_add_address(struct tls_directory *d, const struct net_address *local,
	struct tls_profile *p);

/* For those that asked for no known name at no known address. */
void tls_directory_set_default(struct tls_directory *d, struct tls_profile *p);

/* What holds for connections of a listener whose domain says nothing else. Takes a reference. */
void tls_directory_set_rules(struct tls_directory *d, unsigned listener, struct tls_rules *rules);

/* Borrowed, until the directory goes. NULL if there is no default. */
struct tls_profile *tls_directory_find(const struct tls_directory *d, struct span name,
	const struct net_address *local);

/* Ticket keys: 80 octets (16 name, 32 AES-256, 32 HMAC) for an epoch, the same on all nodes. */
enum { TLS_TICKET_KEY = 80, TLS_TICKET_EPOCH_S = 12 * 3600, TLS_TICKET_LIFETIME_S = 7 * 24 * 3600 };
typedef int tls_ticket_key_fn(void *context, int64_t epoch, uint8_t ret_key[static TLS_TICKET_KEY]);

struct tls_host;

/* ticket_key may be NULL: no resumption. It is called by tls_host_rotate only. */
int tls_host_new(struct tls_host **ret_host, tls_ticket_key_fn *ticket_key, void *context)
	MUST_CHECK;
struct tls_host *tls_host_free(struct tls_host *h);

/* Fetches the keys of all epochs that are valid at that time, and the next. To be called at the
 * start and at least once in half an epoch, from a thread that may wait. */
int tls_host_rotate(struct tls_host *h, int64_t now_us) MUST_CHECK;

/* The names that clients have asked for (net/tls_asked.h). Borrowed. */
struct tls_asked;
struct tls_asked *tls_host_asked(struct tls_host *h);

/* From any thread: handshakes that begin from now on see this directory. Takes the caller's
 * reference. */
void tls_host_swap(struct tls_host *h, struct tls_directory *d);

/* The profile that answers for the name now, with a reference; the default where it is nobody's, NULL
 * if there is none. */
struct tls_profile *tls_host_profile(struct tls_host *h, const char *name);

/* What a listener speaks: alpn is a NULL-terminated list ("imap"), or NULL. A client that offers
 * others only is refused (RFC 7301 section 3.2). */
struct tls_service;
struct tls_service *tls_service_new(struct tls_host *h, const char *const *alpn);
struct tls_service *tls_service_free(struct tls_service *s);

/* Shows only certificates whose services have one of these bits, if a domain has any; 0: all. The
 * number is its listener's among the rules of directories and profiles. Before the first connection. */
void tls_service_set(struct tls_service *s, unsigned services, unsigned listener);

/* A connection, borrowed from the stream. Where the handshake failed version is NULL, and of the
 * rest there is what was known by then. */
struct tls_info {
	const char *version;      /* "TLSv1.3" */
	const char *cipher;
	const char *group;        /* of the key exchange; NULL: none was done */
	const char *sni;          /* what the client asked for, lower-case; NULL: nothing */
	const char *alpn;         /* what was agreed; NULL: nothing */
	const char *offered;      /* by the client, in words, where details are logged; else NULL */
	const struct tls_rules *rules;
	struct tls_profile *profile;
	bool resumed;
	struct tls_client *client; /* NULL: no certificate was presented */
};

/* RFC 9266: the "tls-exporter" channel binding. TLS_E_NO_BINDING where it would not be unique:
 * TLS 1.2 without the extended master secret (section 4.2). */
enum { TLS_BINDING = 32 };
enum tls_binding_outcome { TLS_E_NO_BINDING = 1 };
int tls_binding(SSL *ssl, uint8_t ret_binding[static TLS_BINDING]) MUST_CHECK;
