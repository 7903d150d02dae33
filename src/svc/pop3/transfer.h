/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Responses of any length, and the lease that lasts as long as they do. */

#include "svc/pop3/pop3.h"

/* RETR and TOP (body_lines; UINT64_MAX: all). Handlers return what these return. */
int pop3_send_message(struct pop3 *s, const struct drop_message *m, uint64_t body_lines) MUST_CHECK;

/* LIST and UIDL without argument, behind their first line. */
int pop3_send_table(struct pop3 *s, enum pop3_source source) MUST_CHECK;

/* A line of LIST or UIDL. */
void pop3_add_listing(const struct pop3 *s, uint32_t number, enum pop3_source source,
	struct buf *out);

/* session_protocol's pull and alarm. */
int pop3_pull(struct session *session);
int pop3_renew(struct session *session);

/* The lease was taken just now. */
void pop3_renewed(struct pop3 *s);
