/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What a server needs before it can serve, made when there is none. */

#include "base/err.h"

struct env;

enum first_start_outcome { FIRST_START_E_REFUSED = 1 };

/* The main domain (domain_name, else the host's name) with an EC P-256 key and a self-signed
 * certificate, and postmaster with a random password, printed in one line on stdout. All of it in
 * one transaction; where there is a main domain already nothing is done. Then checks that keyd holds
 * the key-encryption key this database was made with. */
int first_start(struct env *e, const char *domain_name, struct why *why) MUST_CHECK;
