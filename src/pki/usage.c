/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/usage.h"

#include "pki/path.h"

#include <openssl/x509v3.h>

static const struct usage {
	const char *name;
	const char *oid;
	unsigned bit;
} extended[] = {
	{ "serverAuth", "1.3.6.1.5.5.7.3.1", TRUST_SERVER },
	{ "clientAuth", "1.3.6.1.5.5.7.3.2", TRUST_CLIENT },
	{ "codeSigning", "1.3.6.1.5.5.7.3.3", PATH_CODE_SIGNING },
	{ "emailProtection", "1.3.6.1.5.5.7.3.4", TRUST_MAIL },
	{ "timeStamping", "1.3.6.1.5.5.7.3.8", PATH_TIME_STAMPING },
	{ "OCSPSigning", "1.3.6.1.5.5.7.3.9", PATH_OCSP_SIGNING },
	{ "anyExtendedKeyUsage", "2.5.29.37.0", PATH_ANY_USAGE },
}, keys[] = {
	{ "digitalSignature", NULL, KU_DIGITAL_SIGNATURE },
	{ "contentCommitment", NULL, KU_NON_REPUDIATION },
	{ "keyEncipherment", NULL, KU_KEY_ENCIPHERMENT },
	{ "dataEncipherment", NULL, KU_DATA_ENCIPHERMENT },
	{ "keyAgreement", NULL, KU_KEY_AGREEMENT },
	{ "keyCertSign", NULL, KU_KEY_CERT_SIGN },
	{ "cRLSign", NULL, KU_CRL_SIGN },
	{ "encipherOnly", NULL, KU_ENCIPHER_ONLY },
	{ "decipherOnly", NULL, KU_DECIPHER_ONLY },
};

static unsigned find(const struct usage *usages, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is(name, usages[i].name) || (usages[i].oid && span_is(name, usages[i].oid)))
			return usages[i].bit;
	}
	return 0;
}

unsigned usage_extended(struct span name)
{
	return find(extended, sizeof extended / sizeof extended[0], name);
}

unsigned usage_key(struct span name)
{
	return find(keys, sizeof keys / sizeof keys[0], name);
}
