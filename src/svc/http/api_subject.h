/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Who a certificate is for, as members of a request's body. */

#include "pki/check.h"
#include "pki/subject.h"
#include "svc/http/api_pki.h"

/* The members "common_name", "names" and the attributes; without names those of the domain and its
 * aliases. Names may be in Unicode. A problem if it cannot be a subject. In the arena. */
int api_subject(struct http_request *q, const struct pki_look_up *l, struct subject *ret_subject)
	MUST_CHECK;

/* A warning for each name that is not the domain's: no alias, no host below one, no wildcard for one. */
void api_check_subject(const struct pki_look_up *l, const struct subject *s, struct check_list *checks);
