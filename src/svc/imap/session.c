/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * IMAP as the session core sees it: greeting, where lines and octets go, and the ends. A session at
 * rest holds its structure, the selected mailbox's view (shared with all who see the same) and, in
 * IDLE, an empty command.
 */

#include "base/alloc.h"
#include "base/random.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"
#include "svc/imap/service.h"
#include "svc/login.h"

#include <errno.h>
#include <stdlib.h>

enum {
	LINE_MAX_GREETED = 16 << 10,   /* holds a LOGIN_LINE_MAX response */
	TIMEOUT_GREETED_MS = 60 * 1000, /* the 30 minutes of RFC 9051 section 5.4 come with login */
};

static const char id_key_name[] = "imap id key";

/* The key of object ids is made once and kept: a client's cache rests on the ids. */
static int id_key_work(struct store_conn *conn, void *arg)
{
	struct imap_service *service = arg;
	CLEANUP(alloc_freep) uint8_t *value = NULL;
	size_t n = 0;
	int r = store_value_get(conn, id_key_name, &value, &n);

	if (r == STORE_E_NOT_FOUND) {
		random_fill(service->id_key, sizeof service->id_key);
		return store_value_set(conn, id_key_name,
			span_of(service->id_key, sizeof service->id_key));
	}
	if (r)
		return err_fold(r);
	if (n != sizeof service->id_key)
		return err_fault(EINVAL, "imap id key has a wrong size");
	memcpy(service->id_key, value, n);
	return 0;
}

int imap_new(struct imap_service **ret_service, struct env *env)
{
	struct imap_service *service = ALLOC(struct imap_service);
	int r;

	service->env = env;
	r = store_write(env->store, id_key_work, service);
	if (r) {
		free(service);
		return err_fold(r);
	}
	*ret_service = service;
	return 0;
}

struct imap_service *imap_free(struct imap_service *service)
{
	free(service);
	return NULL;
}

static int imap_start(struct session *session)
{
	struct imap *s = imap_of(session);
	struct buf *out = session_out(session);

	s->service = session_service(session);
	s->env = s->service->env;
	s->state = IMAP_GREETED;
	s->log = *session_log(session);
	buf_add_string(out, "* OK [");
	any_add_capabilities(s, out);
	buf_add_format(out, "] %s Signet ready\r\n", s->env->hostname);
	return 0;
}

/* RFC 9051 section 6.2.1: what was learned before TLS is forgotten; there is only the count of
 * errors, and a command cannot be under way. */
static int imap_secured(struct session *session)
{
	imap_of(session)->errors = 0;
	return 0;
}

static int imap_line(struct session *session, struct span line)
{
	struct imap *s = imap_of(session);

	return s->on_line ? s->on_line(s, line) : command_line(s, line);
}

static int imap_octets(struct session *session, struct span data, size_t *ret_taken)
{
	*ret_taken = data.n;
	return command_octets(imap_of(session), data);
}

static int imap_octets_end(struct session *session)
{
	struct imap *s = imap_of(session);

	return s->on_octets_end ? s->on_octets_end(s) : 0;
}

/* The tag is lost with the line, so the answer is untagged; what of the command came before it is
 * given up. */
static int imap_bad_line(struct session *session, enum session_line_fault why)
{
	static const char *const texts[] = {
		[SESSION_LINE_LONG] = "line too long",
		[SESSION_LINE_BARE_CR] = "CR without LF",
		[SESSION_LINE_BARE_LF] = "LF without CR",
		[SESSION_LINE_NUL] = "NUL in a line",
	};
	struct imap *s = imap_of(session);

	if (!s->command)
		s->command = command_new(s);
	s->login = login_free(s->login);
	s->command->tag = SPAN("*");
	s->command->row = NULL;
	if (s->selected)
		atomic_store(&s->selected->idling, false);
	return imap_bad(s, s->command, texts[why]);
}

static int imap_timed_out(struct session *session)
{
	imap_bye(imap_of(session), NULL, "nothing came for too long");
	return 0;
}

static int imap_shut_down(struct session *session)
{
	imap_bye(imap_of(session), "UNAVAILABLE", "the server is stopping, come back soon");
	return 0;
}

static void imap_faulted(struct session *session)
{
	env_count(imap_of(session)->env, COUNT_FAULTS);
	session_reply_string(session, "* BYE [UNAVAILABLE] temporary failure\r\n");
}

static void imap_done(struct session *session)
{
	struct imap *s = imap_of(session);

	selected_leave(s);
	s->login = login_free(s->login);
	command_unref(s->command);
	s->command = NULL;
	free((void *)s->address.p);
}

const struct session_protocol imap_protocol = {
	.name = "imap",
	.tag = "IMAP",
	.size = sizeof(struct imap),
	.line_max = LINE_MAX_GREETED,
	.timeout_ms = TIMEOUT_GREETED_MS,
	.start = imap_start,
	.line = imap_line,
	.octets = imap_octets,
	.octets_end = imap_octets_end,
	.secured = imap_secured,
	.bad_line = imap_bad_line,
	.pull = wait_pull,
	.event = any_woken,
	.timeout = imap_timed_out,
	.shutdown = imap_shut_down,
	.fault = imap_faulted,
	.free = imap_done,
};
