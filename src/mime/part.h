/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The structure of a message, byte-exact, found in one pass while it arrives: which octets are
 * which part's header and body, what each is, the envelope (mime/envelope.h) of the message and of
 * each message in it, and the facts that delivery needs.
 *
 * Every input gives a tree. For each part
 *     header_offset <= body_offset <= end_offset,
 * children lie inside their parent's body in order without overlapping, a multipart has at least
 * one child and a message exactly one. What could not be split (no usable boundary, a limit of
 * base/limit.h) is a leaf, text/plain or application/octet-stream.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "mime/decode.h"
#include "mime/param.h"

enum part_kind {
	PART_LEAF,
	PART_MULTIPART, /* children: its parts */
	PART_MESSAGE,   /* message/rfc822, message/global; one child: the message in it */
};

enum { PART_NONE = UINT32_MAX };

struct part {
	enum part_kind kind;
	uint32_t depth;  /* 0: the message itself */
	uint32_t parent; /* positions in part_tree.parts, or PART_NONE */
	uint32_t first_child;
	uint32_t next; /* next child of the same parent */

	uint64_t header_offset; /* octets from the start of the message */
	uint64_t body_offset;   /* behind the empty line */
	uint64_t end_offset;    /* the line end before a boundary is not in the body */
	uint64_t header_lines;  /* line ends in [header_offset, body_offset) */
	uint64_t body_lines;    /* line ends in [body_offset, end_offset) */

	struct span type, subtype; /* lower-case; never empty */
	const struct param *params;
	size_t n_params;
	struct span id; /* Content-ID; this and those below: n 0 if there is none */
	struct span description;
	struct span encoding_text; /* Content-Transfer-Encoding, lower-case */
	enum transfer_encoding encoding;
	struct span md5;
	struct span disposition; /* lower-case */
	const struct param *disposition_params;
	size_t n_disposition_params;
	struct span language; /* as written: one tag or several with commas */
	struct span location;
	struct span envelope; /* PART_MESSAGE: IMAP ENVELOPE of the message in it */
};

enum { FACTS_REFERENCES = 100, FACTS_DELIVERED_TO = 100 };

/* What the message's own header says. Ids are without <> and white space. */
struct message_facts {
	struct span message_id;
	struct span in_reply_to;                  /* the first id of the field */
	struct span references[FACTS_REFERENCES]; /* oldest first; the first and the last 99 */
	size_t n_references;
	bool has_date; /* a Date: that can be read */
	int64_t sent_us;
	struct span base_subject; /* RFC 5256 section 2.1, UTF-8 */
	uint32_t n_received;      /* Received: fields */
	struct span delivered_to[FACTS_DELIVERED_TO];
	size_t n_delivered_to;
	bool has_from_field, has_date_field, has_message_id_field;
	bool header_has_8bit; /* in any header of the tree */
};

struct part_tree {
	struct part *parts; /* [0] is the message; each part before its children */
	uint32_t n;
	struct span envelope;       /* of the message; empty after structure_unpack */
	struct message_facts facts; /* zero after structure_unpack */
	struct arena arena;         /* owns all the spans */
};

struct part_tree *part_tree_free(struct part_tree *t);
CLEANUP_POINTER(struct part_tree, part_tree_free)

/* The parser holds at most a header field, the stack of open parts and the tree. How the octets are
 * cut into pieces makes no difference. */
struct part_parser;
struct part_parser *part_parser_new(void);
struct part_parser *part_parser_free(struct part_parser *p);
CLEANUP_POINTER(struct part_parser, part_parser_free)
void part_parser_feed(struct part_parser *p, struct span octets);

/* The message is complete; the parser can only be freed now. The caller frees the tree. */
void part_parser_end(struct part_parser *p, struct part_tree **ret_tree);

/* A whole message at once. */
struct part_tree *part_parse(struct span message);
