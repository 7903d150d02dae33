/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The parsers and functions of the rows in command.c, by the file they are in. */

#include "svc/imap/imap.h"

/* any.c: session and connection */
bool imap_parse_id(struct imap_parser *p, struct imap_command *c);
int imap_capability(struct imap *s, struct imap_command *c);
int imap_noop(struct imap *s, struct imap_command *c);
int imap_logout(struct imap *s, struct imap_command *c);
int imap_id(struct imap *s, struct imap_command *c);
bool imap_parse_enable(struct imap_parser *p, struct imap_command *c);
int imap_enable(struct imap *s, struct imap_command *c);
int imap_compress(struct imap *s, struct imap_command *c);
bool imap_parse_compress(struct imap_parser *p, struct imap_command *c);
int imap_idle(struct imap *s, struct imap_command *c);

/* authenticate.c */
int imap_starttls(struct imap *s, struct imap_command *c);
bool imap_parse_login(struct imap_parser *p, struct imap_command *c);
int imap_login(struct imap *s, struct imap_command *c);
bool imap_parse_authenticate(struct imap_parser *p, struct imap_command *c);
int imap_authenticate(struct imap *s, struct imap_command *c);

/* mailbox.c */
bool imap_parse_mailbox(struct imap_parser *p, struct imap_command *c);
bool imap_parse_create(struct imap_parser *p, struct imap_command *c);
int imap_create(struct imap *s, struct imap_command *c);
int imap_delete(struct imap *s, struct imap_command *c);
bool imap_parse_rename(struct imap_parser *p, struct imap_command *c);
int imap_rename(struct imap *s, struct imap_command *c);
int imap_subscribe(struct imap *s, struct imap_command *c);
int imap_unsubscribe(struct imap *s, struct imap_command *c);

/* list.c */
bool imap_parse_list(struct imap_parser *p, struct imap_command *c);
int imap_list(struct imap *s, struct imap_command *c);
bool imap_parse_lsub(struct imap_parser *p, struct imap_command *c);
int imap_namespace(struct imap *s, struct imap_command *c);

/* status.c */
bool imap_parse_status(struct imap_parser *p, struct imap_command *c);
int imap_status(struct imap *s, struct imap_command *c);

/* acl.c */
bool imap_parse_acl_mailbox(struct imap_parser *p, struct imap_command *c);
bool imap_parse_acl_who(struct imap_parser *p, struct imap_command *c);
bool imap_parse_setacl(struct imap_parser *p, struct imap_command *c);
int imap_myrights(struct imap *s, struct imap_command *c);
int imap_getacl(struct imap *s, struct imap_command *c);
int imap_setacl(struct imap *s, struct imap_command *c);
int imap_listrights(struct imap *s, struct imap_command *c);

/* quota.c */
bool imap_parse_quota(struct imap_parser *p, struct imap_command *c);
bool imap_parse_quotaroot(struct imap_parser *p, struct imap_command *c);
int imap_getquota(struct imap *s, struct imap_command *c);
int imap_getquotaroot(struct imap *s, struct imap_command *c);

/* select.c */
bool imap_parse_select(struct imap_parser *p, struct imap_command *c);
int imap_select(struct imap *s, struct imap_command *c);
int imap_examine(struct imap *s, struct imap_command *c);
int imap_unselect(struct imap *s, struct imap_command *c);

/* store.c */
bool imap_parse_store(struct imap_parser *p, struct imap_command *c);
int imap_store(struct imap *s, struct imap_command *c);

/* expunge.c */
int imap_close(struct imap *s, struct imap_command *c);
int imap_expunge(struct imap *s, struct imap_command *c);
bool imap_parse_uid_expunge(struct imap_parser *p, struct imap_command *c);
int imap_uid_expunge(struct imap *s, struct imap_command *c);

/* copy.c */
bool imap_parse_copy(struct imap_parser *p, struct imap_command *c);
int imap_copy(struct imap *s, struct imap_command *c);
int imap_move(struct imap *s, struct imap_command *c);

/* append.c */
int imap_append(struct imap *s, struct imap_command *c);

/* fetch.c */
bool imap_parse_fetch(struct imap_parser *p, struct imap_command *c);
int imap_fetch(struct imap *s, struct imap_command *c);

/* search.c, sort.c, thread.c */
bool imap_parse_search(struct imap_parser *p, struct imap_command *c);
int imap_search(struct imap *s, struct imap_command *c);
bool imap_parse_sort(struct imap_parser *p, struct imap_command *c);
int imap_sort(struct imap *s, struct imap_command *c);
bool imap_parse_thread(struct imap_parser *p, struct imap_command *c);
int imap_thread(struct imap *s, struct imap_command *c);
