/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The signers of one SignedData: private to smime/read. */
#pragma once

#include "smime/cms.h"
#include "smime/read.h"

/* Reads the certificates that were sent and verifies each signer over the content (RFC 5652 section
 * 5.6), with its certificate at the time that counts. Addresses are not compared here. The layer
 * gets certs and signers. */
int verify_signers(const struct smime_request *request, const struct cms_signed *data,
	struct span content, struct smime_layer *layer) MUST_CHECK;
