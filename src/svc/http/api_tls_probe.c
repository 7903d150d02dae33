/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What a client of a domain meets at our own ports, asked over the network as a client does: so it
 * shows what is, not what was meant. A domain that some ports refuse is no failure of the request.
 */

#include "net/address.h"
#include "net/tls_probe.h"
#include "pki/cert.h"
#include "store/key_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/env.h"
#include "svc/http/api.h"

enum { PROBE_TIMEOUT_MS = 3000 };

static const struct way {
	const char *service;
	enum tls_probe_dialog dialog;
	const char *alpn;
} ways[] = {
	{ "smtp", TLS_PROBE_SMTP, NULL },
	{ "submission", TLS_PROBE_SMTP, NULL },
	{ "submissions", TLS_PROBE_DIRECT, NULL },
	{ "imap", TLS_PROBE_IMAP, "imap" },
	{ "imaps", TLS_PROBE_DIRECT, "imap" },
	{ "pop3", TLS_PROBE_POP3, "pop3" },
	{ "pop3s", TLS_PROBE_DIRECT, "pop3" },
	{ "https", TLS_PROBE_DIRECT, "http/1.1" },
};

/* The domain and the fingerprints of its certificates in use. */
struct probed {
	struct http_request *q;
	struct store_domain domain;
	struct buf active;
};

static int add_active(const struct store_cert *row, const struct store_key *key, void *context)
{
	struct probed *p = context;
	uint8_t digest[SHA256_OCTETS];

	(void)key;
	if (row->domain != p->domain.id)
		return 0;
	digest_sha256(row->der, digest);
	buf_add(&p->active, span_of(digest, sizeof digest));
	return 0;
}

static int look_up(struct store_conn *c, void *arg)
{
	struct probed *p = arg;
	int r = api_domain(p->q, c, &p->domain);

	buf_clear(&p->active);
	return r ? r : store_active_cert_each(c, add_active, p);
}

static bool is_active(const struct probed *p, const struct cert *cert)
{
	struct span rest = buf_span(&p->active);
	uint8_t digest[SHA256_OCTETS];

	digest_sha256(cert_der(cert), digest);
	for (; rest.n; rest = span_skip(rest, sizeof digest)) {
		if (memcmp(rest.p, digest, sizeof digest) == 0)
			return true;
	}
	return false;
}

static json_t *certificate_json(const struct probed *p, const struct cert *cert)
{
	CLEANUP(buf_done) struct buf subject = {}, issuer = {}, fingerprint = {};
	json_t *object = json_object();

	cert_add_subject(cert, &subject);
	cert_add_issuer(cert, &issuer);
	cert_add_fingerprint_text(cert, &fingerprint);
	api_set_text(object, "subject", buf_span(&subject));
	api_set_text(object, "issuer", buf_span(&issuer));
	api_set_text(object, "fingerprint", buf_span(&fingerprint));
	(void)json_object_set_new(object, "not_after", http_json_time(cert_not_after_us(cert)));
	(void)json_object_set_new(object, "active", json_boolean(is_active(p, cert)));
	(void)json_object_set_new(object, "covers",
		json_boolean(cert_covers_host(cert, span_str(p->domain.name))));
	return object;
}

/* The server's own certificate by itself, of the others the subjects. */
static int add_chain(const struct probed *p, const struct tls_probe *result, json_t *port)
{
	json_t *chain = json_array();

	(void)json_object_set_new(port, "chain", chain);
	for (int i = 0; i < sk_X509_num(result->chain); i++) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;
		CLEANUP(buf_done) struct buf subject = {};

		TRY(cert_from_x509(&cert, sk_X509_value(result->chain, i), NULL));
		if (i == 0)
			(void)json_object_set_new(port, "certificate", certificate_json(p, cert));
		else {
			cert_add_subject(cert, &subject);
			(void)json_array_append_new(chain, http_json_text(buf_span(&subject)));
		}
	}
	return 0;
}

static void add_agreed(const struct tls_probe *result, json_t *port)
{
	json_t *versions = json_array();

	api_set_text(port, "version", span_str(result->version));
	api_set_text(port, "cipher", span_str(result->cipher));
	if (result->group[0])
		api_set_text(port, "group", span_str(result->group));
	if (result->alpn[0])
		api_set_text(port, "alpn", span_str(result->alpn));
	(void)json_object_set_new(port, "resumption", json_boolean(result->is_resumed));
	(void)json_object_set_new(port, "asks_client", json_boolean(result->asks_client));
	for (enum tls_version v = 0; v < TLS_VERSIONS; v++) {
		if (result->accepts[v])
			(void)json_array_append_new(versions, json_string(tls_version_name(v)));
	}
	(void)json_object_set_new(port, "versions", versions);
}

static bool is_proxy(struct http_request *q, const struct net_address *address)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(q->env->store);
	struct net_prefix_list list = {};
	bool has = net_prefix_list_parse(span_str(settings->proxies), &list) == 0 &&
		net_prefix_list_has(&list, address);

	net_prefix_list_done(&list);
	return has;
}

/* Where all addresses are listened on, by the loopback one. */
static struct net_address own_address(const struct http_port_figure *figure)
{
	static const uint8_t any[16], loopback4[4] = { 127, 0, 0, 1 }, loopback6[16] = { [15] = 1 };
	struct net_address a = figure->address;
	struct span octets = net_address_octets(&a);

	if (octets.n && memcmp(octets.p, any, octets.n) == 0)
		a = net_address_of_ip(octets.n == sizeof loopback4 ?
			span_of(loopback4, sizeof loopback4) : span_of(loopback6, sizeof loopback6),
			figure->address.port);
	return a;
}

static int probe_port(struct probed *p, const struct http_port_figure *figure,
	const struct way *way, json_t *list)
{
	struct tls_probe_target target = { .address = own_address(figure), .dialog = way->dialog,
		.name = p->domain.name, .alpn = way->alpn, .timeout_ms = PROBE_TIMEOUT_MS };
	CLEANUP(tls_probe_done) struct tls_probe result = {};
	json_t *port = json_pack("{s:s, s:i}", "service", figure->service, "port",
		(int)figure->port);

	(void)json_array_append_new(list, port);
	target.with_proxy_header = is_proxy(p->q, &target.address);
	TRY(tls_probe(&target, &result));
	(void)json_object_set_new(port, "tcp", json_boolean(result.is_connected));
	if (way->dialog != TLS_PROBE_DIRECT)
		(void)json_object_set_new(port, "starttls", json_boolean(result.may_start));
	(void)json_object_set_new(port, "tls", json_boolean(result.is_secure));
	if (result.why.text[0])
		api_set_text(port, "reason", span_str(result.why.text));
	if (!result.is_secure)
		return 0;
	add_agreed(&result, port);
	return add_chain(p, &result, port);
}

int api_tls_probe(struct http_request *q, struct store_conn *c)
{
	const struct http_options *o = q->options;
	CLEANUP(buf_done) struct buf active = {};
	struct probed p = { .q = q };
	json_t *list;
	int r = store_read(q->env->store, look_up, &p);

	(void)c;
	active = p.active;
	if (r)
		return r;
	list = api_answer_list(q, "ports");
	for (size_t i = 0; i < o->n_ports; i++) {
		for (size_t k = 0; k < sizeof ways / sizeof ways[0]; k++) {
			if (strcmp(o->ports[i].service, ways[k].service) == 0 &&
				http_port_is_first(o, i))
				TRY(probe_port(&p, &o->ports[i], &ways[k], list));
		}
	}
	return 0;
}
