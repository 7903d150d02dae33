/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/mail_fixture.h"

#include "base/test.h"
#include "svc/ca_fixture.h"
#include "svc/unlocked.h"

#include <stdio.h>
#include <stdlib.h>

/* The message of the INBOX with that UID; 0: the newest. */
static int64_t message_id(struct env_fixture *f, uint32_t uid)
{
	char sql[200];

	(void)snprintf(sql, sizeof sql,
		"select max(id) from message where mailbox = %lld and (%u = 0 or uid = %u)",
		(long long)f->store->inbox, uid, uid);
	return fixture_number(f->store, sql);
}

int64_t mail_fixture_deliver(struct env_fixture *f, const char *octets)
{
	return message_id(f, fixture_deliver(f->store, f->store->inbox, span_str(octets), 0));
}

int64_t mail_fixture_only(struct env_fixture *f)
{
	assert_int_equal(env_fixture_inbox_count(f), 1);
	return message_id(f, 0);
}

void mail_fixture_key(struct env_fixture *f, const char *local, struct secure_keys *ret_keys)
{
	static const uint8_t session[UNLOCKED_SESSION] = "a session of the fixture";
	CLEANUP(secure_made_done) struct secure_made made = {};
	CLEANUP(arena_done) struct arena a = {};
	char address[100];
	struct secure_caller who = { .account = env_fixture_account(f, local),
		.actor = SPAN("fixture"),
		.peer = SPAN("192.0.2.1"),
		.session = span_of(session, sizeof session) };
	struct secure_new new = { .password = SPAN("secret"), .type = SPAN("ec:p256") };
	struct why why = {};

	(void)snprintf(address, sizeof address, "%s@example.org", local);
	who.address = span_str(address);
	if (fixture_number(f->store, "select count(*) from authority") == 0)
		(void)ca_fixture_authority(f, &a, "ca", "Authority");
	if (secure_mail_add(&f->env, &who, &new, &made, &why))
		fail_msg("%s", why.text);
	assert_int_equal(secure_mail_keys(&f->env, who.session, who.account, ret_keys, &why), 0);
}
