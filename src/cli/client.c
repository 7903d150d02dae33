/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The API over the Unix socket, where whoever may open it is an administrator without a login, or over
 * HTTPS. Either way a person can log in, and is then the account and nobody else. An answer that is an
 * error becomes the words of its problem document.
 */

#include "cli/client.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/language.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than any answer; a server that sends more is not ours. */
enum { ANSWER_MAX = 64 << 20, TIMEOUT_S = 120 };

struct client {
	CURL *curl;
	int run_fd;
	char *socket; /* through the folder's descriptor: a socket's path may have 107 octets only */
	char *base;   /* what is in front of a path */
	char *ca;     /* whom to trust; NULL: the system */
	char *cookie; /* of a session, as a field of requests; NULL: none */
	char *csrf;   /* and the token that goes along, likewise */
	char field[64];
	json_t *problem; /* of the last refusal */
};

int client_new(struct client **ret_client, const char *data, struct why *why)
{
	CLEANUP(client_freep) struct client *c = ALLOC(struct client);
	CLEANUP(alloc_freep) char *run = alloc_format("%s/run", data);

	c->run_fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->run_fd < 0) {
		why_set(why, gettext("there is no server's folder %s (%s); name it with --data DIR"), data,
			strerror(errno));
		return CLIENT_E_UNREACHABLE;
	}
	c->base = alloc_string("http://localhost");
	c->socket = alloc_format("/proc/self/fd/%d/signet.sock", c->run_fd);
	c->curl = curl_easy_init();
	if (!c->curl)
		return err_fault(ENOMEM, "curl_easy_init");
	*ret_client = TAKE(c);
	return 0;
}

int client_new_remote(struct client **ret_client, const char *url, const char *ca, struct why *why)
{
	CLEANUP(client_freep) struct client *c = ALLOC(struct client);
	size_t n = strlen(url);

	c->run_fd = -1;
	while (n && url[n - 1] == '/')
		n--;
	c->base = alloc_format("%.*s", (int)n, url);
	/* A password goes over it. */
	if (strncmp(c->base, "https://", 8) != 0 || !c->base[8] ||
		strpbrk(c->base + 8, "/?#@")) {
		why_set(why, gettext("--url is https://HOST or https://HOST:PORT"));
		return CLIENT_E_REFUSED;
	}
	if (ca && access(ca, R_OK)) {
		why_set(why, gettext("cannot read %s: %s"), ca, strerror(errno));
		return CLIENT_E_REFUSED;
	}
	c->ca = ca ? alloc_string(ca) : NULL;
	c->curl = curl_easy_init();
	if (!c->curl)
		return err_fault(ENOMEM, "curl_easy_init");
	*ret_client = TAKE(c);
	return 0;
}

static char *wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return NULL;
}

struct client *client_free(struct client *c)
{
	if (!c)
		return NULL;
	client_log_out(c);
	curl_easy_cleanup(c->curl);
	if (c->run_fd >= 0)
		(void)close(c->run_fd);
	json_decref(c->problem);
	free(c->socket);
	free(c->base);
	free(c->ca);
	free(c);
	return NULL;
}

static size_t take_answer(char *data, size_t size, size_t n, void *context)
{
	struct buf *answer = context;

	if (buf_size(answer) + size * n > ANSWER_MAX)
		return 0;
	buf_add(answer, span_of(data, size * n));
	return size * n;
}

const char *client_field(const struct client *c)
{
	return c ? c->field : "";
}

const json_t *client_problem(const struct client *c)
{
	return c->problem;
}

/* RFC 9457: title, detail and, our own, the field that is wrong. */
static int read_problem(struct client *c, const json_t *problem, long status, struct why *why)
{
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	const char *title = json_string_value(json_object_get(problem, "title"));
	const char *field = json_string_value(json_object_get(problem, "field"));

	(void)snprintf(c->field, sizeof c->field, "%s", field ? field : "");
	if (!detail)
		detail = title;
	if (detail && detail[0])
		why_set(why, "%s", gettext(detail));
	else
		why_set(why, gettext("the server answered with status %ld"), status);
	return status == 404 ? CLIENT_E_NOT_FOUND : CLIENT_E_REFUSED;
}

static int read_answer(struct client *c, struct buf *body, json_t **ret_answer, struct why *why)
{
	json_t *answer = NULL;
	long status = 0;

	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (buf_size(body))
		answer = json_loadb((const char *)buf_span(body).p, buf_size(body), 0, NULL);
	if (status >= 400) {
		c->problem = answer;
		return read_problem(c, answer, status, why);
	}
	if (buf_size(body) && !answer)
		return err_fault(EPROTO, "the answer is not JSON");
	*ret_answer = answer;
	return 0;
}

static int unreachable(const struct client *c, CURLcode code, struct why *why)
{
	long error = 0;

	(void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &error);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		why_set(why,
			gettext("the certificate of %s is for another name or of nobody who is trusted here; "
				"--ca FILE names whom to trust"),
			c->base);
	else if (!c->socket)
		why_set(why, gettext("%s cannot be asked: %s"), c->base, curl_easy_strerror(code));
	else if (code != CURLE_COULDNT_CONNECT)
		why_set(why, gettext("the server does not answer: %s"), curl_easy_strerror(code));
	else if (error == EACCES)
		why_set(why, gettext("only root and the user who started the server may do this"));
	else
		why_set(why, gettext("no server is running in this folder; start signetd or scripts/run"));
	return CLIENT_E_UNREACHABLE;
}

/* "Set-Cookie: NAME=VALUE; ..." of a session that begins. */
static size_t take_field(char *data, size_t size, size_t n, void *context)
{
	struct client *c = context;
	struct span line = span_of(data, size * n);
	struct span name = span_cut(&line, ':');

	if (span_is_nocase(name, "Set-Cookie") && !c->cookie) {
		struct span pair = span_trim(span_cut(&line, ';'));

		c->cookie = alloc_format("Cookie: %.*s", (int)pair.n, (const char *)pair.p);
	}
	return size * n;
}

/* What is read and sent. */
struct source {
	int fd;
	curl_off_t size; /* as the request says it; -1: it ends where it ends */
	curl_off_t sent;
	int error;
};

/* A request's body: a file, else octets, p NULL: none. */
struct content {
	const char *type;
	struct span octets;
	struct source *source;
};

/* What the request has announced, and no octet more. */
static size_t read_source(char *to, size_t size, size_t n, void *context)
{
	struct source *s = context;
	size_t room = size * n;
	ssize_t got;

	if (s->size >= 0 && room > (size_t)(s->size - s->sent))
		room = (size_t)(s->size - s->sent);
	if (room == 0)
		return 0;
	do
		got = read(s->fd, to, room);
	while (got < 0 && errno == EINTR);
	/* Shorter than it was: the server would wait for the rest. */
	if (got < 0 || (got == 0 && s->size >= 0)) {
		s->error = got < 0 ? errno : ENODATA;
		return CURL_READFUNC_ABORT;
	}
	s->sent += got;
	return (size_t)got;
}

/* A file may take its time, as long as it moves. */
static void set_source(struct client *c, struct source *source)
{
	(void)curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, (long)TIMEOUT_S);
	(void)curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, source->size);
	(void)curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, read_source);
	(void)curl_easy_setopt(c->curl, CURLOPT_READDATA, source);
}

static void set_content(struct client *c, const struct content *content)
{
	if (content->source) {
		set_source(c, content->source);
		return;
	}
	(void)curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	if (content->octets.p) {
		(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)content->octets.n);
		(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, content->octets.p);
	}
}

static int perform(struct client *c, const char *method, const char *path,
	const struct content *content, struct buf *answer, struct why *why)
{
	CLEANUP(alloc_freep) char *url = alloc_format("%s/api/v1%s", c->base, path);
	CLEANUP(alloc_freep) char *type = alloc_format("Content-Type: %s", content->type);
	struct curl_slist *fields = curl_slist_append(NULL, type);
	CURLcode code;

	json_decref(c->problem);
	c->problem = NULL;
	if (c->cookie)
		fields = curl_slist_append(fields, c->cookie);
	if (c->csrf)
		fields = curl_slist_append(fields, c->csrf);
	if (content->source && content->source->size < 0)
		fields = curl_slist_append(fields, "Transfer-Encoding: chunked");
	curl_easy_reset(c->curl);
	if (c->socket)
		(void)curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	if (c->socket)
		(void)curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
	if (c->ca)
		(void)curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->ca);
	(void)curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, c->socket ? "http" : "https");
	(void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
	set_content(c, content);
	(void)curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, fields);
	(void)curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, take_field);
	(void)curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_answer);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, answer);
	code = curl_easy_perform(c->curl);
	curl_slist_free_all(fields);
	return code == CURLE_OK ? 0 : unreachable(c, code, why);
}

int client_ask(struct client *c, const char *method, const char *path, const json_t *body,
	json_t **ret_answer, struct why *why)
{
	CLEANUP(buf_done) struct buf answer = {};
	/* It may hold a password. */
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const struct content content = { "application/json",
		text ? span_str(text) : (struct span){}, NULL };
	int r = perform(c, method, path, &content, &answer, why);

	(void)wipe(text);
	return r ? r : read_answer(c, &answer, ret_answer, why);
}

int client_send(struct client *c, const char *path, const struct client_file *file,
	json_t **ret_answer, struct why *why)
{
	CLEANUP(buf_done) struct buf answer = {};
	struct source source = { .fd = file->fd, .size = -1 };
	const struct content content = { "application/octet-stream", {}, &source };
	struct stat s;
	int r;

	if (fstat(file->fd, &s) == 0 && S_ISREG(s.st_mode))
		source.size = s.st_size;
	r = perform(c, "POST", path, &content, &answer, why);
	if (source.error) {
		why_set(why, gettext("cannot read %s: %s"), file->name, strerror(source.error));
		return CLIENT_E_REFUSED;
	}
	return r ? r : read_answer(c, &answer, ret_answer, why);
}

int client_fetch(struct client *c, const char *path, struct buf *out, struct why *why)
{
	CLEANUP(buf_wipe) struct buf answer = {};
	CLEANUP(json_owned_freep) json_t *problem = NULL;
	long status = 0;
	const struct content none = { "application/json", {}, NULL };
	int r = perform(c, "GET", path, &none, &answer, why);

	if (r)
		return r;
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return read_answer(c, &answer, &problem, why);
	buf_add(out, buf_span(&answer));
	return 0;
}

int client_log_in(struct client *c, const char *login, const char *password, struct why *why)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	CLEANUP(json_owned_freep) json_t *body = json_pack("{s:s, s:s}", "login", login, "password",
		password);
	const char *csrf;
	int r;

	if (!body) {
		why_set(why, gettext("a login and its password are text in UTF-8"));
		return CLIENT_E_REFUSED;
	}
	client_log_out(c);
	r = client_ask(c, "POST", "/session", body, &answer, why);
	if (r)
		return r;
	csrf = json_string_value(json_object_get(answer, "csrf"));
	if (!csrf || !c->cookie)
		return err_fault(EPROTO, "a session without its token");
	c->csrf = alloc_format("X-CSRF-Token: %s", csrf);
	return 0;
}

void client_log_out(struct client *c)
{
	CLEANUP(json_owned_freep) json_t *answer = NULL;
	struct why why = {};
	/* If it cannot be ended, time ends it. */
	int r = c->csrf ? client_ask(c, "DELETE", "/session", NULL, &answer, &why) : 0;

	(void)r;
	c->cookie = wipe(c->cookie);
	c->csrf = wipe(c->csrf);
}
