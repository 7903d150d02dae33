/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * FETCH and UID FETCH. The parser makes a struct fetch; the command (fetch.c) walks the messages; a
 * struct fetch_message prints the response for one of them, in pieces, reading octets where the row
 * does not hold them.
 */

#include "base/limit.h"
#include "mime/decode.h"
#include "mime/structure.h"
#include "store/message.h"
#include "svc/imap/imap.h"
#include "svc/imap/octets.h"

enum fetch_kind {
	FETCH_FLAGS, FETCH_UID, FETCH_MODSEQ, FETCH_INTERNALDATE, FETCH_SAVEDATE, FETCH_SIZE,
	FETCH_ENVELOPE, FETCH_BODY, FETCH_BODYSTRUCTURE, FETCH_EMAILID, FETCH_THREADID,
	FETCH_SECTION,      /* octets of the message, and all below */
	FETCH_FIELDS,       /* HEADER.FIELDS */
	FETCH_FIELDS_NOT,   /* HEADER.FIELDS.NOT */
	FETCH_BINARY,
	FETCH_BINARY_SIZE,
};

enum {
	FETCH_ITEMS = 100,                 /* of one command */
	FETCH_FIELD_NAMES = 200,           /* of one HEADER.FIELDS list */
	FETCH_PATH = 2 * LIMIT_MIME_DEPTH, /* numbers of one section */
};

struct fetch_item {
	enum fetch_kind kind;
	struct span label;        /* as it is printed: "BODY[1.MIME]<0>" */
	enum section section;
	size_t n_path;
	uint32_t *path;
	size_t n_fields;
	struct span *fields;
	bool partial;
	uint64_t offset, length;  /* of the partial */
};

struct fetch {
	struct imap_set set;
	size_t n_items;
	struct fetch_item items[FETCH_ITEMS];
	unsigned want;            /* WANT_* of the rows; WANT_DATA too */
	bool needs_rows;          /* false: the view knows it all */
	bool sets_seen;
	bool has_flags;
	bool has_modseq;
	bool has_changed_since;
	uint64_t changed_since;
	bool vanished;

	struct fetch_run *run;    /* fetch.c */
};

/* The items alone: "(FLAGS BODY[])", "ALL", "UID". */
bool fetch_parse_items(struct imap_parser *p, struct fetch *f);

/* The response for one message, which may be longer than what is printed at a time. Zeroed memory
 * is none. */
struct fetch_message {
	bool open;                /* begun and not finished */

	/* Private. */
	struct imap_command *c;
	const struct fetch *f;
	uint32_t position;
	struct store_message row; /* spans are borrowed until fetch_message_keep */
	struct buf kept;          /* owns them afterwards; the body's octets are not kept */
	struct part_tree *tree;
	struct octets octets;
	struct buf plain;         /* decoded, or fields that were selected */

	/* Where printing stands. */
	bool begun;
	size_t item;
	enum fetch_phase { FETCH_ITEM, FETCH_OCTETS, FETCH_COUNTING, FETCH_DECODING } phase;
	uint64_t at, end;         /* octets of the message: what is left of the item */
	uint64_t start;           /* of the part that is decoded */
	struct decoder decoder;
	uint64_t n_plain;         /* decoded octets so far */
	uint64_t skip, take;      /* of the decoded octets: these not, then these */
	bool has_nul;
	bool unknown_encoding;    /* an item could not be decoded: RFC 3516 [UNKNOWN-CTE] */
};

/* Begins the response for the message at a position of the command's view. row may be NULL if the
 * fetch needs no rows. */
void fetch_message_begin(struct fetch_message *m, struct imap_command *c, const struct fetch *f,
	uint32_t position, const struct store_message *row);

/* Appends to out until the response is complete, or out has max octets, or a good deal of octets
 * was read for it: then FETCH_E_MORE. conn is not used while the row holds the octets. */
enum fetch_outcome { FETCH_E_MORE = 1 };
int fetch_message_print(struct fetch_message *m, struct store_conn *conn, struct buf *out,
	size_t max) MUST_CHECK;

/* Makes the message independent of the row it began with, whose spans become invalid. */
void fetch_message_keep(struct fetch_message *m);
void fetch_message_done(struct fetch_message *m);
