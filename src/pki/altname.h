/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The alternative names of a certificate (RFC 5280 section 4.2.1.6): their form, and whether one of
 * them is a name that somebody asked for. */

#include "pki/path.h"

/* Host names by RFC 1123's syntax ("*" as the whole first label), addresses of 4 or 16
 * octets, mail addresses as RFC 5321 and RFC 9598 write them, URIs with a scheme. Kinds that are
 * not used here pass. */
bool altname_is_well_formed(const GENERAL_NAME *name, struct why *why);

/* A host name with a label that mixes writing systems that do not go together. */
bool altname_is_suspicious(const GENERAL_NAME *name, struct why *why);

/* A mail address in the form of RFC 9598 (SmtpUTF8Mailbox) in UTF-8; false for any other name. */
bool altname_is_utf8_mailbox(const GENERAL_NAME *name, struct span *ret_address);

/* The text of a name of one of the kinds that are strings of octets. */
struct span altname_text(const GENERAL_NAME *name);

/* At the last "@". */
bool altname_split_address(struct span address, struct span *ret_local, struct span *ret_domain);

/* One of the certificate's names is that one. RFC 9525 for hosts and IP addresses; the common name
 * is never looked at. A mail address may stand in the subject where there are no alternative
 * addresses (RFC 8550 section 3). */
bool altname_covers(const struct cert *cert, const struct path_name *name);

/* This very host name, a wildcard too, is among them. */
bool altname_has_host(const struct cert *cert, struct span host);

/* The subject's emailAddress attributes, for certificates without alternative addresses. */
bool altname_subject_email(const struct cert *cert, size_t i, struct span *ret_address);
