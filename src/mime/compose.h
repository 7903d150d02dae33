/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A new message from what a person wrote: header fields, text, pictures in it, attachments. All
 * text is UTF-8 and from outside: nothing of a value can become a field or a part of its own.
 * word_init() first. */

#include "base/buf.h"
#include "base/err.h"

enum { COMPOSE_FIELDS_MAX = 100, COMPOSE_PARTS_MAX = 1000 };

struct compose_field {
	struct span name;  /* "Subject"; not Content-*, MIME-Version, Date, Received and the like */
	struct span value; /* as people read it; of address fields a list: Grün <a@b>, c@d */
};

struct compose_part {
	struct span type; /* "image/png"; empty, or none that is plain: application/octet-stream */
	struct span name; /* of the file; empty: none */
	struct span
		id; /* without <>: shown in the HTML that refers to it by cid:; empty: attached */
	struct span octets;
};

struct compose_message {
	const struct compose_field *fields; /* From must be among them */
	size_t n_fields;
	struct span text;
	struct span html; /* p NULL: there is none */
	const struct compose_part *parts;
	size_t n_parts;
	int64_t now_us;         /* Date */
	struct span message_id; /* without <>, where no field has one; empty: none */
	/* RFC 9788 section 5.2.2: this stands before the text, marked, for programs that do not
	 * show the protected subject; empty: nothing does. */
	struct span legacy_subject;
};

/* REFUSED, with why: a field that may not be given, is there twice or cannot be written, an address
 * that is none, no From, more than the limits. */
enum compose_outcome { COMPOSE_E_REFUSED = 1 };

/* Appends the header fields, with Date and Message-ID, without an empty line. Bcc is left out
 * unless with_bcc. */
int compose_header(const struct compose_message *m, bool with_bcc, struct buf *out,
	struct why *why) MUST_CHECK;

/* Appends the body as an entity with its Content-* fields: 7-bit, CRLF, as few multiparts as are
 * needed. */
int compose_entity(const struct compose_message *m, struct buf *out, struct why *why) MUST_CHECK;

/* Appends an id for the message, new and without <>, at the domain of From. */
void compose_make_id(const struct compose_message *m, struct buf *out);

/* Reads the address list of a field of that name: the i-th address as local@domain, appended; false
 * behind the last. */
bool compose_address(const struct compose_message *m, const char *name, size_t i, struct buf *out);
