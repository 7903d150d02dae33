/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Certificates whose life ends: which there are, and telling the domain's postmaster in time. Looked
 * at are those of domains whose PKI is enabled that serve something or are the domain's newest, and
 * what is sent in their chains.
 */

#include "mail/expiry_notice.h"
#include "pki/cert.h"
#include "store/domain.h"
#include "store/key_rows.h"

struct env;

struct expiry_item {
	const struct store_domain *domain;
	enum expiry_kind kind;
	struct span alias;        /* as in struct expiry_warning */
	struct span services;
	const struct cert *cert;
	struct span trouble;      /* as in struct expiry_warning */
};

/* Reads. Calls each() until it returns non-zero, which is returned. */
int expiry_each(struct store_conn *c, int (*each)(const struct expiry_item *item, void *context),
	void *context) MUST_CHECK;

/* Sends and logs the warnings that are due and were not given yet. Blocks; to be called about once an
 * hour. */
int expiry_check(struct env *e, int64_t now_us) MUST_CHECK;
