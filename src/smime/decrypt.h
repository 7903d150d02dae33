/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* One EnvelopedData or AuthEnvelopedData: private to smime/read. */
#pragma once

#include "smime/cms.h"
#include "smime/read.h"

/*
 * Names cipher and recipients in the layer, and opens it with the first of the request's keys that
 * fits. `out` gets the content only if the layer's state is SMIME_OPEN: after the tag, or without
 * one the padding of the whole, has been checked.
 */
int decrypt_enveloped(const struct smime_request *request, const struct cms_enveloped *data,
	bool is_authenticated, struct smime_layer *layer, struct secret_buf *out) MUST_CHECK;
