/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/oid.h"

#include <openssl/err.h>
#include <openssl/objects.h>

enum { OID_MAX = 64 }; /* content octets that are looked at */

static ASN1_OBJECT *object_of(struct span oid)
{
	uint8_t der[2 + OID_MAX] = { V_ASN1_OBJECT, (uint8_t)oid.n };
	const uint8_t *p = der;
	ASN1_OBJECT *object;

	if (oid.n == 0 || oid.n > OID_MAX)
		return NULL;
	memcpy(der + 2, oid.p, oid.n);
	object = d2i_ASN1_OBJECT(NULL, &p, (long)(2 + oid.n));
	ERR_clear_error();
	return object;
}

int oid_nid(struct span oid)
{
	ASN1_OBJECT *object = object_of(oid);
	int nid = object ? OBJ_obj2nid(object) : NID_undef;

	ASN1_OBJECT_free(object);
	return nid;
}

static bool oid_text(struct span oid, char *text, int size)
{
	ASN1_OBJECT *object = object_of(oid);
	int n = object ? OBJ_obj2txt(text, size, object, 1) : -1;

	ASN1_OBJECT_free(object);
	return n > 0 && n < size;
}

bool oid_is(struct span oid, const char *dotted)
{
	char text[6 * OID_MAX];

	return oid_text(oid, text, sizeof text) && strcmp(text, dotted) == 0;
}

/* What messages of today and tomorrow have, and OpenSSL 3.0 has no name for. */
static const struct {
	const char *oid, *name;
} names[] = {
	{ "2.16.840.1.101.3.4.3.17", "ML-DSA-44" },
	{ "2.16.840.1.101.3.4.3.18", "ML-DSA-65" },
	{ "2.16.840.1.101.3.4.3.19", "ML-DSA-87" },
	{ "2.16.840.1.101.3.4.4.1", "ML-KEM-512" },
	{ "2.16.840.1.101.3.4.4.2", "ML-KEM-768" },
	{ "2.16.840.1.101.3.4.4.3", "ML-KEM-1024" },
	{ "1.2.840.113549.1.9.16.13.3", "key encapsulation (RFC 9629)" },
	{ "1.2.840.113549.1.9.16.3.18", "ChaCha20-Poly1305" },
	{ "1.2.840.113549.1.9.16.3.19", "ECDH (HKDF, SHA-256)" },
	{ "1.2.840.113549.1.9.16.3.20", "ECDH (HKDF, SHA-384)" },
	{ "1.2.840.113549.1.9.16.3.21", "ECDH (HKDF, SHA-512)" },
	{ "1.2.840.113549.1.9.16.3.5", "Diffie-Hellman, ephemeral-static" },
	{ "1.2.840.113549.1.9.16.3.10", "Diffie-Hellman, static-static" },
	{ "1.2.840.113549.1.9.16.3.31", "derived key (RFC 9709)" },
	{ "1.2.840.113549.1.9.16.3.8", "zlib" },
	{ "1.2.840.113549.2.2", "MD2" },
	{ "1.2.840.113549.2.4", "MD4" },
	{ "1.3.101.112", "Ed25519" },
	{ "1.3.101.113", "Ed448" },
};

void oid_add_name(struct span oid, struct buf *out)
{
	char text[6 * OID_MAX];

	if (!oid_text(oid, text, sizeof text)) {
		buf_add_string(out, "an identifier that cannot be read");
		return;
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(names[i].oid, text) == 0) {
			buf_add_string(out, names[i].name);
			return;
		}
	}
	if (oid_nid(oid) != NID_undef)
		buf_add_string(out, OBJ_nid2ln(oid_nid(oid)));
	else
		buf_add_string(out, text);
}
