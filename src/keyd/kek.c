/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Where the key-encryption key comes from. It is never used itself: one derived key wraps private
 * keys (another for each role, so that a user's row means nothing to the domain instance), one seals
 * secrets, one makes ticket keys, and one value can be shown to the database so that it notices
 * another KEK. A new KEK is made only when the caller says that nothing depends on an old one.
 */

#include "keyd/kek.h"

#include "base/random.h"
#include "keyd/wrap.h"
#include "pki/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEK_OCTETS = 32, PASSWORD_MIN = 16, FILE_MAX = 4096 };

CLEANUP_POINTER(EVP_KDF, EVP_KDF_free)
CLEANUP_POINTER(EVP_KDF_CTX, EVP_KDF_CTX_free)

static void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

int kek_hkdf(struct span secret, struct span info, uint8_t *out, size_t n)
{
	CLEANUP(EVP_KDF_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", "provider=default");
	CLEANUP(EVP_KDF_CTX_freep) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret.p, secret.n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info.p, info.n),
		OSSL_PARAM_construct_end(),
	};

	if (!ctx || EVP_KDF_derive(ctx, out, n, params) <= 0)
		return key_openssl_fault("HKDF");
	return 0;
}

int kek_derive(struct kek *ret_kek, struct span master, enum keyd_role role)
{
	CLEANUP(kek_done) struct kek k = {
		.wrap = secret_new(KEK_OCTETS),
		.seal = secret_new(KEK_OCTETS),
		.ticket = secret_new(KEK_OCTETS),
	};
	struct span wrap = role == KEYD_DOMAIN ? SPAN("signet wrap domain") : SPAN("signet wrap user");

	TRY(kek_hkdf(master, wrap, k.wrap.p, k.wrap.n));
	TRY(kek_hkdf(master, SPAN("signet seal"), k.seal.p, k.seal.n));
	TRY(kek_hkdf(master, SPAN("signet ticket"), k.ticket.p, k.ticket.n));
	TRY(kek_hkdf(master, SPAN("signet check"), k.check, sizeof k.check));
	*ret_kek = k;
	k = (struct kek){};
	return 0;
}

void kek_done(struct kek *k)
{
	secret_done(&k->wrap);
	secret_done(&k->seal);
	secret_done(&k->ticket);
}

/* At most FILE_MAX octets of a file that others may not read. */
static int read_private(int fd, const char *name, struct secret *ret_content, struct why *why)
{
	CLEANUP(secret_done) struct secret content = secret_new(FILE_MAX + 1);
	struct stat st;
	size_t n = 0;
	ssize_t got;

	if (fstat(fd, &st))
		return err_fault(errno, "fstat");
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXO | S_IWGRP))) {
		why_set(why, "%s must be a plain file that others cannot read (chmod 600)", name);
		return KEK_E_REFUSED;
	}
	do {
		got = pread(fd, content.p + n, content.n - n, (off_t)n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && n < content.n);
	if (got < 0)
		return err_fault(errno, "read");
	if (n > FILE_MAX) {
		why_set(why, "%s is longer than %d octets", name, FILE_MAX);
		return KEK_E_REFUSED;
	}
	*ret_content = secret_copy(span_head(secret_span(&content), n));
	return 0;
}

/* The salt is a constant: nodes that share nothing but the file must agree, and a password of the
 * length asked for is not in anybody's table. */
static int from_password(struct span password, struct secret *ret_master)
{
	CLEANUP(secret_done) struct secret master = secret_new(KEK_OCTETS);

	TRY(wrap_scrypt(password, SPAN("signet key-encryption key"), &wrap_cost, master.p, master.n));
	*ret_master = master;
	master = (struct secret){};
	return 0;
}

static int from_password_file(
	int fd, const char *name, struct secret *ret_master, struct why *why)
{
	CLEANUP(secret_done) struct secret content = {};
	struct span password;
	int r = read_private(fd, name, &content, why);

	if (r)
		return r;
	password = secret_span(&content);
	if (password.n && password.p[password.n - 1] == '\n')
		password.n--;
	if (password.n < PASSWORD_MIN) {
		why_set(why, "%s: a password of %zu octets; at least %d are needed", name, password.n,
			PASSWORD_MIN);
		return KEK_E_REFUSED;
	}
	return from_password(password, ret_master);
}

int kek_check_password(const struct kek *k, struct span password)
{
	CLEANUP(secret_done) struct secret master = {};
	uint8_t check[KEYD_CHECK];

	TRY(from_password(password, &master));
	TRY(kek_hkdf(secret_span(&master), SPAN("signet check"), check, sizeof check));
	return CRYPTO_memcmp(check, k->check, sizeof check) == 0 ? 0 : KEK_E_REFUSED;
}

static int from_credential(int fd, const char *name, struct secret *ret_master, struct why *why)
{
	CLEANUP(secret_done) struct secret content = {};
	int r = read_private(fd, name, &content, why);

	if (r)
		return r;
	if (content.n < KEK_OCTETS) {
		why_set(why, "%s has %zu octets; at least %d are needed", name, content.n, KEK_OCTETS);
		return KEK_E_REFUSED;
	}
	*ret_master = content;
	content = (struct secret){};
	return 0;
}

/* Written beside and linked, so that the file is either whole or not there; where another instance
 * was first, its KEK is the one. */
static int make_file(int dir)
{
	CLEANUP(fd_close) int fd = -1;
	CLEANUP(secret_done) struct secret master = secret_new(KEK_OCTETS);
	char name[32];
	int r = 0;

	(void)snprintf(name, sizeof name, ".kek.%ld", (long)getpid());
	random_fill(master.p, master.n);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_fault(errno, "create kek");
	if (write(fd, master.p, master.n) != (ssize_t)master.n || fsync(fd))
		r = err_fault(errno, "write kek");
	else if (linkat(dir, name, dir, "kek", 0) && errno != EEXIST)
		r = err_fault(errno, "link kek");
	(void)unlinkat(dir, name, 0);
	if (!r && fsync(dir))
		r = err_fault(errno, "fsync folder of kek");
	return r;
}

static int from_folder(int dir, bool create, struct secret *ret_master, struct why *why)
{
	CLEANUP(fd_close) int fd = openat(dir, "kek", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0 && errno == ENOENT && create) {
		TRY(make_file(dir));
		fd = openat(dir, "kek", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (fd < 0 && errno == ENOENT) {
		why_set(why, "the key-encryption key (keyd/kek in the data folder) is not there; put it "
			"back from the backup: without it no private key of this database opens");
		return KEK_E_REFUSED;
	}
	if (fd < 0) {
		why_set(why, "keyd/kek: %s", strerrordesc_np(errno));
		return KEK_E_REFUSED;
	}
	r = read_private(fd, "keyd/kek", ret_master, why);
	if (!r && ret_master->n != KEK_OCTETS) {
		why_set(why, "keyd/kek has %zu octets instead of %d: it is damaged", ret_master->n,
			KEK_OCTETS);
		secret_done(ret_master);
		r = KEK_E_REFUSED;
	}
	return r;
}

int kek_open(struct kek *ret_kek, const struct keyd_options *o, struct why *why)
{
	CLEANUP(secret_done) struct secret master = {};
	int r = KEK_E_REFUSED;

	switch (o->source) {
	case KEYD_SOURCE_FOLDER:
		r = from_folder(o->dir, o->create, &master, why);
		break;
	case KEYD_SOURCE_PASSWORD:
		r = from_password_file(o->file, o->name, &master, why);
		break;
	case KEYD_SOURCE_CREDENTIAL:
		r = from_credential(o->file, o->name, &master, why);
		break;
	}
	if (r)
		return r;
	TRY(kek_derive(ret_kek, secret_span(&master), o->role));
	ret_kek->has_password = o->source == KEYD_SOURCE_PASSWORD;
	return 0;
}
