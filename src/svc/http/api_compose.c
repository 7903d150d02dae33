/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Messages that an account composes and sends. Everything that can be wrong is found before
 * anything is made: whose address From is, each recipient's mailbox, each recipient's certificate,
 * the keys. What is then made is delivered in one transaction with the sender's own copy, or not at
 * all.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "mail/own_cert.h"
#include "smime/compose.h"
#include "store/message.h"
#include "store/secure_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/blobs.h"
#include "svc/env.h"
#include "svc/http/api_contact.h"
#include "svc/http/api_message.h"
#include "svc/http/api_party.h"
#include "svc/recipient_certs.h"
#include "svc/send.h"

#include <stdlib.h>

enum compose_act {
	ACT_SEND,
	ACT_CHECK, /* say who can be written to, and encrypted to */
	ACT_DRAFT, /* into the drafts, unsigned, encrypted to its author where that is asked for */
	ACT_MAKE,  /* answer the copies, deliver nothing */
};
static const char *const act_names[] = { "send", "check", "draft", "make" };
enum { ACTS = sizeof act_names / sizeof act_names[0], FIELDS = 7 };

enum {
	COPIES_MAX = 224 << 20, /* octets of all copies, as they are expected to be */
	MADE_MAX = 16 << 20,    /* octets of copies in an answer */
};

/* An attachment's octets: from the request, or of a blob. */
struct file {
	struct buf octets;
	int64_t blob;  /* 0: none */
	uint64_t size;
};

struct composing {
	struct http_request *q;
	struct message_asked asked;
	enum compose_act act;
	bool sign, encrypt;
	struct mail_address from;
	struct span from_text;
	struct parties parties;
	struct compose_field fields[FIELDS];
	struct compose_request request; /* and what it points to */
	struct compose_part *parts;     /* of it; octets are those of files */
	struct file *files;
	size_t n_files;
	struct compose_recipient *recipients;
	enum recipient_verdict *verdicts;
	struct recipient_cert *certs; /* of all parties, if encrypted or asked */
	struct store_secure secure;
	struct own_cert signer, reader; /* the account's certificates that are used */
	struct composed composed;
	struct why why;
};

/* They are clear text of what may be encrypted. */
static void files_wipe(struct composing *k)
{
	for (size_t i = 0; i < k->n_files; i++)
		buf_wipe(&k->files[i].octets);
}

static void composing_done(struct composing *k)
{
	files_wipe(k);
	if (k->certs)
		recipient_certs_done(k->certs, k->parties.n);
	composed_done(&k->composed);
	own_cert_done(&k->signer);
	own_cert_done(&k->reader);
	message_asked_done(&k->asked);
}

static bool flag(const struct composing *k, const char *member, bool fallback)
{
	const json_t *value = json_object_get(k->q->json, member);

	return value ? json_is_true(value) : fallback;
}

static struct span json_span(const json_t *text)
{
	return span_of(json_string_value(text), json_string_length(text));
}

static int read_references(struct composing *k, struct span *ret_value)
{
	const json_t *list = json_object_get(k->q->json, "references"), *one;
	CLEANUP(buf_done) struct buf value = {};
	size_t i;

	json_array_foreach(list, i, one)
	{
		buf_add(&value, json_span(one));
		buf_add_octet(&value, ' ');
	}
	*ret_value = arena_span(&k->q->arena, buf_span(&value));
	return 0;
}

static void add_field(struct composing *k, struct span name, struct span value)
{
	if (span_trim(value).n)
		k->fields[k->request.message.n_fields++] = (struct compose_field){ name, value };
}

static int read_addresses(struct composing *k)
{
	static const struct span names[PARTY_FIELDS] = { SPAN("To"), SPAN("Cc"), SPAN("Bcc") };
	struct span from = http_text(k->q, "from");
	int r = party_read_mailbox(k->q, "from", from, &k->from, &k->from_text);

	if (!r)
		r = parties_read(k->q, k->asked.account.id, &k->parties);
	if (r)
		return r;
	add_field(k, SPAN("From"), from);
	for (size_t i = 0; i < PARTY_FIELDS; i++)
		add_field(k, names[i], k->parties.values[i]);
	if (k->parties.n + k->parties.n_lost == 0 && k->act != ACT_DRAFT)
		return http_problem(k->q, 422, "to", "the message has no recipient");
	return 0;
}

/* Readers save files under such a name. */
static bool is_file_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		/* U+0080 to U+009F are control characters, too. */
		bool c1 = name.p[i] == 0xC2 && i + 1 < name.n && name.p[i + 1] < 0xA0;

		if (name.p[i] < ' ' || name.p[i] == 0x7F || c1 || name.p[i] == '/' || name.p[i] == '\\')
			return false;
	}
	return !span_is(name, ".") && !span_is(name, "..");
}

static int refuse_part(struct composing *k, const char *text)
{
	return http_problem(k->q, 422, "attachments", "%s", text);
}

/* What was uploaded before. Its own type counts where none is given. */
static int find_blob(struct composing *k, struct span given, struct file *file, struct span *type)
{
	struct store_blob blob = {};
	int r = BLOB_E_GONE;

	if (message_read_id(given, &file->blob))
		r = blob_look(k->q->env, &k->q->arena, k->asked.account.id, file->blob, &blob);
	if (r == BLOB_E_GONE)
		return http_problem(k->q, 422, "attachments",
			"there is no upload \"%.*s\": it was sent, removed, or has expired",
			(int)(given.n > 24 ? 24 : given.n), (const char *)given.p);
	file->size = blob.size;
	if (!type->n)
		*type = span_trim(span_head(blob.type, span_find(blob.type, ';')));
	return r;
}

enum { PART_NAME, PART_TYPE, PART_ID, PART_CONTENT, PART_UPLOAD, PART_MEMBERS };

static int read_part(struct composing *k, const json_t *given, struct file *file,
	struct compose_part *ret_part)
{
	static const char *const members[] = { "name", "type", "content_id", "content", "upload" };
	struct span texts[PART_MEMBERS] = {};
	const char *member;
	json_t *value;
	int r = 0;

	json_object_foreach((json_t *)given, member, value)
	{
		size_t i = 0;

		while (i < PART_MEMBERS && strcmp(member, members[i]) != 0)
			i++;
		if (i == PART_MEMBERS || !json_is_string(value))
			return refuse_part(k, "an attachment has the texts name, type, content_id, and "
					      "content or upload");
		texts[i] = json_span(value);
		if (i < PART_CONTENT && texts[i].n > LIMIT_NAME)
			return http_problem(k->q, 422, "attachments",
				"%s is at most %d octets long", member, LIMIT_NAME);
	}
	if (!is_file_name(texts[PART_NAME]))
		return refuse_part(k,
			"an attachment's name is a file's name, without folders and control characters");
	if (!texts[PART_CONTENT].p == !texts[PART_UPLOAD].p)
		return refuse_part(k, "an attachment has either its content or an upload");
	if (texts[PART_UPLOAD].p)
		r = find_blob(k, texts[PART_UPLOAD], file, &texts[PART_TYPE]);
	else if (!enc_base64_decode(&file->octets, texts[PART_CONTENT]))
		return refuse_part(k, "an attachment's content is there, as base64");
	else
		file->size = buf_size(&file->octets);
	*ret_part = (struct compose_part){
		.name = texts[PART_NAME],
		.type = texts[PART_TYPE],
		.id = texts[PART_ID],
	};
	return r;
}

static int read_parts(struct composing *k)
{
	const json_t *list = json_object_get(k->q->json, "attachments"), *one;
	size_t n = json_array_size(list), i;

	k->parts = arena_alloc(&k->q->arena, (n + 1) * sizeof *k->parts);
	k->files = arena_alloc(&k->q->arena, (n + 1) * sizeof *k->files);
	k->n_files = n;
	json_array_foreach(list, i, one)
	{
		int r = read_part(k, one, &k->files[i], &k->parts[i]);

		if (r)
			return r;
	}
	k->request.message.parts = k->parts;
	k->request.message.n_parts = n;
	return 0;
}

/* Only once it is known that there is room for them. */
static int read_files(struct composing *k)
{
	for (size_t i = 0; i < k->n_files; i++) {
		struct file *f = &k->files[i];
		int r = f->blob ? blob_read(k->q->env, k->asked.account.id, f->blob, &f->octets) : 0;

		if (r == BLOB_E_GONE)
			return refuse_part(k, "an upload was removed meanwhile");
		TRY(r);
		k->parts[i].octets = buf_span(&f->octets);
	}
	return 0;
}

static int read_act(struct composing *k)
{
	struct span given = http_text(k->q, "act");
	unsigned act = 0;

	while (given.p && act < ACTS && !span_is(given, act_names[act]))
		act++;
	if (act == ACTS)
		return http_problem(k->q, 422, "act", "act is send, check, draft or make");
	k->act = (enum compose_act)act;
	k->sign = flag(k, "sign", false) && act != ACT_DRAFT;
	k->encrypt = flag(k, "encrypt", false);
	return 0;
}

static int read_request(struct composing *k)
{
	struct compose_message *m = &k->request.message;
	struct span references;
	int r = read_act(k);

	m->fields = k->fields;
	if (!r)
		r = read_addresses(k);
	if (!r)
		r = read_references(k, &references);
	if (!r)
		r = read_parts(k);
	if (r)
		return r;
	add_field(k, SPAN("Subject"), http_text(k->q, "subject"));
	add_field(k, SPAN("In-Reply-To"), http_text(k->q, "in_reply_to"));
	add_field(k, SPAN("References"), references);
	m->text = http_text(k->q, "text");
	m->html = http_text(k->q, "html");
	m->now_us = clock_now_us();
	k->request.encrypt = k->encrypt;
	k->request.no_header_protection = !flag(k, "header_protection", true);
	return 0;
}

struct owning {
	struct composing *k;
	bool is_own;
};

/* An address is the account's if mail for it comes to it and to nobody else. */
static int look_owner(struct store_conn *c, void *arg)
{
	struct owning *o = arg;
	struct composing *k = o->k;
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(k->q->env->store);
	struct route route;

	TRY(store_route(c, &k->q->arena, k->from.local, k->from.domain,
		settings->subaddress_separators, &route));
	o->is_own = route.kind == ROUTE_ACCOUNT && route.n_targets == 1 &&
		    route.targets[0].account == k->asked.account.id;
	TRY(store_secure_get(c, &k->q->arena, k->asked.account.id, &k->secure));
	return 0;
}

static int check_from(struct composing *k)
{
	struct owning o = { .k = k };

	TRY(store_read(k->q->env->store, look_owner, &o));
	return o.is_own ? 0
			: http_problem(k->q, 403, "from",
				  "%.*s is not an address of this account: mail for it would not "
				  "come here",
				  (int)k->from_text.n, (const char *)k->from_text.p);
}

static int choose_cipher(struct composing *k)
{
	struct span name = http_text(k->q, "cipher");

	if (!name.p)
		name = span_str(store_secure_ciphers[k->secure.cipher]);
	k->request.cipher = cipher_by_name(name);
	if (!k->request.cipher && !span_is(name, store_secure_ciphers[SECURE_CIPHER_AUTOMATIC]))
		return http_problem(k->q, 422, "cipher", "there is no cipher of this name");
	if (k->request.cipher && !k->request.cipher->may_write)
		return http_problem(k->q, 422, "cipher", "%s is read here, not written",
			k->request.cipher->text);
	return 0;
}

struct own_finding {
	struct own_cert_wish wish;
	struct own_cert *own;
};

static int find_own(struct store_conn *c, void *arg)
{
	struct own_finding *f = arg;

	own_cert_done(f->own);
	return own_cert_find(c, &f->wish, f->own);
}

/* Of the keys that are open. */
static int own_of(struct composing *k, enum own_cert_use use, struct own_cert *ret_own)
{
	struct own_finding f = { .wish = { .account = k->asked.account.id,
					 .use = use,
					 .address = k->from_text,
					 .keys = k->asked.keys.open,
					 .n_keys = k->asked.keys.n_open,
					 .now_us = k->request.message.now_us,
					 .cache = k->q->env->mail_certs },
		.own = ret_own };

	return err_fold(store_read(k->q->env->store, find_own, &f));
}

/* Who composes can do something about it. */
static int no_own(struct composing *k, unsigned status, const char *field,
	const struct own_cert *own)
{
	const char *remedy = own_cert_remedy(own);

	return http_problem(k->q, status, field, "%s%s%s", own->why.text, remedy[0] ? ": " : "",
		remedy);
}

static int choose_signer(struct composing *k)
{
	const struct secure_keys *keys = &k->asked.keys;
	struct own_cert *own = &k->signer;

	TRY(own_of(k, OWN_CERT_SIGN, own));
	if (own->fault)
		return no_own(k, 422, "sign", own);
	for (size_t i = 0; i < keys->n; i++) {
		if (!span_equal(cert_der(keys->keys[i].cert), cert_der(own->cert)))
			continue;
		k->request.signers = &keys->keys[i];
		k->request.n_signers = 1;
		return 0;
	}
	/* It came after the keys were read. */
	return http_problem(k->q, 409, "sign",
		"the account's certificates were changed meanwhile; try again");
}

static int need_keys(struct composing *k)
{
	if (!k->sign && !k->encrypt)
		return 0;
	if (k->asked.r)
		return message_locked_problem(&k->asked);
	return k->sign ? choose_signer(k) : 0;
}

/* The sender himself: by a certificate whose key is open. */
static int add_sender(struct composing *k)
{
	TRY(own_of(k, OWN_CERT_ENCRYPT, &k->reader));
	if (k->reader.fault)
		return no_own(k, 409, "smime", &k->reader);
	k->recipients[k->request.n_recipients++] = (struct compose_recipient){
		.to = { .cert = k->reader.cert },
		.place = COMPOSE_SENDER,
	};
	return 0;
}

static bool is_blind(const struct party *party)
{
	return strcmp(party->field, "bcc") == 0;
}

/* In the parties' order: a blind copy's recipient is the party of that number. */
static void add_recipients(struct composing *k)
{
	for (size_t i = 0; k->act != ACT_DRAFT && i < k->parties.n; i++)
		k->recipients[k->request.n_recipients++] = (struct compose_recipient){
			/* Whose it is was asked when it was found. */
			.to = { .cert = k->certs[i].cert,
				.capabilities = k->certs[i].capabilities },
			.place = is_blind(&k->parties.list[i]) ? COMPOSE_BLIND : COMPOSE_OPEN,
		};
}

static int look_up(struct composing *k)
{
	struct arena *a = &k->q->arena;
	struct mail_address *to = arena_alloc(a, (k->parties.n + 1) * sizeof *to);
	struct span *texts = arena_alloc(a, (k->parties.n + 1) * sizeof *texts);
	struct recipient_cert *certs = arena_alloc(a, (k->parties.n + 1) * sizeof *certs);

	k->verdicts = arena_alloc(a, (k->parties.n + 1) * sizeof *k->verdicts);
	for (size_t i = 0; i < k->parties.n; i++) {
		to[i] = k->parties.list[i].address;
		texts[i] = k->parties.list[i].text;
	}
	TRY(send_look(k->q->env, to, k->parties.n, k->verdicts));
	if (!k->encrypt && k->act != ACT_CHECK)
		return 0;
	TRY(recipient_certs_find(k->q->env, a, k->asked.account.id, texts, k->parties.n, certs));
	k->certs = certs;
	return 0;
}

static bool is_refused(const struct composing *k, size_t i)
{
	return k->verdicts[i] != RECIPIENT_OK;
}

static bool has_no_cert(const struct composing *k, size_t i)
{
	return k->certs && !k->certs[i].cert;
}

static json_t *parties_json(const struct composing *k)
{
	json_t *list = json_array();

	for (size_t i = 0; i < k->parties.n; i++) {
		const struct verdict_text *text = recipient_verdict_text(k->verdicts[i]);
		json_t *one = party_json(&k->parties.list[i]);

		(void)json_object_set_new(one, "accepted", json_boolean(!is_refused(k, i)));
		if (is_refused(k, i))
			(void)json_object_set_new(one, "refusal",
				json_sprintf("%u %s %s", text->code, text->status, text->text));
		if (k->certs)
			(void)json_object_set_new(one, "certificate",
				api_recipient_json(&k->certs[i]));
		(void)json_array_append_new(list, one);
	}
	for (size_t i = 0; i < k->parties.n_lost; i++)
		(void)json_array_append_new(list, party_json(&k->parties.lost[i]));
	return list;
}

/* A problem (RFC 9457) with all recipients that there is something wrong with. */
static void answer_refused(struct composing *k, const struct party *first, const char *detail)
{
	json_t *all = parties_json(k), *answer;

	for (size_t i = k->parties.n; i-- > 0;) {
		if (!is_refused(k, i) && !has_no_cert(k, i))
			(void)json_array_remove(all, i);
	}
	answer = json_pack("{s:s, s:s, s:i, s:s, s:s, s:o}", "type", "about:blank", "title",
		"Unprocessable Content", "status", 422, "detail", detail, "field",
		first->field, "recipients", all);
	k->q->status = 422;
	k->q->answer = answer;
	k->q->type = "application/problem+json";
}

/* Whether somebody cannot be written to; the answer is set then. */
static bool refuse_parties(struct composing *k)
{
	/* Those who write to a group mean all of it. */
	if (k->parties.n_lost) {
		answer_refused(k, k->parties.lost,
			"not all members of the group have a mail address; nothing was sent");
		return true;
	}
	for (size_t i = 0; k->act != ACT_DRAFT && i < k->parties.n; i++) {
		const struct party *party = &k->parties.list[i];

		if (k->act == ACT_SEND && is_refused(k, i)) {
			answer_refused(k, party, "not all recipients can be sent to; nothing was sent");
			return true;
		}
		if (k->encrypt && has_no_cert(k, i)) {
			answer_refused(k, party,
				"not all recipients have a certificate that can be encrypted to; "
				"nothing was sent");
			return true;
		}
	}
	return false;
}

static int refuse_size(struct composing *k, uint64_t max)
{
	return http_problem(k->q, 422, "attachments",
		"the message is larger than the %llu octets that are taken here",
		(unsigned long long)max);
}

/* Octets of one copy, roughly and rather too many: base64, and once more where it is encrypted. */
static uint64_t expected_size(const struct composing *k)
{
	uint64_t size = 3 * (k->request.message.text.n + k->request.message.html.n);

	for (size_t i = 0; i < k->n_files; i++)
		size += k->files[i].size / 8 * 11;
	return k->encrypt ? size / 8 * 11 : size;
}

/* Each blind copy is a message of its own, all of them in memory; so is what they are made from. */
static int check_size(struct composing *k, const struct settings *settings)
{
	uint64_t size = expected_size(k), files = 0;
	size_t n_copies = 2;

	for (size_t i = 0; i < k->n_files; i++)
		files += k->files[i].size;
	if (files / 3 * 4 > settings->message_max)
		return refuse_size(k, settings->message_max);
	for (size_t i = 0; k->encrypt && i < k->parties.n; i++)
		n_copies += is_blind(&k->parties.list[i]);
	if (size > COPIES_MAX / n_copies)
		return http_problem(k->q, 422, n_copies > 2 ? "bcc" : "attachments",
			n_copies > 2 ? "too many blind copies of a message of this size: each is "
				       "encrypted on its own"
				     : "a message of this size is not made here");
	if (http_reserve(k->q, size * (n_copies + 2)))
		return 0;
	http_header(k->q, "Retry-After", SPAN("5"));
	return http_problem(k->q, 503, NULL,
		"too many large messages are being made: try again in a moment");
}

static int make(struct composing *k)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(k->q->env->store);
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	int r = check_size(k, settings);

	k->recipients = arena_alloc(&k->q->arena, (k->parties.n + 1) * sizeof *k->recipients);
	k->request.recipients = k->recipients;
	if (k->encrypt)
		add_recipients(k);
	if (!r && k->encrypt)
		r = add_sender(k);
	if (!r)
		r = read_files(k);
	if (r)
		return r;
	r = compose_secure(&k->request, &k->composed, &faults, &k->why);
	files_wipe(k);
	if (r == COMPOSE_E_RECIPIENTS)
		return http_problem(k->q, 422, "to", "%s", faults.faults[0].why.text);
	if (r > 0)
		return http_problem(k->q, 422, NULL, "%s", k->why.text);
	for (size_t i = 0; !r && i < k->composed.n; i++) {
		if (buf_size(&k->composed.copies[i].message) > settings->message_max)
			return refuse_size(k, settings->message_max);
	}
	return r;
}

static bool is_for(const struct composing *k, const struct compose_copy *copy, size_t i)
{
	if (copy->recipient != SIZE_MAX)
		return copy->recipient == i;
	return copy->is_delivered && (!k->encrypt || !is_blind(&k->parties.list[i]));
}

/* The copies that go to somebody; the one that is kept, too, if wanted. */
static void fill_send(struct composing *k, struct send_request *s)
{
	struct arena *a = &k->q->arena;
	struct send_copy *copies = arena_alloc(a, (k->composed.n + 1) * sizeof *copies);

	s->copies = copies;
	for (size_t i = 0; i < k->composed.n; i++) {
		const struct compose_copy *copy = &k->composed.copies[i];
		struct mail_address *to = arena_alloc(a, (k->parties.n + 1) * sizeof *to);
		size_t n = 0;

		for (size_t p = 0; p < k->parties.n; p++) {
			if (is_for(k, copy, p))
				to[n++] = k->parties.list[p].address;
		}
		if (k->act != ACT_DRAFT && n)
			copies[s->n_copies++] = (struct send_copy){ buf_span(&copy->message), to,
				n };
		if (copy->is_sent && (k->act == ACT_DRAFT || flag(k, "save", true)))
			s->kept = buf_span(&copy->message);
	}
}

/* What was uploaded for this message and is sent with it. A draft is going to be written on. */
static void fill_blobs(struct composing *k, struct send_request *s)
{
	int64_t *blobs = arena_alloc(&k->q->arena, (k->n_files + 1) * sizeof *blobs);

	s->blobs = blobs;
	for (size_t i = 0; k->act == ACT_SEND && i < k->n_files; i++) {
		if (k->files[i].blob)
			blobs[s->n_blobs++] = k->files[i].blob;
	}
}

static int send(struct composing *k)
{
	struct send_request request = {
		.account = k->asked.account.id,
		.sender = k->from,
		.use = k->act == ACT_DRAFT ? USE_DRAFTS : USE_SENT,
		.flags = k->act == ACT_DRAFT ? FLAG_DRAFT | FLAG_SEEN : FLAG_SEEN,
		.now_us = k->request.message.now_us,
	};
	int64_t account = k->asked.account.id;
	struct send_done done = {};
	json_t *answer;
	int r;

	if (k->act == ACT_SEND &&
		!limiter_take(k->q->env->smtp_account, span_of(&account, sizeof account),
			clock_monotonic_ms())) {
		http_header(k->q, "Retry-After", SPAN("60"));
		return http_problem(k->q, 429, NULL, "too many messages; try again later");
	}
	fill_send(k, &request);
	fill_blobs(k, &request);
	r = send_message(k->q->env, &request, &done, &k->why);
	if (r > 0)
		return http_problem(k->q, r == SEND_E_QUOTA ? 409 : 422,
			r == SEND_E_QUOTA ? "save" : "to", "%s", k->why.text);
	if (r)
		return r;
	for (size_t i = 0; i < request.n_blobs && !r; i++)
		r = blob_erase(k->q->env, request.blobs[i]);
	if (r)
		log_fault(NULL, "HTTP", "http.upload", err_fold(r)); /* housekeeping goes on with it */
	answer = json_object();
	api_set_number(answer, "delivered", done.n_delivered);
	api_set_number(answer, "queued", done.n_queued);
	api_set_number(answer, "failed", done.n_failed);
	(void)json_object_set_new(answer, "kept",
		done.kept ? message_json_id(done.kept) : json_null());
	k->q->status = 200;
	k->q->answer = answer;
	return 0;
}

/* What would go to whom. */
static int answer_copies(struct composing *k)
{
	json_t *list;
	size_t size = 0;

	for (size_t i = 0; i < k->composed.n; i++)
		size += buf_size(&k->composed.copies[i].message);
	if (size > MADE_MAX)
		return http_problem(k->q, 422, "act",
			"copies of more than %d octets together are sent, not answered", MADE_MAX);
	list = json_array();
	for (size_t i = 0; i < k->composed.n; i++) {
		const struct compose_copy *copy = &k->composed.copies[i];
		CLEANUP(buf_done) struct buf text = {};
		json_t *one = json_object(), *to = json_array();

		for (size_t p = 0; p < k->parties.n; p++) {
			if (is_for(k, copy, p))
				(void)json_array_append_new(to, http_json_text(k->parties.list[p].text));
		}
		enc_base64(&text, buf_span(&copy->message));
		(void)json_object_set_new(one, "recipients", to);
		(void)json_object_set_new(one, "kept", json_boolean(copy->is_sent));
		api_set_text(one, "message", buf_span(&text));
		(void)json_array_append_new(list, one);
	}
	k->q->status = 200;
	k->q->answer = json_pack("{s:o}", "copies", list);
	http_header(k->q, "Cache-Control", SPAN("no-store"));
	return 0;
}

static int act(struct composing *k)
{
	int r;

	if (k->act == ACT_CHECK) {
		k->q->status = 200;
		k->q->answer = json_pack("{s:o}", "recipients", parties_json(k));
		return 0;
	}
	if (refuse_parties(k))
		return 0;
	r = make(k);
	if (r)
		return r;
	return k->act == ACT_MAKE ? answer_copies(k) : send(k);
}

int api_compose(struct http_request *q, struct store_conn *c)
{
	CLEANUP(composing_done) struct composing k = { .q = q };
	int r = message_asked_begin(q, &k.asked);

	(void)c;
	if (!r)
		r = read_request(&k);
	if (!r)
		r = check_from(&k);
	if (!r)
		r = choose_cipher(&k);
	if (!r && k.act != ACT_CHECK)
		r = need_keys(&k);
	if (!r)
		r = look_up(&k);
	return r ? r : act(&k);
}
