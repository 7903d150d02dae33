/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Scripts run for each account that the message leads to, in the order in which delivery will come
 * to them; those that a redirect leads to here are appended to the list that is being worked off,
 * so rules of both apply and a circle ends: nobody's rules run twice for one address.
 *
 * Nothing here is lasting. That a mailbox, a right or an account is gone by the time of the
 * delivery is seen there, and then mail is kept where it would be without rules.
 */

#include "mail/plan_parts.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limit.h"
#include "mail/answer.h"
#include "mail/intake.h"
#include "mail/own_cert.h"
#include "mail/rule_cache.h"
#include "mime/header.h"
#include "mime/part.h"
#include "sieve/eval.h"
#include "store/account.h"
#include "store/rule_rows.h"
#include "store/secure_rows.h"
#include "store/sharing.h"
#include "store/store.h"

#include <stdlib.h>
#include <time.h>

enum {
	RECIPIENTS_MAX = 20000, /* accounts of one message, by each address */
	REDIRECTED_MAX = 50, /* more of them by redirects, and REDIRECTED_EACH for each of these */
	REDIRECTED_EACH = SIEVE_REDIRECTS_MAX,
	ACTS_MAX = 3 * SIEVE_ACTIONS_MAX + 1,
	FORMS_FREE = 2, /* of a message for one account, whatever its size */
	OWN_SHARE = 16 << 10,
};

/* Steps of all scripts for one message: a list of a thousand accounts must not stop a reader. When
 * they are used up, the others have still what an ordinary script needs. */
static const uint64_t steps_max = 10ULL * SIEVE_STEPS_MAX, steps_least = 100000;

static const char *const levels[] = { "server", "domain", "account" };

/* An account at which the message arrives. */
struct arrival {
	int64_t account;
	struct span recipient;
	struct span header; /* fields that an earlier script has left; n 0: the message's own */
	unsigned depth;     /* redirects on the way */
};

struct making {
	struct plan *plan;
	struct store_conn *conn;
	struct arrival *arrivals;
	size_t n_arrivals, n_recipients; /* the first of them */
	struct map arrived;
	struct map candidates; /* by account */
	bool no_room;          /* for an arrival */
	bool keeps;            /* somebody gets the message as it came */
	bool sealed_known, sealed;
	struct buf header; /* all of it, if it was needed and is not at hand */

	/* Of the arrival that is looked at. */
	struct store_account account;
	const struct arrival *arrival;
	enum rule_level level;
	struct plan_act acts[ACTS_MAX];
	size_t n_acts;
	size_t n_forms; /* that its scripts may want, and their octets */
	uint64_t n_form_octets;
	size_t own_share; /* octets that its scripts may still hold beside what all may */
};

static void *position_put(size_t i)
{
	return (void *)(uintptr_t)(i + 1);
}

static size_t position_get(const void *p)
{
	return (size_t)(uintptr_t)p - 1;
}

/* Changed headers are held once, so that the same one is at the same place. */
static void form_key(const struct form *form, struct buf *out)
{
	const uint8_t *header = form->header.n ? form->header.p : NULL;

	buf_add(out, span_of(&header, sizeof header));
	buf_add(out, span_of(form->accounts, sizeof form->accounts));
	buf_add(out, form->front);
}

static uint64_t form_size(const struct plan *p, const struct form *form)
{
	return form->whole.n ? form->whole.n : form->header.n + intake_size(p->request.intake);
}

uint32_t plan_form_add(struct plan *p, const struct form *form)
{
	CLEANUP(buf_done) struct buf key = {};
	const void *there;

	form_key(form, &key);
	there = form->whole.n ? NULL : map_get(&p->forms_by, buf_span(&key));
	if (there)
		return (uint32_t)position_get(there);
	p->n_building += form_size(p, form);
	p->too_much |= p->n_forms == PLAN_FORMS_MAX || p->n_building > PLAN_BUILD_MAX;
	if (p->too_much)
		return PLAN_SAME;
	if ((p->n_forms & (p->n_forms - 1)) == 0)
		p->forms = alloc_array(p->forms, p->n_forms ? 2 * (size_t)p->n_forms : 1,
			sizeof p->forms[0]);
	p->forms[p->n_forms] = *form;
	if (form->whole.n == 0)
		(void)map_put(&p->forms_by, buf_span(&key), position_put(p->n_forms));
	return p->n_forms++;
}

void plan_note_add(struct plan *p, enum plan_note_kind kind, struct span account, const char *level,
	struct span text)
{
	if (p->n_notes == PLAN_NOTES_MAX) {
		p->n_notes_more++;
		return;
	}
	if (!p->notes)
		p->notes = alloc_array(NULL, PLAN_NOTES_MAX, sizeof p->notes[0]);
	p->notes[p->n_notes++] = (struct plan_note){
		.kind = kind,
		.account = arena_span(&p->arena, account),
		.level = level,
		.text = arena_span(&p->arena, text),
	};
}

static void note(struct making *m, enum plan_note_kind kind, struct span text)
{
	plan_note_add(m->plan, kind, m->account.address, levels[m->level], text);
}

/* An account as one address leads to it. */
static void arrival_key(int64_t account, struct span recipient, struct buf *out)
{
	buf_add(out, span_of(&account, sizeof account));
	buf_add(out, recipient);
}

static bool has_room(const struct making *m, unsigned depth)
{
	if (depth == 0)
		return m->n_arrivals < RECIPIENTS_MAX;
	return depth <= PLAN_REDIRECT_DEPTH &&
	       m->n_arrivals - m->n_recipients < REDIRECTED_MAX + REDIRECTED_EACH * m->n_recipients;
}

/* Once for each account and address. */
static void add_arrival(struct making *m, int64_t account, struct span recipient,
	struct span header)
{
	CLEANUP(buf_done) struct buf key = {};
	unsigned depth = m->arrival ? m->arrival->depth + 1 : 0;

	arrival_key(account, recipient, &key);
	if (map_get(&m->arrived, buf_span(&key)))
		return;
	if (!has_room(m, depth)) {
		m->no_room = true;
		return;
	}
	(void)map_put(&m->arrived, buf_span(&key), m);
	if ((m->n_arrivals & (m->n_arrivals - 1)) == 0)
		m->arrivals = alloc_array(m->arrivals, m->n_arrivals ? m->n_arrivals * 2 : 1,
			sizeof m->arrivals[0]);
	m->arrivals[m->n_arrivals++] = (struct arrival){
		.account = account,
		.recipient = arena_span(&m->plan->arena, recipient),
		.header = header,
		.depth = depth,
	};
}

/* Accounts of ours behind an address. */
static int add_address(struct making *m, const struct mail_address *address, struct span header)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf text = {};
	struct route route;

	mail_address_add(&text, address);
	TRY(store_route(m->conn, &arena, address->local, address->domain,
		m->plan->request.separators, &route));
	for (size_t i = 0; i < route.n_targets; i++) {
		if (route.targets[i].account && !route.targets[i].disabled)
			add_arrival(m, route.targets[i].account, buf_span(&text), header);
		else
			m->keeps = true;
	}
	m->keeps |= route.kind == ROUTE_REMOTE;
	return 0;
}

static bool mailbox_exists(void *context, struct span name)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct shared_mailbox box;
	struct making *m = context;

	return store_mailbox_reach(m->conn, &arena, m->account.id, name, ACL_POST, &box) == 0;
}

static struct plan_act *new_act(struct making *m, const struct sieve_action *a)
{
	struct plan_act *act = &m->acts[m->n_acts++];
	/* No mailbox can have a longer name: the mail goes where one goes that is not there. */
	bool none = a->kind == SIEVE_FILEINTO && a->target.n > LIMIT_MAILBOX_NAME;

	*act = (struct plan_act){
		.owner = m->account.id,
		.target = none ? (struct span){} : arena_span(&m->plan->arena, a->target),
		.flags = arena_span(&m->plan->arena, a->flags),
		.create = a->create,
		.mandatory = a->mandatory,
		.form = PLAN_SAME,
	};
	return act;
}

/*
 * Whether a rule of that level may put mail into a mailbox of the name, and whose it is. An
 * account's own rules may what the account may (RFC 4314's right p); a domain's rules reach all
 * accounts of the domain, and the server's all. One that is not there is made only by these.
 */
static int rule_may_deliver(struct making *m, struct arena *a, struct span name, bool create,
	bool *ret_may, int64_t *ret_owner, struct span *ret_path)
{
	struct shared_mailbox box;
	struct store_mailbox there;
	struct store_account owner;
	int r;

	*ret_may = false;
	if (m->level == RULE_ACCOUNT) {
		r = store_mailbox_reach(m->conn, a, m->account.id, name, ACL_POST, &box);
		if (r == 0) {
			*ret_owner = box.box.account;
			*ret_path = box.path;
		}
	} else {
		r = store_mailbox_place(m->conn, a, m->account.id, name, ret_owner, ret_path);
		if (r == 0) {
			TRY(store_account_get(m->conn, a, *ret_owner, &owner));
			if (m->level == RULE_DOMAIN && owner.domain != m->account.domain)
				return 0;
			if (!create)
				r = store_mailbox_find(m->conn, a, *ret_owner, *ret_path, &there);
		}
	}
	*ret_may = r == 0;
	return r < 0 ? r : 0;
}

/* Where fileinto leads. What begins with ~ is somebody's; everything else is looked up when the
 * mail is delivered. */
static int resolve(struct making *m, const struct sieve_action *a, struct plan_act *act)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct span path;
	int64_t owner;
	bool may;

	if (a->kind == SIEVE_KEEP)
		act->target = (struct span){};
	if (act->target.n == 0 || act->target.p[0] != '~')
		return 0;
	TRY(rule_may_deliver(m, &arena, a->target, a->create, &may, &owner, &path));
	act->target = may ? arena_span(&m->plan->arena, path) : (struct span){};
	if (may)
		act->owner = owner;
	else
		note(m, NOTE_RIGHT, a->target);
	if (m->level == RULE_ACCOUNT && act->owner != m->account.id)
		act->by = m->account.id;
	return 0;
}

/* An account whose certificate was asked for. */
struct candidate {
	enum own_cert_fault fault;
	struct span why; /* of a fault */
	struct seal_recipient recipient;
};

static int find_candidate(struct making *m, int64_t account, struct candidate *ret)
{
	CLEANUP(own_cert_done) struct own_cert own = {};
	struct own_cert_wish wish = {
		.account = account,
		.use = OWN_CERT_ENCRYPT,
		.now_us = m->plan->request.now_us,
		.cache = m->plan->request.certs,
	};
	int r = own_cert_find(m->conn, &wish, &own);

	*ret = (struct candidate){ .fault = OWN_CERT_NONE };
	if (r == STORE_E_NOT_FOUND)
		return 0;
	TRY(r);
	ret->fault = own.fault;
	if (own.fault)
		ret->why = arena_span(&m->plan->arena, span_str(own.why.text));
	else
		ret->recipient = (struct seal_recipient){
			.der = arena_span(&m->plan->arena, cert_der(own.cert)),
			.cipher = store_secure_ciphers[own.cipher],
		};
	return 0;
}

/* The certificate that mail for the account is encrypted to (CGP-62), else why there is none. */
static int find_recipient(struct making *m, int64_t account, const struct candidate **ret_candidate)
{
	struct span key = span_of(&account, sizeof account);
	struct candidate *c = map_get(&m->candidates, key);

	if (!c) {
		c = ARENA_ALLOC(&m->plan->arena, struct candidate);
		TRY(find_candidate(m, account, c));
		(void)map_put(&m->candidates, key, c);
	}
	*ret_candidate = c;
	return 0;
}

static void set_reject(struct plan_act *act, struct span reason, const char *status)
{
	act->kind = PLAN_REJECT;
	act->reason = reason;
	act->status = status;
}

/* It will not be encrypted: the message says so itself, and so does the log, with what the
 * certificate says. */
static void stay_clear(struct making *m, struct plan_act *act, const struct sieve_action *a,
	struct form *form, const char *reason, struct span detail)
{
	CLEANUP(buf_done) struct buf field = {}, text = {};

	buf_add_string(&text, reason);
	buf_add_string(&text, detail.n ? ": " : "");
	buf_add(&text, detail);
	note(m, NOTE_CLEAR, buf_span(&text));
	if (a->mandatory) {
		set_reject(act,
			SPAN("this mailbox takes encrypted mail only, and the server has no"
			     " certificate to encrypt it to"),
			"5.7.10");
		return;
	}
	buf_add_format(&field, "Signet-Not-Encrypted: %s\r\n", reason);
	form->front = arena_span(&m->plan->arena, buf_span(&field));
}

/* Once for a message: whether it is encrypted already. Of a large one the front tells. */
static int find_sealed(struct making *m)
{
	CLEANUP(buf_done) struct buf front = {};
	const struct intake *in = m->plan->request.intake;
	struct span message = intake_head(in);

	if (m->sealed_known)
		return 0;
	if (seal_is_claimed(intake_tree(in))) {
		if (!intake_in_memory(in)) {
			TRY(intake_read_part(in, m->conn, 0, SEAL_FRONT, &front));
			message = buf_span(&front);
		}
		m->sealed = seal_is_sealed(intake_tree(in), message);
	}
	m->sealed_known = true;
	return 0;
}

/* Of the mailbox's owner, and of the account whose mail it was; for the message itself: words of ours
 * alone, since what stands in a certificate is somebody else's. */
static const char *const no_cert_texts[2][OWN_CERT_REVOKED + 1] = {
	{
		[OWN_CERT_OFF] = "Secure Mail is switched off for the owner of the mailbox",
		[OWN_CERT_NONE] = "the owner of the mailbox has no certificate",
		[OWN_CERT_UNFIT] = "the certificate of the owner of the mailbox is not for encryption",
		[OWN_CERT_NOT_YET] = "the certificate of the owner of the mailbox is not valid yet",
		[OWN_CERT_EXPIRED] = "the certificate of the owner of the mailbox has expired",
		[OWN_CERT_REVOKED] = "the certificate of the owner of the mailbox was revoked",
	},
	{
		[OWN_CERT_OFF] = "Secure Mail is switched off for the account whose mail it was",
		[OWN_CERT_NONE] = "the account whose mail it was has no certificate",
		[OWN_CERT_UNFIT] = "the certificate of the account whose mail it was is not for encryption",
		[OWN_CERT_NOT_YET] = "the certificate of the account whose mail it was is not valid yet",
		[OWN_CERT_EXPIRED] = "the certificate of the account whose mail it was has expired",
		[OWN_CERT_REVOKED] = "the certificate of the account whose mail it was is revoked",
	},
};

/* CGP-62, CGP-63: for the mailbox's owner and, where a rule of the account or the domain names a
 * mailbox of somebody else, for the account too. */
static int encrypt(struct making *m, const struct sieve_action *a, struct plan_act *act,
	struct form *form)
{
	int64_t accounts[2] = { act->owner, m->account.id };
	size_t n = act->owner != m->account.id && m->level != RULE_SERVER ? 2 : 1;

	TRY(find_sealed(m));
	if (m->sealed)
		return 0;
	form->to = arena_alloc(&m->plan->arena, 2 * sizeof form->to[0]);
	for (size_t i = 0; i < n; i++) {
		const struct candidate *k;

		TRY(find_recipient(m, accounts[i], &k));
		if (k->fault) {
			bool is_certs = k->fault != OWN_CERT_NONE && k->fault != OWN_CERT_OFF;

			stay_clear(m, act, a, form, no_cert_texts[i][k->fault],
				is_certs ? k->why : SPAN(""));
			return 0;
		}
		form->to[i] = k->recipient;
	}
	if (intake_size(m->plan->request.intake) > PLAN_MESSAGE_MAX) {
		stay_clear(m, act, a, form, "the message is too large", SPAN(""));
		return 0;
	}
	act->owner_only = n == 1 && act->owner != m->account.id;
	form->n_to = n;
	form->accounts[0] = accounts[0];
	form->accounts[1] = n == 2 ? accounts[1] : 0;
	return 0;
}

static int add_mailbox(struct making *m, const struct sieve_action *a)
{
	struct plan_act *act = new_act(m, a);
	struct form form = { .header = a->header };

	act->kind = PLAN_MAILBOX;
	TRY(resolve(m, a, act));
	if (a->encrypt)
		TRY(encrypt(m, a, act, &form));
	if (act->kind != PLAN_MAILBOX ||
		(form.header.n == 0 && form.front.n == 0 && form.n_to == 0))
		return 0;
	act->form = plan_form_add(m->plan, &form);
	return 0;
}

/* RFC 5228 section 4.2: the copy carries a mark by which a loop is found, here and at other
 * servers. The fields that a script has changed go along. */
static int add_redirect(struct making *m, const struct sieve_action *a)
{
	CLEANUP(buf_done) struct buf field = {};
	struct plan_act *act = new_act(m, a);
	struct mail_address address = mail_address_split(act->target);
	struct form form = { .header = a->header };

	m->no_room = false;
	TRY(add_address(m, &address, form.header));
	if (m->no_room) {
		note(m, NOTE_FAILED, SPAN("the message was redirected too often: it is kept"));
		act->kind = PLAN_MAILBOX;
		act->target = (struct span){};
		if (form.header.n)
			act->form = plan_form_add(m->plan, &form);
		return 0;
	}
	act->kind = PLAN_REDIRECT;
	buf_add_string(&field, "Delivered-To: ");
	buf_add(&field, m->account.address);
	buf_add_string(&field, "\r\n");
	form.front = arena_span(&m->plan->arena, buf_span(&field));
	act->form = plan_form_add(m->plan, &form);
	return 0;
}

static void add_vacation(struct making *m, const struct sieve_action *a)
{
	CLEANUP(buf_done) struct buf text = {}, unique = {};
	struct plan_act *act = new_act(m, a);
	const struct plan_request *request = &m->plan->request;
	struct form form = {};

	buf_add_format(&unique, "%s.%u", request->unique, m->plan->n_forms);
	answer_compose(
		&(struct answer){
			.action = a,
			.from = m->account.address,
			.name = m->account.name,
			.message = intake_head(request->intake),
			.hostname = request->hostname,
			.unique = buf_span(&unique),
			.now_us = request->now_us,
		},
		&text);
	form.whole = arena_span(&m->plan->arena, buf_span(&text));
	act->kind = PLAN_VACATION;
	act->handle = arena_span(&m->plan->arena, a->handle);
	act->until_us = request->now_us + (int64_t)a->days * 24 * 3600 * 1000000;
	act->form = plan_form_add(m->plan, &form);
}

static int add_action(struct making *m, const struct sieve_action *a)
{
	switch (a->kind) {
	case SIEVE_KEEP:
	case SIEVE_FILEINTO:
		return add_mailbox(m, a);
	case SIEVE_REDIRECT:
		return add_redirect(m, a);
	case SIEVE_REJECT:
	case SIEVE_EREJECT:
		set_reject(new_act(m, a), arena_span(&m->plan->arena, a->reason), "5.7.1");
		return 0;
	case SIEVE_VACATION:
		add_vacation(m, a);
		return 0;
	}
	return 0;
}

/* The server's zone at that moment. */
static int zone_minutes(int64_t now_us)
{
	time_t now = (time_t)(now_us / 1000000);
	struct tm t;

	return localtime_r(&now, &t) ? (int)(t.tm_gmtoff / 60) : 0;
}

/* A header that is longer than what is at hand, once. */
static int load_header(struct making *m)
{
	const struct intake *in = m->plan->request.intake;
	uint64_t n = intake_tree(in)->parts[0].body_offset;

	if (buf_size(&m->header))
		return 0;
	return intake_read_part(in, m->conn, 0, n < SIEVE_HEADER_MAX ? n : SIEVE_HEADER_MAX,
		&m->header);
}

static int eval(struct making *m, const struct sieve_script *s, struct span header,
	struct span flags, struct sieve_result *result, struct why *why)
{
	CLEANUP(buf_done) struct buf sender = {};
	const struct plan_request *request = &m->plan->request;
	struct span head = intake_head(request->intake);
	bool cut = head.n < intake_size(request->intake) && header_size(head) == head.n;
	struct sieve_input in = {
		.message = head,
		.tree = intake_tree(request->intake),
		.size = intake_size(request->intake),
		.recipient = m->arrival->recipient,
		.separators = request->separators,
		.own_address = m->account.address,
		.now_us = request->now_us,
		.zone_minutes = zone_minutes(request->now_us),
		.header = header,
		.flags = flags,
		.mailbox_exists = mailbox_exists,
		.context = m,
	};

	mail_address_add(&sender, &request->transaction->sender);
	in.sender = buf_span(&sender);
	if (!sieve_script_uses_body(s) && cut) {
		TRY(load_header(m));
		in.message = buf_span(&m->header);
	} else if (sieve_script_uses_body(s)) {
		if (in.size > PLAN_MESSAGE_MAX) {
			why_set(why, "the message is too large for rules about its body");
			return SIEVE_E_FAILED;
		}
		TRY(plan_load(m->plan, m->conn));
		in.message = m->plan->message;
	}
	in.steps_max = m->plan->steps < steps_max ? steps_max - m->plan->steps : 0;
	if (in.steps_max < steps_least)
		in.steps_max = steps_least;
	return sieve_eval(s, &in, result, why);
}

/* Octets that a script has made and that stay until the message is delivered. What an ordinary
 * script needs is there for each account, whatever the others take. */
static bool hold(struct making *m, size_t n)
{
	struct plan *p = m->plan;

	if (n <= m->own_share) {
		m->own_share -= n;
		return true;
	}
	if (n > PLAN_HELD_MAX - p->held)
		return false;
	p->held += n;
	return true;
}

/* A changed header, once for all scripts that come to the same. */
static bool hold_header(struct making *m, struct span *header)
{
	struct plan *p = m->plan;
	uint8_t digest[SHA256_OCTETS];
	struct span *held;

	if (header->n == 0)
		return true;
	digest_sha256(*header, digest);
	held = map_get(&p->headers_by, span_of(digest, sizeof digest));
	if (!held) {
		if (!hold(m, header->n))
			return false;
		held = ARENA_ALLOC(&p->arena, struct span);
		*held = arena_span(&p->arena, *header);
		(void)map_put(&p->headers_by, span_of(digest, sizeof digest), held);
	}
	*header = *held;
	return true;
}

/* known: the header as it was before the script, which is held already. */
static bool hold_all(struct making *m, struct span known, struct sieve_result *result)
{
	struct span last = result->header, held = last;
	bool good = last.p == known.p || hold_header(m, &held);

	result->header = held;
	for (size_t i = 0; i < result->n && good; i++) {
		struct sieve_action *a = &result->actions[i];

		good = hold(m, sizeof(struct plan_act) + a->target.n + a->reason.n + a->flags.n);
		if (a->header.p != last.p) { /* else digested just before */
			last = held = a->header;
			good = good && hold_header(m, &held);
		}
		if (a->header.n)
			a->header = held;
	}
	return good;
}

/* The forms of a large message that one script may want are bounded too: it runs for every message
 * that a stranger sends. */
static bool counts_forms(struct making *m, const struct sieve_result *result)
{
	const struct sieve_action *before = NULL;

	for (size_t i = 0; i < result->n; i++) {
		const struct sieve_action *a = &result->actions[i];
		bool redirect = a->kind == SIEVE_REDIRECT;

		if (a->encrypt || ((redirect || a->header.n) &&
					  (!before || before->header.p != a->header.p ||
						  (before->kind == SIEVE_REDIRECT) != redirect))) {
			m->n_forms++;
			m->n_form_octets += intake_size(m->plan->request.intake) + a->header.n;
		}
		before = a;
	}
	return m->n_forms <= FORMS_FREE || m->n_form_octets <= PLAN_ENTRY_OCTETS_MAX;
}

static int take_result(struct making *m, struct span known, struct sieve_result *result,
	struct why *why)
{
	if (!hold_all(m, known, result)) {
		why_set(why, "the rules of all recipients make too many headers and texts");
		return SIEVE_E_FAILED;
	}
	if (!counts_forms(m, result)) {
		why_set(why, "too many forms of a message of this size");
		return SIEVE_E_FAILED;
	}
	return 0;
}

/* A script that failed would have had some mail encrypted or refused. Which, nobody knows now, and
 * whoever sends must not get mail in clear past it by making it fail. */
static void refuse_unread(struct making *m)
{
	set_reject(new_act(m, &(struct sieve_action){ .kind = SIEVE_REJECT }),
		SPAN("this mailbox may take encrypted mail only, and its rules cannot deal with"
		     " the message"),
		"5.7.10");
}

/* One script. *ret_goes_on: the next one is asked. */
static int run_rule(struct making *m, const struct store_rule *rule, struct span *header,
	struct span *flags, bool *ret_goes_on)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *s = NULL;
	CLEANUP(sieve_result_done) struct sieve_result result = {};
	struct sieve_report report;
	struct why why = {};
	int r;

	m->level = rule->level;
	*ret_goes_on = true;
	r = rule_cache_get(m->plan->request.cache, rule->sha256, rule->text, &s, &report);
	if (r > 0) /* stored before the language changed */
		why_set(&why, "line %u: %s", report.error.line, report.error.text);
	if (r == 0)
		r = eval(m, s, *header, *flags, &result, &why);
	m->plan->steps += result.steps;
	if (r == 0)
		r = take_result(m, *header, &result, &why);
	if (r > 0)
		note(m, NOTE_FAILED, span_str(why.text));
	if (r > 0 && s && sieve_script_is_mandatory(s)) {
		*ret_goes_on = false;
		refuse_unread(m);
	}
	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < result.n; i++)
		TRY(add_action(m, &result.actions[i]));
	*header = result.header;
	*flags = arena_span(&m->plan->arena, result.flags);
	*ret_goes_on = result.implicit_keep && !result.stopped;
	if (result.implicit_keep && result.stopped)
		TRY(add_action(m, &(struct sieve_action){ .kind = SIEVE_KEEP,
					  .flags = *flags,
					  .header = *header }));
	return 0;
}

/* RFC 5230 section 4.7, RFC 5429 section 2.3: who refuses does not answer. */
static void drop_answers(struct making *m)
{
	bool rejects = false;
	size_t n = 0;

	for (size_t i = 0; i < m->n_acts; i++)
		rejects |= m->acts[i].kind == PLAN_REJECT;
	for (size_t i = 0; i < m->n_acts; i++) {
		if (!rejects || m->acts[i].kind != PLAN_VACATION)
			m->acts[n++] = m->acts[i];
	}
	m->n_acts = n;
}

static int run_rules(struct making *m)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_rule rules[3];
	struct span header = m->arrival->header, flags = {};
	bool goes_on = true;
	size_t n;

	TRY(store_account_get(m->conn, &arena, m->arrival->account, &m->account));
	TRY(store_rules_for(m->conn, &arena, m->account.id, rules, &n));
	m->n_acts = m->n_forms = 0;
	m->n_form_octets = 0;
	m->own_share = OWN_SHARE;
	for (size_t i = 0; i < n && goes_on; i++)
		TRY(run_rule(m, &rules[i], &header, &flags, &goes_on));
	if (goes_on && (n || header.n)) {
		m->level = RULE_ACCOUNT;
		TRY(add_action(m, &(struct sieve_action){ .kind = SIEVE_KEEP,
					  .flags = flags,
					  .header = header }));
	}
	drop_answers(m);
	return n || header.n ? 0 : STORE_E_NOT_FOUND;
}

static void add_entry(struct making *m)
{
	CLEANUP(buf_done) struct buf key = {};
	struct plan *p = m->plan;
	struct span acts = arena_span(&p->arena, span_of(m->acts, m->n_acts * sizeof m->acts[0]));

	for (size_t i = 0; i < m->n_acts; i++)
		m->keeps |= m->acts[i].kind == PLAN_REDIRECT ||
			    (m->acts[i].kind == PLAN_MAILBOX && m->acts[i].form == PLAN_SAME);
	arrival_key(m->arrival->account, m->arrival->recipient, &key);
	(void)map_put(&p->entries_by, buf_span(&key), position_put(p->n_entries));
	if ((p->n_entries & (p->n_entries - 1)) == 0)
		p->entries = alloc_array(p->entries, p->n_entries ? p->n_entries * 2 : 1,
			sizeof p->entries[0]);
	p->entries[p->n_entries++] = (struct plan_entry){
		.account = m->arrival->account,
		.recipient = m->arrival->recipient,
		.acts = (struct plan_act *)(uintptr_t)acts.p,
		.n = m->n_acts,
	};
}

static int make(struct store_conn *c, void *arg)
{
	struct making *m = arg;
	const struct transaction *t = m->plan->request.transaction;
	struct arrival arrival;
	int r;

	m->conn = c;
	for (size_t i = 0; i < t->n; i++)
		TRY(add_address(m, &t->recipients[i].address, (struct span){}));
	m->n_recipients = m->n_arrivals;
	m->plan->too_much = m->no_room;
	for (size_t i = 0; i < m->n_arrivals && !m->plan->too_much; i++) {
		arrival = m->arrivals[i]; /* the array grows meanwhile */
		m->arrival = &arrival;
		r = run_rules(m);
		m->keeps |= r == STORE_E_NOT_FOUND;
		if (r == STORE_E_NOT_FOUND) /* no rules, or the account has just gone */
			continue;
		TRY(r);
		add_entry(m);
	}
	m->plan->packs = m->keeps && intake_in_memory(m->plan->request.intake);
	return 0;
}

int plan_make(struct store_conn *c, const struct plan_request *request, struct plan **ret_plan)
{
	CLEANUP(plan_freep) struct plan *p = ALLOC(struct plan);
	CLEANUP(alloc_freep) struct making *m = ALLOC(struct making);
	int r;

	p->request = *request;
	p->request.separators = arena_string(&p->arena, span_str(request->separators));
	p->request.hostname = arena_span(&p->arena, request->hostname);
	p->request.unique = arena_string(&p->arena, span_str(request->unique));
	m->plan = p;
	r = store_moment(c, make, m);
	free(m->arrivals);
	map_done(&m->arrived, NULL);
	map_done(&m->candidates, NULL);
	buf_done(&m->header);
	if (r)
		return err_fold(r);
	if (p->too_much)
		return PLAN_E_TOO_MUCH;
	*ret_plan = TAKE(p);
	return 0;
}

const struct plan_entry *plan_find(const struct plan *p, int64_t account, struct span recipient,
	size_t *ret_position)
{
	CLEANUP(buf_done) struct buf key = {};
	const void *there = NULL;

	if (p) {
		arrival_key(account, recipient, &key);
		there = map_get(&p->entries_by, buf_span(&key));
	}
	if (!there)
		return NULL;
	*ret_position = position_get(there);
	return &p->entries[*ret_position];
}

size_t plan_n_entries(const struct plan *p)
{
	return p->n_entries;
}

const struct plan_note *plan_notes(const struct plan *p, size_t *ret_n, size_t *ret_more)
{
	*ret_n = p->n_notes;
	*ret_more = p->n_notes_more;
	return p->notes;
}
