/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Which certificates are trusted for which address, and what becomes of those that are not. */

#include "svc/contacts.h"

#include "base/log.h"
#include "base/test.h"
#include "contact/card.h"
#include "pki/cert_fixture.h"
#include "pki/trust.h"
#include "store/domain.h"
#include "store/store.h"
#include "store/trust_rows.h"
#include "svc/env_fixture.h"
#include "svc/recipient_certs.h"
#include "svc/trust.h"

static struct env_fixture *environment;

struct world {
	struct env_fixture *f;
	struct cert_made root, other_root, rob, eve;
	struct contact_trust *trust;
	struct arena arena;
};

static int write_trust(struct store_conn *c, void *arg)
{
	struct world *w = arg;
	uint8_t sha256[32] = {};
	const struct store_trust row = { .domain = w->f->store->domain,
		.scope = TRUST_DOMAIN,
		.sha256 = span_of(sha256, sizeof sha256),
		.der = cert_der(w->root.cert),
		.purposes = TRUST_MAIL };

	cert_fingerprint(w->root.cert, sha256);
	return store_trust_put(c, &row);
}

static struct cert_made mail_cert(const struct cert_made *issuer, const char *names)
{
	return cert_make(&(struct cert_order){ .subject = "CN=Rob Remote",
		.names = names,
		.usage = "emailProtection",
		.issuer = issuer,
		.more = { { "keyUsage", "critical,digitalSignature,keyAgreement" } } });
}

static int setup(void **state)
{
	struct world *w = test_calloc(1, sizeof *w);

	w->f = environment;
	env_fixture_open(w->f);
	w->root = cert_make(&(struct cert_order){ .subject = "CN=Root", .is_authority = true });
	w->other_root = cert_make(
		&(struct cert_order){ .subject = "CN=Other", .is_authority = true });
	w->rob = mail_cert(&w->root, "email:rob@remote.example,email:robert@remote.example");
	w->eve = mail_cert(&w->other_root, "email:rob@remote.example");
	assert_int_equal(store_write(w->f->env.store, write_trust, w), 0);
	trust_changed(&w->f->env);
	assert_int_equal(contact_trust_new(&w->trust, &w->f->env, w->f->store->domain), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct cert_made *made[] = { &w->root, &w->other_root, &w->rob, &w->eve };

	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		cert_made_done(made[i]);
	contact_trust_free(w->trust);
	arena_done(&w->arena);
	env_fixture_close(w->f);
	test_free(w);
	return 0;
}

static void judged(void **state)
{
	struct world *w = *state;
	struct cert_made server = cert_make(&(struct cert_order){ .subject = "CN=S",
		.names = "email:rob@remote.example",
		.usage = "serverAuth",
		.issuer = &w->root });
	struct why why = {};

	assert_int_equal(contact_trust_judge(w->trust, w->rob.cert, NULL, &why), 0);
	assert_int_equal(contact_trust_judge(w->trust, w->eve.cert, NULL, &why), CONTACT_E_REFUSED);
	assert_true(why.text[0]);
	assert_int_equal(contact_trust_judge(w->trust, server.cert, NULL, &why), CONTACT_E_REFUSED);
	cert_made_done(&server);
}

static int add_domain(struct store_conn *c, void *arg)
{
	return store_domain_add(c, SPAN("other.example"), arg);
}

static int drop_trust(struct store_conn *c, void *arg)
{
	return store_trust_remove(c, *(int64_t *)arg);
}

/* A path that was found for one domain is none for another, and none after trust has changed. */
static void kept_paths(void **state)
{
	struct world *w = *state;
	CLEANUP(contact_trust_freep) struct contact_trust *elsewhere = NULL, *later = NULL;
	struct why why = {};
	int64_t other, row;

	assert_int_equal(store_write(w->f->env.store, add_domain, &other), 0);
	assert_int_equal(contact_trust_new(&elsewhere, &w->f->env, other), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(contact_trust_judge(w->trust, w->rob.cert, NULL, &why), 0);
		assert_int_equal(contact_trust_judge(elsewhere, w->rob.cert, NULL, &why),
			CONTACT_E_REFUSED);
	}
	row = fixture_number(w->f->store, "select id from trust");
	assert_int_equal(store_write(w->f->env.store, drop_trust, &row), 0);
	trust_changed(&w->f->env);
	assert_int_equal(contact_trust_new(&later, &w->f->env, w->f->store->domain), 0);
	assert_int_equal(contact_trust_judge(later, w->rob.cert, NULL, &why), CONTACT_E_REFUSED);
}

static void addresses(void **state)
{
	struct world *w = *state;

	assert_true(contact_cert_is_for(w->rob.cert, SPAN("rob@remote.example")));
	assert_true(contact_cert_is_for(w->rob.cert, SPAN("ROBERT@Remote.Example")));
	assert_false(contact_cert_is_for(w->rob.cert, SPAN("bob@remote.example")));
	assert_false(contact_cert_is_for(w->rob.cert, SPAN("rob@remote.example.org")));
	assert_false(contact_cert_is_for(w->rob.cert, SPAN("rob")));
	assert_false(contact_cert_is_for(w->rob.cert, SPAN("")));
}

static struct card *card_with(struct span address, const struct cert *cert)
{
	struct card *card = NULL;

	assert_int_equal(card_new(&card, SPAN("u1"), SPAN("Rob"), address, NULL), 0);
	assert_int_equal(card_add_cert(&card, cert_der(cert), NULL), 0);
	return card;
}

static void rows(void **state)
{
	struct world *w = *state;
	CLEANUP(card_freep) struct card *good = card_with(SPAN("Rob@remote.example"), w->rob.cert);
	CLEANUP(card_freep) struct card *bad = card_with(SPAN("rob@remote.example"), w->eve.cert);
	CLEANUP(card_freep) struct card *other = card_with(SPAN("x@remote.example"), w->rob.cert);
	CLEANUP(card_freep) struct card *none = NULL;
	struct contact_put put;
	struct why why = {};

	assert_int_equal(contact_rows_of(good, w->trust, &w->arena, &put, &why), 0);
	assert_int_equal(put.n_certs, 1); /* robert's is not on the card */
	assert_int_equal(put.certs[0].state, CERT_TRUSTED);
	assert_int_equal(put.certs[0].reason.n, 0);
	assert_int_equal(contact_rows_of(good, NULL, &w->arena, &put, &why), 0);
	assert_int_equal(put.certs[0].state, CERT_WAITING);
	assert_int_equal(contact_rows_of(bad, w->trust, &w->arena, &put, &why), 0);
	assert_int_equal(put.certs[0].state, CERT_WAITING);
	assert_true(put.certs[0].reason.n > 0);
	assert_int_equal(contact_rows_of(other, w->trust, &w->arena, &put, &why), 0);
	assert_int_equal(put.certs[0].state, CERT_WAITING);

	assert_int_equal(card_new(&none, SPAN("u"), SPAN(""), SPAN("a@b"), NULL), 0);
	assert_int_equal(card_add_cert(&none, SPAN("no certificate"), NULL), 0);
	assert_int_equal(contact_rows_of(none, w->trust, &w->arena, &put, &why), CONTACT_E_REFUSED);
	assert_non_null(strstr(why.text, "cryptoKeys"));
}

static int take_file(struct world *w, const struct cert *cert, const char *address,
	struct span anyway, struct contact_take *take, struct why *why)
{
	struct cert *one = (struct cert *)(uintptr_t)cert;
	struct cert_list list = { &one, 1 };

	return contact_take_file(w->trust, &w->arena, &list, span_str(address), anyway, take, why);
}

static struct span print_of(struct world *w, const struct cert *cert)
{
	CLEANUP(buf_done) struct buf text = {};

	cert_add_fingerprint_text(cert, &text);
	return arena_span(&w->arena, buf_span(&text));
}

static void files(void **state)
{
	struct world *w = *state;
	struct cert_made nobody = mail_cert(&w->root, "DNS:remote.example");
	struct contact_take take;
	struct why why = {};

	assert_int_equal(take_file(w, w->rob.cert, "", SPAN(""), &take, &why), 0);
	assert_true(span_is(take.address, "rob@remote.example"));
	assert_true(span_is(take.name, "Rob Remote") && !take.anyway);
	contact_take_done(&take);
	assert_int_equal(take_file(w, w->rob.cert, "robert@remote.example", SPAN(""), &take, &why),
		0);
	assert_true(span_is(take.address, "robert@remote.example"));
	contact_take_done(&take);
	assert_int_equal(take_file(w, w->rob.cert, "x@y.example", SPAN(""), &take, &why),
		CONTACT_E_REFUSED);
	assert_false(take.may_anyway);
	assert_int_equal(take_file(w, nobody.cert, "", SPAN(""), &take, &why), CONTACT_E_REFUSED);
	assert_false(take.may_anyway);

	/* The second step names the certificate, and only it. */
	assert_int_equal(take_file(w, w->eve.cert, "", SPAN(""), &take, &why), CONTACT_E_REFUSED);
	assert_true(take.may_anyway);
	assert_non_null(
		strstr(why.text, (const char *)arena_string(&w->arena, print_of(w, w->eve.cert))));
	assert_int_equal(take_file(w, w->eve.cert, "", print_of(w, w->rob.cert), &take, &why),
		CONTACT_E_REFUSED);
	assert_int_equal(take_file(w, w->eve.cert, "", print_of(w, w->eve.cert), &take, &why), 0);
	assert_true(take.anyway && take.reason.n > 0);
	contact_take_done(&take);
	cert_made_done(&nobody);
}

struct write {
	struct world *w;
	struct contact_take take;
	struct store_contact contact;
	enum cert_state state;
	struct span address, sha256;
	bool accept;
	struct why why;
};

static int write_take(struct store_conn *c, void *arg)
{
	struct write *k = arg;

	return contact_take_write(c, &k->w->arena, k->w->f->store->account, 0, &k->take,
		&k->contact, &k->state, &k->why);
}

static int write_decision(struct store_conn *c, void *arg)
{
	struct write *k = arg;

	return contact_decide(c, &k->w->arena, k->w->f->store->account, k->address, k->sha256,
		k->accept, false, &k->why);
}

static enum cert_state taken(struct world *w, const struct cert *cert, bool anyway)
{
	struct write k = { .w = w };

	assert_int_equal(
		take_file(w, cert, "", anyway ? print_of(w, cert) : SPAN(""), &k.take, &k.why), 0);
	assert_int_equal(store_write(w->f->env.store, write_take, &k), 0);
	contact_take_done(&k.take);
	return k.state;
}

static void found(struct world *w, const struct cert *cert, bool waiting)
{
	const struct span address = SPAN("rob@remote.example");
	struct recipient_cert r;

	assert_int_equal(
		recipient_certs_find(&w->f->env, &w->arena, w->f->store->account, &address, 1, &r),
		0);
	assert_int_equal(r.waiting, waiting);
	if (!cert) {
		assert_null(r.cert);
		assert_true(r.reason.n > 0 && r.source == RECIPIENT_FROM_NOWHERE);
		return;
	}
	if (!r.cert)
		fail_msg("%.*s", (int)r.reason.n, (const char *)r.reason.p);
	assert_true(span_equal(cert_der(r.cert), cert_der(cert)));
	recipient_certs_done(&r, 1);
}

static void decisions(void **state)
{
	struct world *w = *state;
	struct cert_made renewed = mail_cert(&w->root, "email:rob@remote.example");
	uint8_t sha256[32];
	struct write k = { .w = w,
		.address = SPAN("ROB@remote.example"),
		.sha256 = span_of(sha256, sizeof sha256) };

	found(w, NULL, false);
	assert_int_equal(taken(w, w->rob.cert, false), CERT_TRUSTED);
	found(w, w->rob.cert, false);
	assert_int_equal(taken(w, renewed.cert, false), CERT_WAITING);
	found(w, w->rob.cert, true);

	cert_fingerprint(w->eve.cert, sha256);
	assert_int_equal(store_write(w->f->env.store, write_decision, &k), STORE_E_NOT_FOUND);
	cert_fingerprint(renewed.cert, sha256);
	assert_int_equal(store_write(w->f->env.store, write_decision, &k), 0); /* refused */
	found(w, w->rob.cert, false);
	assert_int_equal(taken(w, renewed.cert, false), CERT_WAITING);
	k.accept = true;
	assert_int_equal(store_write(w->f->env.store, write_decision, &k), 0);
	assert_int_equal(store_write(w->f->env.store, write_decision, &k), STORE_E_REFUSED);
	found(w, renewed.cert, false);
	cert_made_done(&renewed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(judged, setup, teardown),
		cmocka_unit_test_setup_teardown(kept_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(rows, setup, teardown),
		cmocka_unit_test_setup_teardown(files, setup, teardown),
		cmocka_unit_test_setup_teardown(decisions, setup, teardown),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LOG_ERROR);
	environment = env_fixture_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(environment);
	return failed;
}
