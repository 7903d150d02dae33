/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the API's handlers share: objects named by parameters, as the store's rows. */

#include "store/domain.h"
#include "svc/http/route.h"

/* The domain of parameter 0, by name or alias; a problem if there is none. */
int api_domain(struct http_request *q, struct store_conn *c, struct store_domain *ret_domain)
	MUST_CHECK;

/* A domain name in stored form; a problem with the field if it is none. */
int api_domain_name(struct http_request *q, struct span text, const char *field,
	struct span *ret_name) MUST_CHECK;

/* The account of parameter 0; a problem if there is none. */
int api_account(struct http_request *q, struct store_conn *c, struct store_account *ret_account)
	MUST_CHECK;
/* The same for a handler without a connection. */
int api_account_read(struct http_request *q, struct store_account *ret_account) MUST_CHECK;

/* An address in stored form and its domain; a problem with the field if it is none or the domain is
 * not ours. Spans live in the arena. */
int api_address(struct http_request *q, struct store_conn *c, struct span text, const char *field,
	struct span *ret_local, struct store_domain *ret_domain) MUST_CHECK;

/* The domain of that name; a problem with the field "domain" if there is none. */
int api_named_domain(struct http_request *q, struct store_conn *c, struct span name,
	int64_t *ret_domain) MUST_CHECK;

/* The same outside of a transaction. */
int api_read_domain(struct http_request *q, struct span name, int64_t *ret_domain) MUST_CHECK;

/* The domain that the query's "domain" names, 0 if it is not given. */
int api_query_domain(struct http_request *q, struct store_conn *c, int64_t *ret_domain) MUST_CHECK;

/* An answer of one array: {"name": [...]}; returns the array, borrowed. */
json_t *api_answer_list(struct http_request *q, const char *name);

void api_set_text(json_t *object, const char *member, struct span text);
void api_set_number(json_t *object, const char *member, uint64_t number);

/* A row of a table of settings with its value in the structure. */
struct conf_row;
json_t *api_setting_json(const struct conf_row *row, const void *settings);
