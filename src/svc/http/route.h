/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The table of what can be asked: method, path, who may, how the body looks, what it does. The
 * dispatcher (dispatch.c) refuses whatever does not fit before a handler runs; doc/openapi.yaml is
 * compared with the table by a test.
 */

#include "svc/http/request.h"

enum route_right {
	RIGHT_ANYONE,
	RIGHT_USER,    /* logged in */
	RIGHT_OWN,     /* the account named by the first parameter, or an administrator */
	RIGHT_SELF,    /* that account and nobody else: what its mail says */
	RIGHT_WORD,    /* that account: whom it trusts; for it, who is at the server's own socket */
	RIGHT_ADMIN,
	RIGHT_METRICS, /* loopback and the Unix socket without login, else an administrator */
};

enum body_type {
	BODY_TEXT,
	BODY_TEXTS,  /* an array of texts, at least one */
	BODY_NUMBER, /* an integer that is not negative */
	BODY_SCALAR, /* text, integer or boolean */
	BODY_SCALAR_OR_NULL,
	BODY_BOOL,
	BODY_OBJECT, /* a JSON object, which its handler checks */
	BODY_OBJECTS, /* an array of them */
};

struct body_field {
	const char *name; /* NULL ends the list; "*": any name */
	enum body_type type;
	bool required;
	uint64_t max; /* octets of a text, elements of an array, largest number */
};

enum route_where {
	ROUTE_OUTSIDE, /* no transaction; the handler gets no connection */
	ROUTE_SLOW,    /* the same, on threads of their own: seconds of work by somebody's password */
	ROUTE_READS,
	ROUTE_WRITES,
};

/* How large a body may be. Without a login only the smallest is taken, whatever the row says. */
enum route_size {
	SIZE_USUAL,   /* of a route for anyone SIZE_ANYONE_OCTETS, else SIZE_USUAL_OCTETS */
	SIZE_FILE,    /* certificates, keys, scripts */
	SIZE_CRL,     /* revocation lists */
	SIZE_COMPOSE, /* texts and small attachments */
	SIZE_MESSAGE, /* the setting message_max */
};
enum {
	SIZE_ANYONE_OCTETS = 16 * 1024,
	SIZE_USUAL_OCTETS = 256 * 1024,
	SIZE_FILE_OCTETS = 2 << 20,
	SIZE_CRL_OCTETS = 17 << 20,
	SIZE_COMPOSE_OCTETS = 4 << 20,
};

/* In a transaction with c, else with c NULL. May run again if the transaction is repeated: then with
 * the answer empty. */
typedef int route_fn(struct http_request *q, struct store_conn *c);

/* Adds what the request is about to the names by which addresses are looked up (svc/http/moved.h). Reads. */
struct route_names;
typedef int moves_fn(struct http_request *q, struct store_conn *c, struct route_names *names);

/* A body that is not kept in memory. All are called outside of a transaction; the row's run then
 * finds the last piece in q->body, of less than ROUTE_PIECE octets. */
enum { ROUTE_PIECE = 256 * 1024 };
struct route_stream {
	route_fn *begin; /* the right to do it is proved, nothing of the body is read */
	route_fn *take;  /* ROUTE_PIECE octets are in q->body */
	/* After begin, where run did not succeed: the peer left, or something was refused. Must not
	 * block: on the HTTP library's thread. */
	void (*abandon)(struct http_request *q);
};

struct http_route {
	const char *method;
	const char *path;         /* "{name}" stands for one segment, "{name*}" for all that follow */
	enum route_right right;
	const struct body_field *body; /* NULL: none is wanted */
	const char *query;        /* names of parameters, separated by one space; NULL: none */
	enum route_where where;
	route_fn *run;
	/* Before the transaction, without one: what is slow (hashing, keyd). May be NULL. */
	route_fn *prepare;
	enum route_size size;
	const struct route_stream *stream; /* NULL: the body is in q->body, as a whole */
	moves_fn *moves;          /* of one that writes; NULL: no address leads elsewhere by it */
};

extern const struct http_route http_routes[];
extern const size_t n_http_routes;

/* Octets that a body of the row's request may have; route NULL: of a request that has none. */
struct settings;
uint64_t route_body_max(const struct http_route *route, const struct settings *settings);

/* Splits a target (RFC 9112 section 3.2) in origin-form, absolute-form or "*"; authority's p is NULL
 * where there is none. false: it has another form. */
struct http_target {
	struct span authority, path, query;
};
bool http_target_split(struct span target, struct http_target *ret_target);

/* The row for the method and path (neither decoded), NULL: none. HEAD counts as GET. */
const struct http_route *route_match(struct span method, struct span path);

/* Finds the row for the method and path (neither decoded) and decodes the parameters. NOT_FOUND: no
 * such path. METHOD: other methods have this path. HEAD counts as GET. */
enum route_outcome { ROUTE_E_NOT_FOUND = 1, ROUTE_E_METHOD };
int route_find(struct arena *a, struct span method, struct span path,
	const struct http_route **ret_route, struct span ret_params[static HTTP_PARAMS_MAX]) MUST_CHECK;

/* Appends the methods of a path for the Allow field; nothing if there is no such path. */
void route_allow(struct span path, struct buf *out);

moves_fn moves_address, moves_account, moves_postmaster, moves_domain_alias, moves_new_domain;
moves_fn moves_domain, moves_gone_domain, moves_setting;

/* Handlers, by subject. */
route_fn api_rule_list, api_rule_show, api_rule_set, api_rule_set_prepare, api_rule_remove;
route_fn api_session_start, api_session_show, api_session_end;
route_fn api_status, api_log, api_audit, api_queue_list, api_queue_set, api_queue_remove;
route_fn api_setting_list, api_setting_show, api_setting_set;
route_fn api_tls_show, api_tls_set, api_tls_probe;
route_fn api_domain_list, api_domain_add, api_domain_show, api_domain_set, api_domain_set_prepare;
route_fn api_domain_remove;
route_fn api_domain_alias_list, api_domain_alias_add, api_domain_alias_remove;
route_fn api_alias_list, api_alias_add, api_alias_show, api_alias_set, api_alias_remove;
route_fn api_account_list, api_account_add, api_account_add_prepare, api_account_show;
route_fn api_account_set, api_account_remove, api_password_set, api_password_set_prepare;
route_fn api_mailbox_list, api_mailbox_add, api_mailbox_remove;
route_fn api_rights_list, api_rights_set, api_rights_remove;
route_fn api_book_list, api_book_add, api_book_set, api_book_remove;
route_fn api_card_list, api_card_show, api_card_add, api_card_set, api_card_prepare;
route_fn api_card_remove, api_known_cert_list, api_waiting_cert_list, api_cert_lookup;
route_fn api_cert_take, api_cert_take_prepare, api_cert_decide, api_cert_decide_prepare;
route_fn api_key_list, api_key_make, api_key_make_prepare, api_key_show, api_key_test;
route_fn api_key_import, api_key_import_prepare, api_key_export, api_key_export_prepare;
route_fn api_key_remove;
route_fn api_name_list, api_request_list, api_request_make, api_request_make_prepare;
route_fn api_request_show, api_request_remove;
route_fn api_cert_list, api_cert_make, api_cert_make_prepare, api_cert_show, api_cert_activate;
route_fn api_cert_install, api_cert_install_prepare, api_cert_import, api_cert_import_prepare;
route_fn api_cert_export, api_cert_export_prepare, api_cert_refresh, api_cert_refresh_prepare;
route_fn api_cert_remove, api_chain_show, api_chain_set, api_chain_set_prepare, api_chain_remove;
route_fn api_cert_renew, api_cert_renew_prepare, api_key_store_show, api_key_store_check;
route_fn api_check, api_trust_list, api_trust_add, api_trust_add_prepare;
route_fn api_trust_remove, api_trust_remove_prepare;
route_fn api_issuer_list, api_issuer_set, api_issuer_set_prepare, api_issuer_clear;
route_fn api_issuer_remove, api_certmap_show, api_certmap_set, api_certmap_clear, api_certmap_test;
route_fn api_own_cert_list, api_own_cert_add, api_own_cert_remove;
route_fn api_acme_list, api_acme_show, api_acme_order, api_acme_order_prepare, api_acme_renew;
route_fn api_acme_stop, api_acme_account_show, api_acme_account_set, api_acme_account_set_prepare;
route_fn api_acme_account_remove, page_acme_challenge;
route_fn api_crl_list, api_crl_add, api_crl_add_prepare, api_crl_remove, api_crl_fetch;
route_fn api_crl_fetch_prepare;
route_fn api_smime_show, api_smime_set, api_smime_state, api_smime_generate, api_smime_import;
route_fn api_smime_export, api_smime_compare, api_smime_password, api_smime_unlock, api_smime_lock;
route_fn api_smime_install, api_smime_renew, api_smime_strength;
route_fn api_message_list, api_message_octets, api_message_read, api_message_part;
route_fn api_stored_encrypt, api_stored_decrypt, api_compose;
route_fn api_upload_list, api_upload_add, api_upload_remove;
extern const struct route_stream api_upload_stream;
route_fn api_encryption_show, api_encryption_start, api_encryption_pause, api_encryption_resume;
route_fn api_encryption_remove;
route_fn api_outgoing_list, api_outgoing_set, api_outgoing_remove, api_outgoing_show;
route_fn api_outgoing_probe;
route_fn api_ca_show, api_ca_make, api_ca_make_prepare, api_ca_refresh, api_ca_refresh_prepare;
route_fn api_ca_request, api_ca_request_prepare, api_ca_install, api_ca_install_prepare;
route_fn api_ca_cert, api_ca_remove, api_ca_check, api_ca_crl, api_issued_list, api_issued_make, api_issued_revoke;
route_fn api_own_issued_list, api_own_issued_revoke, api_domain_remove_prepare;
route_fn page_ca_cert, page_ca_label_cert, page_ca_list, page_ca_label_list, page_ocsp_post;
route_fn page_ocsp_label_post, page_ocsp_get, page_ocsp_label_get;
route_fn page_first, page_metrics, page_cert_pem, page_cert_der, page_chain_pem;
