/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What keyd and its client say to each other: one SOCK_SEQPACKET message for a request, one for the
 * reply. A message is a header and fields, each a 32-bit length and octets. Which fields a request
 * has, and how long each may be, stands in one table that both sides use; whatever differs from it
 * is malformed. Numbers are in the machine's byte order: both ends are one program.
 */

#include "base/buf.h"
#include "base/err.h"

enum keyd_role { KEYD_DOMAIN = 1, KEYD_USER = 2 };

/* What a key or a sealed secret is for: part of the associated data of its wrapping, so that a row
 * moved to another place in the database does not open. */
enum keyd_purpose {
	KEYD_TLS = 1,    /* sign, decrypt */
	KEYD_SMIME,      /* a domain's: sign, decrypt, derive */
	KEYD_DKIM,       /* sign */
	KEYD_CA,         /* sign */
	KEYD_USER_SMIME, /* a user's, under their password: sign, decrypt, derive */
	KEYD_SCRAM,      /* a sealed secret: SCRAM verifiers */
	KEYD_SETTING,    /* a sealed secret: passwords for other servers */
	KEYD_ACME,       /* of an account with an authority: sign; it never leaves */
};

enum {
	KEYD_MESSAGE_MAX = 64 * 1024,
	KEYD_HANDLE = 16,         /* octets of a handle */
	KEYD_SESSION_MAX = 64,    /* octets of a web session's identity */
	KEYD_OWNER_MAX = 300,     /* octets of an owner's name */
	KEYD_PASSWORD_MAX = 1024,
	KEYD_PKCS8_MAX = 8 * 1024,
	KEYD_SPKI_MAX = 2 * 1024,
	KEYD_WRAPPED_MAX = 9 * 1024,
	KEYD_SECRET_MAX = 4 * 1024, /* a sealed secret in clear */
	KEYD_SIGN_MAX = KEYD_MESSAGE_MAX - 1024, /* what Ed25519 signs at once */
	KEYD_TICKET_KEY = 80,     /* 16 octets of name, 32 of AES-256, 32 of HMAC */
	KEYD_DERIVED_MAX = 64,    /* octets of a key from ECDH */
	KEYD_CERTS_MAX = 48 * 1024, /* certificates beside an exported key */
	KEYD_STORE_PASSWORD_MAX = 4096, /* octets of the password that the KEK comes from */
	KEYD_CHECK = 32,          /* octets of the KEK check value */
	KEYD_IDLE_MAX_MS = 3600 * 1000, /* an unlocked key is forgotten after this long without use */
	KEYD_FIELDS = 8,
};

enum keyd_request {
	KEYD_HELLO = 1,
	KEYD_GENERATE,
	KEYD_WRAP,
	KEYD_LOAD,
	KEYD_FORGET,
	KEYD_SIGN,
	KEYD_DECRYPT,
	KEYD_DERIVE,
	KEYD_EXPORT,
	KEYD_SEAL,
	KEYD_UNSEAL,
	KEYD_TICKET,
	KEYD_USER_GENERATE,
	KEYD_USER_WRAP,
	KEYD_UNLOCK,
	KEYD_LOCK_SESSION,
	KEYD_REWRAP,
	KEYD_STORE_PASSWORD,
	KEYD_LEFT,
	KEYD_REQUESTS
};

/* Outcomes of a request, in the header of its reply and from the functions of keyd/client.h. */
enum keyd_outcome {
	KEYD_E_GONE = 1, /* no such handle: never there, forgotten, locked, or of another session */
	KEYD_E_OPEN,     /* the wrapped octets do not open: other owner, purpose, key or KEK */
	KEYD_E_PASSWORD, /* wrong password */
	KEYD_E_REFUSED,  /* not with this key: purpose, kind of key or parameters */
	KEYD_E_FAILED,   /* the operation failed on this input */
	KEYD_E_LATER,    /* too many wrong passwords: not before some time has passed */
	KEYD_OUTCOMES
};

struct keyd_header {
	uint32_t serial;  /* the reply has its request's */
	uint16_t request; /* enum keyd_request */
	uint16_t outcome; /* replies: 0 or enum keyd_outcome */
};

struct keyd_field {
	uint32_t min, max; /* octets */
};

struct keyd_shape {
	const char *name;
	unsigned permit; /* roles, or'ed */
	unsigned n_fields;
	struct keyd_field fields[KEYD_FIELDS];
	unsigned n_reply;
	struct keyd_field reply[KEYD_FIELDS];
};

/* NULL if there is no such request. */
const struct keyd_shape *keyd_shape(unsigned request);

/* Puts a message together in `out` (of `room` octets); returns its size, 0 if it does not fit. */
size_t keyd_message_write(uint8_t *out, size_t room, const struct keyd_header *header,
	const struct span *fields, unsigned n_fields);

/* Takes a message apart: exactly the fields of the table, nothing behind them. The spans point into
 * the message; header and fields are meaningful only if the result is 0. */
enum keyd_parse_outcome { KEYD_PARSE_E_MALFORMED = 1 };
int keyd_message_read_request(struct span message, enum keyd_role role,
	struct keyd_header *ret_header, struct span ret_fields[static KEYD_FIELDS]) MUST_CHECK;
int keyd_message_read_reply(struct span message, struct keyd_header *ret_header,
	struct span ret_fields[static KEYD_FIELDS]) MUST_CHECK;

/* How a private key is written out: PKCS #12 with certificates and a name, or PKCS #8 (RFC 5958), which
 * has neither. The old form of PKCS #12 is for programs that read no other: 3DES with SHA-1. */
enum keyd_form { KEYD_FORM_PKCS12 = 1, KEYD_FORM_PKCS8, KEYD_FORM_PKCS12_OLD };

/* How a signature is made. Text fields are OpenSSL's names of digests; empty where not used. */
enum keyd_padding { KEYD_PAD_NONE, KEYD_PAD_PKCS1, KEYD_PAD_PSS, KEYD_PAD_OAEP };
struct keyd_sign {
	uint8_t padding;  /* RSA only */
	int32_t salt;     /* PSS: octets, or OpenSSL's RSA_PSS_SALTLEN_... */
	char digest[24];  /* of what is signed; empty: Ed25519, or a TLS 1.0 style bare value */
	char mgf1[24];
};
struct keyd_decrypt {
	uint8_t padding;
	char digest[24];  /* OAEP */
	char mgf1[24];
};
struct keyd_derive {
	int32_t cofactor;  /* -1: the key's own */
	uint32_t size;     /* octets of the result */
	char digest[24];   /* X9.63 KDF; keyd never gives out the shared secret itself */
};
