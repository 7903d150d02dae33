/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * STORE (RFC 9051 section 6.4.6, RFC 7162 section 3.1.3). One task of the writer; what the client
 * is answered comes from the difference of the views (sync.c), so it is the truth also where
 * others changed the same messages.
 */

#include "store/rights.h"
#include "svc/imap/commands.h"
#include "svc/imap/core.h"

struct store_args {
	struct imap_set set;
	uint64_t unchanged_since;
	enum flags_change change;
	bool silent;
	struct imap_flags flags;

	struct imap_positions positions;
	const uint32_t *uids;
	size_t n_uids;
	uint64_t bits;
	uint64_t modseq;
	struct buf modified;
};

static void store_free(void *p)
{
	struct store_args *args = p;

	buf_done(&args->modified);
}

static bool parse_change(struct imap_parser *p, struct store_args *args)
{
	struct span name = {};

	args->change = FLAGS_SET;
	if (parse_skip(p, '+'))
		args->change = FLAGS_ADD;
	else if (parse_skip(p, '-'))
		args->change = FLAGS_REMOVE;
	if (!parse_word(p, &name))
		return false;
	args->silent = span_is_nocase(name, "FLAGS.SILENT");
	return args->silent || span_is_nocase(name, "FLAGS") || parse_fail(p, "FLAGS expected");
}

bool imap_parse_store(struct imap_parser *p, struct imap_command *c)
{
	struct store_args *args = ARENA_ALLOC(&c->arena, struct store_args);

	c->args = args;
	args->unchanged_since = UINT64_MAX;
	if (!parse_space(p) || !parse_set(p, &args->set) || !parse_space(p))
		return false;
	if (parse_at(p, '(')) {
		if (!parse_open(p))
			return false;
		if (!parse_skip_word(p, "UNCHANGEDSINCE"))
			return parse_fail(p, "unknown modifier");
		if (!parse_space(p) || !parse_number64(p, &args->unchanged_since) ||
			!parse_close(p) || !parse_space(p))
			return false;
	}
	return parse_change(p, args) && parse_space(p) && parse_flag_list(p, &args->flags);
}

static bool keyword_known(const struct keywords *k, struct span name, uint64_t *ret_bit)
{
	for (unsigned i = 0; k && i < k->n; i++) {
		if (span_is_nocase(name, k->names[i])) {
			*ret_bit = UINT64_C(1) << (FLAG_KEYWORD_SHIFT + i);
			return true;
		}
	}
	return false;
}

/* A keyword that nobody has set yet is made when it is set, not when it is taken away. */
static int keyword_bit(struct imap_command *c, struct store_conn *conn, int64_t account,
	struct span name, bool make, uint64_t *ret_bit)
{
	CLEANUP(keywords_unrefp) struct keywords *now = NULL;

	*ret_bit = 0;
	if (account == c->owner && keyword_known(c->keywords, name, ret_bit))
		return 0;
	if (make)
		return store_keyword_bit(conn, account, name, ret_bit);
	TRY(store_keywords(conn, account, &now));
	(void)keyword_known(now, name, ret_bit);
	return 0;
}

int store_flag_bits(struct imap_command *c, struct store_conn *conn, int64_t account,
	const struct imap_flags *flags, bool make, uint64_t *ret_bits)
{
	uint64_t bits = flags->system;

	for (size_t i = 0; i < flags->n_keywords; i++) {
		uint64_t bit;
		int r = keyword_bit(c, conn, account, flags->keywords[i], make, &bit);

		if (r)
			return r;
		bits |= bit;
	}
	*ret_bits = bits;
	return 0;
}

static int store_work(struct imap_command *c, struct store_conn *conn)
{
	struct store_args *args = c->args;
	int r = imap_check_rights(c, conn, ACL_READ);
	uint64_t within = rights_flags(c->rights);
	bool make = args->change != FLAGS_REMOVE && (c->rights & ACL_WRITE);

	if (!r)
		r = store_flag_bits(c, conn, c->owner, &args->flags, make, &args->bits);
	if (r)
		return r;
	/* RFC 4314 section 4: what may be changed is changed, unless that is nothing. */
	if (!within || (args->change != FLAGS_SET && args->bits && !(args->bits & within)))
		return STORE_E_RIGHTS;
	buf_clear(&args->modified); /* a transaction may be run again */
	return store_flags_within(conn, c->mailbox, args->uids, args->n_uids, args->change,
		args->bits, within, args->unchanged_since, &args->modified, &args->modseq);
}

/* RFC 7162 section 3.1.3: UIDs for UID STORE, else sequence numbers. */
static const char *modified_code(struct imap_command *c, struct store_args *args)
{
	CLEANUP(buf_done) struct buf code = {};
	size_t n = buf_size(&args->modified) / sizeof(uint32_t);
	uint32_t *numbers = arena_alloc(&c->arena, n * sizeof *numbers);

	memcpy(numbers, buf_span(&args->modified).p, n * sizeof *numbers);
	for (size_t i = 0; i < n && !c->uid; i++)
		numbers[i] = view_find(c->view, numbers[i]) + 1;
	buf_add_string(&code, "MODIFIED ");
	set_add_numbers(&code, numbers, n);
	return arena_string(&c->arena, buf_span(&code));
}

static int store_done(struct imap *s, struct imap_command *c, int outcome)
{
	struct store_args *args = c->args;
	bool refused;

	if (outcome == STORE_E_LIMIT)
		return imap_no(s, c, "LIMIT", "too many keywords");
	if (outcome)
		return imap_no_store(s, c, outcome, NULL);
	if (args->modseq)
		imap_changed(s);
	/* Of what was refused the client must learn the flags, and who was not is told with it. */
	refused = buf_size(&args->modified) > 0;
	imap_tell_flags(c, &args->positions, args->change, args->bits, args->silent && !refused);
	if (refused)
		return imap_ok(s, c, modified_code(c, args), "Some were changed by others");
	return imap_ok(s, c, NULL, "Stored");
}

int imap_store(struct imap *s, struct imap_command *c)
{
	struct store_args *args = c->args;

	imap_command_release(c, store_free, args);
	if (args->unchanged_since != UINT64_MAX)
		imap_enable_condstore(s, c);
	if (!imap_resolve(s, c, &args->set, c->uid, &args->positions))
		return imap_bad(s, c, "no such message");
	args->uids = imap_uids(c, &args->positions, &args->n_uids);
	if (args->n_uids == 0)
		return imap_ok(s, c, NULL, "Nothing to store");
	return imap_wait_write(s, c, store_work, store_done);
}
