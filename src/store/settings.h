/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The server's settings: one immutable snapshot that everybody reads, replaced whole when one of
 * them changes. The table in settings.c is the only list; a new setting is a row there and a field
 * here. Values live in the database, defaults in the table.
 */

#include "base/conf.h"

struct store;
struct store_conn;

enum crl_fetch { CRL_FETCH_NEVER, CRL_FETCH_GIVEN, CRL_FETCH_NAMED };
enum crl_stale { CRL_STALE_IGNORE, CRL_STALE_REFUSE };
enum cleartext_login { CLEARTEXT_NEVER, CLEARTEXT_LOOPBACK };

struct settings {
	unsigned refs; /* private */

	/* Messages and mailboxes */
	uint64_t message_max;            /* octets; SIZE, APPENDLIMIT */
	uint64_t account_quota;          /* octets; default for new accounts, 0: none */
	uint64_t recipients_max;         /* of one transaction */
	uint64_t hops_max;               /* Received fields before a loop is assumed */
	char *subaddress_separators;     /* "+" */

	/* Logging in */
	unsigned cleartext_login;        /* enum cleartext_login */
	uint64_t login_cache_s;          /* how long a verified password is remembered */
	uint64_t login_failures_max;     /* for one peer in 10 minutes; an account: 10 times as many */
	uint64_t http_session_s;
	uint64_t upload_keep_s;

	/* Connections */
	uint64_t connections_max;        /* in all */
	uint64_t peer_connections_max;   /* of one address */
	uint64_t smtp_errors_max;        /* before the session is closed */
	uint64_t smtp_peer_rate;         /* messages a minute from one address without login */
	uint64_t smtp_account_rate;      /* messages a minute from one account */
	uint64_t smtp_timeout_s;
	uint64_t imap_timeout_s;         /* RFC 9051 section 5.4: at least 30 minutes */
	uint64_t pop3_timeout_s;
	char *proxies;                   /* addresses and prefixes that send a PROXY header */

	/* Revocation */
	unsigned crl_fetch;              /* enum crl_fetch */
	unsigned crl_stale;              /* enum crl_stale */
	bool ocsp_stapling;
	bool fetch_private;              /* lists and answers also from addresses that are not public */

	/* Certificates for users */
	uint64_t ca_days;                /* how long they are valid */
	bool ca_client_auth;             /* they are good for logging in, too */
	char *ca_url;                    /* of /pki from outside; empty: by HTTP at the main domain */

	unsigned log_level;              /* enum log_level */
};

extern const struct conf_row settings_rows[];
extern const size_t settings_n_rows;

/* The current snapshot, with a reference for the caller. Any thread. */
struct settings *settings_get(struct store *s);
struct settings *settings_unref(struct settings *s);
CLEANUP_POINTER(struct settings, settings_unref)

/* Writes one value, or returns it to its default (value.p NULL). CONF_E_UNKNOWN, CONF_E_VALUE. The
 * snapshot changes when the task is done: call settings_reload then. */
int settings_write(struct store_conn *c, struct span key, struct span value, struct why *why)
	MUST_CHECK;

/* Reads all values and swaps the snapshot; listeners registered with settings_on_change are called
 * on the calling thread. */
int settings_reload(struct store *s) MUST_CHECK;
void settings_on_change(struct store *s, void (*changed)(void *context), void *context);
