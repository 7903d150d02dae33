/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * SEARCH, and what SORT and THREAD share with it. A search is a tree of keys. What is known of a
 * message comes in stages, each dearer than the one before: the view, the row, the envelope, the
 * body. A tree is asked at each stage whether the message matches; it says yes, no, or that it
 * needs to know more.
 */

#include "mime/envelope.h"
#include "mime/fold.h"
#include "store/message.h"
#include "svc/imap/imap.h"

enum search_stage { SEARCH_VIEW, SEARCH_ROW, SEARCH_ENVELOPE, SEARCH_BODY };

enum search_op {
	SEARCH_ALL,        /* true */
	SEARCH_NEVER,      /* false */
	SEARCH_AND, SEARCH_OR, SEARCH_NOT, /* of `keys` */
	SEARCH_SET,        /* of sequence numbers or UIDs; resolved to positions */
	SEARCH_FLAGS,      /* (flags & mask) == wanted */
	SEARCH_KEYWORD,    /* by name; resolved to SEARCH_FLAGS or SEARCH_NEVER */
	SEARCH_RECENT,
	SEARCH_MODSEQ,     /* low <= value <= high, and so the next four; times in us */
	SEARCH_SIZE, SEARCH_RECEIVED, SEARCH_SAVED,
	SEARCH_SENT,       /* the day where the sender was, as if it were UTC */
	SEARCH_EMAILID, SEARCH_THREADID,
	SEARCH_FIELD,      /* text in a field of the envelope */
	SEARCH_HEADER,     /* text in header fields of a name */
	SEARCH_BODY_TEXT,  /* text in the body */
	SEARCH_TEXT,       /* text in header or body */
};

enum {
	SEARCH_KEYS = 1000,  /* of one search */
	SEARCH_TEXTS = 50,   /* of those, texts that are looked for in bodies */
};

struct search_key {
	enum search_op op;
	struct search_key *keys;  /* first of the operands */
	struct search_key *next;  /* in the same operation */
	struct search_key *later; /* in the order of parsing */

	uint64_t mask, wanted;
	int64_t low, high;
	struct imap_set set;
	bool by_uid;
	struct imap_positions positions;
	enum envelope_field field;
	struct span name;         /* of keyword or header field */
	struct span text;         /* to look for, UTF-8; an object id as it is */
	struct span folded;       /* the same as mime/fold.h has it */
	unsigned slot;            /* of texts in bodies: 0, 1, ... */
};

enum search_return {
	RETURN_MIN = 1, RETURN_MAX = 2, RETURN_ALL = 4, RETURN_COUNT = 8,
	RETURN_SAVE = 16,
	RETURN_GIVEN = 32,        /* RETURN (...) was there: answer with ESEARCH */
};

struct search {
	unsigned returns;         /* RETURN_* */
	bool bad_charset;
	bool has_modseq;          /* RFC 7162 section 3.1.5: the answer tells a MODSEQ */
	unsigned stages;          /* bits of search_stage: those the keys may need */
	unsigned n_keys;
	unsigned n_texts;
	struct search_key *texts[SEARCH_TEXTS]; /* by slot */
	struct search_key *root;
	struct search_key *first; /* of all keys, by `later` */

	struct span charset;      /* of the strings; n 0: UTF-8 */

	struct search_run *run;   /* search_run.c */
	struct search_walk *walk;
	uint32_t printed;         /* position that comes next in the answer */
	bool any_printed;
};

/* RETURN (...), CHARSET and the keys of SEARCH. */
bool search_parse_returns(struct imap_parser *p, struct search *q);
/* A charset's name, of which later strings are. */
bool search_parse_charset(struct imap_parser *p, struct search *q);
/* Keys to the end of the command; now_us is for OLDER and YOUNGER. */
bool search_parse_keys(struct imap_parser *p, struct search *q, int64_t now_us);

/* Turns a SEARCH_KEYWORD into what it means for an account's keywords. */
void search_bind_keyword(const struct keywords *keywords, struct search_key *key);

/* What is known of a message. */
struct search_facts {
	enum search_stage stage;         /* what the keys need up to this one is filled in */
	const struct imap_command *c;
	uint32_t position;
	const struct store_message *row;
	const struct envelope *envelope;
	const bool *found;               /* by the slot of a text */
};

/* Pure. Never SEARCH_UNKNOWN at SEARCH_BODY. */
enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_UNKNOWN };
enum search_answer search_match(const struct search_key *key, const struct search_facts *facts);

/* The stage a key needs. */
enum search_stage search_stage_of(enum search_op op);

/* Appends a field's value as people read it: decoded, and a line folded before a tab has a space
 * there, as if it had been folded before one. */
void search_decode(struct span value, struct buf *out);

/* Looks for all texts of the search in one message's octets. conn is not used if the row holds
 * them. found: n_texts answers. */
int search_scan(const struct search *q, struct store_conn *conn, const struct store_message *row,
	bool *found) MUST_CHECK;

/* Runs the search at the front of c->args, which has been parsed. found(s, c) is called when all
 * matches are known, unless the search ended the command with BAD or NO. */
int search_start(struct imap *s, struct imap_command *c, imap_next_fn *found) MUST_CHECK;

/* Matches: how many, and the first one at or behind *position. */
size_t search_count(const struct search *q);
bool search_next(const struct search *q, const struct view *view, uint32_t *position);
/* The UIDs of all matches, in the arena. */
const uint32_t *search_uids(struct imap_command *c, const struct search *q, size_t *ret_n);

/* Positions of what MIN and MAX mean: for SEARCH the first and the last match. */
struct search_ends {
	uint32_t min, max;
};
struct search_ends search_ends(const struct imap_command *c, const struct search *q);

/* Reads the rows of all matches on a worker, some milliseconds at a time: each is called for those
 * that still exist, ascending, then end, then, on the loop, done. SEARCH_E_LIMIT from each goes to
 * done at once. The envelope is empty unless WANT_ENVELOPE. */
enum search_outcome {
	SEARCH_E_LIMIT = 1,
	SEARCH_E_MORE, /* private: the worker's time is over, the work is not */
};
typedef int search_each_fn(struct imap_command *c, uint32_t position,
	const struct store_message *row, const struct envelope *envelope);
typedef void search_end_fn(struct imap_command *c);
int search_walk(struct imap *s, struct imap_command *c, unsigned want, search_each_fn *each,
	search_end_fn *end, imap_done_fn *done) MUST_CHECK;

/* For the answers: the number by which the client knows a message; the MODSEQ of a result (RFC 4731
 * section 3.2: of what is returned); RETURN (SAVE). */
uint32_t search_number(const struct imap_command *c, uint32_t position);
uint64_t search_modseq(const struct imap_command *c, const struct search *q,
	struct search_ends ends);
void search_save(struct imap *s, struct imap_command *c, const struct search *q,
	struct search_ends ends);

/* The ESEARCH response (RFC 4731 section 3.1) up to its ALL item, which comes last. False: there is
 * none, the response is complete. */
bool search_begin_extended(struct imap *s, struct imap_command *c, const struct search *q,
	struct search_ends ends);
