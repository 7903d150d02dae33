/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * libcurl with everything turned off that we did not ask for. Each request is a connection of its
 * own: requests are rare, and what is not kept cannot be confused. The address is looked at when
 * the socket is made, so a name that resolves differently the second time gains nothing.
 */

#include "net/fetch.h"

#include "base/alloc.h"
#include "net/address.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

CLEANUP_POINTER(CURL, curl_easy_cleanup)
CLEANUP_POINTER(CURLU, curl_url_cleanup)
CLEANUP_POINTER(struct curl_slist, curl_slist_free_all)

/* A request on its way. */
struct errand {
	const struct fetch *request;
	struct fetched answer;
	size_t header_octets;
	bool too_large;
	bool address_refused;
	char refused[NET_ADDRESS_TEXT];
};

static const char *scheme_name(unsigned scheme)
{
	return scheme == FETCH_HTTPS ? "https" : "http";
}

/* 0 if the URL is none that may be fetched. */
static unsigned url_scheme(const char *url, unsigned schemes)
{
	CLEANUP(curl_url_cleanupp) CURLU *parts = curl_url();
	char *scheme = NULL, *user = NULL, *password = NULL;
	unsigned found = 0;

	if (!parts || strlen(url) > FETCH_URL_MAX ||
		curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
		curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return 0;
	if (span_is_nocase(span_str(scheme), "https"))
		found = FETCH_HTTPS;
	else if (span_is_nocase(span_str(scheme), "http"))
		found = FETCH_HTTP;
	if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK ||
		curl_url_get(parts, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK)
		found = 0;
	curl_free(scheme);
	curl_free(user);
	curl_free(password);
	return found & schemes;
}

bool fetch_url_fits(const char *url, unsigned schemes)
{
	return url_scheme(url, schemes) != 0;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part, unsigned flags)
{
	char *of_a = NULL, *of_b = NULL;
	bool same = curl_url_get(a, part, &of_a, flags) == CURLUE_OK &&
		curl_url_get(b, part, &of_b, flags) == CURLUE_OK &&
		span_equal_nocase(span_str(of_a), span_str(of_b));

	curl_free(of_a);
	curl_free(of_b);
	return same;
}

bool fetch_url_same_origin(const char *a, const char *b)
{
	CLEANUP(curl_url_cleanupp) CURLU *of_a = curl_url();
	CLEANUP(curl_url_cleanupp) CURLU *of_b = curl_url();

	return of_a && of_b && curl_url_set(of_a, CURLUPART_URL, a, 0) == CURLUE_OK &&
		curl_url_set(of_b, CURLUPART_URL, b, 0) == CURLUE_OK &&
		same_part(of_a, of_b, CURLUPART_SCHEME, 0) &&
		same_part(of_a, of_b, CURLUPART_HOST, 0) &&
		same_part(of_a, of_b, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

static size_t take_body(char *data, size_t size, size_t n, void *context)
{
	struct errand *e = context;

	if (size * n > e->request->max_octets - buf_size(&e->answer.body)) {
		e->too_large = true;
		return 0;
	}
	buf_add(&e->answer.body, span_of(data, size * n));
	return size * n;
}

static void fields_clear(struct fetched *f)
{
	for (size_t i = 0; i < FETCH_FIELDS_MAX; i++) {
		free(f->fields[i]);
		f->fields[i] = NULL;
	}
}

static void take_field(struct errand *e, struct span line)
{
	struct span name = span_cut(&line, ':');
	struct span value = span_trim(line);

	if (value.n > FETCH_FIELD_MAX)
		return;
	for (size_t i = 0; i < FETCH_FIELDS_MAX && e->request->fields[i]; i++) {
		if (span_is_nocase(name, e->request->fields[i]) && !e->answer.fields[i])
			e->answer.fields[i] = span_to_string(value);
	}
}

/* Line by line; a status line begins the header of another answer (100, a redirection). */
static size_t take_header(char *data, size_t size, size_t n, void *context)
{
	struct span line = span_of(data, size * n);
	struct errand *e = context;

	if (line.n > FETCH_HEADER_MAX - e->header_octets) {
		e->too_large = true;
		return 0;
	}
	e->header_octets += line.n;
	if (span_starts(line, SPAN("HTTP/")))
		fields_clear(&e->answer);
	else
		take_field(e, line);
	return size * n;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct net_address address = net_address_from(&to->addr, to->addrlen);
	struct errand *e = context;

	(void)purpose;
	if (!e->request->private_too && !net_address_is_public(&address)) {
		e->address_refused = true;
		(void)net_address_text(&address, e->refused);
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int should_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct errand *e = context;

	(void)a, (void)b, (void)c, (void)d;
	return e->request->stop && atomic_load(e->request->stop);
}

static void set_callbacks(CURL *curl, struct errand *e)
{
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, should_stop);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, e);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, e);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, e);
	(void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	(void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, e);
}

/* What decides whom we talk to. Whatever of it libcurl does not know must not pass silently. */
static CURLcode set_peer(CURL *curl, const struct fetch *f)
{
	const char *scheme = scheme_name(url_scheme(f->url, f->schemes));
	struct curl_blob trust = { .data = (void *)f->trust_pem.p, .len = f->trust_pem.n,
		.flags = CURL_BLOB_NOCOPY };
	CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, f->url);

	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, scheme);
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, scheme);
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_PROXY, "");
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* The library's built-in bundle and folder would be trusted beside ours. */
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	if (!code && trust.len)
		code = curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &trust);
	return code;
}

static CURLcode set_request(CURL *curl, const struct fetch *f, struct curl_slist *fields)
{
	bool follows = !f->body.p && (!f->method || strcmp(f->method, "GET") == 0 ||
		strcmp(f->method, "HEAD") == 0);
	CURLcode code = CURLE_OK;

	if (f->body.p) {
		code = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)f->body.p);
		if (!code)
			code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
				(curl_off_t)f->body.n);
	}
	if (!code && f->method && strcmp(f->method, "HEAD") == 0)
		code = curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else if (!code && f->method)
		code = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, f->method);
	(void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, follows && f->max_redirects ? 1L : 0L);
	(void)curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)f->max_redirects);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "signet/" SIGNET_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)f->timeout_ms);
	(void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	return code;
}

static struct curl_slist *add_field(struct curl_slist *list, const char *name, const char *value)
{
	CLEANUP(alloc_freep) char *line = alloc_format("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(list, line);

	if (!longer)
		abort();
	return longer;
}

/* Fields libcurl would add by itself are taken away by naming them without a value. */
static struct curl_slist *request_fields(const struct fetch *f)
{
	struct curl_slist *list = add_field(NULL, "Expect", "");

	list = add_field(list, "Accept", f->accept ? f->accept : "");
	if (f->body.p)
		list = add_field(list, "Content-Type", f->content_type ? f->content_type : "");
	return list;
}

static int explain(CURL *curl, const struct errand *e, CURLcode code, const char *details,
	struct why *why)
{
	long status = 0;


	if (e->too_large) {
		why_set(why, "the answer is larger than it may be");
		return FETCH_E_TOO_LARGE;
	}
	if (e->address_refused) {
		why_set(why,
			"%s is not a public address, and this URL may lead to public ones only",
			e->refused);
		return FETCH_E_REFUSED;
	}
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 == 3 &&
		(code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT)) {
		why_set(why, "a redirection leads to a URL that may not be used");
		return FETCH_E_REFUSED;
	}
	why_set(why, "%s", details[0] ? details : curl_easy_strerror(code));
	return FETCH_E_UNREACHABLE;
}

static int perform(CURL *curl, struct errand *e, struct why *why)
{
	char details[CURL_ERROR_SIZE] = "";
	const char *url = NULL;
	long status = 0;
	CURLcode code;

	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, details);
	code = curl_easy_perform(curl);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	if (code)
		return explain(curl, e, code, details, why);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
	e->answer.status = (unsigned)status;
	e->answer.url = alloc_string(url ? url : e->request->url);
	return 0;
}

int fetch(const struct fetch *f, struct fetched *ret_fetched, struct why *why)
{
	CLEANUP(curl_slist_free_allp) struct curl_slist *fields = request_fields(f);
	CLEANUP(curl_easy_cleanupp) CURL *curl = curl_easy_init();
	struct errand e = { .request = f };
	CURLcode code;
	int r;

	if (!url_scheme(f->url, f->schemes)) {
		why_set(why, "this is not a URL that may be used here");
		return FETCH_E_REFUSED;
	}
	code = curl ? set_peer(curl, f) : CURLE_OUT_OF_MEMORY;
	if (!code)
		code = set_request(curl, f, fields);
	if (code)
		return err_fault(ENOSYS, curl_easy_strerror(code));
	set_callbacks(curl, &e);
	r = perform(curl, &e, why);
	if (r)
		fetched_done(&e.answer);
	else
		*ret_fetched = e.answer;
	return r;
}

void fetched_done(struct fetched *f)
{
	buf_done(&f->body);
	free(f->url);
	f->url = NULL;
	fields_clear(f);
}
