/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The API over the Unix socket. Whoever may open the socket is an administrator, so there is no
 * login here. An answer that is an error becomes the words of its problem document.
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
#include <unistd.h>

/* More than any answer; a server that sends more is not ours. */
enum { ANSWER_MAX = 64 << 20, TIMEOUT_S = 120 };

struct client {
	CURL *curl;
	int run_fd;
	char *socket; /* through the folder's descriptor: a socket's path may have 107 octets only */
	char field[64];
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
	c->socket = alloc_format("/proc/self/fd/%d/signet.sock", c->run_fd);
	c->curl = curl_easy_init();
	if (!c->curl)
		return err_fault(ENOMEM, "curl_easy_init");
	*ret_client = TAKE(c);
	return 0;
}

struct client *client_free(struct client *c)
{
	if (!c)
		return NULL;
	curl_easy_cleanup(c->curl);
	if (c->run_fd >= 0)
		(void)close(c->run_fd);
	free(c->socket);
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
	return c->field;
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
		int r = read_problem(c, answer, status, why);

		json_decref(answer);
		return r;
	}
	if (buf_size(body) && !answer)
		return err_fault(EPROTO, "the answer is not JSON");
	*ret_answer = answer;
	return 0;
}

static int perform(struct client *c, struct why *why)
{
	CURLcode code = curl_easy_perform(c->curl);
	long error = 0;

	if (code == CURLE_OK)
		return 0;
	(void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &error);
	if (code != CURLE_COULDNT_CONNECT)
		why_set(why, gettext("the server does not answer: %s"), curl_easy_strerror(code));
	else if (error == EACCES)
		why_set(why, gettext("only root and the user who started the server may do this"));
	else
		why_set(why, gettext("no server is running in this folder; start signetd or scripts/run"));
	return CLIENT_E_UNREACHABLE;
}

int client_ask(struct client *c, const char *method, const char *path, const json_t *body,
	json_t **ret_answer, struct why *why)
{
	CLEANUP(buf_done) struct buf answer = {};
	CLEANUP(alloc_freep) char *url = alloc_format("http://localhost/api/v1%s", path);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct curl_slist *fields = curl_slist_append(NULL, "Content-Type: application/json");
	int r;

	curl_easy_reset(c->curl);
	(void)curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	(void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, fields);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_answer);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &answer);
	(void)curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	(void)curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
	if (text)
		(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, text);
	r = perform(c, why);
	if (!r)
		r = read_answer(c, &answer, ret_answer, why);
	curl_slist_free_all(fields);
	if (text) {
		/* It may hold a password. */
		explicit_bzero(text, strlen(text));
		free(text);
	}
	return r;
}
