/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The IMAP service as the server starts it: imap_protocol with an imap_service as the context. */

#include "base/err.h"
#include "svc/session.h"

struct env;
struct imap_service;

extern const struct session_protocol imap_protocol;

/* Reads what all sessions share from the store, which blocks: at start. */
int imap_new(struct imap_service **ret_service, struct env *env) MUST_CHECK;
struct imap_service *imap_free(struct imap_service *service);
