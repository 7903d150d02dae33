/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A walk from the outside in. What a layer holds is a MIME entity of its own: it is parsed alone,
 * and what stands beside the layer is never seen together with it. As long as each layer is the
 * whole of what the one around it holds, the walk is in the envelope; layers anywhere else are
 * errant.
 */

#include "smime/read.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "mime/header.h"
#include "smime/layer.h"
#include "smime/lines.h"
#include "smime/protection.h"
#include "smime/status.h"

#include <stdlib.h>

struct reading {
	const struct smime_request *q;
	struct smime_result *out;
	struct layer_budget budget;
};

/* Where an entity is. */
struct place {
	size_t parent; /* the layer that holds it, or SIZE_MAX */
	unsigned depth;
	bool in_envelope;
	bool is_secret;
	struct span header; /* of the message that it is the body of, for From */
};

static struct smime_layer *layer_add(struct reading *rd, const struct place *at, char *part)
{
	struct smime_report *r = &rd->out->report;

	r->layers = alloc_array(r->layers, r->n_layers + 1, sizeof *r->layers);
	r->layers[r->n_layers] = (struct smime_layer){ .parent = at->parent,
		.part = part,
		.is_errant = !at->in_envelope };
	rd->out->contents = alloc_array(rd->out->contents, r->n_layers + 1,
		sizeof *rd->out->contents);
	rd->out->contents[r->n_layers] = (struct smime_content){};
	rd->out->n_contents = ++r->n_layers;
	if (at->in_envelope)
		r->n_envelope = r->n_layers;
	return &r->layers[r->n_layers - 1];
}

static int read_entity(struct reading *rd, struct span entity, const struct place *at);

static void limit_note(struct reading *rd)
{
	report_note(&rd->out->report, "limit",
		"there are more layers, or deeper ones, than are looked at");
}

/* From a header of its own that the layer's content may have, to what is compared for errant
 * layers. */
static int read_part(struct reading *rd, const struct part_tree *tree, struct span entity,
	uint32_t i, const struct place *at)
{
	struct smime_report *r = &rd->out->report;
	size_t index = r->n_layers;
	const struct layer_source source = { tree, &tree->parts[i], entity, at->is_secret };
	struct place inside = *at;
	struct smime_layer *layer;
	struct smime_content *content;

	if (index == LIMIT_SMIME_LAYERS || at->depth == LIMIT_SMIME_DEPTH) {
		limit_note(rd);
		layer = index == LIMIT_SMIME_LAYERS ? NULL
						    : layer_add(rd, at, layer_part_name(&source));
		if (layer)
			layer_refuse(layer, SMIME_UNKNOWN_LAYER, SMIME_TOO_LARGE,
				"there are too many layers within each other");
		return 0;
	}
	layer = layer_add(rd, at, layer_part_name(&source));
	content = &rd->out->contents[index];
	TRY(layer_open(rd->q, &source, &rd->budget, layer, content, r));
	layer->n_octets = content->entity.n;
	if (!at->in_envelope)
		status_bind_errant(rd->q, layer, at->header);
	if (!content->entity.p)
		return 0;
	inside.parent = index;
	inside.depth++;
	inside.is_secret |= layer_is_encryption(layer->kind);
	return read_entity(rd, content->entity, &inside);
}

/* The header whose From an errant layer is compared with: of the nearest message around it. */
static struct span header_around(const struct part_tree *tree, struct span entity, uint32_t i,
	struct span outermost)
{
	while (i != PART_NONE) {
		const struct part *p = &tree->parts[i];

		if (p->parent != PART_NONE && tree->parts[p->parent].kind == PART_MESSAGE)
			return span_head(span_skip(entity, (size_t)p->header_offset),
				(size_t)(p->body_offset - p->header_offset));
		i = p->parent;
	}
	return outermost;
}

/* Layers in parts of what is none itself. What is below a layer is its own affair. */
static int read_errant(struct reading *rd, const struct part_tree *tree, struct span entity,
	const struct place *at)
{
	uint64_t end = 0;

	for (uint32_t i = 1; i < tree->n; i++) {
		struct place there = *at;

		if (tree->parts[i].header_offset < end || !layer_is_one(&tree->parts[i], tree))
			continue;
		end = tree->parts[i].end_offset;
		there.in_envelope = false;
		there.header = header_around(tree, entity, i, at->header);
		TRY(read_part(rd, tree, entity, i, &there));
	}
	return 0;
}

static int read_entity(struct reading *rd, struct span entity, const struct place *at)
{
	CLEANUP(part_tree_freep) struct part_tree *tree = part_parse(entity);

	if (layer_is_one(&tree->parts[0], tree))
		return read_part(rd, tree, entity, 0, at);
	return read_errant(rd, tree, entity, at);
}

static struct span payload_of(const struct smime_result *r)
{
	if (r->report.n_envelope == 0)
		return (struct span){};
	return r->contents[r->report.n_envelope - 1].entity;
}

int smime_read(const struct smime_request *request, struct smime_result *ret_result)
{
	struct smime_result result = { .text = { .max = LIMIT_SMIME_MESSAGE, .is_plain = true } };
	struct reading rd = { request, &result, { .left = LAYER_BUDGET } };
	struct span message = request->message;
	struct place at = { .parent = SIZE_MAX, .in_envelope = true };
	struct protection protection;
	int r;

	if (message.n > LIMIT_SMIME_MESSAGE ||
		(!lines_are_crlf(message) && !lines_add_crlf(message, &result.text))) {
		report_note(&result.report, "limit", "the message is larger than are looked into");
		*ret_result = result;
		return 0;
	}
	if (result.text.p)
		message = secret_buf_span(&result.text);
	at.header = span_head(message, header_size(message));
	r = read_entity(&rd, message, &at);
	if (r) {
		smime_result_done(&result);
		return r;
	}
	protection = protection_find(at.header, payload_of(&result));
	result.payload = protection.payload;
	status_find(request, protection_header(&protection), &result.report);
	protection_apply(&protection, &result.report);
	*ret_result = result;
	return 0;
}

void smime_result_done(struct smime_result *r)
{
	for (size_t i = 0; i < r->n_contents; i++) {
		secret_buf_done(&r->contents[i].cms);
		secret_buf_done(&r->contents[i].made);
	}
	free(r->contents);
	secret_buf_done(&r->text);
	smime_report_done(&r->report);
	*r = (struct smime_result){};
}

struct span smime_layer_entity(const struct smime_result *r, size_t layer)
{
	return layer < r->n_contents ? r->contents[layer].entity : (struct span){};
}

struct span smime_payload(const struct smime_result *r)
{
	return r->payload;
}
