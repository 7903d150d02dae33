/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Mail decrypted with keys that keyd holds: what smime/ does with an EVP_PKEY is asked of another
 * process. */

#include "base/test.h"
#include "keyd/provider.h"
#include "keyd/testing.h"
#include "smime/read.h"
#include "smime/smime_fixture.h"

#include <openssl/evp.h>

static struct testing keyd;
static struct people people;

#define HELLO SPAN("Content-Type: text/plain\r\n\r\nHello, Bob.\r\n")

static int setup(void **state)
{
	(void)state;
	testing_start(&keyd, KEYD_DOMAIN, 2);
	if (provider_load())
		return 1;
	people_make(&people);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_done(&people);
	testing_done(&keyd);
	provider_unload();
	return 0;
}
