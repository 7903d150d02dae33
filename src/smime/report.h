/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What was found when a message was read: its cryptographic layers from outside in, who signed, who
 * can open it, what its header said inside and outside, and one status for the whole of it (RFC
 * 9787 section 3). The API, the log and the command line print the same one.
 *
 * The envelope is the run of layers that begins at the message's root, each of which is the whole
 * of what the one outside it holds; what the innermost holds is the payload. Only the envelope
 * makes the status. Layers further down (in a part of a multipart, in an attached message) are
 * reported as errant: they speak for their own content and for nothing beside it.
 */

#include "base/buf.h"
#include "pki/verdict.h"

enum smime_layer_kind {
	SMIME_SIGNED_DETACHED,         /* multipart/signed (RFC 8551 section 3.5.3) */
	SMIME_SIGNED_OPAQUE,           /* SignedData with its content (section 3.5.2) */
	SMIME_CERTS_ONLY,              /* section 3.8: nothing is signed */
	SMIME_ENCRYPTED,               /* EnvelopedData: nothing tells whether it was altered */
	SMIME_ENCRYPTED_AUTHENTICATED, /* AuthEnvelopedData */
	SMIME_COMPRESSED,
	SMIME_UNKNOWN_LAYER, /* a CMS object of another kind, or none at all */
};

enum smime_layer_state {
	SMIME_OPEN,        /* content can be read: it says nothing about signatures */
	SMIME_LOCKED,      /* none of the keys that are there opens it: it is for others, or one whose
			    * certificate alone is there would; smime_report_wants_key */
	SMIME_FAILED,      /* a key fits, and what came out is not sound; never says which of key,
			    * padding or content was wrong */
	SMIME_MALFORMED,   /* not what it says it is */
	SMIME_UNSUPPORTED, /* an algorithm or structure that is not read here */
	SMIME_TOO_LARGE,   /* a limit of base/limit.h */
};

enum smime_signer_verdict {
	SMIME_SIGNER_OK,
	SMIME_SIGNER_ALTERED,          /* the content is not what was signed */
	SMIME_SIGNER_INVALID,          /* the signature does not hold */
	SMIME_SIGNER_NO_CERTIFICATE,   /* nobody has the signer's certificate */
	SMIME_SIGNER_CHAIN_INCOMPLETE, /* nobody has an issuer's */
	SMIME_SIGNER_UNTRUSTED,        /* denied, or the chain ends at nobody who is trusted */
	SMIME_SIGNER_EXPIRED,          /* when it was signed; see time_us of smime_read */
	SMIME_SIGNER_NOT_YET_VALID,
	SMIME_SIGNER_REVOKED,
	SMIME_SIGNER_WRONG_PURPOSE,       /* the certificate is not for signing mail */
	SMIME_SIGNER_CERTIFICATE_INVALID, /* another rule of path validation: path says which */
	SMIME_SIGNER_ADDRESS_MISMATCH,    /* neither From nor Sender is in the certificate */
	SMIME_SIGNER_SENDER_ONLY,         /* Sender is, From is not */
	SMIME_SIGNER_WEAK,                /* MD5, SHA-1, RSA below 2,048 bits and the like */
	SMIME_SIGNER_UNSUPPORTED,         /* an algorithm that is not verified here */
	SMIME_SIGNER_MALFORMED,           /* the signer's entry breaks RFC 5652 */
	SMIME_SIGNER_VERDICTS,
};

/* "ok", "content-altered" and so on, for programs; a sentence without a full stop for people. */
const char *smime_signer_verdict_name(enum smime_signer_verdict verdict);
const char *smime_signer_verdict_text(enum smime_signer_verdict verdict);

/* "signed", "opaque-signed", "certificates", "encrypted", "authenticated-encrypted", "compressed",
 * "unknown"; "open", "locked", "failed", "malformed", "unsupported", "too-large". */
const char *smime_layer_kind_name(enum smime_layer_kind kind);
const char *smime_layer_state_name(enum smime_layer_state state);

enum smime_address_match {
	SMIME_ADDRESS_NOT_COMPARED,
	SMIME_ADDRESS_FROM, /* an address of From (or the expected one) is the certificate's */
	SMIME_ADDRESS_SENDER,
	SMIME_ADDRESS_NONE,
};

struct smime_signer {
	enum smime_signer_verdict verdict;
	char *reason; /* one sentence without a full stop, with particulars; NULL: verdict's text */
	struct cert *cert; /* NULL: not there */
	char *issuer; /* how the signer is named: issuer as text and serial number (lower-case */
	char *serial; /* hexadecimal), or the key identifier (the same); NULL otherwise */
	char *key_id;
	char *digest;    /* "SHA-256"; an object identifier with dots where there is no name */
	char *algorithm; /* of the signature: "RSA (PKCS #1 v1.5)", "ECDSA" */
	bool is_weak;
	bool has_signing_time;
	int64_t signing_time_us; /* as the signer claims */
	int64_t verified_at_us;  /* the time for which the certificate was validated; 0: not at all
				  */
	bool expired_since; /* valid when signed (as claimed), expired or a list of revocations is
			     * no longer kept now */
	bool has_signing_certificate; /* RFC 5035 signingCertificate(V2); it names cert, or the
				       * verdict is SMIME_SIGNER_INVALID */
	struct buf capabilities; /* SMIMECapabilities (RFC 8551 section 2.5.2), DER; empty: none.
				  * From a signed attribute, so as good as the signature */
	enum smime_address_match address;
	struct verdict path; /* of the certificate; empty if it was not validated */
};

struct smime_recipient {
	char *issuer, *serial, *key_id; /* as in smime_signer; all NULL: neither */
	char *method; /* "RSA (PKCS #1 v1.5)", "ECDH (SHA-256)"; else kind or object identifier */
	bool is_supported;
	bool is_ours; /* a certificate of the request's keys is named by it */
	bool opened;
};

struct smime_layer {
	enum smime_layer_kind kind;
	enum smime_layer_state state;
	char *reason; /* why it is not open; NULL for SMIME_OPEN */
	bool is_errant;
	size_t parent; /* position of the layer around it; SIZE_MAX: the message itself */
	char *part;    /* section of the part (IMAP, RFC 9051 section 6.4.5.1) that is the layer, in
			* what the parent holds (or the message); "" for all of it */
	size_t n_octets; /* of the entity that it holds */

	/* Encryption. */
	char *cipher; /* "AES-256-GCM" */
	bool is_weak; /* of the cipher, or of the way the key was sent */
	struct smime_recipient *recipients;
	size_t n_recipients;

	/* Signatures, in the order of the message. */
	struct smime_signer *signers;
	size_t n_signers;

	struct cert_list certs; /* all that were sent with it and can be read, each once */
};

enum smime_status {
	SMIME_STATUS_NONE,   /* no layer that covers the message */
	SMIME_STATUS_SIGNED, /* each author is bound by a signature that holds, over all of the
			      * payload */
	SMIME_STATUS_SIGNED_ENCRYPTED,
	SMIME_STATUS_ENCRYPTED,    /* and not signed, or not by somebody who counts */
	SMIME_STATUS_NOT_VERIFIED, /* signed, and that does not count: signers say why */
	SMIME_STATUS_LOCKED,       /* encrypted, and none of the keys opens it */
	SMIME_STATUS_UNREADABLE,   /* a layer of the envelope cannot be read */
};

/* "none", "signed", "signed-encrypted", "encrypted", "not-verified", "locked", "unreadable". */
const char *smime_status_name(enum smime_status status);

/* RFC 9788 section 4.3. */
enum smime_field_protection {
	SMIME_FIELD_UNPROTECTED,
	SMIME_FIELD_SIGNED,
	SMIME_FIELD_ENCRYPTED,
	SMIME_FIELD_SIGNED_ENCRYPTED,
};

/* "unprotected", "signed", "encrypted", "signed-encrypted". */
const char *smime_field_protection_name(enum smime_field_protection protection);

/* One field of the header as it should be shown, in the order of the header that counts. */
struct smime_field {
	char *name;
	char *value; /* unfolded, encoded words as they are */
	char *outer; /* what the outer header says where the inner one counts; NULL: nothing, or the
		      * value is from there */
	bool differs; /* both are there and are not the same */
	enum smime_field_protection protection;
};

enum smime_header_source {
	SMIME_HEADER_OUTER,        /* nothing is protected */
	SMIME_HEADER_HP,           /* RFC 9788: hp="clear" or hp="cipher" */
	SMIME_HEADER_WRAPPED,      /* RFC 8551 section 3.1: message/rfc822 */
	SMIME_HEADER_PROTECTED_V1, /* protected-headers="v1" */
};

/* "outer", "hp", "wrapped", "protected-headers". */
const char *smime_header_source_name(enum smime_header_source source);

/* What a reader should know besides; rule is a stable word, doc/smime-security.md lists them. */
struct smime_note {
	const char *rule;
	char *text; /* one sentence without a full stop */
};

struct smime_report {
	enum smime_status status;
	bool is_encrypted;          /* a layer of the envelope is, and it is open */
	bool is_authenticated;      /* all of those are authenticated, or signed inside */
	bool is_weak;               /* some layer of the envelope rests on a weak algorithm */
	struct smime_layer *layers; /* each behind the one around it */
	size_t n_layers;
	size_t n_envelope; /* the first so many layers are the envelope */
	enum smime_header_source header;
	bool from_mismatch; /* RFC 9788 section 4.4: From inside and outside differ, and no
			     * signature vouches for the inner one. The outer one is what fields has
			     */
	struct smime_field *fields;
	size_t n_fields;
	struct smime_note *notes;
	size_t n_notes;
};

void smime_report_done(struct smime_report *r);

/* Every signer of every signed layer of the envelope is OK, and the status is SIGNED or
 * SIGNED_ENCRYPTED: what a strict check wants. */
bool smime_report_is_verified(const struct smime_report *r);

/* The message is locked, and a key would open it that the request had without its private half. */
bool smime_report_wants_key(const struct smime_report *r);

/* The field of that name; NULL if there is none. */
const struct smime_field *smime_report_field(const struct smime_report *r, const char *name);

/* Why it is not verified or not readable: the first reason, one sentence without a full stop.
 * Appends nothing for a report without any. */
void smime_report_add_reason(const struct smime_report *r, struct buf *out);

/* The whole as a JSON object; doc/smime-security.md names the members. */
void smime_report_add_json(const struct smime_report *r, struct buf *out);
