/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The table of replies. Nobody else writes a code, but for the lines that carry a value (EHLO, the
 * greeting, challenges) and what mail/transaction says of recipients. */

#include "svc/smtp/reply.h"

#include "svc/login.h"

static const struct {
	unsigned code;
	const char *status; /* NULL: none (RFC 2034 section 4) */
	const char *text;
} replies[REPLIES] = {
	[REPLY_OK] = { 250, "2.0.0", "ok" },
	[REPLY_SENDER_OK] = { 250, "2.1.0", "sender ok" },
	[REPLY_RECIPIENT_OK] = { 250, "2.1.5", "recipient ok" },
	[REPLY_RESET] = { 250, "2.0.0", "reset" },
	[REPLY_BYE] = { 221, "2.0.0", "bye" },
	[REPLY_NOT_VERIFIED] = { 252, "2.5.0", "not verified; mail for it may be accepted" },
	[REPLY_HELP] = { 214, "2.0.0", "see RFC 5321" },
	[REPLY_GO_AHEAD] = { 354, NULL, "end data with <CR><LF>.<CR><LF>" },
	[REPLY_TLS_READY] = { 220, "2.0.0", "ready to start TLS" },
	[REPLY_LOGGED_IN] = { 235, "2.7.0", "authentication successful" },

	[REPLY_TIMEOUT] = { 421, "4.4.2", "timeout, closing connection" },
	[REPLY_SHUTDOWN] = { 421, "4.3.2", "server is shutting down" },
	[REPLY_FAULT] = { 421, "4.3.0", "temporary failure, closing connection" },
	[REPLY_TOO_MANY_ERRORS] = { 421, "4.7.0", "too many errors, closing connection" },
	[REPLY_TEMPORARY] = { 451, "4.3.0", "temporary failure, nothing was delivered" },
	[REPLY_NO_ROOM] = { 452, "4.3.1", "out of space, nothing was delivered" },
	[REPLY_TOO_MANY_RECIPIENTS] = { 452, "4.5.3", "too many recipients" },
	[REPLY_RATE] = { 450, "4.7.1", "too many messages, try again later" },
	[REPLY_TLS_UNAVAILABLE] = { 454, "4.7.0", "TLS is not available" },
	[REPLY_LOGIN_TEMPORARY] = { 454, "4.7.0", "temporary authentication failure" },
	[REPLY_LOGIN_TOO_MANY] = { 454, "4.7.0", "too many failed attempts, try again later" },

	[REPLY_UNKNOWN_COMMAND] = { 500, "5.5.1", "command unknown" },
	[REPLY_LINE_LONG] = { 500, "5.5.6", "line too long" },
	[REPLY_LINE_BARE] = { 500, "5.5.2", "bare CR or LF" },
	[REPLY_LINE_NUL] = { 500, "5.5.2", "NUL in a command" },
	[REPLY_SYNTAX] = { 501, "5.5.2", "syntax error" },
	[REPLY_NO_ARGUMENT] = { 501, "5.5.4", "no argument allowed" },
	[REPLY_HELO_NAME] = { 501, "5.5.4", "not a domain name or address literal" },
	[REPLY_BAD_PARAMETER] = { 501, "5.5.4", "invalid or repeated parameter" },
	[REPLY_UNKNOWN_PARAMETER] = { 555, "5.5.4", "unsupported parameter" },
	[REPLY_SENDER_SYNTAX] = { 501, "5.1.7", "bad sender address syntax" },
	[REPLY_RECIPIENT_SYNTAX] = { 501, "5.1.3", "bad recipient address syntax" },
	[REPLY_NEEDS_UTF8] = { 553, "5.6.7", "address needs SMTPUTF8" },
	[REPLY_NOT_IMPLEMENTED] = { 502, "5.5.1", "command not implemented" },
	[REPLY_NO_LOGIN_HERE] = { 502, "5.5.1", "no authentication on this port" },
	[REPLY_NEED_HELO] = { 503, "5.5.1", "send EHLO first" },
	[REPLY_NEED_MAIL] = { 503, "5.5.1", "need MAIL command" },
	[REPLY_NEED_RECIPIENT] = { 554, "5.5.1", "no valid recipients" },
	[REPLY_NESTED_MAIL] = { 503, "5.5.1", "a transaction is under way" },
	[REPLY_IN_CHUNKS] = { 503, "5.5.1", "BDAT has begun, go on with BDAT or RSET" },
	[REPLY_IN_TLS] = { 503, "5.5.1", "TLS is on already" },
	[REPLY_IN_LOGIN] = { 503, "5.5.1", "already authenticated" },
	[REPLY_NEED_TLS] = { 530, "5.7.0", "send STARTTLS first" },
	[REPLY_NEED_LOGIN] = { 530, "5.7.0", "authentication required" },
	[REPLY_LOGIN_NEEDS_TLS] = { 538, "5.7.11", "authentication needs TLS" },
	[REPLY_LOGIN_REFUSED] = { 535, "5.7.8", "authentication failed" },
	[REPLY_LOGIN_NEEDS_CERTIFICATE] = { 534, "5.7.9", LOGIN_NEEDS_CERTIFICATE_TEXT },
	[REPLY_LOGIN_CERTIFICATE] = { 535, "5.7.8", LOGIN_CERTIFICATE_TEXT },
	[REPLY_LOGIN_SYNTAX] = { 501, "5.5.2", "malformed authentication message" },
	[REPLY_LOGIN_CANCELLED] = { 501, "5.7.0", "authentication cancelled" },
	[REPLY_LOGIN_MECHANISM] = { 504, "5.5.4", "authentication mechanism unknown" },
	[REPLY_NOT_YOURS] = { 553, "5.7.1", "sender address is not yours" },
	[REPLY_TOO_LARGE] = { 552, "5.3.4", "message too large" },
	[REPLY_CHUNK_SYNTAX] = { 521, "5.5.4", "malformed BDAT, closing connection" },
	[REPLY_CHUNK_BARE] = { 554, "5.6.0", "bare CR or LF in message" },
	[REPLY_DATA_BARE] = { 521, "5.6.0", "bare CR or LF in message, closing connection" },
	[REPLY_HOPS] = { 554, "5.4.6", "too many hops, this message is looping" },
	[REPLY_WRONG_PROTOCOL] = { 521, "5.5.1", "this is SMTP, closing connection" },
};

unsigned smtp_reply_code(enum smtp_reply reply)
{
	return replies[reply].code;
}

void smtp_reply_add(struct buf *out, enum smtp_reply reply)
{
	if (replies[reply].status)
		buf_add_format(out, "%u %s %s\r\n", replies[reply].code, replies[reply].status,
			replies[reply].text);
	else
		buf_add_format(out, "%u %s\r\n", replies[reply].code, replies[reply].text);
}
