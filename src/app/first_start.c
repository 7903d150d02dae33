/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The first start. Everything slow (the key, the certificate, the password's hash) is made first and
 * then written in one transaction together with the check value of the key-encryption key: either
 * there is a server or there is none. The password is printed after the commit and kept nowhere; if
 * the line is lost, the owner of the folder sets a new one over the Unix socket.
 */

#include "app/first_start.h"

#include "base/clock.h"
#include "base/limit.h"
#include "base/random.h"
#include "keyd/client.h"
#include "mime/address.h"
#include "pki/selfsign.h"
#include "store/account.h"
#include "store/audit.h"
#include "store/domain.h"
#include "store/store.h"
#include "svc/auth.h"
#include "svc/domain_keys.h"
#include "svc/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PASSWORD_GROUPS = 4, PASSWORD_GROUP = 5 };

static const char kek_check_name[] = "kek-check";

struct first {
	struct env *env;
	struct buf domain;
	struct secret password;
	struct arena arena;
	struct store_credentials credentials;
	uint8_t check[KEYD_CHECK];
};

static void first_done(struct first *f)
{
	buf_done(&f->domain);
	secret_done(&f->password);
	arena_done(&f->arena);
}

static int choose_domain(struct first *f, const char *name, struct why *why)
{
	char host[LIMIT_NAME + 1] = "";
	int r;

	if (!name) {
		(void)gethostname(host, sizeof host - 1);
		name = host;
	}
	r = address_normalize_domain(span_str(name), &f->domain);
	if (r < 0)
		return r;
	if (r) {
		why_set(why, "\"%s\" is not a domain name; give one with --domain", name);
		return FIRST_START_E_REFUSED;
	}
	return 0;
}

/* 100 bits in four groups that can be read out: no letters that look like digits. */
static void make_password(struct first *f)
{
	static const char digits[] = "abcdefghijkmnpqrstuvwxyz23456789";
	size_t n = 0;

	f->password = secret_new(PASSWORD_GROUPS * (PASSWORD_GROUP + 1) - 1);
	for (unsigned group = 0; group < PASSWORD_GROUPS; group++) {
		if (group)
			f->password.p[n++] = '-';
		for (unsigned i = 0; i < PASSWORD_GROUP; i++)
			f->password.p[n++] = (uint8_t)digits[random_below(sizeof digits - 1)];
	}
}

/* The key is made within the transaction, because its owner is the domain's id: this once, the
 * writer has nobody else to serve. */
static int write_all(struct store_conn *c, void *arg)
{
	struct first *f = arg;
	struct span name = buf_span(&f->domain);
	const struct subject subject = { .common_name = name, .names = &name, .n_names = 1 };
	struct store_key key;
	struct store_cert cert;
	int64_t domain, account;

	TRY(store_domain_add(c, name, &domain));
	TRY(store_domain_set(c, domain, SPAN("pki"), SPAN("enabled"), NULL));
	TRY(store_domain_set_main(c, domain));
	TRY(store_account_add(c, domain, SPAN("postmaster"), ROLE_ADMIN, &f->credentials,
		&account));
	TRY(domain_key_make(f->env, &f->arena, domain, KEY_TLS, SPAN("first"), SPAN("ec:p256"), &key,
		NULL));
	TRY(store_key_add(c, &key, &key.id));
	TRY(domain_cert_self_sign(f->env, &f->arena, &key, SPAN("first"), &subject,
		SELFSIGN_DAYS, &cert, NULL));
	TRY(store_cert_add(c, &cert, &cert.id));
	TRY(store_value_set(c, kek_check_name, span_of(f->check, sizeof f->check)));
	TRY(store_audit(c, SPAN("signetd"), "first-start", name, SPAN("")));
	return 0;
}

static int make_all(struct first *f, const char *domain_name, struct why *why)
{
	int r = choose_domain(f, domain_name, why);

	if (r)
		return r;
	make_password(f);
	TRY(auth_make_credentials(f->env, secret_span(&f->password), &f->arena, &f->credentials,
		why));
	TRY(store_write(f->env->store, write_all, f));
	printf("administrator: postmaster@%.*s password: %.*s\n", (int)buf_size(&f->domain),
		(const char *)buf_span(&f->domain).p, (int)f->password.n,
		(const char *)f->password.p);
	(void)fflush(stdout);
	return 0;
}

struct found {
	bool main;
	uint8_t *check;
	size_t n_check;
};

static int look(struct store_conn *c, void *arg)
{
	struct found *found = arg;
	CLEANUP(arena_done) struct arena arena = {};
	struct store_domain domain;
	int r = store_domain_main(c, &arena, &domain);

	if (r == STORE_E_NOT_FOUND)
		return 0;
	if (r)
		return err_fold(r);
	found->main = true;
	r = store_value_get(c, kek_check_name, &found->check, &found->n_check);
	return r == STORE_E_NOT_FOUND ? 0 : err_fold(r);
}

int first_start(struct env *e, const char *domain_name, struct why *why)
{
	CLEANUP(first_done) struct first f = { .env = e };
	struct found found = {};
	bool same;

	TRY(keyd_hello(e->keyd, f.check));
	TRY(store_read(e->store, look, &found));
	if (!found.main)
		return make_all(&f, domain_name, why);
	same = span_equal_secret(span_of(found.check, found.n_check),
		span_of(f.check, sizeof f.check));
	free(found.check);
	if (same)
		return 0;
	why_set(why, "the key-encryption key is not the one this database was made with: restore"
		" DATA/keyd/kek (or the key password) from the backup that belongs to it");
	return FIRST_START_E_REFUSED;
}
