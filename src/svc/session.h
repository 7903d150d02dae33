/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * What SMTP, IMAP, POP3 and ManageSieve have in common, as a protocol sees it: lines and counted
 * octets in, replies out, one task to wait for, long output that is pulled. The core sees octets
 * and time only; svc/session_drive.h is its other side, for svc/conn.c, tests and fuzzers.
 *
 * A protocol's own structure begins with a struct session. All handlers run on the session's loop,
 * one at a time, never from within a function below. They return 0, or a fault: then the core logs
 * it, lets the protocol's `fault` handler say "temporary failure", and ends the session. A handler
 * never frees the session: it asks with session_end.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/task.h"
#include "net/address.h"

struct session;
struct session_waker;
struct tls_info;

enum session_line_fault {
	SESSION_LINE_LONG,    /* longer than line_max; dropped to its end */
	SESSION_LINE_BARE_CR, /* a CR without LF, an LF without CR (RFC 5321 section 2.3.8): told */
	SESSION_LINE_BARE_LF, /* at once, and the rest is dropped to the next CRLF */
	SESSION_LINE_NUL,     /* unless nul_allowed */
};

struct session_protocol {
	const char *name; /* "imap" */
	const char *tag;  /* "IMAP": the log's tag */
	size_t size;      /* of the protocol's structure, which begins with struct session */
	size_t line_max;  /* octets of a line without CRLF */
	bool nul_allowed; /* in lines */
	uint32_t timeout_ms; /* until the first session_set_timeout */

	/* The connection is there (with TLS on if that comes first): greet. */
	int (*start)(struct session *s);
	/* A line without its CRLF. It lives until the handler returns; what is in the arena, until
	 * the command is over (see session_goes_on). */
	int (*line)(struct session *s, struct span line);
	/* After session_expect_octets or session_expect_raw: what has come so far. Says how much it
	 * took. Counted: never more than was asked for; all of it must be taken at once unless the
	 * handler begins to wait. Raw: what is not taken is given again with more behind it; taking
	 * nothing of a full input buffer (SESSION_INPUT_MAX) is a fault. */
	int (*octets)(struct session *s, struct span data, size_t *ret_taken);
	/* All counted octets were taken (also if none were asked for); lines come next. */
	int (*octets_end)(struct session *s);
	/* TLS is on after session_starttls: forget everything learned before. */
	int (*secured)(struct session *s);
	/* A line that is none. NULL: the session ends. */
	int (*bad_line)(struct session *s, enum session_line_fault why);
	/* After session_send_from: append some output, about SESSION_CHUNK octets, or wait, or call
	 * session_sent_all. */
	int (*pull)(struct session *s);
	/* session_wake was called, once or more often. Only while lines are expected, no task is
	 * awaited and no output waits to be pulled; else it comes later. May be NULL. */
	int (*event)(struct session *s);
	/* session_alarm is due; as event. May be NULL. */
	int (*alarm)(struct session *s);
	/* Nothing came for timeout_ms: say goodbye; the session ends afterwards. May be NULL. */
	int (*timeout)(struct session *s);
	/* The server ends: say goodbye and session_end, now or when what is under way is done (10 s
	 * at most). As event, but also while octets are expected. NULL: the session ends. */
	int (*shutdown)(struct session *s);
	/* A handler or task returned a fault: append the protocol's "temporary failure, goodbye". */
	void (*fault)(struct session *s);
	/* The session ends: release what the protocol's structure holds, not the structure. */
	void (*free)(struct session *s);
};

enum {
	SESSION_CHUNK = 16 * 1024,      /* a good size for pulled output: one TLS record */
	SESSION_INPUT_MAX = 128 * 1024, /* octets of input kept at most; over every line_max */
};

/* Work to be awaited. Embedded in the structure that holds its input and result; that structure's
 * memory is its own: nothing in it may point into the session. */
struct session_task {
	struct task task; /* the owner sets run and drop; the core sets done */
	/* On the loop, if the session is still there; task.result is what run returned. */
	int (*done)(struct session *s, struct session_task *t);
	struct session *session; /* private */
};

/* Output. What one handler appends at a time stays below a few chunks: more is pulled. */
void session_reply(struct session *s, struct span text);
void session_reply_string(struct session *s, const char *text);
void session_reply_format(struct session *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The output buffer itself, for appending. */
struct buf *session_out(struct session *s);

/* What comes next instead of lines. Counted octets, or raw ones until session_expect_line. */
void session_expect_octets(struct session *s, uint64_t n);
void session_expect_raw(struct session *s);
void session_expect_line(struct session *s);
uint64_t session_octets_left(const struct session *s);

/* The command goes on in the next line (IMAP, after a literal): the arena is kept until then. Else
 * it is cleared before the next line, and when there is nothing more to do. */
void session_goes_on(struct session *s);

/* Lets no input in until the task is done. One at a time. If the session ends first, done is not
 * called; drop always is. */
void session_wait(struct session *s, struct executor *e, struct session_task *t);

/* Lets no input in for a time: what a wrong password costs. */
void session_pause(struct session *s, uint32_t delay_ms);

/* Long output: pull is called whenever there is room, and no input is let in, until
 * session_sent_all. */
void session_send_from(struct session *s);
void session_sent_all(struct session *s);

/* When the reply has been sent: TLS, or compression. What the peer sent after the command in clear
 * is dropped. */
void session_starttls(struct session *s);
void session_compress(struct session *s);

/* When the output has been sent: close. */
void session_end(struct session *s);

/* Time without input or progress after which timeout is called. */
void session_set_timeout(struct session *s, uint32_t timeout_ms);

/* Calls alarm once, after the delay; 0 takes it back. */
void session_alarm(struct session *s, uint32_t delay_ms);

void session_set_line_max(struct session *s, size_t line_max);

/* The way from other threads to a session. They hold references as long as they like; the
 * session's going makes session_wake do nothing. The first is borrowed from the session. */
struct session_waker *session_waker(struct session *s);
struct session_waker *session_waker_ref(struct session_waker *w);
struct session_waker *session_waker_unref(struct session_waker *w);

/* From any thread: event will be called, on the session's loop. Cheap if it already will be. */
void session_wake(struct session_waker *w);

/* Facts. */
void *session_service(const struct session *s); /* what the listener was set up with */
struct arena *session_arena(struct session *s);
const char *session_id(const struct session *s); /* 16 hexadecimal digits */
const struct log_context *session_log(const struct session *s);
const struct net_address *session_peer(const struct session *s);
const struct net_address *session_local(const struct session *s);
bool session_is_tls(const struct session *s);

/* NULL without TLS. */
const struct tls_info *session_tls(const struct session *s);

/* The TLS profile's domain; else NULL. */
const char *session_tls_domain(const struct session *s);

/* RFC 9266 "tls-exporter"; 1 (TLS_E_NO_BINDING) where there is none. */
int session_tls_binding(const struct session *s, uint8_t ret_binding[static 32]) MUST_CHECK;

/* Tasks that the session starts besides the awaited one come home here. */
struct task_home *session_home(const struct session *s);

/* The head of every protocol's structure. All fields are the core's. */
struct session {
	const struct session_protocol *protocol;
	struct session_carrier *carrier;
	void *service;
	struct buf in;
	struct buf out;
	struct arena arena;
	struct session_task *task;
	struct session_waker *waker;
	size_t line_max;
	size_t scanned; /* octets of in that were looked at without result */
	size_t unsent;  /* octets that had not left at the last step */
	uint64_t octets_left;
	uint32_t timeout_ms;
	uint32_t unrewarded; /* octets since the time-out was last pushed back */
	int64_t active_ms; /* when the peer last got on */
	int64_t alarm_ms;  /* when these are due; 0: not set */
	int64_t pause_ms;
	struct log_context log;
	uint8_t mode;
	bool started : 1, pulling : 1, ending : 1, eof : 1, woken : 1, stopping : 1, stop_told : 1;
	bool want_tls : 1, want_compress : 1, goes_on : 1, skipping : 1, skipping_long : 1;
	bool faulted : 1, timed_out : 1;
	char id[17];
};
