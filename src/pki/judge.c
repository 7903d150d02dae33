/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * OpenSSL is told which path it is to take: who may be whose issuer is answered from the path
 * alone, and signatures and times, which were checked while it was built, are not checked again. Of
 * what it reports, the rules that are ours (profile.h, constraint.h) are passed over, and
 * everything else is a finding. A revocation list's issuer may have a path of its own, which
 * OpenSSL builds and checks by itself with all that is known.
 */

#include "pki/judge.h"

#include "pki/key.h"
#include "pki/profile.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

CLEANUP_POINTER(X509_STORE, X509_STORE_free)
CLEANUP_POINTER(X509_STORE_CTX, X509_STORE_CTX_free)
CLEANUP_POINTER(ASN1_OBJECT, ASN1_OBJECT_free)

typedef STACK_OF(X509) x509_stack;
static void x509_stack_free(x509_stack *s)
{
	sk_X509_free(s);
}
CLEANUP_POINTER(x509_stack, x509_stack_free)

typedef STACK_OF(X509_CRL) crl_stack;
static void crl_stack_free(crl_stack *s)
{
	sk_X509_CRL_free(s);
}
CLEANUP_POINTER(crl_stack, crl_stack_free)

struct judge {
	const struct path_request *q;
	struct cert *const *certs;
	size_t n;
	struct verdict *out;
};

/* Of these the other modules speak, in their own way. */
static bool is_ours(int error)
{
	static const int ours[] = { X509_V_ERR_PERMITTED_VIOLATION, X509_V_ERR_EXCLUDED_VIOLATION,
		X509_V_ERR_SUBTREE_MINMAX, X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE,
		X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, X509_V_ERR_UNSUPPORTED_NAME_SYNTAX,
		X509_V_ERR_UNSPECIFIED, X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
		X509_V_ERR_PATH_LENGTH_EXCEEDED, X509_V_ERR_INVALID_CA,
		X509_V_ERR_EC_KEY_EXPLICIT_PARAMS, X509_V_ERR_INVALID_EXTENSION };

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		if (ours[i] == error)
			return true;
	}
	return false;
}

static const struct judgement {
	int error;
	const char *rule;
	const char *standard;
	const char *text;
} judgements[] = {
	{ X509_V_ERR_CERT_REVOKED, "revoked", "RFC 5280 6.3.3", "the certificate is revoked" },
	{ X509_V_ERR_UNABLE_TO_GET_CRL, "no-crl", "RFC 5280 6.3.3",
		"there is no revocation list for the certificate" },
	{ X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, "crl-issuer", "RFC 5280 6.3.3",
		"the revocation list's issuer is not known" },
	{ X509_V_ERR_CRL_SIGNATURE_FAILURE, "crl-signature", "RFC 5280 6.3.3",
		"the revocation list's signature does not hold" },
	{ X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, "crl-signature", "RFC 5280 6.3.3",
		"the key of the revocation list's issuer is not readable" },
	{ X509_V_ERR_CRL_NOT_YET_VALID, "crl-time", "RFC 5280 5.1.2.4",
		"the revocation list is of the future" },
	{ X509_V_ERR_CRL_HAS_EXPIRED, "crl-expired", "RFC 5280 5.1.2.5",
		"a newer revocation list should be there by now" },
	{ X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD, "crl-time", "RFC 5280 5.1.2.4",
		"the revocation list's time is not readable" },
	{ X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, "crl-time", "RFC 5280 5.1.2.5",
		"the revocation list's time is not readable" },
	{ X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, "crl-issuer", "RFC 5280 6.3.3",
		"the issuer's key is not for signing revocation lists" },
	{ X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, "crl-extension", "RFC 5280 5.2",
		"the revocation list has a critical extension that is not known here" },
	{ X509_V_ERR_DIFFERENT_CRL_SCOPE, "crl-scope", "RFC 5280 6.3.3",
		"the revocation list is about other certificates or other reasons" },
	{ X509_V_ERR_CRL_PATH_VALIDATION_ERROR, "crl-issuer", "RFC 5280 6.3.3",
		"there is no valid path to the revocation list's issuer" },
	{ X509_V_ERR_INVALID_POLICY_EXTENSION, "policy", "RFC 5280 4.2.1.4",
		"an extension about policies is not well-formed" },
	{ X509_V_ERR_NO_EXPLICIT_POLICY, "policy", "RFC 5280 6.1.5",
		"the path is valid for none of the policies that are asked for" },
	{ X509_V_ERR_UNSUPPORTED_EXTENSION_FEATURE, "extension", "RFC 5280 4.2",
		"an extension uses what is not known here" },
	{ X509_V_ERR_PROXY_CERTIFICATES_NOT_ALLOWED, "proxy", "RFC 3820 4",
		"proxy certificates are not accepted" },
};

static const struct judgement *judgement_find(int error)
{
	for (size_t i = 0; i < sizeof judgements / sizeof judgements[0]; i++) {
		if (judgements[i].error == error)
			return &judgements[i];
	}
	return NULL;
}

static bool is_about_crl(const struct judgement *g)
{
	return g && (strncmp(g->rule, "crl-", 4) == 0 || strcmp(g->rule, "no-crl") == 0);
}

/* A trusted certificate is not asked for a list; whose issuer makes none has no use for one. */
static bool is_excused(const struct judge *j, const struct judgement *g, size_t depth)
{
	return is_about_crl(g) && (depth + 1 == j->n || profile_has_no_revocation(j->certs[depth]));
}

static void judge_error(const struct judge *j, int error, size_t depth)
{
	const struct judgement *g = judgement_find(error);
	enum finding_severity severity = FINDING_ERROR;
	struct cert *cert = depth < j->n ? j->certs[depth] : NULL;

	if (is_ours(error) || is_excused(j, g, depth))
		return;
	if (error == X509_V_ERR_CERT_REVOKED && cert && profile_has_no_revocation(cert))
		severity = FINDING_WARNING; /* RFC 9608 section 4 */
	if (error == X509_V_ERR_UNABLE_TO_GET_CRL && j->q->revocation == PATH_REVOCATION_GIVEN)
		severity = FINDING_WARNING;
	if (g)
		verdict_add(j->out, severity, g->rule, g->standard, cert, depth, "%s", g->text);
	else
		verdict_add(j->out, severity, "verifier", "RFC 5280 6.1", cert, depth, "%s",
			X509_verify_cert_error_string(error));
}

static int on_report(int ok, X509_STORE_CTX *ctx)
{
	const struct judge *j = X509_STORE_CTX_get_app_data(ctx);

	if (ok || !j) /* the path of a list's issuer: one error ends it */
		return ok;
	judge_error(j, X509_STORE_CTX_get_error(ctx), (size_t)X509_STORE_CTX_get_error_depth(ctx));
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static int is_issued(X509_STORE_CTX *ctx, X509 *x, X509 *issuer)
{
	const struct judge *j = X509_STORE_CTX_get_app_data(ctx);

	if (!j)
		return X509_check_issued(issuer, x) == X509_V_OK;
	for (size_t i = 0; i + 1 < j->n; i++) {
		if (cert_x509(j->certs[i]) == x)
			return cert_x509(j->certs[i + 1]) == issuer;
	}
	return x == issuer && j->n > 0 && cert_x509(j->certs[j->n - 1]) == x &&
	       X509_self_signed(x, 0) == 1;
}

static int signatures_are_known(X509_STORE_CTX *ctx)
{
	(void)ctx;
	return 1;
}

static int crl_digest(const X509_CRL *crl)
{
	int digest = NID_undef;

	(void)OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &digest, NULL);
	return digest;
}

static void say_of_crl(const struct judge *j, const char *rule, const char *standard,
	const char *text)
{
	verdict_add(j->out, FINDING_ERROR, rule, standard, NULL, 0, "a revocation list %s", text);
}

static bool has_crl_extension(const X509_CRL *crl, int nid, bool *ret_critical)
{
	int at = X509_CRL_get_ext_by_NID(crl, nid, -1);

	*ret_critical = at >= 0 && X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, at));
	return at >= 0;
}

/* RFC 5280 section 5: what conforming issuers put into every list. The key identifier may be left
 * out as many do: it only helps to find the key. */
static void check_crl(const struct judge *j, const X509_CRL *crl)
{
	bool critical;

	if (!has_crl_extension(crl, NID_crl_number, &critical))
		say_of_crl(j, "crl-number", "RFC 5280 5.2.3", "has no number");
	if (critical)
		say_of_crl(j, "crl-number", "RFC 5280 5.2.3", "has a number that is critical");
	(void)has_crl_extension(crl, NID_authority_key_identifier, &critical);
	if (critical)
		say_of_crl(j, "crl-key-identifier", "RFC 5280 5.2.1",
			"has an authority key identifier that is critical");
	if (!X509_CRL_get0_nextUpdate(crl))
		say_of_crl(j, "crl-time", "RFC 5280 5.1.2.5",
			"does not say when the next one comes");
	if (crl_digest(crl) == NID_md5 || crl_digest(crl) == NID_sha1)
		say_of_crl(j, "weak-signature", "", "has a signature that rests on MD5 or SHA-1");
}

static void check_crls(const struct judge *j)
{
	for (size_t i = 0; i < j->q->crls->n; i++) {
		X509_CRL *crl = crl_x509(j->q->crls->crls[i]);

		for (size_t k = 0; k + 1 < j->n; k++) {
			if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
				    X509_get_issuer_name(cert_x509(j->certs[k]))) != 0)
				continue;
			check_crl(j, crl);
			break;
		}
	}
}

static x509_stack *untrusted_stack(const struct judge *j)
{
	x509_stack *s = sk_X509_new_null();

	for (size_t i = 1; s && i + 1 < j->n; i++)
		(void)sk_X509_push(s, cert_x509(j->certs[i]));
	for (size_t i = 0; s && j->q->untrusted && i < j->q->untrusted->n; i++)
		(void)sk_X509_push(s, cert_x509(j->q->untrusted->certs[i]));
	return s;
}

static crl_stack *crl_stack_of(const struct crl_list *crls)
{
	crl_stack *s = sk_X509_CRL_new_null();

	for (size_t i = 0; s && i < crls->n; i++)
		(void)sk_X509_CRL_push(s, crl_x509(crls->crls[i]));
	return s;
}

static bool uses_crls(const struct path_request *q)
{
	return q->revocation == PATH_REVOCATION_REQUIRED ||
	       (q->revocation == PATH_REVOCATION_GIVEN && q->crls && q->crls->n > 0);
}

static int set_policies(const struct judge *j, X509_VERIFY_PARAM *param)
{
	for (size_t i = 0; i < j->q->n_policies; i++) {
		char *text = span_to_string(j->q->policies[i]);
		CLEANUP(ASN1_OBJECT_freep) ASN1_OBJECT *policy = text ? OBJ_txt2obj(text, 1) : NULL;

		free(text);
		if (!policy) {
			verdict_add(j->out, FINDING_ERROR, "input", "", NULL, 0,
				"a policy that is asked for is not an object identifier");
			ERR_clear_error();
			continue;
		}
		if (!X509_VERIFY_PARAM_add0_policy(param, policy))
			return key_openssl_fault("X509_VERIFY_PARAM_add0_policy");
		(void)TAKE(policy);
	}
	return 0;
}

static int set_parameters(const struct judge *j, X509_VERIFY_PARAM *param)
{
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_POLICY_CHECK;

	if (uses_crls(j->q))
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
			 X509_V_FLAG_EXTENDED_CRL_SUPPORT | X509_V_FLAG_USE_DELTAS;
	if (j->q->require_explicit_policy)
		flags |= X509_V_FLAG_EXPLICIT_POLICY;
	if (j->q->inhibit_policy_mapping)
		flags |= X509_V_FLAG_INHIBIT_MAP;
	if (j->q->inhibit_any_policy)
		flags |= X509_V_FLAG_INHIBIT_ANY;
	if (!X509_VERIFY_PARAM_set_flags(param, flags))
		return key_openssl_fault("X509_VERIFY_PARAM_set_flags");
	X509_VERIFY_PARAM_set_time(param, j->q->time_us / 1000000);
	X509_VERIFY_PARAM_set_depth(param, (int)j->n);
	return set_policies(j, param);
}

static bool is_same_path(const struct judge *j, const X509_STORE_CTX *ctx)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

	if (sk_X509_num(chain) != (int)j->n)
		return false;
	for (size_t i = 0; i < j->n; i++) {
		if (sk_X509_value(chain, (int)i) != cert_x509(j->certs[i]))
			return false;
	}
	return true;
}

static int run(const struct judge *j, X509_STORE_CTX *ctx)
{
	int r;

	X509_STORE_CTX_set_app_data(ctx, (void *)j);
	X509_STORE_CTX_set_verify_cb(ctx, on_report);
	X509_STORE_CTX_set_verify(ctx, signatures_are_known);
	TRY(set_parameters(j, X509_STORE_CTX_get0_param(ctx)));
	r = X509_verify_cert(ctx);
	ERR_clear_error();
	/* That is how it says that the tree of policies has outgrown its limit; memory that is
	 * really at an end ends the process. */
	if (r < 0 && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM)
		verdict_add(j->out, FINDING_ERROR, "limit", "RFC 5280 6.1.2", NULL, 0,
			"the certificates have too many policies");
	/* What it cannot read stops it too. */
	else if ((r <= 0 || !is_same_path(j, ctx)) && verdict_n_errors(j->out) == 0)
		judge_error(j, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, 0);
	return 0;
}

int judge_path(const struct path_request *q, struct cert *const *certs, size_t n,
	struct verdict *out)
{
	CLEANUP(X509_STORE_freep) X509_STORE *store = X509_STORE_new();
	CLEANUP(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = NULL;
	CLEANUP(x509_stack_freep) x509_stack *untrusted = NULL;
	CLEANUP(crl_stack_freep) crl_stack *crls = NULL;
	const struct judge j = { q, certs, n, out };

	ctx = X509_STORE_CTX_new_ex(NULL, "provider=default");
	untrusted = untrusted_stack(&j);
	if (!store || !ctx || !untrusted || !X509_STORE_add_cert(store, cert_x509(certs[n - 1])))
		return key_openssl_fault("X509_STORE_add_cert");
	X509_STORE_set_check_issued(store, is_issued);
	if (!X509_STORE_CTX_init(ctx, store, cert_x509(certs[0]), untrusted))
		return key_openssl_fault("X509_STORE_CTX_init");
	if (q->crls && uses_crls(q)) {
		crls = crl_stack_of(q->crls);
		X509_STORE_CTX_set0_crls(ctx, crls);
		check_crls(&j);
	}
	return run(&j, ctx);
}
