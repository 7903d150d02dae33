/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The MIME entity that is signed or encrypted, taken out of a message and put into the canonical
 * form that both sides compute over (RFC 8551 section 3.1): CRLF line ends, and where a signature
 * must survive transport, seven bits.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/limit.h"

#include <openssl/cms.h>

/* What is larger would not be read back: base64 makes four octets of three. */
enum { ENTITY_OCTETS_MAX = LIMIT_SMIME_MESSAGE / 4 * 3 - (1 << 20) };

/* Whether the field is the entity's (Content-*) rather than the message's. */
bool entity_owns_field(struct span name);

enum entity_octets {
	ENTITY_7BIT, /* parts with 8-bit octets or long lines are encoded (RFC 8551 section 3.1.2)
		      */
	ENTITY_8BIT, /* they stay; only binary parts are encoded, whose line ends mean something
			else */
};

/* Appends a whole message in canonical form. What is canonical already comes out as it is. Signed
 * and encrypted multiparts in it are not touched but for their line ends, for which their
 * signatures are made already. False: octets are left that are not 7-bit (in a header, in a signed
 * part, in an encoding that is not known). word_init() first. */
bool entity_canonical(struct span message, enum entity_octets octets, struct buf *out);

/* A message with CRLF: appends its fields that stay outside to `outer`, without an empty line and
 * without an mbox "From " line, and the entity, its Content-* fields and its body, to `entity`. An
 * entity without Content-Type gets one, text/plain. */
void entity_split(struct span message, struct buf *outer, struct buf *entity);

/* The opposite: appends the fields, with one MIME-Version, and the entity behind them. */
void entity_join(struct span outer, struct span entity, struct buf *out);

/* Appends the DER of a structure. */
int entity_cms_der(CMS_ContentInfo *cms, struct buf *out) MUST_CHECK;

/* Appends an entity application/pkcs7-mime (RFC 8551 section 3.2) of that smime-type. */
void entity_add_cms(const char *smime_type, struct span der, struct buf *out);
