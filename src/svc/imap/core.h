/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Between the files that make up the session itself: session.c, command.c, wait.c, sync.c. */

#include "svc/imap/imap.h"
#include "svc/imap/print.h"

struct imap_service {
	struct env *env;
	uint8_t id_key[PRINT_ID_KEY]; /* the same for ever and on all nodes, as the ids are */
};

enum imap_row_flags {
	IMAP_TAKES_UID = 1, /* exists as "UID name" too */
	IMAP_UID_ONLY = 2,  /* exists as "UID name" only */
	IMAP_KEEPS = 4,     /* its plain form goes by sequence numbers while it answers: no EXPUNGE
	                     * before its tagged line (RFC 9051 section 7.5.1) */
	IMAP_SILENT = 8,    /* nothing about the mailbox before its tagged line */
	IMAP_WRITES = 16,   /* refused in a mailbox opened by EXAMINE */
	IMAP_STREAMS = 32,  /* its literals may be messages (append.c) */
};

struct imap_row {
	const char *name;
	unsigned states;
	unsigned flags;
	/* Fills command->args, from the space behind the name on; NULL: there are no arguments.
	 * What it leaves over is answered with BAD. */
	bool (*parse)(struct imap_parser *p, struct imap_command *c);
	int (*run)(struct imap *s, struct imap_command *c);
};

static inline struct imap *imap_of(struct session *session)
{
	return CONTAINER_OF(session, struct imap, session);
}

/* wait.c */
struct imap_command *command_new(struct imap *s);
void command_unref(struct imap_command *c);
int wait_pull(struct session *session) MUST_CHECK;

/* command.c: a line of a command, and octets of its literals. */
int command_line(struct imap *s, struct span line) MUST_CHECK;
int command_octets(struct imap *s, struct span data) MUST_CHECK;

/* A tagged line without looking at the mailbox first; the command is over. */
int command_end(struct imap *s, struct imap_command *c) MUST_CHECK;

/* A literal that the end of a line announces: "{n}", "{n+}", with or without "~" in front. */
struct imap_literal {
	size_t announced; /* octets of the announcement */
	uint64_t n;
	bool waits;       /* the client waits for "+" */
};

bool command_find_literal(struct span line, struct imap_literal *ret);

/* Asks for the literal's octets, with "+" if the client waits for that. */
void command_want(struct imap *s, const struct imap_literal *literal);

/* The literal becomes part of the command's text, if it is not too large for that. */
int command_take_literal(struct imap *s, struct imap_command *c,
	const struct imap_literal *literal) MUST_CHECK;

/* The command will be answered with NO and the code, or BAD if that is NULL: at once if the client
 * waits for "+", else when all of it has passed by, or with BYE if that would take too long. A
 * command that is refused already keeps its first answer. */
int command_refuse(struct imap *s, struct imap_command *c, const struct imap_literal *literal,
	const char *code, const char *text) MUST_CHECK;

/* Gives that answer. */
int command_refused(struct imap *s, struct imap_command *c) MUST_CHECK;

/* append.c: the text of the command ends in a literal. */
int append_literal(struct imap *s, struct imap_command *c, struct imap_parser *p,
	const struct imap_literal *literal) MUST_CHECK;

/* sync.c: tells the client what changed, then calls then. expunges: they may be told now. */
int sync_start(struct imap *s, struct imap_command *c, bool expunges, imap_next_fn *then)
	MUST_CHECK;

/* The FLAGS and PERMANENTFLAGS responses. */
void sync_tell_keywords(struct imap *s);
uint32_t sync_count_recent(const struct imap_selected *selected, const struct view *view);

/* Makes the command's view the current one, without telling the client; then next. */
int sync_refresh(struct imap *s, struct imap_command *c, imap_next_fn *next) MUST_CHECK;

/* status.c: items of STATUS, also for LIST ... RETURN (STATUS (...)). */
struct store_mailbox;
bool status_parse_items(struct imap_parser *p, unsigned *ret_items);

/* Reads what the mailbox's row does not say and appends the response. */
int status_print(struct imap_command *c, struct store_conn *conn, const struct store_mailbox *m,
	unsigned items, struct buf *out) MUST_CHECK;

/* store.c, on the writer: the bits of flags for messages of an account; keywords are made if asked
 * for. STORE_E_LIMIT. */
int store_flag_bits(struct imap_command *c, struct store_conn *conn, int64_t account,
	const struct imap_flags *flags, bool make, uint64_t *ret_bits) MUST_CHECK;

/* selected.c: opens a mailbox (takes the references), and leaves it without a word. */
struct shared_mailbox;
void selected_enter(struct imap *s, const struct shared_mailbox *m, struct view *view,
	struct keywords *keywords, bool read_only, uint32_t recent_from);
void selected_leave(struct imap *s);

/* Whether it is somebody else's, whose rights may be taken away. */
bool selected_is_shared(const struct imap *s);

/* Another account's mailbox changed, perhaps its rights: looks at them, then runs the command. */
int selected_recheck(struct imap *s, struct imap_command *c) MUST_CHECK;

/* What the account may do there now. */
void selected_set_rights(struct imap *s, unsigned rights);

/* It cannot be read any more: the session ends as if it had been deleted. */
int selected_lost(struct imap *s) MUST_CHECK;

/* any.c */
void any_add_capabilities(struct imap *s, struct buf *out);

/* Something happened to the selected mailbox: told at once during IDLE. */
int any_woken(struct session *session) MUST_CHECK;

/* Says goodbye; code may be NULL. */
void imap_bye(struct imap *s, const char *code, const char *text);
