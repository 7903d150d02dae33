/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * For tests: people with certificates, and S/MIME entities of any shape, made with OpenSSL's CMS
 * functions so that nothing of ours is on both sides. An entity is a header with its body; layers
 * are put around it one by one. Calls that fail end the test.
 */

#include "base/buf.h"
#include "pki/cert_fixture.h"
#include "pki/trust.h"
#include "smime/read.h"

struct people {
	struct cert_made ca, alice, mallory; /* EC P-256 */
	struct cert_made bob;                /* RSA */
	struct cert_made carol;              /* EC P-256, to decrypt with */
	struct trust *trust;                 /* the authority */
	int64_t now_us;
};
void people_make(struct people *p);
void people_done(struct people *p);

/* What Bob sees of a message, who has his key. */
struct smime_result people_read(const struct people *p, const struct buf *message);
bool fixture_has_note(const struct smime_report *r, const char *rule);

/* A certificate for mail from the people's authority, in a year's validity. */
struct cert_made people_cert(const struct people *p, const char *subject, const char *email);

enum fixture_flags {
	FIXTURE_DETACHED = 1, /* multipart/signed */
	FIXTURE_NO_CERTS = 2,
	FIXTURE_NO_ATTRIBUTES = 4,
	FIXTURE_SHA1 = 8,
	FIXTURE_PSS = 16,
	FIXTURE_OAEP = 32,
	FIXTURE_STREAM = 64, /* BER with lengths that are not known in advance */
};

/* Appends an entity that is the other one with a signature or encryption around it. */
void fixture_sign(struct span entity, const struct cert_made *signer, unsigned flags,
	struct buf *out);
void fixture_encrypt(struct span entity, const EVP_CIPHER *cipher,
	const struct cert_made *const *to, size_t n, unsigned flags, struct buf *out);
void fixture_compress(struct span entity, struct buf *out);

/* The CMS object by itself, DER. */
void fixture_sign_der(struct span content, const struct cert_made *signer, unsigned flags,
	struct buf *out);

/* The same with n signatures of the one signer. */
void fixture_sign_often_der(struct span content, const struct cert_made *signer, size_t n,
	unsigned flags, struct buf *out);

/* The same, signed once, with more certificates. */
void fixture_sign_with_der(struct span content, const struct cert_made *signer,
	const struct cert_made *certs, size_t n, struct buf *out);

/* An application/pkcs7-mime entity with the object. */
void fixture_wrap(struct span der, struct buf *out);

/* The object of such an entity, to be changed and wrapped again. */
void fixture_unwrap(struct span entity, struct buf *out);

/* multipart/signed of an entity as it is and a signature that is an object. */
void fixture_multipart(struct span entity, struct span signature, struct buf *out);

/* Changes the octet at the place of the text in the buffer. */
void fixture_change(struct buf *message, const char *text);
