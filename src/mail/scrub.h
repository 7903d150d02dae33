/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What is changed in a message's own header on its way in: a Return-Path that somebody else wrote
 * is taken away (RFC 5321 section 4.4), also what our rules record (doc/rules.md), and a submission that lacks Date or Message-ID gets them
 * (RFC 6409 sections 8.2 and 8.3). Everything else stays as it is, octet for octet.
 */

#include "base/buf.h"

enum { SCRUB_PREFIX = 24 }; /* octets of a line that are looked at */

/* Zeroed memory is one at its start that adds nothing. */
struct scrub {
	/* A whole field each, with its CRLF, to be added if there is none; the caller's. */
	struct span date, message_id;

	/* Private. */
	uint8_t prefix[SCRUB_PREFIX];
	size_t n_prefix;
	bool in_line; /* the prefix was decided on */
	bool dropping;
	bool over;
};

/* Takes octets with CRLF line ends and appends what of the header goes on; returns how many it
 * took. Those that are left belong to the body, as does all that comes later. */
size_t scrub_feed(struct scrub *s, struct span data, struct buf *out);

/* The message is over: appends what is still due. */
void scrub_end(struct scrub *s, struct buf *out);
