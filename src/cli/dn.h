/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A distinguished name as people write it (RFC 4514), taken apart into what a certificate can be asked
 * for: CN, O, OU, L, ST, C and emailAddress, each once, by name or object identifier, in any order and
 * with spaces around the parts. Everything else is refused: nobody is to get a certificate for less
 * than they wrote.
 *
 * Not checked here: what the server refuses, such as a country of three letters.
 */

#include "base/arena.h"
#include "base/err.h"
#include "pki/subject.h"

/* The texts are in the arena; names stay empty. REFUSED with why. */
enum dn_outcome { DN_E_REFUSED = 1 };
int dn_parse(struct arena *a, struct span text, struct subject *ret_subject, struct why *why)
	MUST_CHECK;
