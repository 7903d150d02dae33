/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Commands about the session itself: what it can do, who the client is, waiting for news. */

#include "store/settings.h"
#include "svc/env.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"
#include "svc/login.h"

/* Before login only what is of use there: a scanner learns little, and clients ask again. LITERAL-
 * and LITERAL+ exclude each other (RFC 7888 section 5). */
void any_add_capabilities(struct imap *s, struct buf *out)
{
	CLEANUP(settings_unrefp) struct settings *settings = NULL;

	buf_add_string(out, "CAPABILITY IMAP4rev1 IMAP4rev2 ID ENABLE SASL-IR");
	if (s->state == IMAP_GREETED) {
		buf_add_string(out, " LITERAL-");
		if (s->env->tls && !session_is_tls(&s->session))
			buf_add_string(out, " STARTTLS");
		if (!login_allowed(&s->session, s->env))
			buf_add_string(out, " LOGINDISABLED");
		login_mechanisms(&s->session, s->env, " AUTH=", out);
		return;
	}
	settings = settings_get(s->env->store);
	buf_add_string(out,
		" LITERAL+ IDLE NAMESPACE UIDPLUS MOVE CONDSTORE QRESYNC ESEARCH SEARCHRES SORT"
		" THREAD=ORDEREDSUBJECT THREAD=REFERENCES LIST-EXTENDED LIST-STATUS SPECIAL-USE"
		" CREATE-SPECIAL-USE STATUS=SIZE UNSELECT BINARY CHILDREN QUOTA QUOTA=RES-STORAGE"
		" QUOTA=RES-MESSAGE MULTIAPPEND SAVEDATE OBJECTID UTF8=ACCEPT WITHIN ESORT"
		" ACL RIGHTS=texk");
	buf_add_format(out, " APPENDLIMIT=%llu", (unsigned long long)settings->message_max);
	if (!s->compressed)
		buf_add_string(out, " COMPRESS=DEFLATE");
}

int imap_capability(struct imap *s, struct imap_command *c)
{
	struct buf *out = session_out(&s->session);

	buf_add_string(out, "* ");
	any_add_capabilities(s, out);
	buf_add_string(out, "\r\n");
	return imap_ok(s, c, NULL, "Capabilities listed");
}

int imap_noop(struct imap *s, struct imap_command *c)
{
	return imap_ok(s, c, NULL, "Done");
}

int imap_logout(struct imap *s, struct imap_command *c)
{
	session_reply_string(&s->session, "* BYE Goodbye\r\n");
	session_end(&s->session);
	return imap_ok(s, c, NULL, "Logged out");
}

struct id {
	struct span name, version;
};

/* RFC 2971 section 3.3: at most 30 pairs. */
bool imap_parse_id(struct imap_parser *p, struct imap_command *c)
{
	enum { PAIRS_MAX = 30 };
	struct id *id = ARENA_ALLOC(&c->arena, struct id);
	unsigned n = 0;

	c->args = id;
	if (!parse_space(p))
		return false;
	if (parse_skip_word(p, "NIL"))
		return true;
	if (!parse_open(p))
		return false;
	if (parse_at(p, ')'))
		return parse_close(p);
	do {
		struct span field = {}, value = {};

		if (!parse_string(p, &field) || !parse_space(p) || !parse_nstring(p, &value))
			return false;
		if (++n > PAIRS_MAX)
			return parse_fail(p, "too many fields");
		if (span_is_nocase(field, "name"))
			id->name = value;
		else if (span_is_nocase(field, "version"))
			id->version = value;
	} while (parse_skip(p, ' '));
	return parse_close(p);
}

int imap_id(struct imap *s, struct imap_command *c)
{
	const struct id *id = c->args;

	if (id->name.p)
		LOG(&s->log, LOG_INFO, "IMAP", "imap.id", log_span("name", id->name),
			log_span("version", id->version));
	session_reply_string(&s->session, "* ID (\"name\" \"Signet\")\r\n");
	return imap_ok(s, c, NULL, "Nice to meet you");
}

static const struct {
	const char *name;
	unsigned bits;
} extensions[] = {
	{ "CONDSTORE", IMAP_CONDSTORE },
	{ "QRESYNC", IMAP_QRESYNC | IMAP_CONDSTORE },
	{ "UTF8=ACCEPT", IMAP_UTF8 },
	{ "IMAP4rev2", IMAP_REV2 | IMAP_UTF8 },
};

enum { EXTENSIONS = sizeof extensions / sizeof extensions[0] };

/* Positions in extensions; names that are unknown are passed over (RFC 5161 section 3.1). */
struct enable {
	bool wanted[EXTENSIONS];
};

bool imap_parse_enable(struct imap_parser *p, struct imap_command *c)
{
	struct enable *enable = ARENA_ALLOC(&c->arena, struct enable);

	c->args = enable;
	if (!parse_space(p))
		return false;
	do {
		struct span name = {};

		if (!parse_atom(p, &name))
			return false;
		for (size_t i = 0; i < EXTENSIONS; i++)
			enable->wanted[i] |= span_is_nocase(name, extensions[i].name);
	} while (parse_skip(p, ' '));
	return true;
}

/* RFC 6855 section 3: what names look like must not change under a selected mailbox. */
int imap_enable(struct imap *s, struct imap_command *c)
{
	const struct enable *enable = c->args;
	struct buf *out = session_out(&s->session);

	buf_add_string(out, "* ENABLED");
	for (size_t i = 0; i < EXTENSIONS; i++) {
		unsigned bits = extensions[i].bits;

		if (!enable->wanted[i] || ((bits & IMAP_UTF8) && s->selected))
			continue;
		s->enabled |= bits;
		buf_add_format(out, " %s", extensions[i].name);
	}
	buf_add_string(out, "\r\n");
	return imap_ok(s, c, NULL, "Enabled");
}

bool imap_parse_compress(struct imap_parser *p, struct imap_command *c)
{
	(void)c;
	if (!parse_space(p))
		return false;
	return parse_skip_word(p, "DEFLATE") || parse_fail(p, "unknown compression");
}

/* RFC 4978 section 3: the answer is the last thing that is sent uncompressed. */
int imap_compress(struct imap *s, struct imap_command *c)
{
	if (s->compressed)
		return imap_no(s, c, "COMPRESSIONACTIVE", "compression is on");
	s->compressed = true;
	session_compress(&s->session);
	return imap_ok(s, c, NULL, "Compression starts");
}

static int idle_line(struct imap *s, struct span line)
{
	struct imap_command *c = s->command;

	if (s->selected)
		atomic_store(&s->selected->idling, false);
	s->on_line = NULL;
	if (!span_is_nocase(line, "DONE"))
		return imap_bad(s, c, "only DONE ends IDLE");
	return imap_ok(s, c, NULL, "Idle ended");
}

static int idle_rest(struct imap *s, struct imap_command *c)
{
	(void)s;
	(void)c;
	return 0;
}

/* The watch wakes the session from the moment `idling` is set; what changed before is told now. The
 * command may last for hours and must not keep the view of its beginning. */
int imap_idle(struct imap *s, struct imap_command *c)
{
	c->view = view_unref(c->view);
	s->on_line = idle_line;
	session_reply_string(&s->session, "+ idling\r\n");
	if (s->selected)
		atomic_store(&s->selected->idling, true);
	return sync_start(s, c, true, idle_rest);
}

int any_woken(struct session *session)
{
	struct imap *s = imap_of(session);

	if (s->on_line != idle_line)
		return 0;
	return sync_start(s, s->command, true, idle_rest);
}
