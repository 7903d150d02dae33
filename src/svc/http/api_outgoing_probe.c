/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A connection to a destination's server as mail for it would have, up to where mail would be said.
 * The destination's rule holds; private addresses are asked too, since it is an administrator who
 * says so. Blocks an HTTP worker as long as the server takes, with a limit.
 */

#include "base/clock.h"
#include "mime/address.h"
#include "net/resolve.h"
#include "pki/cert.h"
#include "svc/env.h"
#include "svc/http/api_outgoing.h"
#include "svc/outgoing_open.h"

#include <stdlib.h>

enum { PROBE_TIMEOUT_MS = 20000, ADDRESSES = 4, SMTP_PORT = 25, OFFERS_MAX = 64 };

int api_outgoing_destination(struct http_request *q, struct span *ret_destination)
{
	CLEANUP(buf_done) struct buf name = {};
	int r = address_normalize_domain(q->params[0], &name);

	if (r < 0)
		return r;
	if (r)
		return http_problem(q, 422, "destination",
			"this is not a domain, nor an address such as [192.0.2.1]");
	*ret_destination = arena_span(&q->arena, buf_span(&name));
	return 0;
}

/* Whom to connect to. */
struct probe {
	struct span destination;
	const char *host;
	uint16_t port;
	struct net_address addresses[ADDRESSES];
	size_t n_addresses;
};

static const char *arena_text(struct http_request *q, struct span text)
{
	CLEANUP(buf_done) struct buf copy = {};

	buf_add(&copy, text);
	buf_add_octet(&copy, 0);
	return (const char *)arena_span(&q->arena, buf_span(&copy)).p;
}

/* A name in A-labels, or an address with or without brackets. */
static int take_host(struct http_request *q, struct span host, struct probe *p)
{
	CLEANUP(buf_done) struct buf name = {};
	struct net_address address;
	char text[NET_ADDRESS_TEXT];
	int r;

	if (span_starts_nocase(host, SPAN("[IPv6:")) && host.p[host.n - 1] == ']')
		host = span_head(span_skip(host, 6), host.n - 7);
	else if (span_starts(host, SPAN("[")) && host.p[host.n - 1] == ']')
		host = span_head(span_skip(host, 1), host.n - 2);
	if (net_address_parse(host, &address) == 0) {
		p->host = arena_text(q, span_str(net_address_text(&address, text)));
		return 0;
	}
	r = address_normalize_domain(host, &name);
	if (r < 0)
		return r;
	if (r)
		return http_problem(q, 422, "host", "this is not the name or address of a host");
	p->host = arena_text(q, buf_span(&name));
	return 0;
}

static int take_target(struct http_request *q, struct probe *p)
{
	struct span host = http_text(q, "host");
	json_t *port = json_object_get(q->json, "port");
	int r = api_outgoing_destination(q, &p->destination);

	if (r)
		return r;
	p->port = port ? (uint16_t)json_integer_value(port) : SMTP_PORT;
	if (p->port == 0)
		return http_problem(q, 422, "port", "a port is 1 to 65535");
	if (!host.n && !span_starts(p->destination, SPAN("[")))
		return http_problem(q, 422, "host",
			"which server: give its host name (--host), since"
			" this server does not look up mail exchangers yet");
	return take_host(q, host.n ? host : p->destination, p);
}

/* One address after the other until one is there, as mail would go, as long as there is time. */
static int open_any(struct http_request *q, struct probe *p, struct outgoing_link *ret_link,
	struct net_address *ret_address)
{
	int64_t end_ms = clock_monotonic_ms() + PROBE_TIMEOUT_MS;

	for (size_t i = 0;; i++) {
		int64_t left = end_ms - clock_monotonic_ms();
		const struct outgoing_target target = { .destination = p->destination,
			.host = p->host,
			.address = p->addresses[i],
			.timeout_ms = left > 0 ? (uint32_t)left : 0 };

		TRY(outgoing_open(q->env, &target, ret_link));
		*ret_address = p->addresses[i];
		if (ret_link->state != OUTGOING_UNREACHABLE || i + 1 == p->n_addresses)
			return 0;
		outgoing_close(ret_link);
	}
}

static json_t *certificate_json(X509 *x)
{
	CLEANUP(buf_done) struct buf subject = {}, issuer = {}, fingerprint = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	json_t *object = json_object();
	struct why why;

	if (cert_from_x509(&cert, x, &why)) {
		api_set_text(object, "unreadable", span_str(why.text));
		return object;
	}
	cert_add_subject(cert, &subject);
	cert_add_issuer(cert, &issuer);
	cert_add_fingerprint_text(cert, &fingerprint);
	api_set_text(object, "subject", buf_span(&subject));
	api_set_text(object, "issuer", buf_span(&issuer));
	api_set_text(object, "fingerprint", buf_span(&fingerprint));
	(void)json_object_set_new(object, "not_after", http_json_time(cert_not_after_us(cert)));
	return object;
}

static void set_tls(json_t *object, const struct outgoing_link *link)
{
	const struct tls_dialled *tls = &link->tls;

	(void)json_object_set_new(object, "encrypted", json_boolean(link->is_secure));
	if (tls->version) {
		api_set_text(object, "version", span_str(tls->version));
		api_set_text(object, "cipher", span_str(tls->cipher));
		api_set_text(object, "group", span_str(tls->group));
	}
	if (sk_X509_num(tls->chain) > 0) {
		(void)json_object_set_new(object, "certificate",
			certificate_json(sk_X509_value(tls->chain, 0)));
		(void)json_object_set_new(object, "verified", json_boolean(tls->is_verified));
		if (tls->refusal)
			api_set_text(object, "verdict", span_str(tls->refusal));
	}
	(void)json_object_set_new(object, "asked", json_boolean(tls->asked));
	(void)json_object_set_new(object, "sent", json_boolean(tls->sent));
}

static void set_offers(json_t *object, const struct outgoing_link *link)
{
	struct span rest = buf_span(&link->reply.text);
	json_t *list = json_array();

	(void)json_object_set_new(object, "offers", list);
	(void)span_cut(&rest, '\n');
	while (rest.n && json_array_size(list) < OFFERS_MAX)
		(void)json_array_append_new(list, http_json_text(span_cut(&rest, '\n')));
}

static void answer(struct http_request *q, const struct probe *p, const struct outgoing_link *link,
	const struct net_address *address)
{
	char text[NET_ADDRESS_TEXT];

	q->answer = json_object();
	api_set_text(q->answer, "destination", p->destination);
	api_set_text(q->answer, "host", span_str(p->host));
	api_set_text(q->answer, "address", span_str(net_address_text(address, text)));
	api_set_number(q->answer, "port", p->port);
	api_set_outgoing_policy(q->answer, &link->policy, link->identity);
	api_set_text(q->answer, "outcome", span_str(outgoing_state_names[link->state]));
	if (link->why.text[0])
		api_set_text(q->answer, "reason", span_str(link->why.text));
	(void)json_object_set_new(q->answer, "starttls", json_boolean(link->offers_tls));
	set_tls(q->answer, link);
	if (link->state == OUTGOING_READY)
		set_offers(q->answer, link);
	api_set_outgoing_warnings(q->answer, link->identity);
}

int api_outgoing_probe(struct http_request *q, struct store_conn *c)
{
	struct outgoing_link link;
	struct net_address address;
	struct probe p = {};
	struct why why = {};
	int r = take_target(q, &p);

	(void)c;
	if (r)
		return r;
	r = resolve_host(p.host, p.port, p.addresses, ADDRESSES, &p.n_addresses, &why);
	if (r)
		return r > 0 ? http_problem(q, 422, "host", "%s", why.text) : r;
	TRY(open_any(q, &p, &link, &address));
	answer(q, &p, &link, &address);
	outgoing_close(&link);
	return 0;
}
