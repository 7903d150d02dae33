/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The log of handshakes (tag TLS), as much of it as the policy wants: one line each. */

struct log_context;
struct stream;

/* The handshake of a stream is over. */
void tls_log_done(const struct log_context *log, const struct stream *s);

/* It failed; the reason in words. */
void tls_log_failed(const struct log_context *log, const struct stream *s, const char *reason);
