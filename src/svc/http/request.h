/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * One request as a handler sees it, and its answer. Everything in it is a copy or lives in the
 * arena: nothing of the HTTP library is touched off its own thread.
 *
 * A handler returns 0 with the answer set, a fault (500, logged), or what http_problem returned: a
 * status of 400 or more, which also rolls back the transaction it ran in.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "svc/auth.h"
#include "svc/http/http.h"

#include <jansson.h>

struct budget;
struct ca_moved;
struct env;
struct http_request;
struct http_route;
struct store_conn;
struct tls_client;
struct web_sessions;

/* The connection a request came over; immutable, shared by count. */
struct http_peer {
	_Atomic unsigned refs;
	enum http_kind kind;
	bool loopback;
	struct net_address from;
	char address[NET_ADDRESS_TEXT]; /* the same, for the log */
	char *domain; /* TLS: the profile's domain */
	char *sni;    /* TLS: what the client asked for, or NULL */
	struct tls_client *client; /* TLS: the certificate it presented, or NULL */
};
struct http_peer *http_peer_ref(struct http_peer *p);
struct http_peer *http_peer_unref(struct http_peer *p);

struct http_pair {
	struct span name, value;
};

enum { HTTP_PARAMS_MAX = 4, HTTP_PAIRS_MAX = 104 };

enum http_login { HTTP_NOBODY, HTTP_COOKIE, HTTP_BASIC, HTTP_CERTIFICATE, HTTP_SOCKET };

struct http_request {
	struct env *env;
	struct web_sessions *sessions;
	const struct http_options *options;
	struct http_peer *peer;
	struct arena arena;

	/* As received. */
	struct span method;
	struct span target;   /* not decoded */
	struct http_pair fields[HTTP_PAIRS_MAX];
	size_t n_fields;
	uint64_t length;      /* octets of the body, where has_length; else it is chunked or not there */
	bool has_length;
	struct buf body;      /* of a streamed one the piece that is not taken yet */

	/* By method and target alone (http_find_row). */
	const struct http_route *row; /* NULL: there is none */
	uint64_t body_max;    /* octets that the body may have */

	/* Found out on the way to the handler. */
	struct span path;     /* not decoded, without query */
	struct span query;
	const struct http_route *route;
	bool admitted;        /* the right to this request is proved */
	struct span params[HTTP_PARAMS_MAX]; /* decoded, UTF-8, no control characters */
	enum http_login login;
	struct auth_identity who; /* HTTP_SOCKET: account 0, "local", administrator */
	struct span token;        /* HTTP_COOKIE: the session's */
	json_t *json;             /* the body, checked against the route's fields; an object */

	/* A preparing handler's result for the one in the transaction, or what a stream's callbacks
	 * share; in the arena. */
	void *prepared;

	struct ca_moved *moved; /* in the arena; NULL: the request moves nothing, or revokes what it does */

	/* Memory that is taken for this request in its account's name. Given back at its end. */
	struct budget *of_accounts;
	uint64_t n_of_account;
	int64_t reserved_for; /* the account of n_of_account */

	/* The answer. */
	unsigned status;
	json_t *answer;           /* printed as the body, if set */
	struct buf out;           /* else this, of that type */
	struct span shared;       /* or these octets, which are borrowed until release(owner) */
	void (*release)(void *owner);
	void *owner;
	const char *type;
	struct http_pair headers[8];
	size_t n_headers;
	bool acme_changed;        /* after the commit: acme_wake */
	bool encryption_changed;  /* after the commit: encryption_tend */
	bool ca_changed;          /* after the commit: ca_wake */
	bool trust_changed;       /* after the commit: trust_changed */
	bool tls_changed;         /* after that: env->tls_rebuild */
	bool crls_changed;        /* after the commit: revocation_load */
	bool outgoing_changed;    /* after the commit: outgoing_load */
	bool settings_changed;    /* after the commit: settings_reload */
	int64_t locks_account;    /* after the commit: its Secure Mail keys are locked; 0: nobody's */
	bool locks_where_off;     /* after the commit: secure_mail_lock_where_off */
	struct why problem;
	char problem_field[64];
};

/* Takes octets of memory for an admitted request in the name of its account; false: too much is taken
 * already. */
bool http_reserve(struct http_request *q, uint64_t octets);

/* Releases what the request holds, not its memory. */
void http_request_done(struct http_request *q);

/* Sets the problem; returns the status, to be returned by the handler. field: the member, parameter
 * or header that is wrong, or NULL. */
int http_problem(struct http_request *q, unsigned status, const char *field, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* The problem that an outcome of the store is; faults pass. what: the object in words ("account"). */
int http_store_problem(struct http_request *q, int r, const char *what, const char *field,
	const struct why *why) MUST_CHECK;

/* A header of the request by name, the first; an empty span with p NULL if there is none. */
struct span http_field(const struct http_request *q, const char *name);

/* A header of the answer; value is copied, name is a constant. */
void http_header(struct http_request *q, const char *name, struct span value);

/* A problem unless the query is well formed and has each of these names, separated by one space, once
 * at most and no others: whoever mistypes "revoke" means to revoke. */
int http_query_check(struct http_request *q, const char *names) MUST_CHECK;

/* The decoded value of a query parameter; p is NULL if it is not there or malformed. */
struct span http_query(struct http_request *q, const char *name);

/* A number of the query, or fallback; a problem if it is none or over max. */
int http_query_number(struct http_request *q, const char *name, uint64_t max, uint64_t fallback,
	uint64_t *ret_value) MUST_CHECK;

/* Decodes %XX; false if malformed, not UTF-8, or with a control character. */
bool http_decode(struct arena *a, struct span text, struct span *ret_text);

/* Members of the body; p is NULL where it is absent. Text is valid as long as the request. */
struct span http_text(const struct http_request *q, const char *member);

/* A scalar of the body as text: true is "yes", false "no". */
struct span http_scalar(struct http_request *q, const json_t *value);

/* JSON text from octets of any kind: what is not UTF-8 is shown as "?". */
json_t *http_json_text(struct span text);

/* RFC 3339, or null for 0. */
json_t *http_json_time(int64_t time_us);

/* Who acts, for the audit record; a row of it for what this request does to the target. */
struct span http_actor(const struct http_request *q);
int http_audit(struct http_request *q, struct store_conn *c, const char *action,
	struct span target, struct span detail) MUST_CHECK;

/* Checks a password, with the limits and log lines of a login, and sets q->who. Blocks. */
int http_login(struct http_request *q, struct span user, struct span password) MUST_CHECK;

/* The same by the client's certificate. */
int http_login_certificate(struct http_request *q) MUST_CHECK;

/* Where a login of this request comes from; borrowed from its peer. */
struct auth_source http_source(const struct http_request *q);

/* Whether no port before this one is of the same service. */
bool http_port_is_first(const struct http_options *o, size_t port);

bool http_is_admin(const struct http_request *q);
