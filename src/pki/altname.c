/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/altname.h"

#include "base/limit.h"
#include "pki/name.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

struct span altname_text(const GENERAL_NAME *name)
{
	const ASN1_STRING *s = name->d.ia5; /* the same for all kinds of strings */

	return span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

bool altname_is_utf8_mailbox(const GENERAL_NAME *name, struct span *ret_address)
{
	const ASN1_STRING *s;

	if (name->type != GEN_OTHERNAME ||
		OBJ_obj2nid(name->d.otherName->type_id) != NID_id_on_SmtpUTF8Mailbox ||
		name->d.otherName->value->type != V_ASN1_UTF8STRING)
		return false;
	s = name->d.otherName->value->value.utf8string;
	*ret_address = span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
	return true;
}

/* RFC 5322 section 3.2.3; octets of UTF-8 too where that is allowed (RFC 6532 section 3.2). */
static bool octet_is_atext(uint8_t c, bool utf8)
{
	return octet_is_alpha(c) || octet_is_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c)) ||
	       (utf8 && c >= 0x80);
}

static bool local_part_is_quoted(struct span local, bool utf8)
{
	if (local.n < 2 || local.p[0] != '"' || local.p[local.n - 1] != '"')
		return false;
	for (size_t i = 1; i < local.n - 1; i++) {
		uint8_t c = local.p[i];

		if (c == '\\' && ++i == local.n - 1)
			return false;
		c = local.p[i];
		if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8) ||
			(c == '"' && local.p[i - 1] != '\\'))
			return false;
	}
	return true;
}

static bool local_part_is_well_formed(struct span local, bool utf8)
{
	if (local.n == 0 || local.n > LIMIT_LOCAL_PART)
		return false;
	if (local.p[0] == '"')
		return local_part_is_quoted(local, utf8);
	if (local.p[local.n - 1] == '.')
		return false;
	while (local.n) {
		struct span atom = span_cut(&local, '.');

		if (atom.n == 0)
			return false;
		for (size_t i = 0; i < atom.n; i++) {
			if (!octet_is_atext(atom.p[i], utf8))
				return false;
		}
	}
	return true;
}

/* The last "@" parts it: a quoted local part may hold others. */
bool altname_split_address(struct span address, struct span *ret_local, struct span *ret_domain)
{
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	if (at == 0)
		return false;
	*ret_local = span_head(address, at - 1);
	*ret_domain = span_skip(address, at);
	return true;
}

static bool mailbox_is_well_formed(struct span address, bool utf8)
{
	struct span local, domain;

	return altname_split_address(address, &local, &domain) &&
	       local_part_is_well_formed(local, utf8) && name_is_dns(domain, false);
}

/* RFC 9598 section 3: this form is for local parts that are not ASCII, and for those only. */
static bool utf8_mailbox_is_well_formed(struct span address)
{
	struct span local, domain;

	return span_is_utf8(address) && altname_split_address(address, &local, &domain) &&
	       !span_is_ascii(local) && mailbox_is_well_formed(address, true);
}

static bool uri_is_well_formed(struct span uri)
{
	size_t colon = span_find(uri, ':');

	if (colon == 0 || colon == uri.n || !octet_is_alpha(uri.p[0]))
		return false;
	for (size_t i = 0; i < uri.n; i++) {
		if (uri.p[i] <= 0x20 || uri.p[i] >= 0x7f)
			return false;
	}
	return colon + 1 < uri.n;
}

bool altname_is_well_formed(const GENERAL_NAME *name, struct why *why)
{
	struct span text;

	switch (name->type) {
	case GEN_DNS:
		why_set(why, "an alternative name is not a host name");
		return name_is_dns(altname_text(name), true);
	case GEN_EMAIL:
		why_set(why, "an alternative name is not a mail address");
		return mailbox_is_well_formed(altname_text(name), false);
	case GEN_IPADD:
		why_set(why, "an alternative name is an IP address of %zu octets",
			altname_text(name).n);
		return altname_text(name).n == 4 || altname_text(name).n == 16;
	case GEN_URI:
		why_set(why, "an alternative name is not a URI");
		return uri_is_well_formed(altname_text(name));
	case GEN_OTHERNAME:
		why_set(why, "an alternative name is not a mail address in UTF-8");
		if (OBJ_obj2nid(name->d.otherName->type_id) != NID_id_on_SmtpUTF8Mailbox)
			return true;
		return altname_is_utf8_mailbox(name, &text) && utf8_mailbox_is_well_formed(text);
	default:
		return true;
	}
}

bool altname_is_suspicious(const GENERAL_NAME *name, struct why *why)
{
	struct span text, local;

	if (name->type == GEN_DNS)
		text = altname_text(name);
	else if (name->type != GEN_EMAIL ||
		 !altname_split_address(altname_text(name), &local, &text))
		return false;
	if (!name_mixes_scripts(text))
		return false;
	why_set(why, "the name %.*s mixes letters of different writing systems", (int)text.n,
		(const char *)text.p);
	return true;
}

/* A wildcard stands for one label of something that somebody has registered, never for a whole
 * top-level domain. */
static bool host_matches(struct span presented, struct span reference)
{
	if (presented.n && presented.p[0] == '*' &&
		span_find(span_skip(presented, 2), '.') + 2 >= presented.n)
		return false;
	return name_matches(presented, reference);
}

static bool covers_host(const GENERAL_NAMES *names, struct span host)
{
	CLEANUP(buf_done) struct buf ascii = {};

	if (!name_to_ascii(host, &ascii))
		return false;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS && host_matches(altname_text(name), buf_span(&ascii)))
			return true;
	}
	return false;
}

bool altname_has_host(const struct cert *cert, struct span host)
{
	const GENERAL_NAMES *names = cert_alt_names(cert);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS && span_equal_nocase(altname_text(name), host))
			return true;
	}
	return false;
}

static bool covers_address(const GENERAL_NAMES *names, struct span text)
{
	char printed[INET6_ADDRSTRLEN] = "";
	struct span address;
	uint8_t octets[16];

	if (text.n == 0 || text.n >= sizeof printed || span_find(text, 0) < text.n)
		return false;
	memcpy(printed, text.p, text.n);
	if (inet_pton(AF_INET, printed, octets) == 1)
		address = span_of(octets, 4);
	else if (inet_pton(AF_INET6, printed, octets) == 1)
		address = span_of(octets, 16);
	else
		return false;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_IPADD && span_equal(altname_text(name), address))
			return true;
	}
	return false;
}

/* RFC 5280 section 7.5 and RFC 9598 section 5: the local part as it is, the domain without case. */
static bool address_matches(struct span presented, struct span local, struct span domain)
{
	struct span own_local, own_domain;

	return altname_split_address(presented, &own_local, &own_domain) &&
	       span_equal(own_local, local) && span_equal_nocase(own_domain, domain);
}

bool altname_subject_email(const struct cert *cert, size_t i, struct span *ret_address)
{
	const X509_NAME *subject = X509_get_subject_name(cert_x509(cert));
	const ASN1_STRING *s;
	int at = -1;

	do {
		at = X509_NAME_get_index_by_NID(subject, NID_pkcs9_emailAddress, at);
	} while (at >= 0 && i-- > 0);
	if (at < 0)
		return false;
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	*ret_address = span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
	return true;
}

static bool covers_mail(const struct cert *cert, struct span address)
{
	const GENERAL_NAMES *names = cert_alt_names(cert);
	CLEANUP(buf_done) struct buf ascii = {};
	struct span local, domain, own;
	bool has_alternative = false;

	if (!altname_split_address(address, &local, &domain) || !name_to_ascii(domain, &ascii))
		return false;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		bool is_mail = name->type == GEN_EMAIL;

		own = is_mail ? altname_text(name) : (struct span){};
		is_mail = is_mail || altname_is_utf8_mailbox(name, &own);
		if (is_mail && address_matches(own, local, buf_span(&ascii)))
			return true;
		has_alternative = has_alternative || is_mail;
	}
	for (size_t i = 0; !has_alternative && altname_subject_email(cert, i, &own); i++) {
		if (address_matches(own, local, buf_span(&ascii)))
			return true;
	}
	return false;
}

bool altname_covers(const struct cert *cert, const struct path_name *name)
{
	switch (name->kind) {
	case PATH_DNS:
		return covers_host(cert_alt_names(cert), name->text);
	case PATH_IP:
		return covers_address(cert_alt_names(cert), name->text);
	case PATH_EMAIL:
		return covers_mail(cert, name->text);
	}
	return false;
}
