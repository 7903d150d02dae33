/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What the server answers word for word, listed so that the catalogues have it: a program that speaks
 * another language than the server looks an answer up before it prints it. Never compiled;
 * tools/check-catalogue sees to it that src/svc still has each text. Answers with a name or a number in
 * them stay English. */

static const char *const answers[] = {
	MARKED("the domain has no such certificate"),
	MARKED("the domain has no such key"),
	MARKED("an alias is made of letters, digits, \"-\", \"_\" and \".\""),
	MARKED("services is all, none, or some of smtp,imap,pop3,http"),
	MARKED("this is the main domain's last certificate in use: put another one to use first"),
	MARKED("this is the certificate that is there already, not a renewed one"),
	MARKED("the file's certificate is not self-signed: an authority has issued it"),
	MARKED("the file's certificate does not belong to its key"),
	MARKED("there is a key in the file, but no certificate (key import takes keys)"),
	MARKED("the key of this certificate is not here"),
	MARKED("this is not the key store's password"),
	MARKED("too many wrong passwords of the key store; try again in a minute"),
	MARKED("another certificate of this scope has that alias already"),
	MARKED("there are several certificates in the file, and an alias is for one"),
	MARKED("this scope has no such certificate of its own; one that is inherited can be denied"
	       " (trust deny)"),
	MARKED("this is not a domain name"),
};
