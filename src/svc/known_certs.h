/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Intermediate certificates that are known from somewhere: other certificates' chains, and what was
 * trusted. They complete chains that lack one. */

#include "pki/cert.h"

struct env;

/* Blocks; cert_list_done the list. */
int known_intermediates(struct env *e, struct cert_list *ret_list) MUST_CHECK;
