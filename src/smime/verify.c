/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * For each signer in turn: its attributes (RFC 5652 section 5.3), its certificate, the content's
 * digest, the signature, what the attributes say of the certificate (RFC 5035), the certificate's
 * path. The first thing that is wrong is the verdict.
 *
 * When a certificate has to have been valid (RFC 8550 leaves it open): now, and if it no longer is
 * only because it has expired, when the message was signed. The signer alone says when that was, so
 * the claim is believed within bounds: not in the future, and not more than a week before our own
 * server took the message, where that is known. What is signed with a stolen key after the
 * certificate has expired is therefore found out.
 */

#include "smime/verify.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "pki/der.h"
#include "smime/cert_cache.h"
#include "smime/identity.h"
#include "smime/oid.h"
#include "smime/signature.h"

#include <openssl/err.h>
#include <stdlib.h>

CLEANUP_POINTER(ASN1_TIME, ASN1_TIME_free)

static const int64_t skew_us = INT64_C(3600) * 1000000;
static const int64_t delivery_us = INT64_C(7) * 86400 * 1000000;

static const struct span content_type_oid = SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03");
static const struct span message_digest_oid = SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04");
static const struct span signing_time_oid = SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05");
static const struct span capabilities_oid = SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0f");
static const struct span certificate_oid = SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0c");
static const struct span certificate_v2_oid = SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f");

struct verifier {
	const struct smime_request *q;
	const struct cms_signed *data;
	struct verify_budget *budget;
	struct smime_layer *layer;
	struct cert_list known; /* that were sent, and the request's */
	const struct trust *trust;
	uint64_t left; /* of VERIFY_HASHED_MAX */
	struct signature_octets content;
	bool is_disguise; /* is_attributes_in_disguise(content), once it was asked */
	bool asked_disguise;
};

static void say(struct smime_signer *s, enum smime_signer_verdict verdict, const char *text)
{
	s->verdict = verdict;
	free(s->reason);
	s->reason = text ? alloc_string(text) : NULL;
}

static void read_certs(struct verifier *v)
{
	for (size_t i = 0; i < v->data->n_certs; i++) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		bool known = false;

		/* One that cannot be read is as good as not sent. */
		if (cert_cache_read(v->q->cache, v->data->certs[i], &cert, NULL))
			continue;
		for (size_t k = 0; k < v->layer->certs.n; k++)
			known |= span_equal(cert_der(v->layer->certs.certs[k]), cert_der(cert));
		if (!known)
			cert_list_add(&v->layer->certs, cert);
	}
	for (size_t i = 0; i < v->layer->certs.n; i++)
		cert_list_add(&v->known, v->layer->certs.certs[i]);
	for (size_t i = 0; v->q->known && i < v->q->known->n; i++)
		cert_list_add(&v->known, v->q->known->certs[i]);
}

static struct cert *find_cert(const struct verifier *v, const struct cms_identity *id)
{
	for (size_t i = 0; i < v->known.n; i++) {
		if (identity_is(id, v->known.certs[i]))
			return v->known.certs[i];
	}
	return NULL;
}

/* A signed attribute; false, with the verdict, if it is there and not as it must be. A missing one
 * is empty. */
static bool attribute(const struct cms_signer *info, struct span oid, const char *name,
	struct smime_signer *s, struct span *ret_value)
{
	CLEANUP(alloc_freep) char *text = NULL;

	*ret_value = (struct span){};
	if (!info->has_attributes ||
		cms_attribute(info->attributes, oid, ret_value) != CMS_ATTRIBUTE_E_SYNTAX)
		return true;
	text = alloc_format("the signed attribute %s cannot be read, or is there twice", name);
	say(s, SMIME_SIGNER_MALFORMED, text);
	return false;
}

static bool read_signing_time(struct span value, struct smime_signer *s)
{
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *t = NULL;
	const uint8_t *p = value.p;

	if (value.n == 0)
		return true;
	if (value.n <= 64)
		t = d2i_ASN1_TIME(NULL, &p, (long)value.n);
	s->has_signing_time = t && cert_time_us(t, &s->signing_time_us);
	ERR_clear_error();
	if (!s->has_signing_time)
		say(s, SMIME_SIGNER_MALFORMED, "the signed attribute signingTime is no time");
	return s->has_signing_time;
}

/* RFC 5652 sections 11.1 to 11.3: these count only where they are signed. */
static bool has_misplaced(const struct cms_signer *info)
{
	const struct span oids[] = { content_type_oid, message_digest_oid, signing_time_oid };
	struct span value;

	for (size_t i = 0; i < sizeof oids / sizeof oids[0]; i++) {
		if (cms_attribute(info->unsigned_attributes, oids[i], &value) !=
			CMS_ATTRIBUTE_E_NONE)
			return true;
	}
	return false;
}

/* What the attributes say by themselves. */
static bool read_attributes(const struct verifier *v, const struct cms_signer *info,
	struct smime_signer *s, struct span *ret_digest)
{
	struct span type, time, capabilities, ignored;

	if (!attribute(info, content_type_oid, "contentType", s, &type) ||
		!attribute(info, message_digest_oid, "messageDigest", s, ret_digest) ||
		!attribute(info, signing_time_oid, "signingTime", s, &time) ||
		!attribute(info, capabilities_oid, "smimeCapabilities", s, &capabilities) ||
		!attribute(info, certificate_oid, "signingCertificate", s, &ignored) ||
		!attribute(info, certificate_v2_oid, "signingCertificateV2", s, &ignored))
		return false;
	if (has_misplaced(info)) {
		say(s, SMIME_SIGNER_MALFORMED,
			"an attribute that must be signed is not, or those that are not signed "
			"cannot be read");
		return false;
	}
	buf_add(&s->capabilities, capabilities);
	if (!info->has_attributes)
		return true;
	/* RFC 5652 section 5.3: both must be there. */
	if (!der_only(type, DER_OID, &type) ||
		!der_only(*ret_digest, DER_OCTET_STRING, ret_digest)) {
		say(s, SMIME_SIGNER_MALFORMED,
			"the signed attributes lack contentType or messageDigest");
		return false;
	}
	if (!span_equal(type, v->data->content_type)) {
		say(s, SMIME_SIGNER_INVALID, "what was signed is of another content type");
		return false;
	}
	return read_signing_time(time, s);
}

/*
 * Without signed attributes the signature is over the content itself. A content that is a set of
 * attributes may be those of another message of the signer's, whose signature is shown here as
 * one over this content.
 */
static bool is_attributes_in_disguise(struct verifier *v)
{
	struct span set, value;

	if (!v->asked_disguise)
		v->is_disguise = der_only(v->content.octets, DER_SET, &set) &&
			cms_attribute(set, message_digest_oid, &value) != CMS_ATTRIBUTE_E_NONE;
	v->asked_disguise = true;
	return v->is_disguise;
}

/* The SET's own tag takes the place of [0] (RFC 5652 section 5.4); the order is as sent. */
static void add_attributes(struct span attributes, struct buf *out)
{
	size_t n = attributes.n, size = 0;

	for (size_t rest = n; n >= 0x80 && rest; rest >>= 8)
		size++;
	buf_add_octet(out, DER_SET);
	buf_add_octet(out, n < 0x80 ? (uint8_t)n : (uint8_t)(0x80 | size));
	while (size--)
		buf_add_octet(out, (uint8_t)(n >> 8 * size));
	buf_add(out, attributes);
}

static void say_limit(struct smime_signer *s)
{
	say(s, SMIME_SIGNER_UNSUPPORTED,
		"the signature was not looked at: there are too many others over too much content in "
		"this message");
}

static void say_unsupported(const struct cms_algorithm *algorithm, struct smime_signer *s)
{
	CLEANUP(buf_done) struct buf text = {};

	buf_add_string(&text, "signatures with ");
	oid_add_name(algorithm->oid, &text);
	buf_add_string(&text, ", its parameters or a key of this size are not verified here");
	buf_add_octet(&text, 0);
	say(s, SMIME_SIGNER_UNSUPPORTED, (const char *)buf_span(&text).p);
}

/* Signature and digest; false: the verdict says why. */
static int check_octets(struct verifier *v, const struct cms_signer *info, int digest_nid,
	struct span expected, struct smime_signer *s)
{
	CLEANUP(buf_done) struct buf attributes = {};
	struct signature_octets signed_attributes = {}, *octets = &v->content;
	struct signature_result result;
	struct span digest;
	EVP_PKEY *key = X509_get0_pubkey(cert_x509(s->cert));
	int r;

	ERR_clear_error();
	if (info->has_attributes) {
		add_attributes(info->attributes, &attributes);
		signed_attributes.octets = buf_span(&attributes);
		octets = &signed_attributes;
	} else if (is_attributes_in_disguise(v)) {
		say(s, SMIME_SIGNER_INVALID,
			"the signature is one over the attributes of another message");
		return 0;
	}
	r = key ? signature_verify(&info->signature_algorithm, digest_nid, key, octets,
			  info->signature, &result)
		: SIGNATURE_E_UNSUPPORTED;
	if (r < 0)
		return r;
	if (key && result.name) {
		free(s->algorithm);
		s->algorithm = alloc_string(result.name);
		s->is_weak |= result.is_weak;
	}
	if (r == SIGNATURE_E_UNSUPPORTED) {
		say_unsupported(&info->signature_algorithm, s);
	} else if (r == SIGNATURE_E_LIMIT) {
		say_limit(s);
	} else if (r) {
		say(s, info->has_attributes ? SMIME_SIGNER_INVALID : SMIME_SIGNER_ALTERED,
			info->has_attributes
				? NULL
				: "the content is not what was signed, or the signature is wrong");
	} else if (info->has_attributes) {
		r = signature_octets_digest(&v->content, digest_nid, &digest);
		if (r == SIGNATURE_E_LIMIT)
			say_limit(s);
		else if (r)
			return r;
		else if (!span_equal(digest, expected))
			say(s, SMIME_SIGNER_ALTERED, NULL);
	}
	return 0;
}

/* IssuerSerial of an ESSCertID (RFC 5035 section 5): names the same certificate, if it is there. */
static bool issuer_serial_is(struct span s, const struct cert *cert)
{
	struct der names, serial, name;
	struct cms_identity id = {};

	if (s.n == 0)
		return true;
	if (!der_only(s, DER_SEQUENCE, &s) || !der_next(&s, &names) || !der_next(&s, &serial) ||
		s.n || names.tag != DER_SEQUENCE || serial.tag != DER_INTEGER ||
		!der_next(&names.content, &name) || name.tag != 0xa4)
		return false;
	id.issuer = name.content;
	id.serial = serial.content;
	return identity_is(&id, cert);
}

/* RFC 5035 section 5.4: the first is the signer's; v2 names the digest, SHA-256 if it does not. */
static int certificate_is_named(struct span value, bool v2, const struct cert *cert,
	bool *ret_named)
{
	struct span list, first, hash;
	struct cms_algorithm algorithm = {};
	struct der v;
	struct signature_digest digest = { v2 ? NID_sha256 : NID_sha1, NULL, false };
	uint8_t octets[EVP_MAX_MD_SIZE];
	size_t n;

	*ret_named = false;
	if (!der_only(value, DER_SEQUENCE, &value) || !der_next(&value, &v) ||
		v.tag != DER_SEQUENCE)
		return 0;
	list = v.content;
	if (!der_next(&list, &v) || v.tag != DER_SEQUENCE)
		return 0;
	first = v.content;
	if (v2 && first.n && first.p[0] == DER_SEQUENCE &&
		(!cms_algorithm_next(&first, &algorithm) ||
			!signature_digest_of(algorithm.oid, &digest)))
		return 0;
	if (!der_next(&first, &v) || v.tag != DER_OCTET_STRING)
		return 0;
	hash = v.content;
	TRY(signature_digest(digest.nid, cert_der(cert), octets, &n));
	*ret_named = span_equal(hash, span_of(octets, n)) && issuer_serial_is(first, cert);
	return 0;
}

static int check_signing_certificate(const struct cms_signer *info, struct smime_signer *s)
{
	const struct span oids[] = { certificate_v2_oid, certificate_oid };

	for (size_t i = 0; i < 2; i++) {
		struct span value;
		bool named;

		if (!info->has_attributes || cms_attribute(info->attributes, oids[i], &value))
			continue;
		s->has_signing_certificate = true;
		TRY(certificate_is_named(value, i == 0, s->cert, &named));
		if (!named)
			say(s, SMIME_SIGNER_INVALID,
				"the signer signed with another certificate than this one "
				"(signingCertificate)");
	}
	return 0;
}

/* What the rules of path validation (doc/path-validation.md) mean for a signer: the first row whose
 * rule was broken is the verdict. */
static const struct {
	const char *rule;
	enum smime_signer_verdict verdict;
} rules[] = {
	{ "revoked", SMIME_SIGNER_REVOKED },
	{ "denied", SMIME_SIGNER_UNTRUSTED },
	{ "not-yet-valid", SMIME_SIGNER_NOT_YET_VALID },
	{ "expired", SMIME_SIGNER_EXPIRED },
	{ "extended-key-usage", SMIME_SIGNER_WRONG_PURPOSE },
	{ "key-usage", SMIME_SIGNER_WRONG_PURPOSE },
	{ "weak-key", SMIME_SIGNER_WEAK },
	{ "weak-signature", SMIME_SIGNER_WEAK },
	{ "untrusted", SMIME_SIGNER_UNTRUSTED },
	{ "no-issuer", SMIME_SIGNER_CHAIN_INCOMPLETE },
};

static void say_path(struct smime_signer *s)
{
	const struct finding *first = verdict_error(&s->path);

	say(s, SMIME_SIGNER_CERTIFICATE_INVALID, first ? first->text : NULL);
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		for (size_t k = 0; k < s->path.n; k++) {
			const struct finding *f = &s->path.findings[k];

			if (f->severity == FINDING_ERROR && strcmp(f->rule, rules[i].rule) == 0) {
				say(s, rules[i].verdict, f->text);
				return;
			}
		}
	}
}

static bool only_expired(const struct verdict *path)
{
	bool expired = false;

	for (size_t i = 0; i < path->n; i++) {
		if (path->findings[i].severity != FINDING_ERROR)
			continue;
		if (strcmp(path->findings[i].rule, "expired") != 0)
			return false;
		expired = true;
	}
	return expired;
}

static int validate_at(struct verifier *v, struct smime_signer *s, int64_t time_us,
	enum path_revocation revocation)
{
	const struct path_request q = {
		.leaf = s->cert,
		.untrusted = &v->known,
		.trust = v->trust,
		.crls = v->q->crls,
		.time_us = time_us,
		.purposes = TRUST_MAIL,
		.revocation = revocation,
	};

	verdict_done(&s->path);
	s->path = (struct verdict){};
	s->verified_at_us = time_us;
	return cert_cache_validate(v->q->cache, v->q->generation, &q, &s->path);
}

/* Lists of today say little of a certificate that has expired, and are no lists of the time when it
 * was used; but one that has it is enough. */
static bool is_listed(const struct crl_list *crls, const struct cert *cert)
{
	for (size_t i = 0; crls && i < crls->n; i++) {
		X509_CRL *crl = crl_x509(crls->crls[i]);
		X509_REVOKED *entry;

		if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
			    X509_get_issuer_name(cert_x509(cert))) == 0 &&
			X509_CRL_get0_by_cert(crl, &entry, cert_x509(cert)) == 1)
			return true;
	}
	return false;
}

/* When it was signed, as far as that is believed; false: nobody says, or it cannot be. */
static bool signed_at(const struct verifier *v, const struct smime_signer *s, int64_t *ret_us)
{
	int64_t received = v->q->received_us;

	if (received && (!s->has_signing_time || s->signing_time_us < received - delivery_us ||
				s->signing_time_us > received + skew_us)) {
		*ret_us = received;
		return true;
	}
	if (!s->has_signing_time || s->signing_time_us > v->q->time_us + skew_us)
		return false;
	*ret_us = s->signing_time_us;
	return true;
}

static void charge(struct verifier *v, const struct smime_signer *s)
{
	if (s->path.valid)
		return;
	v->budget->cost++;
	for (size_t i = 0; i < s->path.n; i++) {
		if (strcmp(s->path.findings[i].rule, "limit") == 0) {
			v->budget->cost += VERIFY_COST_GIVEN_UP - 1;
			return;
		}
	}
}

static int validate(struct verifier *v, struct smime_signer *s)
{
	int64_t then;

	if (v->budget->cost >= VERIFY_COST_MAX) {
		say(s, SMIME_SIGNER_CERTIFICATE_INVALID,
			"the certificate was not looked at: too many others of the message are not "
			"valid");
		return 0;
	}
	TRY(validate_at(v, s, v->q->time_us,
		v->q->crls && v->q->crls->n ? PATH_REVOCATION_GIVEN : PATH_REVOCATION_IGNORED));
	charge(v, s);
	if (!s->path.valid && only_expired(&s->path) && signed_at(v, s, &then)) {
		TRY(validate_at(v, s, then, PATH_REVOCATION_IGNORED));
		s->expired_since = s->path.valid;
		if (s->path.valid && is_listed(v->q->crls, s->cert)) {
			say(s, SMIME_SIGNER_REVOKED, NULL);
			return 0;
		}
	}
	if (!s->path.valid) {
		say_path(s);
		return 0;
	}
	/* RFC 8550 section 4.4.2. */
	if (!(X509_get_key_usage(cert_x509(s->cert)) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		say(s, SMIME_SIGNER_WRONG_PURPOSE,
			"the certificate's key usage does not allow "
			"signatures");
	else if (s->has_signing_time && s->signing_time_us < cert_not_before_us(s->cert) - skew_us)
		say(s, SMIME_SIGNER_NOT_YET_VALID,
			"the certificate was not valid yet when, as the signer says, it was used");
	return 0;
}

static int verify_one(struct verifier *v, const struct cms_signer *info, struct smime_signer *s)
{
	struct signature_digest digest;
	struct span expected;
	CLEANUP(buf_done) struct buf name = {};

	identity_name(&info->id, &s->issuer, &s->serial, &s->key_id);
	oid_add_name(info->signature_algorithm.oid, &name);
	s->algorithm = buf_steal_string(&name);
	oid_add_name(info->digest.oid, &name);
	s->digest = buf_steal_string(&name);
	if (!read_attributes(v, info, s, &expected))
		return 0;
	if (!signature_digest_of(info->digest.oid, &digest)) {
		say_unsupported(&info->digest, s);
		return 0;
	}
	free(s->digest);
	s->digest = alloc_string(digest.name);
	s->is_weak = digest.is_weak;
	/* RFC 5652 section 5.3: attributes may lack only where the content is id-data. */
	if (!info->has_attributes && !cms_is_data(v->data->content_type)) {
		say(s, SMIME_SIGNER_MALFORMED, "there are no signed attributes");
		return 0;
	}
	s->cert = find_cert(v, &info->id);
	if (!s->cert) {
		say(s, SMIME_SIGNER_NO_CERTIFICATE, NULL);
		return 0;
	}
	(void)cert_ref(s->cert);
	TRY(check_octets(v, info, digest.nid, expected, s));
	if (s->verdict == SMIME_SIGNER_OK)
		TRY(check_signing_certificate(info, s));
	if (s->verdict != SMIME_SIGNER_OK)
		return 0;
	TRY(validate(v, s));
	if (s->is_weak &&
		(s->verdict == SMIME_SIGNER_OK || s->verdict == SMIME_SIGNER_CERTIFICATE_INVALID))
		say(s, SMIME_SIGNER_WEAK, NULL);
	return 0;
}

int verify_signers(const struct smime_request *request, const struct cms_signed *data,
	struct span content, struct verify_budget *budget, struct smime_layer *layer)
{
	CLEANUP(trust_unrefp) struct trust *nobody = NULL;
	CLEANUP(cert_list_done) struct cert_list known = {};
	struct verifier v = { request, data, budget, layer, .trust = request->trust };
	int r = 0;

	v.left = budget->hashed < VERIFY_HASHED_MAX ? VERIFY_HASHED_MAX - budget->hashed : 0;
	v.content = (struct signature_octets){ .octets = content, .left = &v.left };

	if (!v.trust)
		v.trust = nobody = trust_new(TRUST_DOMAIN, NULL);
	read_certs(&v);
	layer->signers = alloc_zero((data->n_signers + 1) * sizeof *layer->signers);
	layer->n_signers = data->n_signers;
	for (size_t i = 0; i < data->n_signers && r == 0; i++)
		r = verify_one(&v, &data->signers[i], &layer->signers[i]);
	budget->hashed = VERIFY_HASHED_MAX - v.left;
	known = v.known;
	return r;
}
