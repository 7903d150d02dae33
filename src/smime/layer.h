/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* One part of a message that is a cryptographic layer: recognized by what it is called, and opened,
 * which is for smime/read. */
#pragma once

#include "base/limit.h"
#include "mime/part.h"
#include "smime/read.h"
#include "smime/verify.h"

struct smime_content {
	struct span entity;     /* p NULL: not open; in `made`, `cms`, or in what holds the layer */
	struct secret_buf cms;  /* the CMS object, where the entity lies in it */
	struct secret_buf made; /* decrypted or decompressed, or with new line ends */
};

/* Octets that all layers of a message may take up together. */
enum { LAYER_BUDGET = 256 << 20 };
struct layer_budget {
	size_t left;
	size_t inflated; /* of LIMIT_SMIME_INFLATED */
	struct verify_budget verify;
};

struct layer_source {
	const struct part_tree *tree;
	const struct part *part;
	struct span entity; /* that the tree is of */
	bool is_secret;     /* it was decrypted */
};

/* application/pkcs7-mime, multipart/signed with a CMS signature, and what is named smime.p7m. */
bool layer_is_one(const struct part *part, const struct part_tree *tree);

bool layer_is_encryption(enum smime_layer_kind kind);
bool layer_is_signature(enum smime_layer_kind kind);

/* The part's number within the entity (RFC 9051 section 6.4.5.1); "" for its root. The caller
 * frees. */
char *layer_part_name(const struct layer_source *source);

void layer_refuse(struct smime_layer *layer, enum smime_layer_kind kind,
	enum smime_layer_state state, const char *reason);

/* Fills the layer in, signers without their addresses, and its content. */
int layer_open(const struct smime_request *request, const struct layer_source *source,
	struct layer_budget *budget, struct smime_layer *layer, struct smime_content *content,
	struct smime_report *report) MUST_CHECK;
