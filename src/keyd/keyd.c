/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * keyd - holds private keys for Signet's server
 *
 * Started by the supervisor, once for the domains' keys and once for users'. It reads the
 * key-encryption key, gives up everything but memory and its open sockets, and then answers
 * requests: one thread for each channel, so a channel's user never waits for another's signature. It
 * parses the fixed messages of keyd/protocol.h and nothing else from outside; the first message that
 * is not of that form ends the process, and the supervisor starts an empty one.
 *
 * The main thread takes new channels from the supervisor and forgets users' keys in time.
 */

#include "keyd/keyd.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "keyd/confine.h"
#include "keyd/request.h"
#include "pki/key.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EXIT_MALFORMED = 3,
	EXPIRE_EVERY_MS = 5000,
	CONTROL_FDS = 16,
	CONTROL_TEXT = 512,
	STACK = 512 * 1024,
};

struct channel {
	struct keyd *keyd;
	int fd;
};

static atomic_uint n_channels;

static void on_sigterm(int number)
{
	(void)number;
	_exit(0);
}

static bool receive(int fd, struct secret *in, size_t *ret_n)
{
	ssize_t n;

	do {
		n = recv(fd, in->p, in->n, MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	/* A longer message than there is room for is malformed: the parser is shown its size. */
	*ret_n = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void channel_run(struct channel *c)
{
	CLEANUP(secret_done) struct secret in = secret_new(KEYD_MESSAGE_MAX);
	CLEANUP(secret_done) struct secret out = secret_new(KEYD_MESSAGE_MAX);
	size_t n, n_out;

	while (receive(c->fd, &in, &n)) {
		int r = n <= in.n ? keyd_answer(c->keyd, span_of(in.p, n), out.p, &n_out)
				  : KEYD_ANSWER_E_MALFORMED;

		if (r == KEYD_ANSWER_E_MALFORMED) {
			LOG(NULL, LOG_ERROR, "KEYD", "keyd.request", log_str("outcome", "malformed"));
			_exit(EXIT_MALFORMED);
		}
		if (r) {
			log_fault(NULL, "KEYD", "keyd.request", r);
			_exit(1);
		}
		if (send(c->fd, out.p, n_out, MSG_NOSIGNAL) != (ssize_t)n_out)
			break;
		explicit_bzero(in.p, n);
		explicit_bzero(out.p, n_out);
	}
}

static void *channel_main(void *context)
{
	struct channel *c = context;

	channel_run(c);
	(void)close(c->fd);
	free(c);
	atomic_fetch_sub(&n_channels, 1);
	return NULL;
}

static int channel_start(struct keyd *keyd, int fd)
{
	struct channel *c = NULL;
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (atomic_fetch_add(&n_channels, 1) >= KEYD_CHANNELS_MAX) {
		atomic_fetch_sub(&n_channels, 1);
		(void)close(fd);
		return 0;
	}
	c = ALLOC(struct channel);
	*c = (struct channel){ keyd, fd };
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	r = pthread_create(&thread, &attributes, channel_main, c);
	pthread_attr_destroy(&attributes);
	if (!r)
		return 0;
	(void)close(fd);
	free(c);
	return err_fault(r, "pthread_create");
}

/* New channels from the supervisor. false at its end. */
static bool control_read(struct keyd *keyd, int control)
{
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
	} space = {};
	char octet;
	struct iovec part = { &octet, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &space,
		.msg_controllen = sizeof space,
	};
	ssize_t n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (channel_start(keyd, fd))
				LOG(NULL, LOG_ERROR, "KEYD", "keyd.channel",
					log_str("outcome", err_last_trace()));
		}
	}
	return true;
}

static void control_say(int control, const char *text)
{
	(void)send(control, text, strlen(text), MSG_NOSIGNAL);
}

/* OpenSSL reads its configuration and makes its tables at first use: that must be behind us when
 * files are out of reach. */
static int warm_up(void)
{
	static const enum key_type types[] = { KEY_EC_P256, KEY_ED25519 };
	CLEANUP(buf_done) struct buf spki = {};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;

		buf_clear(&spki);
		TRY(key_generate(&key, types[i]));
		TRY(key_to_spki(key, &spki));
		TRY(key_self_test(key, buf_span(&spki), true, NULL));
	}
	return 0;
}

static int start(struct keyd **ret_keyd, const struct keyd_options *o, struct why *why)
{
	CLEANUP(kek_done) struct kek kek = {};
	struct sigaction term = { .sa_handler = on_sigterm };
	bool locked;
	int r;

	if (sigaction(SIGTERM, &term, NULL))
		return err_fault(errno, "sigaction");
	TRY(confine_memory(&locked));
	r = kek_open(&kek, o, why);
	if (r)
		return r;
	TRY(warm_up());
	if (o->dir >= 0)
		(void)close(o->dir);
	if (o->source != KEYD_SOURCE_FOLDER)
		(void)close(o->file);
	TRY(confine_calls());
	LOG(NULL, LOG_INFO, "KEYD", "keyd.start",
		log_str("role", o->role == KEYD_DOMAIN ? "domain" : "user"),
		log_str("memory", locked ? "locked" : "keys-only"));
	*ret_keyd = keyd_new(o->role, &kek);
	return 0;
}

int keyd_main(const struct keyd_options *o)
{
	CLEANUP(keyd_freep) struct keyd *keyd = NULL;
	struct pollfd control = { o->control, POLLIN, 0 };
	struct why why = { "keyd cannot start" };
	int64_t next_ms;
	int r = start(&keyd, o, &why);

	if (r < 0)
		log_fault(NULL, "KEYD", "keyd.start", r);
	if (r) {
		control_say(o->control, why.text);
		return 1;
	}
	for (size_t i = 0; i < o->n_channels; i++) {
		if (channel_start(keyd, o->channels[i])) {
			control_say(o->control, "keyd cannot start a thread");
			_exit(1);
		}
	}
	control_say(o->control, "ready");
	next_ms = clock_monotonic_ms() + EXPIRE_EVERY_MS;
	for (;;) {
		int n = poll(&control, 1, EXPIRE_EVERY_MS);

		if (n > 0 && !control_read(keyd, o->control))
			break;
		if (clock_monotonic_ms() < next_ms)
			continue;
		keyd_expire(keyd);
		next_ms = clock_monotonic_ms() + EXPIRE_EVERY_MS;
	}
	/* Threads may be in the middle of a request: nothing is taken down below them. */
	_exit(0);
}

int keyd_control_wait_ready(int control, int timeout_ms, struct why *why)
{
	struct pollfd p = { control, POLLIN, 0 };
	char text[CONTROL_TEXT];
	ssize_t n;
	int r;

	do {
		r = poll(&p, 1, timeout_ms);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_fault(errno, "poll");
	if (r == 0)
		return err_fault(ETIMEDOUT, "start of keyd");
	n = recv(control, text, sizeof text - 1, 0);
	if (n <= 0)
		return err_fault(ECONNRESET, "keyd ended at its start");
	text[n] = '\0';
	if (strcmp(text, "ready") == 0)
		return 0;
	why_set(why, "%s", text);
	return KEYD_CONTROL_E_REFUSED;
}

int keyd_control_add_channels(int control, const int *channels, size_t n)
{
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
	} space = {};
	char octet = 'c';
	struct iovec part = { &octet, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &space,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	if (n == 0 || n > CONTROL_FDS)
		return err_fault(EINVAL, "number of channels");
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), channels, n * sizeof(int));
	if (sendmsg(control, &message, MSG_NOSIGNAL) < 0)
		return err_fault(errno, "sendmsg");
	return 0;
}
