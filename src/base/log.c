/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* What "signet log" can look back on, and the longest line; a longer one is cut, and says so. */
enum { RING_LINES = 4096, LINE_MAX_OCTETS = 2048, VALUE_MAX_OCTETS = 512 };

struct line {
	char tag[16];
	uint8_t *text;
	size_t n;
};

static struct {
	pthread_mutex_t lock;
	struct line lines[RING_LINES];
	uint64_t last; /* sequence number of the newest line; the first is 1 */
} ring = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Atomic int lowest_level = LOG_INFO;
static _Atomic bool to_stderr = true;

static bool plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7F)
			return false;
	}
	return s.n > 0;
}

/* U+0080 to U+009F, which terminals take for commands. */
static bool is_c1(struct span rest)
{
	return rest.n > 1 && rest.p[0] == 0xC2 && rest.p[1] < 0xA0;
}

/* Quoted where needed; control and non-UTF-8 octets as \xNN, so a value never ends its line. */
static void add_value(struct buf *line, struct span value)
{
	bool cut = value.n > VALUE_MAX_OCTETS;
	bool utf8;

	value = span_head(value, VALUE_MAX_OCTETS);
	if (plain(value) && !cut) {
		buf_add(line, value);
		return;
	}
	utf8 = span_is_utf8(value);
	buf_add_octet(line, '"');
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];

		if (utf8 && is_c1(span_skip(value, i)))
			buf_add_format(line, "\\xc2\\x%02x", value.p[++i]);
		else if (c < ' ' || c == 0x7F || (c >= 0x80 && !utf8))
			buf_add_format(line, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			buf_add_format(line, "\\%c", c);
		else
			buf_add_octet(line, c);
	}
	buf_add_string(line, cut ? "...\"" : "\"");
}

static void add_field(struct buf *line, const struct log_field *f)
{
	buf_add_octet(line, ' ');
	buf_add_string(line, f->key);
	buf_add_octet(line, '=');
	if (!f->is_number) {
		add_value(line, f->text);
		return;
	}
	if (f->number < 0)
		buf_add_octet(line, '-');
	buf_add_u64(line, f->number < 0 ? -(uint64_t)f->number : (uint64_t)f->number);
}

static void add_context(struct buf *line, const struct log_context *context)
{
	if (!context)
		return;
	add_context(line, context->parent);
	if (context->field.key)
		add_field(line, &context->field);
}

static void keep(const char *tag, struct span text)
{
	struct line *slot;

	(void)pthread_mutex_lock(&ring.lock);
	slot = &ring.lines[ring.last++ % RING_LINES];
	free(slot->text);
	slot->text = malloc(text.n);
	slot->n = slot->text ? text.n : 0;
	if (slot->text)
		memcpy(slot->text, text.p, text.n);
	(void)strncpy(slot->tag, tag, sizeof slot->tag - 1);
	slot->tag[sizeof slot->tag - 1] = 0;
	(void)pthread_mutex_unlock(&ring.lock);
}

void log_write(const struct log_context *context, enum log_level level, const char *tag,
	const char *event, const struct log_field *fields)
{
	static const char *const level_names[] = { "debug", "info", "warning", "error" };
	CLEANUP(buf_done) struct buf line = {};

	if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed))
		return;
	clock_add_rfc3339(&line, clock_now_us());
	buf_add_string(&line, " level=");
	buf_add_string(&line, level_names[level]);
	buf_add_string(&line, " tag=");
	buf_add_string(&line, tag);
	add_context(&line, context);
	buf_add_octet(&line, ' ');
	buf_add_string(&line, event);
	for (; fields->key; fields++)
		add_field(&line, fields);
	buf_cut(&line, LINE_MAX_OCTETS);
	buf_add_octet(&line, '\n');
	keep(tag, buf_span(&line));
	/* One write per line: lines of several threads do not mix. A closed stderr is not our fault. */
	if (atomic_load_explicit(&to_stderr, memory_order_relaxed))
		(void)!write(STDERR_FILENO, buf_span(&line).p, buf_size(&line));
}

void log_fault(const struct log_context *context, const char *tag, const char *event, int fault)
{
	LOG(context, LOG_ERROR, tag, event, log_str("error", strerror(-fault)),
		log_str("trace", err_last_trace()));
}

void log_set_level(enum log_level level)
{
	atomic_store(&lowest_level, (int)level);
}

void log_set_stderr(bool on)
{
	atomic_store(&to_stderr, on);
}

uint64_t log_read(uint64_t after, const char *tag, size_t max_lines, struct buf *out)
{
	uint64_t oldest;

	(void)pthread_mutex_lock(&ring.lock);
	oldest = ring.last > RING_LINES ? ring.last - RING_LINES : 0;
	if (after < oldest)
		after = oldest;
	if (after > ring.last)
		after = ring.last;
	for (; after < ring.last && max_lines; after++) {
		const struct line *l = &ring.lines[after % RING_LINES];

		if (tag && strcasecmp(tag, l->tag) != 0)
			continue;
		buf_add(out, span_of(l->text, l->n));
		max_lines--;
	}
	(void)pthread_mutex_unlock(&ring.lock);
	return after;
}
