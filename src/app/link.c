/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "app/link.h"

#include "app/control.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "keyd/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IMPORTER_MS = 5000, HOOK_MS = 130000, HOOK_STEP_MS = 200 };

struct link {
	int control;
	int gone; /* an eventfd */
	struct keyd_client *domain;
	struct keyd_client *user;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool has_domain, has_user, is_gone;
	int importer; /* a socket that nobody has taken yet, or -1 */
	pthread_mutex_t importer_turn; /* one asks at a time */
	uint32_t hook_serial;
	struct control_hook_result hook; /* the newest result */
	pthread_mutex_t hook_turn;
};

static void take_message(struct link *l, const struct control_message *m)
{
	switch ((enum control_kind)m->kind) {
	case CONTROL_CHANNELS_DOMAIN:
		keyd_client_set_channels(l->domain, m->fds, m->n_fds);
		l->has_domain = true;
		return;
	case CONTROL_CHANNELS_USER:
		keyd_client_set_channels(l->user, m->fds, m->n_fds);
		l->has_user = true;
		return;
	case CONTROL_IMPORTER:
		if (m->n_fds == 1 && l->importer < 0) {
			l->importer = m->fds[0];
			return;
		}
		break;
	case CONTROL_HOOK:
		l->hook = m->payload.result;
		l->hook.text[sizeof l->hook.text - 1] = 0;
		break;
	case CONTROL_READY:
		break;
	}
	for (uint32_t i = 0; i < m->n_fds; i++)
		(void)close(m->fds[i]);
}

static void *link_thread(void *arg)
{
	struct link *l = arg;
	struct control_message m;
	int r;

	(void)pthread_setname_np(pthread_self(), "supervisor");
	while ((r = control_receive(l->control, &m)) == 0) {
		(void)pthread_mutex_lock(&l->lock);
		take_message(l, &m);
		(void)pthread_cond_broadcast(&l->changed);
		(void)pthread_mutex_unlock(&l->lock);
	}
	if (r < 0)
		log_fault(NULL, "SUPERVISOR", "control", r);
	(void)pthread_mutex_lock(&l->lock);
	l->is_gone = true;
	(void)pthread_cond_broadcast(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
	(void)eventfd_write(l->gone, 1);
	return NULL;
}

int link_start(struct link **ret_link, int control, struct keyd_client *domain,
	struct keyd_client *user)
{
	struct link *l = ALLOC(struct link);

	l->control = control;
	l->gone = eventfd(0, EFD_CLOEXEC);
	l->domain = domain;
	l->user = user;
	l->importer = -1;
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_mutex_init(&l->importer_turn, NULL);
	(void)pthread_mutex_init(&l->hook_turn, NULL);
	(void)pthread_cond_init(&l->changed, NULL);
	if (l->gone < 0 || pthread_create(&l->thread, NULL, link_thread, l)) {
		free(l);
		return err_fault(EAGAIN, "link thread");
	}
	*ret_link = l;
	return 0;
}

/* With the lock held: waits for a change until the deadline; false when it has passed. */
static bool wait_change(struct link *l, int64_t due_ms)
{
	struct timespec until = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 };

	return pthread_cond_clockwait(&l->changed, &l->lock, CLOCK_MONOTONIC, &until) == 0 ||
		clock_monotonic_ms() < due_ms;
}

int link_wait_keyd(struct link *l, int timeout_ms)
{
	int64_t due = clock_monotonic_ms() + timeout_ms;
	bool both;

	(void)pthread_mutex_lock(&l->lock);
	while (!(l->has_domain && l->has_user) && !l->is_gone && wait_change(l, due))
		continue;
	both = l->has_domain && l->has_user;
	(void)pthread_mutex_unlock(&l->lock);
	return both ? 0 : err_fault(ETIMEDOUT, "the key processes did not start");
}

int link_ready(struct link *l)
{
	return control_send(l->control, CONTROL_READY, NULL, 0);
}

static int importer_wait(struct link *l, int *ret_fd)
{
	int64_t due = clock_monotonic_ms() + IMPORTER_MS;
	int fd;

	(void)pthread_mutex_lock(&l->lock);
	while (l->importer < 0 && !l->is_gone && wait_change(l, due))
		continue;
	fd = l->importer;
	l->importer = -1;
	(void)pthread_mutex_unlock(&l->lock);
	if (fd < 0)
		return err_fault(ETIMEDOUT, "no importer came");
	*ret_fd = fd;
	return 0;
}

int link_importer(struct link *l, int *ret_fd)
{
	int r;

	(void)pthread_mutex_lock(&l->importer_turn);
	r = control_send(l->control, CONTROL_IMPORTER, NULL, 0);
	if (!r)
		r = importer_wait(l, ret_fd);
	(void)pthread_mutex_unlock(&l->importer_turn);
	return r;
}

static int hook_wait(struct link *l, uint32_t serial, const atomic_bool *stop,
	struct control_hook_result *ret_result)
{
	int64_t due = clock_monotonic_ms() + HOOK_MS;
	bool came;

	(void)pthread_mutex_lock(&l->lock);
	while (l->hook.serial != serial && !l->is_gone && !atomic_load(stop) &&
		clock_monotonic_ms() < due)
		(void)wait_change(l, clock_monotonic_ms() + HOOK_STEP_MS);
	came = l->hook.serial == serial;
	*ret_result = l->hook;
	(void)pthread_mutex_unlock(&l->lock);
	return came ? 0 : err_fault(ETIMEDOUT, "the hook program did not end");
}

int link_hook(struct link *l, struct control_hook *request, const atomic_bool *stop,
	struct control_hook_result *ret_result)
{
	union control_payload payload;
	int r;

	(void)pthread_mutex_lock(&l->hook_turn);
	request->serial = ++l->hook_serial;
	payload = (union control_payload){ .hook = *request };
	r = control_tell(l->control, CONTROL_HOOK, &payload);
	if (!r)
		r = hook_wait(l, request->serial, stop, ret_result);
	(void)pthread_mutex_unlock(&l->hook_turn);
	return r;
}

int link_gone_fd(const struct link *l)
{
	return l->gone;
}

struct link *link_stop(struct link *l)
{
	if (!l)
		return NULL;
	(void)shutdown(l->control, SHUT_RDWR);
	(void)pthread_join(l->thread, NULL);
	if (l->importer >= 0)
		(void)close(l->importer);
	(void)close(l->gone);
	(void)pthread_cond_destroy(&l->changed);
	(void)pthread_mutex_destroy(&l->importer_turn);
	(void)pthread_mutex_destroy(&l->hook_turn);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
	return NULL;
}
