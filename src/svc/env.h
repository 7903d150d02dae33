/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What every service is given: the parts of the running server, joined in app/wire.c. All of it
 * outlives the sessions, and all of it may be used from any thread.
 */

#include "base/limit.h"
#include "base/task.h"

#include <stdatomic.h>

enum counter {
	COUNT_LOGIN_OK,
	COUNT_LOGIN_REFUSED,
	COUNT_SMTP_ACCEPTED,     /* messages */
	COUNT_SMTP_REFUSED,      /* transactions refused for good */
	COUNT_SMTP_DEFERRED,     /* transactions refused for now */
	COUNT_DELIVERED,         /* copies in mailboxes */
	COUNT_RULES_FAILED,      /* scripts that failed at run time */
	COUNT_ANSWERED,          /* vacation answers */
	COUNT_APPENDED,          /* messages by IMAP APPEND */
	COUNT_HTTP_REQUESTS,
	COUNT_ACME_ISSUED,       /* certificates from authorities */
	COUNT_ACME_FAILED,       /* tries to get one that failed */
	COUNT_CA_ISSUED,         /* certificates for users */
	COUNT_CA_REVOKED,
	COUNT_OCSP_ANSWERS,      /* of our own responder */
	COUNT_SECURE_REFUSED,    /* wrong Secure Mail Passwords */
	COUNT_FAULTS,
	COUNTERS,
};

/* How many more failures an account may have than one peer: a single peer that fails on purpose
 * runs out of tries before it shuts the account's owner out. */
enum { ENV_ACCOUNT_FAILURES = 10 };

/* Wrong Secure Mail Passwords of one peer for one account: so many, then one a minute. */
enum { ENV_SECURE_FAILURES = 5, ENV_SECURE_ACCOUNTS = 10000 };

/* Keys that are unlocked, sealed or moved to another password for one account: at most so many, then
 * one a second. Three changes of the password of an account with all the keys that it can have. */
enum { ENV_SECURE_WORK = 100 };

/* Key files that are opened for one account: at most so many, then one a minute. A hostile one keeps a
 * processor busy for 15 seconds (keyd/import.h). */
enum { ENV_SECURE_IMPORTS = 10 };

/* A record for a dns-01 challenge, to be made or taken away by the administrator's program. */
struct acme_hook_call {
	bool clean;         /* taken away */
	const char *domain; /* that is proved, without "*." */
	const char *record; /* its name */
	const char *value;  /* its text */
};
enum acme_hook_outcome { ACME_HOOK_E_FAILED = 1 };

struct env {
	const char *hostname;            /* the main domain: greetings, Received */
	unsigned http_port;              /* of plain HTTP; 0: none */
	struct store *store;
	struct executor *cpu;            /* hashing, RSA handshake steps, other work of milliseconds */
	struct executor *blocking;       /* waits for others: look-ups, fetches */
	struct keyd_client *keyd;        /* domain keys, sealed verifiers */
	struct keyd_client *keyd_user;   /* users' keys */
	struct tls_host *tls;            /* contexts, directory, ticket keys (net/tls.h) */
	struct domain_tls *domain_tls;   /* svc/domain_tls.h */
	struct auth *auth;               /* svc/auth.h */
	struct rule_cache *rules;        /* mail/rule_cache.h */
	struct trusts *trusts;           /* svc/trust.h */
	struct revocations *revocations; /* svc/revocation.h */
	struct staples *staples;         /* svc/staple.h */
	struct outgoings *outgoings;     /* svc/outgoing.h */
	struct limiter *login_failures;  /* by peer */
	struct limiter *login_accounts;  /* by account or name, with ENV_ACCOUNT_FAILURES times as many */
	struct limiter *secure_failures; /* wrong Secure Mail Passwords, by account and peer */
	struct limiter *secure_work;     /* ENV_SECURE_WORK, by account; one act at a time */
	struct limiter *secure_imports;  /* ENV_SECURE_IMPORTS, by account; one at a time */
	struct unlocked *unlocked;       /* svc/unlocked.h */
	struct limiter *smtp_peer;       /* messages by peer */
	struct limiter *smtp_account;    /* messages by account */
	atomic_ullong counters[COUNTERS];

	/* Rebuilds the TLS directory from the store after keys, certificates or domains changed, and
	 * swaps it; likewise what we show as a client. Blocks; on HTTP workers and at start. */
	int (*tls_rebuild)(struct env *e);

	/* Starts an importer process (keyd/import.h): the socket to it, which the caller closes. Blocks. */
	int (*importer)(struct env *e, int *ret_fd);

	/* Runs the program in a process of its own and waits for its end; NULL: there is none. FAILED,
	 * with why it says so. *stop ends the waiting. */
	int (*acme_hook)(struct env *e, const struct acme_hook_call *call, const atomic_bool *stop,
		struct why *why);
	struct acme *acme;               /* svc/acme.h */
	struct encryption *encryption;   /* svc/encryption.h */
	struct ca *ca;                   /* svc/ca_status.h */
	struct cert_cache *mail_certs;   /* of mail that is read (smime/cert_cache.h) */
	int64_t started_us;
};

static inline void env_count(struct env *e, enum counter c)
{
	atomic_fetch_add_explicit(&e->counters[c], 1, memory_order_relaxed);
}
