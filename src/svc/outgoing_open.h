/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * An SMTP connection of ours to another server, opened as the rule for its destination says:
 * greeting, EHLO, STARTTLS, handshake, EHLO again. What the queue sends mail over, and what a probe
 * looks at. Blocks, on a thread of env->blocking or an HTTP worker.
 *
 * Other ways to know what a destination wants, DANE and MTA-STS, belong into
 * outgoing_open's choice of a policy, beside outgoing_find: they may only ask for more than the
 * rule.
 */

#include "net/dial.h"
#include "net/smtp_reply.h"
#include "net/tls_dial.h"
#include "svc/outgoing.h"

struct outgoing_target {
	struct span destination; /* the mail's domain: what rules go by */
	const char *host; /* its server: a name in A-labels, or an address in text. Asked for and,
			   * where the rule says so, verified */
	struct net_address address; /* of the host, with the port */
	uint32_t timeout_ms;        /* for all of it */
};

enum outgoing_state {
	OUTGOING_READY,       /* mail may be sent */
	OUTGOING_UNREACHABLE, /* no connection, no SMTP, no answer in time */
	OUTGOING_REFUSED,     /* the server does not want us: reply says how */
	OUTGOING_UNMET,       /* there is no TLS such as the rule wants */
	OUTGOING_STATES,
};
extern const char *const outgoing_state_names[OUTGOING_STATES];

struct outgoing_link {
	enum outgoing_state state;
	struct why why; /* of any state but READY; of READY why it is in clear, if the rule would
			 * have had it encrypted; else empty */
	struct outgoing_policy policy;
	const struct outgoing_identity *identity; /* shown if asked; NULL: nobody */
	bool offers_tls;                          /* STARTTLS, in clear */
	struct tls_dialled tls;  /* of the last handshake, whether it succeeded or not */
	bool is_secure;          /* what is said from now on is encrypted */
	struct smtp_reply reply; /* the last: of READY the one to EHLO, with what the server can */

	/* Private. */
	struct outgoing *rules;
	struct dial dial;
	struct tls_dial *secure;
	struct buf in;
};

/* Whatever comes of it is in the link, which the caller closes; a fault is one of ours. */
int outgoing_open(struct env *e, const struct outgoing_target *target,
	struct outgoing_link *ret_link) MUST_CHECK;

/* Says a command (without its line end) over an open link and reads the answer into link->reply.
 * ENDED: the connection is over, why says why. Time counts from now. */
enum outgoing_ask_outcome { OUTGOING_E_ENDED = 1 };
int outgoing_ask(struct outgoing_link *link, const char *command, uint32_t timeout_ms,
	struct why *why) MUST_CHECK;

/* Says QUIT where there is somebody to hear it, waits a moment for the answer, and frees
 * everything. */
void outgoing_close(struct outgoing_link *link);
