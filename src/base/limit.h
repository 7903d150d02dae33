/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Everything that can grow has a limit here or a setting. Sizes from outside are compared with
 * these before any memory is asked for. Token buckets keep rates.
 */

#include "base/span.h"

enum {
	LIMIT_LINE = 64 * 1024,           /* octets of one command line (IMAP; RFC 7162 section 4) */
	LIMIT_HEADER_BLOCK = 4 << 20,     /* octets of a header block whose fields are looked at */
	LIMIT_HEADER_VALUE = 64 * 1024,   /* octets of one field that is decoded */
	LIMIT_HEADERS = 10000,            /* fields of one header block that are looked at */
	LIMIT_MIME_DEPTH = 100,           /* nested multiparts and messages */
	LIMIT_MIME_PARTS = 10000,         /* parts of one message */
	LIMIT_ADDRESSES = 10000,          /* addresses of one field */
	LIMIT_CERT = 64 * 1024,           /* octets of one certificate */
	LIMIT_CRL = 8 << 20,              /* octets of one revocation list */
	LIMIT_CARD = 192 * 1024,          /* octets of one contact card */
	LIMIT_SMIME_MESSAGE = 64 << 20,   /* octets of a message that is verified or decrypted */
	LIMIT_SMIME_INFLATED = 64 << 20,  /* octets of what compressed layers hold, all together */
	LIMIT_SMIME_LAYERS = 32,          /* cryptographic layers of one message */
	LIMIT_SMIME_DEPTH = 8,            /* of them within each other */
	LIMIT_SMIME_SIGNERS = 20,         /* of one layer */
	LIMIT_SMIME_RECIPIENTS = 5000,    /* of one layer */
	LIMIT_SMIME_CERTS = 64,           /* that come with one layer */
	LIMIT_SMIME_ATTRIBUTES = 64,      /* of one signer */
	LIMIT_NAME = 255,                 /* octets of a domain name */
	LIMIT_LOCAL_PART = 64,            /* RFC 5321 section 4.5.3.1.1 */
	LIMIT_ADDRESS = 254,              /* an address without <>, RFC 5321 section 4.5.3.1.3 */
	LIMIT_PASSWORD = 1024,            /* octets of a password */
	LIMIT_MAILBOX_NAME = 1000,        /* octets of a mailbox name in UTF-8 */
	LIMIT_MAILBOX_LEVELS = 20,
	LIMIT_KEYWORD = 100,              /* octets of an IMAP keyword */
};

/* A token bucket: `rate` tokens a second, at most `burst` at a time. Zeroed memory is not a bucket:
 * use bucket_init. */
struct bucket {
	double tokens;
	double rate;
	double burst;
	int64_t filled_ms;
};

void bucket_init(struct bucket *b, double rate, double burst, int64_t now_ms);

/* Takes n tokens if they are there. */
bool bucket_take(struct bucket *b, double n, int64_t now_ms);

/* Buckets and counts by key (an address, an account), in a bounded table shared by all threads: the
 * keys that were idle longest are forgotten first. */
struct limiter;

/* rate 0: no rate limit. max_open 0: no limit on what is open at a time. max_keys bounds memory. */
struct limiter *limiter_new(double rate, double burst, uint32_t max_open, size_t max_keys);
struct limiter *limiter_free(struct limiter *l);

/* Changes the limits for what comes from now on. */
void limiter_set(struct limiter *l, double rate, double burst, uint32_t max_open);

/* Takes one token of the key; false if it has none left. */
bool limiter_take(struct limiter *l, struct span key, int64_t now_ms);

/* Gives one back, for limits of what goes wrong: taken before the try, returned when it went well. */
void limiter_give(struct limiter *l, struct span key);

/* Counts one thing as open for the key; false (and not counted) at the limit. */
bool limiter_open(struct limiter *l, struct span key, int64_t now_ms);
void limiter_close(struct limiter *l, struct span key);
