/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_rules.h"

#include "base/alloc.h"
#include "net/tls_host.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>

/* RFC 9325 section 4.2, with ChaCha20 for clients without AES in hardware. */
static const char default_ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
				      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char default_suites[] = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
				     "TLS_AES_128_GCM_SHA256";
/* The first if the library knows it. */
static const char *const default_groups[] = { "X25519MLKEM768:X25519:P-256:P-384",
	"X25519:P-256:P-384" };

/* With forward secrecy only, as for the newer versions: RSA key transport would need decryption with
 * the server's key, which keyd refuses. DHE is for clients without elliptic curves. */
static const char cbc_ciphers[] = "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
				  "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"
				  "DHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA";
static const char weak_ciphers[] = "3DES:RC4:!aNULL:!eNULL:!kPSK:!kSRP:!kRSA";

/* RFC 9325 section 4: 112 bits at least. TLS 1.0 and 1.1 sign with SHA-1 and MD5, for which there
 * is the lowest level only. */
enum { LEVEL = 2, LEVEL_OLD = 0, WEAK_BITS = 128 };

static const int versions[TLS_VERSIONS] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION,
	TLS1_3_VERSION };

CLEANUP_POINTER(SSL, SSL_free)
CLEANUP_POINTER(SSL_CTX, SSL_CTX_free)

static bool library_has(const char *ciphers)
{
	CLEANUP(SSL_CTX_freep) SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	bool has;

	if (!ctx)
		return false;
	SSL_CTX_set_security_level(ctx, LEVEL_OLD);
	has = SSL_CTX_set_cipher_list(ctx, ciphers) == 1;
	ERR_clear_error();
	return has;
}

/* What clients of TLS 1.0 and 1.1 may use. */
static char *old_ciphers_of(const struct tls_policy *p)
{
	bool has_weak = p->weak_ciphers && library_has(weak_ciphers);

	if (!p->cbc)
		return alloc_string("");
	return has_weak ? alloc_format("%s:%s", cbc_ciphers, weak_ciphers) :
			  alloc_string(cbc_ciphers);
}

static char *groups_of(const struct tls_policy *p)
{
	CLEANUP(SSL_CTX_freep) SSL_CTX *ctx = NULL;
	size_t i = 0;

	if (p->groups[0])
		return alloc_string(p->groups);
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || SSL_CTX_set1_groups_list(ctx, default_groups[0]) != 1)
		i = 1;
	ERR_clear_error();
	return alloc_string(default_groups[i]);
}

static void rules_fill(struct tls_rules *r, const struct tls_policy *p)
{
	r->min_version = versions[p->oldest];
	r->max_version = versions[p->newest];
	r->security_level = p->oldest < TLS_1_2 ? LEVEL_OLD : LEVEL;
	r->ciphers = alloc_string(p->ciphers[0] ? p->ciphers : default_ciphers);
	r->old_ciphers = old_ciphers_of(p);
	r->suites = alloc_string(p->suites[0] ? p->suites : default_suites);
	r->groups = groups_of(p);
	r->has_default_ciphers = !p->ciphers[0];
	r->refuses_sslv2_hello = !p->sslv2_hello;
	r->uses_sni = p->sni;
	r->gives_tickets = p->tickets && p->session_lifetime;
	r->lifetime_s = (uint32_t)p->session_lifetime;
	r->client_abort = p->client_abort;
	r->log = (enum tls_log)p->log;
}

/* What decides how a session is protected: a ticket is good only under the same. Not what is asked
 * anew at each connection, and not how much is logged. */
static void rules_seal(struct tls_rules *r)
{
	const int numbers[] = { r->min_version, r->max_version, r->security_level,
		r->client_abort };
	const char *const texts[] = { r->ciphers, r->old_ciphers, r->suites, r->groups };
	struct digest *d = digest_new();

	digest_add(d, span_of(numbers, sizeof numbers));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		digest_add(d, span_of(texts[i], strlen(texts[i]) + 1));
	digest_end(d, r->digest);
	(void)digest_free(d);
}

/* libssl passes over names of suites that it does not know: all of them must have been taken. */
static int check_suites(const struct tls_rules *r, struct why *why)
{
	const STACK_OF(SSL_CIPHER) *taken = SSL_CTX_get_ciphers(r->ctx);
	struct span rest = span_str(r->suites);

	while (rest.n) {
		struct span name = span_cut(&rest, ':');
		bool found = false;

		for (int i = 0; i < sk_SSL_CIPHER_num(taken) && !found; i++) {
			const SSL_CIPHER *c = sk_SSL_CIPHER_value(taken, i);

			found = span_is(name, SSL_CIPHER_get_name(c)) &&
				strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") == 0;
		}
		if (found)
			continue;
		why_set(why, "suites: %.*s is not a TLS 1.3 suite of this library",
			(int)span_head(name, 64).n, (const char *)name.p);
		return TLS_E_RULES;
	}
	return 0;
}

/* What no setting may switch on: suites that do not encrypt or do not authenticate, and those that
 * would never work. */
static int check_ciphers(const struct tls_rules *r, bool allows_weak, struct why *why)
{
	const STACK_OF(SSL_CIPHER) *taken = SSL_CTX_get_ciphers(r->ctx);

	for (int i = 0; i < sk_SSL_CIPHER_num(taken); i++) {
		const SSL_CIPHER *c = sk_SSL_CIPHER_value(taken, i);
		int bits = SSL_CIPHER_get_bits(c, NULL);
		const char *what = NULL;

		if (bits == 0)
			what = "does not encrypt";
		else if (SSL_CIPHER_get_auth_nid(c) == NID_auth_null)
			what = "does not authenticate the server";
		else if (SSL_CIPHER_get_kx_nid(c) == NID_kx_rsa)
			what = "does not work: it needs decryption with the server's key (RFC 9325"
			       " section 4.1); add :!kRSA";
		else if (bits < WEAK_BITS && !allows_weak)
			what = "has less than 128 bits; weak_ciphers=yes is needed for it";
		if (!what)
			continue;
		why_set(why, "ciphers: %s %s", SSL_CIPHER_get_name(c), what);
		return TLS_E_RULES;
	}
	return 0;
}

/* Whether the version has a suite that would really be used. */
static bool version_has_suite(const struct tls_rules *r, enum tls_version version)
{
	CLEANUP(SSL_freep) SSL *ssl = SSL_new(r->ctx);
	const char *list = version < TLS_1_2 ? r->old_ciphers : r->ciphers;
	STACK_OF(SSL_CIPHER) *usable = NULL;
	bool has;

	if (!ssl || !*list || SSL_set_cipher_list(ssl, list) != 1 ||
		SSL_set_min_proto_version(ssl, versions[version]) != 1 ||
		SSL_set_max_proto_version(ssl, versions[version]) != 1) {
		ERR_clear_error();
		return false;
	}
	usable = SSL_get1_supported_ciphers(ssl);
	has = usable && sk_SSL_CIPHER_num(usable) > 0;
	sk_SSL_CIPHER_free(usable);
	ERR_clear_error();
	return has;
}

static int check_versions(const struct tls_rules *r, const struct tls_policy *p, struct why *why)
{
	for (unsigned v = p->oldest; v <= p->newest; v++) {
		if (version_has_suite(r, v))
			continue;
		if (v < TLS_1_2 && !p->cbc)
			why_set(why, "no suite is left for TLS %s: set cbc=yes with it, or a newer"
				" oldest", tls_version_name(v));
		else
			why_set(why, "no suite is left for TLS %s: %s, oldest and newest do not go"
				" together", tls_version_name(v), v == TLS_1_3 ? "suites" : "ciphers");
		return TLS_E_RULES;
	}
	return 0;
}

static int refused(struct why *why, const char *key)
{
	ERR_clear_error();
	why_set(why, "%s: the library knows nothing of that name that can be used", key);
	return TLS_E_RULES;
}

static int check_texts(const struct tls_policy *p, struct why *why)
{
	const char *const texts[] = { p->ciphers, p->suites, p->groups };

	if (p->oldest > p->newest) {
		why_set(why, "oldest %s is newer than newest %s", tls_version_name(p->oldest),
			tls_version_name(p->newest));
		return TLS_E_RULES;
	}
	/* OpenSSL's notation can change the security level with '@': here oldest decides it. */
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		for (const char *c = texts[i]; *c; c++) {
			if (octet_is_alpha((uint8_t)*c) || octet_is_digit((uint8_t)*c) ||
				strchr("_-:+!", *c))
				continue;
			why_set(why, "lists of suites and groups have letters, digits and _ - : + !"
				" only");
			return TLS_E_RULES;
		}
	}
	return 0;
}

static int rules_try(struct tls_rules *r, struct tls_host *h, const struct tls_policy *p,
	struct why *why)
{
	int outcome;

	SSL_CTX_set_security_level(r->ctx, r->security_level);
	if (SSL_CTX_set_min_proto_version(r->ctx, r->min_version) != 1 ||
		SSL_CTX_set_max_proto_version(r->ctx, r->max_version) != 1)
		return refused(why, "oldest, newest");
	if (SSL_CTX_set_cipher_list(r->ctx, r->ciphers) != 1)
		return refused(why, "ciphers");
	if (SSL_CTX_set_ciphersuites(r->ctx, r->suites) != 1)
		return refused(why, "suites");
	if (SSL_CTX_set1_groups_list(r->ctx, r->groups) != 1)
		return refused(why, "groups");
	outcome = check_suites(r, why);
	if (!outcome)
		outcome = check_ciphers(r, p->weak_ciphers, why);
	if (!outcome)
		outcome = check_versions(r, p, why);
	if (outcome)
		return outcome;
	return h ? tls_host_set_up(h, r->ctx, r->gives_tickets) : 0;
}

int tls_rules_new(struct tls_rules **ret_rules, struct tls_host *h, const struct tls_policy *p,
	struct why *why)
{
	CLEANUP(tls_rules_unrefp) struct tls_rules *r = NULL;
	int outcome = check_texts(p, why);

	if (outcome)
		return outcome;
	r = ALLOC(struct tls_rules);
	r->refs = 1;
	rules_fill(r, p);
	rules_seal(r);
	r->ctx = SSL_CTX_new(TLS_server_method());
	if (!r->ctx)
		return tls_fault(why, "SSL_CTX_new");
	outcome = rules_try(r, h, p, why);
	if (!outcome)
		*ret_rules = TAKE(r);
	return outcome;
}

struct tls_rules *tls_rules_ref(struct tls_rules *r)
{
	(void)atomic_fetch_add(&r->refs, 1);
	return r;
}

struct tls_rules *tls_rules_unref(struct tls_rules *r)
{
	if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
		return NULL;
	SSL_CTX_free(r->ctx);
	free(r->ciphers);
	free(r->old_ciphers);
	free(r->suites);
	free(r->groups);
	free(r);
	return NULL;
}

bool tls_rules_apply(const struct tls_rules *r, SSL *ssl)
{
	SSL_set_security_level(ssl, r->security_level);
	if (r->gives_tickets)
		(void)SSL_clear_options(ssl, SSL_OP_NO_TICKET);
	else
		(void)SSL_set_options(ssl, SSL_OP_NO_TICKET);
	return SSL_set_num_tickets(ssl, r->gives_tickets ? 1 : 0) == 1 &&
		SSL_set_min_proto_version(ssl, r->min_version) == 1 &&
		SSL_set_max_proto_version(ssl, r->max_version) == 1 &&
		SSL_set_cipher_list(ssl, r->ciphers) == 1 &&
		SSL_set_ciphersuites(ssl, r->suites) == 1 &&
		SSL_set1_groups_list(ssl, r->groups) == 1;
}

void tls_rules_notes(const struct tls_policy *p, struct buf *out)
{
	if (p->oldest < TLS_1_2)
		buf_add_format(out, "oldest=%s: signatures with SHA-1 and MD5 and short keys are"
			" accepted (security level 0); RFC 8996 forbids these versions\n",
			tls_version_name(p->oldest));
	if (p->oldest >= TLS_1_2 && (p->cbc || p->weak_ciphers))
		buf_add_string(out, "cbc and weak_ciphers have no effect unless oldest is 1.0 or"
			" 1.1\n");
	if (p->weak_ciphers && !library_has(weak_ciphers))
		buf_add_string(out, "weak_ciphers=yes: this crypto library has no such suites (3DES,"
			" RC4): nothing changes\n");
	else if (p->weak_ciphers && !p->cbc)
		buf_add_string(out, "weak_ciphers=yes has no effect without cbc=yes\n");
	if (p->sslv2_hello && p->oldest >= TLS_1_2)
		buf_add_string(out, "sslv2_hello=yes has no effect unless oldest is 1.0 or 1.1: such a"
			" hello cannot offer signatures other than with SHA-1\n");
	if (p->tickets && p->session_lifetime == 0)
		buf_add_string(out, "session_lifetime=0: no session can be resumed, whatever tickets"
			" says\n");
	if (!p->tickets)
		buf_add_string(out, "tickets=no: no session can be resumed; this server keeps none"
			" itself\n");
}
