/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What a part is called says only that it is a layer; of which kind it is, the CMS object says
 * (RFC 8551 section 3.9 wants readers to be tolerant of names). A part whose header can be read in
 * two ways is no part of an envelope that means anything: it is refused.
 */

#include "smime/layer.h"

#include "base/alloc.h"
#include "mime/header.h"
#include "pki/der.h"
#include "smime/ber.h"
#include "smime/cms.h"
#include "smime/decrypt.h"
#include "smime/inflate.h"
#include "smime/lines.h"
#include "smime/oid.h"
#include "smime/protection.h"

#include <stdlib.h>

bool layer_is_encryption(enum smime_layer_kind kind)
{
	return kind == SMIME_ENCRYPTED || kind == SMIME_ENCRYPTED_AUTHENTICATED;
}

bool layer_is_signature(enum smime_layer_kind kind)
{
	return kind == SMIME_SIGNED_DETACHED || kind == SMIME_SIGNED_OPAQUE;
}

static bool is_type(const struct part *p, const char *type, const char *subtype)
{
	return span_is(p->type, type) && span_is(p->subtype, subtype);
}

static bool is_pkcs7(const struct part *p, const char *what)
{
	struct span rest = p->subtype;

	if (!span_is(p->type, "application"))
		return false;
	if (span_starts(rest, SPAN("x-")))
		rest = span_skip(rest, 2);
	return span_starts(rest, SPAN("pkcs7-")) && span_is(span_skip(rest, 6), what);
}

static bool ends_in_p7m(const struct param *params, size_t n, const char *name)
{
	CLEANUP(buf_done) struct buf text = {};
	struct span s;

	if (!param_get(params, n, name, &text))
		return false;
	s = buf_span(&text);
	return s.n >= 4 && span_is_nocase(span_skip(s, s.n - 4), ".p7m");
}

static const struct part *child(const struct part_tree *tree, const struct part *p, size_t i)
{
	uint32_t at = p->first_child;

	while (at != PART_NONE && i--)
		at = tree->parts[at].next;
	return at == PART_NONE ? NULL : &tree->parts[at];
}

/* RFC 1847 section 2.1: the protocol is that of S/MIME, or not said and the second part's type. */
static bool is_signed_multipart(const struct part *p, const struct part_tree *tree)
{
	const struct part *second;
	struct span protocol;

	if (!is_type(p, "multipart", "signed"))
		return false;
	protocol = param_raw(p->params, p->n_params, "protocol");
	if (span_is_nocase(protocol, "application/pkcs7-signature") ||
		span_is_nocase(protocol, "application/x-pkcs7-signature"))
		return true;
	second = p->kind == PART_MULTIPART ? child(tree, p, 1) : NULL;
	return protocol.n == 0 && second && is_pkcs7(second, "signature");
}

bool layer_is_one(const struct part *p, const struct part_tree *tree)
{
	if (is_pkcs7(p, "mime") || is_signed_multipart(p, tree))
		return true;
	/* RFC 8551 section 3.9: by its name, where the type says nothing. */
	return is_type(p, "application", "octet-stream") &&
	       (ends_in_p7m(p->params, p->n_params, "name") ||
		       ends_in_p7m(p->disposition_params, p->n_disposition_params, "filename"));
}

static size_t ordinal(const struct part_tree *tree, const struct part *p)
{
	const struct part *parent = &tree->parts[p->parent];
	size_t n = 1;

	for (uint32_t i = parent->first_child; i != PART_NONE && &tree->parts[i] != p;
		i = tree->parts[i].next)
		n++;
	return n;
}

char *layer_part_name(const struct layer_source *source)
{
	const struct part_tree *tree = source->tree;
	char *name = alloc_string("");

	for (const struct part *p = source->part; p->parent != PART_NONE;
		p = &tree->parts[p->parent]) {
		bool in_message = tree->parts[p->parent].kind == PART_MESSAGE;
		char *longer;

		/* A multipart in a message has the message's number. */
		if (in_message && p->kind == PART_MULTIPART)
			continue;
		longer = alloc_format("%zu%s%s", in_message ? 1 : ordinal(tree, p),
			name[0] ? "." : "", name);
		free(name);
		name = longer;
	}
	return name;
}

void layer_refuse(struct smime_layer *layer, enum smime_layer_kind kind,
	enum smime_layer_state state, const char *reason)
{
	layer->kind = kind;
	layer->state = state;
	free(layer->reason);
	layer->reason = alloc_string(reason);
}

struct opener {
	const struct smime_request *q;
	const struct layer_source *source;
	struct layer_budget *budget;
	struct smime_layer *layer;
	struct smime_content *content;
	struct smime_report *report;
};

static struct span part_header(const struct opener *o, const struct part *p)
{
	return span_head(span_skip(o->source->entity, (size_t)p->header_offset),
		(size_t)(p->body_offset - p->header_offset));
}

static struct span part_body(const struct opener *o, const struct part *p)
{
	return span_head(span_skip(o->source->entity, (size_t)p->body_offset),
		(size_t)(p->end_offset - p->body_offset));
}

static bool has_twice(const struct param *params, size_t n, const char *name)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += span_is(params[i].name, name);
	return found > 1;
}

/* A header that one reader takes for this and another for that. */
static bool is_ambiguous(const struct opener *o, const struct part *p)
{
	static const char *const params[] = { "boundary", "protocol", "smime-type" };
	struct span rest = part_header(o, p);
	struct header_field f;
	size_t n_types = 0, n_encodings = 0;

	for (size_t i = 0; i < LIMIT_HEADERS && header_next(&rest, &f); i++) {
		n_types += span_is_nocase(f.name, "Content-Type");
		n_encodings += span_is_nocase(f.name, "Content-Transfer-Encoding");
	}
	for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
		if (has_twice(p->params, p->n_params, params[i]))
			return true;
	}
	return n_types > 1 || n_encodings > 1;
}

static struct secret_buf new_buf(const struct opener *o, bool is_secret)
{
	size_t max = o->budget->left < LIMIT_SMIME_MESSAGE ? o->budget->left : LIMIT_SMIME_MESSAGE;

	return (struct secret_buf){ .max = max, .is_plain = !is_secret };
}

/* The CMS object of a part with definite lengths. */
static bool take_object(struct opener *o, const struct part *p, struct secret_buf *out)
{
	CLEANUP(secret_buf_done) struct secret_buf raw = new_buf(o, o->source->is_secret);
	CLEANUP(buf_wipe) struct buf piece = {};
	struct decoder decoder = { .encoding = p->encoding };
	struct span rest = part_body(o, p);
	bool fits = true;

	(void)buf_room(&piece, 65 << 10);
	while (rest.n && fits) {
		struct span head = span_head(rest, 64 << 10);

		buf_clear(&piece);
		decoder_feed(&decoder, head, &piece);
		fits = secret_buf_add(&raw, buf_span(&piece));
		rest = span_skip(rest, head.n);
	}
	buf_clear(&piece);
	decoder_end(&decoder, &piece);
	fits = fits && secret_buf_add(&raw, buf_span(&piece));
	if (!fits) {
		layer_refuse(o->layer, o->layer->kind, SMIME_TOO_LARGE, "it is too large");
		return false;
	}
	if (der_is_strict(secret_buf_span(&raw))) {
		*out = raw;
		raw = (struct secret_buf){};
		return true;
	}
	*out = new_buf(o, o->source->is_secret);
	switch (ber_to_definite(secret_buf_span(&raw), out)) {
	case 0:
		return true;
	case BER_E_LIMIT:
		layer_refuse(o->layer, o->layer->kind, SMIME_TOO_LARGE,
			"it is too large, or too deeply nested");
		return false;
	default:
		layer_refuse(o->layer, o->layer->kind, SMIME_MALFORMED,
			"it is not a CMS object, or a damaged one");
		return false;
	}
}

static void parse_failed(struct opener *o, int r, const struct why *why)
{
	layer_refuse(o->layer, o->layer->kind, r == CMS_E_LIMIT ? SMIME_TOO_LARGE : SMIME_MALFORMED,
		why->text);
}

/* The first part as RFC 1847 section 2.1 has it: from behind the first delimiter line to the line
 * end before the second one, which belongs to the delimiter (RFC 2046 section 5.1.1); also where
 * there is no body, or no empty line before it. */
static struct span signed_octets(const struct opener *o, const struct part *first,
	const struct part *second)
{
	struct span entity = o->source->entity;
	size_t begin = (size_t)first->header_offset, end = (size_t)second->header_offset;

	/* Back over the delimiter line's own line end, and the line. */
	if (end > begin)
		end--;
	while (end > begin && entity.p[end - 1] != '\n')
		end--;
	if (end > begin)
		end--;
	if (end > begin && entity.p[end - 1] == '\r')
		end--;
	return span_head(span_skip(entity, begin), end - begin);
}

static bool signature_is_detached(struct opener *o, const struct cms *cms)
{
	const char *reason = NULL;

	if (cms->kind != CMS_SIGNED)
		reason = "what stands in the place of the signature is none";
	/* RFC 5652 section 5.2; a reader that verified this content would show another one. */
	else if (cms->signed_data.has_content)
		reason = "the signature brings a content of its own";
	else if (cms->signed_data.n_signers == 0)
		reason = "there is no signature in it";
	else if (!cms_is_data(cms->signed_data.content_type))
		reason = "the signature is for something that is no mail";
	if (reason)
		layer_refuse(o->layer, SMIME_SIGNED_DETACHED, SMIME_MALFORMED, reason);
	return !reason;
}

/* RFC 1847 section 2.1: exactly two parts. What is signed can be read whatever the signature is. */
static int open_detached(struct opener *o)
{
	const struct part *p = o->source->part, *first, *second;
	CLEANUP(secret_buf_done) struct secret_buf object = {};
	CLEANUP(cms_done) struct cms cms = {};
	struct why why;
	int r;

	o->layer->kind = SMIME_SIGNED_DETACHED;
	first = p->kind == PART_MULTIPART ? child(o->source->tree, p, 0) : NULL;
	second = first ? child(o->source->tree, p, 1) : NULL;
	if (!second || child(o->source->tree, p, 2)) {
		layer_refuse(o->layer, SMIME_SIGNED_DETACHED, SMIME_MALFORMED,
			"a signed multipart has two parts, what is signed and the signature");
		return 0;
	}
	o->content->entity = signed_octets(o, first, second);
	if (is_ambiguous(o, first) || is_ambiguous(o, second) || !is_pkcs7(second, "signature")) {
		layer_refuse(o->layer, SMIME_SIGNED_DETACHED, SMIME_MALFORMED,
			"its second part is not a signature, or a part can be read in two ways");
		return 0;
	}
	if (!take_object(o, second, &object))
		return 0;
	r = cms_parse(secret_buf_span(&object), &cms, &why);
	if (r) {
		parse_failed(o, r, &why);
		return 0;
	}
	if (!signature_is_detached(o, &cms))
		return 0;
	return verify_signers(o->q, &cms.signed_data, o->content->entity, &o->budget->verify,
		o->layer);
}

static bool content_is_mime(struct opener *o, struct span content_type)
{
	CLEANUP(buf_done) struct buf text = {};

	if (cms_is_data(content_type))
		return true;
	buf_add_string(&text, "what it holds is no mail, but ");
	oid_add_name(content_type, &text);
	buf_add_octet(&text, 0);
	layer_refuse(o->layer, o->layer->kind, SMIME_UNSUPPORTED, (const char *)buf_span(&text).p);
	return false;
}

static int open_signed(struct opener *o, const struct cms_signed *data)
{
	bool nothing = data->n_signers == 0 && data->content.n == 0;

	o->layer->kind = nothing ? SMIME_CERTS_ONLY : SMIME_SIGNED_OPAQUE;
	if (nothing) {
		report_note(o->report, "certificates-only",
			"the message brings certificates and signs nothing");
		return verify_signers(o->q, data, (struct span){}, &o->budget->verify, o->layer);
	}
	if (!data->has_content) {
		layer_refuse(o->layer, SMIME_SIGNED_OPAQUE, SMIME_MALFORMED,
			"there is a signature without what it signs");
		return 0;
	}
	if (!content_is_mime(o, data->content_type))
		return 0;
	o->content->entity = data->content.p ? data->content : span_of("", 0);
	if (data->n_signers == 0)
		report_note(o->report, "no-signer", "a layer for signatures has none");
	return verify_signers(o->q, data, data->content, &o->budget->verify, o->layer);
}

static int open_encrypted(struct opener *o, const struct cms_enveloped *data, bool authenticated)
{
	o->layer->kind = authenticated ? SMIME_ENCRYPTED_AUTHENTICATED : SMIME_ENCRYPTED;
	if (!content_is_mime(o, data->content_type))
		return 0;
	o->content->made = new_buf(o, true);
	TRY(decrypt_enveloped(o->q, data, authenticated, o->layer, &o->content->made));
	if (o->layer->state == SMIME_OPEN)
		o->content->entity = secret_buf_span(&o->content->made);
	if (o->layer->state == SMIME_OPEN && o->content->made.is_swappable)
		report_note(o->report, "memory",
			"the limit on locked memory (RLIMIT_MEMLOCK) is too small for what was "
			"decrypted, so it may be swapped out while it is read");
	return 0;
}

static int open_compressed(struct opener *o, const struct cms_compressed *data)
{
	size_t left = LIMIT_SMIME_INFLATED - o->budget->inflated;
	int r;

	o->layer->kind = SMIME_COMPRESSED;
	if (!content_is_mime(o, data->content_type))
		return 0;
	if (!oid_is(data->algorithm.oid, "1.2.840.113549.1.9.16.3.8")) {
		layer_refuse(o->layer, SMIME_COMPRESSED, SMIME_UNSUPPORTED,
			"it is compressed in a way that is not read here");
		return 0;
	}
	o->content->made = new_buf(o, o->source->is_secret);
	if (o->content->made.max > left)
		o->content->made.max = left;
	r = inflate_content(data->content, &o->content->made);
	o->budget->inflated += o->content->made.n;
	if (r == INFLATE_E_DAMAGED)
		layer_refuse(o->layer, SMIME_COMPRESSED, SMIME_FAILED,
			"the compressed content is damaged");
	else if (r == INFLATE_E_LIMIT)
		layer_refuse(o->layer, SMIME_COMPRESSED, SMIME_TOO_LARGE,
			"it grows to more than is taken");
	else if (r == 0)
		o->content->entity = secret_buf_span(&o->content->made);
	return r < 0 ? r : 0;
}

static int open_kind(struct opener *o, const struct cms *cms)
{
	CLEANUP(buf_done) struct buf text = {};

	switch (cms->kind) {
	case CMS_SIGNED:
		return open_signed(o, &cms->signed_data);
	case CMS_ENVELOPED:
	case CMS_AUTH_ENVELOPED:
		return open_encrypted(o, &cms->enveloped, cms->kind == CMS_AUTH_ENVELOPED);
	case CMS_COMPRESSED:
		return open_compressed(o, &cms->compressed);
	default:
		buf_add_string(&text, "CMS objects of this kind are not read here: ");
		oid_add_name(cms->type, &text);
		buf_add_octet(&text, 0);
		layer_refuse(o->layer, SMIME_UNKNOWN_LAYER, SMIME_UNSUPPORTED,
			(const char *)buf_span(&text).p);
		return 0;
	}
}

/* RFC 8551 section 3.2.2. */
static void compare_type(struct opener *o)
{
	static const char *const names[] = {
		[SMIME_SIGNED_OPAQUE] = "signed-data",
		[SMIME_CERTS_ONLY] = "certs-only",
		[SMIME_ENCRYPTED] = "enveloped-data",
		[SMIME_ENCRYPTED_AUTHENTICATED] = "authEnveloped-data",
		[SMIME_COMPRESSED] = "compressed-data",
		[SMIME_UNKNOWN_LAYER] = NULL,
	};
	const struct part *p = o->source->part;
	struct span type = param_raw(p->params, p->n_params, "smime-type");
	const char *is = names[o->layer->kind];

	if (type.n && is && !span_is_nocase(type, is))
		report_note(o->report, "smime-type",
			"the message calls a layer something else than %s, which it is", is);
}

static int open_object(struct opener *o)
{
	CLEANUP(cms_done) struct cms cms = {};
	struct why why;
	int r;

	o->layer->kind = SMIME_UNKNOWN_LAYER;
	if (!take_object(o, o->source->part, &o->content->cms))
		return 0;
	r = cms_parse(secret_buf_span(&o->content->cms), &cms, &why);
	if (r) {
		parse_failed(o, r, &why);
		return 0;
	}
	TRY(open_kind(o, &cms));
	compare_type(o);
	/* Only the content of an opaque signature lies in it. */
	if (o->layer->kind != SMIME_SIGNED_OPAQUE)
		secret_buf_done(&o->content->cms);
	return 0;
}

/* What has other line ends is shown, and taken for the input of layers inside, with CRLF. */
static void make_crlf(struct opener *o)
{
	struct secret_buf made = new_buf(o,
		o->source->is_secret || layer_is_encryption(o->layer->kind));
	bool fits;

	if (!o->content->entity.p || lines_are_crlf(o->content->entity))
		return;
	fits = lines_add_crlf(o->content->entity, &made);
	secret_buf_done(&o->content->made);
	o->content->made = made;
	o->content->entity = secret_buf_span(&made);
	if (!fits) {
		o->content->entity = (struct span){};
		layer_refuse(o->layer, o->layer->kind, SMIME_TOO_LARGE, "it is too large");
	}
}

int layer_open(const struct smime_request *request, const struct layer_source *source,
	struct layer_budget *budget, struct smime_layer *layer, struct smime_content *content,
	struct smime_report *report)
{
	struct opener o = { request, source, budget, layer, content, report };
	size_t taken;

	if (is_ambiguous(&o, source->part)) {
		layer_refuse(layer, SMIME_UNKNOWN_LAYER, SMIME_MALFORMED,
			"its header can be read in two ways");
		return 0;
	}
	TRY(is_signed_multipart(source->part, source->tree) ? open_detached(&o) : open_object(&o));
	make_crlf(&o);
	taken = content->cms.n + content->made.n;
	budget->left -= taken < budget->left ? taken : budget->left;
	return 0;
}
