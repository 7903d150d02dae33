/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_policy.h"

#include "base/alloc.h"

static const char *const version_words[] = { "1.0", "1.1", "1.2", "1.3", NULL };
static const char *const log_words[] = { "off", "failures", "handshakes", "details", NULL };

enum { LIST_MAX = 1024, DAY_S = 86400 };

#define ROW(field, kind, standard, of, help_text)                                                  \
	.key = #field, .type = kind, .fallback = standard, .unit = of,                             \
	.offset = offsetof(struct tls_policy, field), .help = help_text

const struct conf_row tls_policy_rows[TLS_POLICY_ROWS] = {
	/* RFC 8996, RFC 9325 section 3.1.1. */
	{ ROW(oldest, CONF_CHOICE, "1.2", "", "The oldest version of TLS that is accepted: 1.0, 1.1,"
		" 1.2 or 1.3. Below 1.2 signatures with SHA-1 and MD5 are accepted too."),
		.choices = version_words },
	{ ROW(newest, CONF_CHOICE, "1.3", "", "The newest version of TLS that is offered."),
		.choices = version_words },
	/* RFC 9325 section 4.2. */
	{ ROW(ciphers, CONF_TEXT, "", "", "Suites of TLS 1.2 in OpenSSL's notation, the best first;"
		" empty: ECDHE with AES-GCM or ChaCha20."), .max = LIST_MAX },
	{ ROW(suites, CONF_TEXT, "", "", "Suites of TLS 1.3, a colon between; empty: the three with"
		" AES-GCM or ChaCha20."), .max = LIST_MAX },
	{ ROW(groups, CONF_TEXT, "", "", "Groups for the key exchange, a colon between; empty:"
		" X25519, P-256, P-384, before them X25519MLKEM768 where the library has it."),
		.max = LIST_MAX },
	{ ROW(cbc, CONF_BOOL, "no", "", "Whether clients of TLS 1.0 and 1.1 may use CBC suites; there"
		" are hardly any others for them.") },
	{ ROW(weak_ciphers, CONF_BOOL, "no", "", "Whether clients of TLS 1.0 and 1.1 may use suites"
		" of less than 128 bits (3DES, RC4), as far as the library has them.") },
	{ ROW(sslv2_hello, CONF_BOOL, "no", "", "Whether a ClientHello in the format of SSL 2 is"
		" understood; SSL 2 itself never is.") },
	{ ROW(sni, CONF_BOOL, "yes", "", "Whether the name a client asks for (server_name) chooses"
		" the domain; if not, only the local address does.") },
	{ ROW(tickets, CONF_BOOL, "yes", "", "Whether clients get session tickets; there is no other"
		" resumption.") },
	/* RFC 8446 section 4.6.1: at most 7 days. RFC 9325 section 3.4 wants less than the life of
	 * a ticket key. */
	{ ROW(session_lifetime, CONF_NUMBER, "1d", "seconds", "How long a session can be resumed"
		" after its last use, within 7 days of its beginning; 0: not at all."),
		.max = 7 * DAY_S },
	{ ROW(client_abort, CONF_BOOL, "no", "", "Whether a client certificate that is not valid ends"
		" the handshake also where none is required; if not, it counts as none.") },
	{ ROW(log, CONF_CHOICE, "handshakes", "", "What is logged: off, failures, handshakes"
		" (failures too), details (and what the client offered)."), .choices = log_words },
};

const char *tls_version_name(enum tls_version version)
{
	return version_words[version];
}

void tls_policy_init(struct tls_policy *p)
{
	*p = (struct tls_policy){};
	conf_defaults(tls_policy_rows, TLS_POLICY_ROWS, p);
}

void tls_policy_done(struct tls_policy *p)
{
	conf_done(tls_policy_rows, TLS_POLICY_ROWS, p);
}

void tls_policy_copy(struct tls_policy *to, const struct tls_policy *from)
{
	*to = *from;
	to->ciphers = alloc_string(from->ciphers);
	to->suites = alloc_string(from->suites);
	to->groups = alloc_string(from->groups);
}

int tls_policy_set(struct tls_policy *p, struct span key, struct span value, struct why *why)
{
	if (!conf_find(tls_policy_rows, TLS_POLICY_ROWS, key)) {
		why_set(why, "TLS has no such setting; \"signet tls show\" lists all");
		return CONF_E_UNKNOWN;
	}
	return conf_set(tls_policy_rows, TLS_POLICY_ROWS, p, key, value, why);
}

bool tls_policy_is_of_domain(struct span key)
{
	return !span_is(key, "sni");
}

void tls_policy_print(const struct tls_policy *p, struct buf *out)
{
	for (size_t i = 0; i < TLS_POLICY_ROWS; i++) {
		buf_add_string(out, tls_policy_rows[i].key);
		buf_add_octet(out, '=');
		conf_print(&tls_policy_rows[i], p, out);
		buf_add_octet(out, 0);
	}
}
