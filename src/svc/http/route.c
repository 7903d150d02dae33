/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The route table. What is looked up in it: route_find.c. */

#include "svc/http/route.h"

#include "base/limit.h"
#include "keyd/protocol.h"
#include "pki/authority.h"
#include "pki/import_file.h"
#include "pki/mailcert.h"
#include "pki/selfsign.h"
#include "pki/subject.h"
#include "sieve/limit.h"
#include "store/client_rows.h"
#include "store/contact_rows.h"
#include "svc/recipient_certs.h"
#include "svc/secure_password.h"

enum {
	ADDRESSES_MAX = 4096,
	SETTING_MAX = 4096,
	URL_MAX = 2048,
	NAME_MAX_OCTETS = 200,
	TARGETS_MAX = 1000,
	FILE_MAX = 256 * 1024, /* of a file, as text */
	IMPORT_MAX = IMPORT_FILE_MAX / 2 * 3, /* of one with keys in it; base64 and its line ends */
	CRL_MAX = 2 * LIMIT_CRL,              /* of revocation lists, as text */
	WRITTEN_MAX = 1 << 20, /* of what a person writes */
	WHICH_MAX = 1000,      /* which of several keys in it */
	MAILBOX_MAX = 1000, /* octets of an address with its name */
	SUBJECT_MAX = 10000,
	REFERENCES_MAX = 100,
	ATTACHMENTS_MAX = 100,
	ATTRIBUTE_MAX = 4 * SUBJECT_TEXT_MAX,
};

static const struct body_field session_body[] = {
	{ "login", BODY_TEXT, false, LIMIT_ADDRESS },
	{ "password", BODY_TEXT, false, LIMIT_PASSWORD },
	{ "certificate", BODY_SCALAR, false, 8 },
	{},
};

static const struct body_field setting_body[] = {
	{ "*", BODY_SCALAR_OR_NULL, false, SETTING_MAX },
	{},
};

static const struct body_field domain_add_body[] = {
	{ "name", BODY_TEXT, true, LIMIT_NAME },
	{ "pki", BODY_TEXT, false, 16 },
	{ "account_quota", BODY_SCALAR, false, 32 },
	{ "shared", BODY_SCALAR, false, 8 },
	{},
};

static const struct body_field domain_set_body[] = {
	{ "name", BODY_TEXT, false, LIMIT_NAME },
	{ "pki", BODY_TEXT, false, 16 },
	{ "account_quota", BODY_SCALAR, false, 32 },
	{ "shared", BODY_SCALAR, false, 8 },
	{ "client_required", BODY_SCALAR, false, 8 },
	{ "smime", BODY_SCALAR, false, 8 },
	{ "client_abort", BODY_SCALAR, false, 8 },
	{ "main", BODY_SCALAR, false, 8 },
	{ "addresses", BODY_TEXT, false, ADDRESSES_MAX },
	{},
};

static const struct body_field alias_add_body[] = {
	{ "address", BODY_TEXT, true, LIMIT_ADDRESS },
	{ "targets", BODY_TEXTS, true, TARGETS_MAX },
	{},
};

static const struct body_field alias_set_body[] = {
	{ "targets", BODY_TEXTS, true, TARGETS_MAX },
	{},
};

static const struct body_field account_add_body[] = {
	{ "address", BODY_TEXT, true, LIMIT_ADDRESS },
	{ "password", BODY_TEXT, true, LIMIT_PASSWORD },
	{ "name", BODY_TEXT, false, NAME_MAX_OCTETS },
	{ "role", BODY_TEXT, false, 16 },
	{ "quota", BODY_SCALAR, false, 32 },
	{},
};

static const struct body_field account_set_body[] = {
	{ "name", BODY_TEXT, false, NAME_MAX_OCTETS },
	{ "role", BODY_TEXT, false, 16 },
	{ "disabled", BODY_SCALAR, false, 8 },
	{ "quota", BODY_SCALAR, false, 32 },
	{ "smime", BODY_SCALAR, false, 8 },
	{},
};

static const struct body_field password_body[] = {
	{ "password", BODY_TEXT, true, LIMIT_PASSWORD },
	{ "current", BODY_TEXT, false, LIMIT_PASSWORD },
	{},
};

static const struct body_field mailbox_body[] = {
	{ "name", BODY_TEXT, true, LIMIT_MAILBOX_NAME },
	{ "use", BODY_TEXT, false, 16 },
	{},
};

static const struct body_field queue_body[] = {
	{ "state", BODY_TEXT, true, 8 },
	{},
};

static const struct body_field key_body[] = {
	{ "alias", BODY_TEXT, false, 64 },
	{ "type", BODY_TEXT, false, 16 },
	{ "use", BODY_TEXT, false, 8 },
	{},
};

/* Who a certificate is for: what requests and self-signed certificates have in common. */
#define SUBJECT_FIELDS                                                                             \
	{ "common_name", BODY_TEXT, false, 4 * LIMIT_NAME },                                       \
		{ "names", BODY_TEXTS, false, SUBJECT_NAMES_MAX },                                 \
		{ "organization", BODY_TEXT, false, ATTRIBUTE_MAX },                               \
		{ "unit", BODY_TEXT, false, ATTRIBUTE_MAX },                                       \
		{ "city", BODY_TEXT, false, ATTRIBUTE_MAX },                                       \
		{ "state", BODY_TEXT, false, ATTRIBUTE_MAX },                                      \
		{ "country", BODY_TEXT, false, 2 }, { "email", BODY_TEXT, false, LIMIT_ADDRESS }

static const struct body_field cert_body[] = {
	{ "key", BODY_TEXT, false, 64 },
	{ "alias", BODY_TEXT, false, 64 },
	{ "days", BODY_NUMBER, false, SELFSIGN_DAYS_MAX },
	{ "services", BODY_TEXT, false, 64 },
	SUBJECT_FIELDS,
	{},
};

static const struct body_field key_import_body[] = {
	{ "file", BODY_TEXT, true, IMPORT_MAX },
	{ "which", BODY_TEXT, false, WHICH_MAX },
	{ "passphrase", BODY_TEXT, false, LIMIT_PASSWORD },
	{ "alias", BODY_TEXT, false, 64 },
	{ "use", BODY_TEXT, false, 8 },
	{},
};

static const struct body_field key_export_body[] = {
	{ "file_password", BODY_TEXT, true, LIMIT_PASSWORD },
	{ "password", BODY_TEXT, false, LIMIT_PASSWORD },
	{},
};

static const struct body_field cert_export_body[] = {
	{ "file_password", BODY_TEXT, false, LIMIT_PASSWORD },
	{ "password", BODY_TEXT, false, LIMIT_PASSWORD },
	{},
};

static const struct body_field request_body[] = {
	{ "key", BODY_TEXT, false, 64 },
	{ "alias", BODY_TEXT, false, 64 },
	SUBJECT_FIELDS,
	{},
};

static const struct body_field install_body[] = {
	{ "certificate", BODY_TEXT, true, FILE_MAX },
	{ "chain", BODY_TEXT, false, FILE_MAX },
	{ "alias", BODY_TEXT, false, 64 },
	{ "services", BODY_TEXT, false, 64 },
	{ "force", BODY_BOOL, false, 0 },
	{},
};

static const struct body_field renewal_body[] = {
	{ "certificate", BODY_TEXT, true, FILE_MAX },
	{ "chain", BODY_TEXT, false, FILE_MAX },
	{ "force", BODY_BOOL, false, 0 },
	{},
};

static const struct body_field cert_import_body[] = {
	{ "file", BODY_TEXT, true, IMPORT_MAX },
	{ "which", BODY_TEXT, false, WHICH_MAX },
	{ "passphrase", BODY_TEXT, false, LIMIT_PASSWORD },
	{ "alias", BODY_TEXT, false, 64 },
	{ "services", BODY_TEXT, false, 64 },
	{ "force", BODY_BOOL, false, 0 },
	{ "self_signed", BODY_BOOL, false, 0 },
	{},
};

static const struct body_field refresh_body[] = {
	{ "new_serial", BODY_BOOL, false, 0 },
	{ "days", BODY_NUMBER, false, SELFSIGN_DAYS_MAX },
	{},
};

static const struct body_field chain_body[] = {
	{ "chain", BODY_TEXT, true, FILE_MAX },
	{ "force", BODY_BOOL, false, 0 },
	{},
};

static const struct body_field rule_body[] = {
	{ "text", BODY_TEXT, true, SIEVE_SCRIPT_MAX },
	{ "active", BODY_BOOL, false, 0 },
	{},
};
static const struct body_field trust_body[] = {
	{ "certificate", BODY_TEXT, false, FILE_MAX },
	{ "fingerprint", BODY_TEXT, false, 100 },
	{ "alias", BODY_TEXT, false, 64 },
	{ "scope", BODY_TEXT, false, 8 },
	{ "domain", BODY_TEXT, false, LIMIT_NAME },
	{ "purposes", BODY_TEXT, false, 32 },
	{ "deny", BODY_BOOL, false, 0 },
	{},
};

#define CA_SUBJECT                                                                                 \
	{ "common_name", BODY_TEXT, false, ATTRIBUTE_MAX },                                        \
		{ "organization", BODY_TEXT, false, ATTRIBUTE_MAX },                               \
		{ "unit", BODY_TEXT, false, ATTRIBUTE_MAX },                                       \
		{ "city", BODY_TEXT, false, ATTRIBUTE_MAX },                                       \
		{ "state", BODY_TEXT, false, ATTRIBUTE_MAX },                                      \
	{                                                                                          \
		"country", BODY_TEXT, false, 8                                                     \
	}

static const struct body_field ca_body[] = {
	{ "key", BODY_TEXT, false, NAME_MAX_OCTETS },
	{ "type", BODY_TEXT, false, 16 },
	{ "days", BODY_NUMBER, false, AUTHORITY_DAYS_MAX },
	CA_SUBJECT,
	{},
};

static const struct body_field ca_refresh_body[] = {
	{ "days", BODY_NUMBER, false, AUTHORITY_DAYS_MAX },
	{},
};

static const struct body_field ca_request_body[] = {
	{ "key", BODY_TEXT, false, NAME_MAX_OCTETS },
	{ "type", BODY_TEXT, false, 16 },
	CA_SUBJECT,
	{},
};

static const struct body_field ca_install_body[] = {
	{ "certificate", BODY_TEXT, true, FILE_MAX },
	{ "chain", BODY_TEXT, false, FILE_MAX },
	{},
};

static const struct body_field issue_body[] = {
	{ "address", BODY_TEXT, true, LIMIT_ADDRESS },
	{ "request", BODY_TEXT, false, FILE_MAX },
	{ "name", BODY_TEXT, false, ATTRIBUTE_MAX },
	{ "days", BODY_NUMBER, false, MAILCERT_DAYS_MAX },
	{},
};

static const struct body_field revoke_body[] = {
	{ "reason", BODY_TEXT, false, 32 },
	{},
};

#undef CA_SUBJECT

static const struct body_field acme_account_body[] = {
	{ "directory", BODY_TEXT, false, URL_MAX },
	{ "contact", BODY_TEXTS, false, 10 },
	{ "terms_agreed", BODY_BOOL, false, 0 },
	{ "eab_kid", BODY_TEXT, false, 255 },
	{ "eab_key", BODY_TEXT, false, 1024 },
	{ "roots", BODY_TEXT, false, FILE_MAX },
	{},
};

static const struct body_field acme_order_body[] = {
	{ "names", BODY_TEXTS, false, 100 },
	{ "challenge", BODY_TEXT, false, 16 },
	{ "types", BODY_TEXTS, false, 4 },
	{},
};

static const struct body_field crl_body[] = {
	{ "list", BODY_TEXT, false, CRL_MAX },
	{ "url", BODY_TEXT, false, 2048 },
	{ "authority", BODY_TEXT, false, FILE_MAX },
	{ "domain", BODY_TEXT, false, LIMIT_NAME },
	{},
};

static const struct body_field outgoing_body[] = {
	{ "tls", BODY_TEXT, false, 16 },
	{ "oldest", BODY_TEXT, false, 16 },
	{ "identity", BODY_TEXT, false, 2 * LIMIT_NAME },
	{},
};

static const struct body_field outgoing_probe_body[] = {
	{ "host", BODY_TEXT, false, LIMIT_NAME },
	{ "port", BODY_NUMBER, false, 65535 },
	{},
};

static const struct body_field key_store_body[] = {
	{ "password", BODY_TEXT, true, KEYD_STORE_PASSWORD_MAX },
	{},
};

/* Of Secure Mail: the password of the keys, of the file, and for logging in. */
#define SECURE_PASSWORD(name, required) { name, BODY_TEXT, required, SECURE_PASSWORD_OCTETS }

static const struct body_field smime_set_body[] = {
	{ "from", BODY_TEXT, false, LIMIT_ADDRESS },
	{ "lock_after", BODY_SCALAR, false, 16 },
	{ "cipher", BODY_TEXT, false, 16 },
	{ "current", BODY_NUMBER, false, INT64_MAX },
	{},
};

static const struct body_field smime_generate_body[] = {
	SECURE_PASSWORD("password", true),
	{ "type", BODY_TEXT, false, 16 },
	{ "start_over", BODY_BOOL, false, 0 },
	{ "login_password", BODY_TEXT, false, LIMIT_PASSWORD },
	{},
};

static const struct body_field smime_import_body[] = {
	{ "file", BODY_TEXT, true, IMPORT_MAX },
	{ "passphrase", BODY_TEXT, false, LIMIT_PASSWORD },
	{ "which", BODY_TEXT, false, WHICH_MAX },
	SECURE_PASSWORD("password", true),
	{ "start_over", BODY_BOOL, false, 0 },
	{ "login_password", BODY_TEXT, false, LIMIT_PASSWORD },
	{},
};

static const struct body_field smime_export_body[] = {
	SECURE_PASSWORD("password", true),
	{ "file_password", BODY_TEXT, true, LIMIT_PASSWORD },
	{ "form", BODY_TEXT, false, 8 },
	{ "key", BODY_NUMBER, false, INT64_MAX },
	{},
};

static const struct body_field smime_compare_body[] = {
	{ "file", BODY_TEXT, true, IMPORT_MAX },
	{ "passphrase", BODY_TEXT, false, LIMIT_PASSWORD },
	{ "which", BODY_TEXT, false, WHICH_MAX },
	{ "revoke", BODY_TEXT, false, 32 },
	{},
};

static const struct body_field smime_password_body[] = {
	SECURE_PASSWORD("current", true),
	SECURE_PASSWORD("password", true),
	{},
};

static const struct body_field smime_unlock_body[] = {
	SECURE_PASSWORD("password", true),
	{},
};

static const struct body_field smime_install_body[] = {
	{ "certificate", BODY_TEXT, true, FILE_MAX },
	{ "chain", BODY_TEXT, false, FILE_MAX },
	{},
};

static const struct body_field smime_renew_body[] = {
	{ "key", BODY_NUMBER, false, INT64_MAX },
	{ "from", BODY_TEXT, false, LIMIT_ADDRESS },
	{},
};

static const struct body_field activate_body[] = {
	{ "services", BODY_TEXT, true, 64 },
	{},
};

static const struct body_field issuers_body[] = {
	{ "issuers", BODY_TEXTS, true, CLIENT_ISSUERS_MAX },
	{},
};

static const struct body_field certmap_body[] = {
	{ "rules", BODY_TEXTS, true, CERTMAP_RULES_MAX },
	{},
};

static const struct body_field client_cert_body[] = {
	{ "certificate", BODY_TEXT, true, 4 * LIMIT_CERT },
	{},
};

static const struct body_field rights_body[] = {
	{ "rights", BODY_TEXT, true, 32 },
	{},
};

static const struct body_field book_body[] = {
	{ "name", BODY_TEXT, true, BOOK_NAME_MAX },
	{},
};

static const struct body_field card_add_body[] = {
	{ "card", BODY_OBJECT, true, 0 },
	{ "book", BODY_TEXT, false, BOOK_NAME_MAX },
	{},
};

static const struct body_field card_set_body[] = {
	{ "card", BODY_OBJECT, true, 0 },
	{ "book", BODY_TEXT, false, BOOK_NAME_MAX },
	{ "modseq", BODY_NUMBER, false, INT64_MAX },
	{},
};

static const struct body_field lookup_body[] = {
	{ "addresses", BODY_TEXTS, true, RECIPIENTS_ASKED_MAX },
	{},
};

static const struct body_field take_body[] = {
	{ "mailbox", BODY_TEXT, false, LIMIT_MAILBOX_NAME },
	{ "uid", BODY_NUMBER, false, UINT32_MAX },
	{ "certificate", BODY_TEXT, false, 4 * LIMIT_CERT },
	{ "address", BODY_TEXT, false, LIMIT_ADDRESS },
	{ "anyway", BODY_TEXT, false, 100 },
	{ "book", BODY_TEXT, false, BOOK_NAME_MAX },
	{},
};

static const struct body_field decide_body[] = {
	{ "accept", BODY_BOOL, true, 0 },
	{ "address", BODY_TEXT, false, LIMIT_ADDRESS },
	{},
};

static const struct body_field compose_body[] = {
	{ "act", BODY_TEXT, false, 8 },
	{ "from", BODY_TEXT, true, MAILBOX_MAX },
	{ "to", BODY_TEXTS, false, RECIPIENTS_ASKED_MAX },
	{ "cc", BODY_TEXTS, false, RECIPIENTS_ASKED_MAX },
	{ "bcc", BODY_TEXTS, false, RECIPIENTS_ASKED_MAX },
	{ "subject", BODY_TEXT, false, SUBJECT_MAX },
	{ "in_reply_to", BODY_TEXT, false, MAILBOX_MAX },
	{ "references", BODY_TEXTS, false, REFERENCES_MAX },
	{ "text", BODY_TEXT, false, WRITTEN_MAX },
	{ "html", BODY_TEXT, false, WRITTEN_MAX },
	{ "attachments", BODY_OBJECTS, false, ATTACHMENTS_MAX },
	{ "sign", BODY_BOOL, false, 0 },
	{ "encrypt", BODY_BOOL, false, 0 },
	{ "cipher", BODY_TEXT, false, 32 },
	{ "header_protection", BODY_BOOL, false, 0 },
	{ "save", BODY_BOOL, false, 0 },
	{},
};

#define API "/api/v1"
#define DOMAIN API "/domains/{domain}"
#define ACCOUNT API "/accounts/{address}"

const struct http_route http_routes[] = {
	/* method, path, right, body, query, where, handler, prepare, size, stream */
	{ "POST", API "/session", RIGHT_ANYONE, session_body, NULL, ROUTE_OUTSIDE,
		api_session_start, NULL },
	{ "GET", API "/session", RIGHT_USER, NULL, NULL, ROUTE_OUTSIDE, api_session_show, NULL },
	{ "DELETE", API "/session", RIGHT_USER, NULL, NULL, ROUTE_OUTSIDE, api_session_end, NULL },

	{ "GET", API "/status", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_status, NULL },
	{ "GET", API "/log", RIGHT_ADMIN, NULL, "after tag max", ROUTE_OUTSIDE, api_log, NULL },
	{ "GET", API "/audit", RIGHT_ADMIN, NULL, "max", ROUTE_READS, api_audit, NULL },
	{ "GET", API "/settings", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_setting_list, NULL },
	{ "PATCH", API "/settings", RIGHT_ADMIN, setting_body, NULL, ROUTE_WRITES,
		api_setting_set, NULL, .moves = moves_setting },
	{ "GET", API "/settings/{key}", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_setting_show,
		NULL },

	{ "GET", API "/tls", RIGHT_ADMIN, NULL, "domain listener", ROUTE_READS, api_tls_show,
		NULL },
	{ "PATCH", API "/tls", RIGHT_ADMIN, setting_body, "domain listener", ROUTE_WRITES,
		api_tls_set, NULL },

	{ "GET", API "/outgoing", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_outgoing_list, NULL },
	{ "PATCH", API "/outgoing/{pattern}", RIGHT_ADMIN, outgoing_body, NULL, ROUTE_WRITES,
		api_outgoing_set, NULL },
	{ "DELETE", API "/outgoing/{pattern}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_outgoing_remove, NULL },
	{ "GET", API "/outgoing/{destination}/policy", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE,
		api_outgoing_show, NULL },
	{ "POST", API "/outgoing/{destination}/probe", RIGHT_ADMIN, outgoing_probe_body, NULL,
		ROUTE_OUTSIDE, api_outgoing_probe, NULL },

	{ "GET", API "/queue", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_queue_list, NULL },
	{ "PATCH", API "/queue/{id}", RIGHT_ADMIN, queue_body, NULL, ROUTE_WRITES, api_queue_set,
		NULL },
	{ "DELETE", API "/queue/{id}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_queue_remove,
		NULL },

	{ "GET", API "/domains", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_domain_list, NULL },
	{ "POST", API "/domains", RIGHT_ADMIN, domain_add_body, "revoke", ROUTE_WRITES,
		api_domain_add, NULL, .moves = moves_new_domain },
	{ "GET", DOMAIN, RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_domain_show, NULL },
	{ "PATCH", DOMAIN, RIGHT_ADMIN, domain_set_body, "revoke", ROUTE_WRITES, api_domain_set,
		api_domain_set_prepare, .moves = moves_domain },
	{ "DELETE", DOMAIN, RIGHT_ADMIN, NULL, "revoke", ROUTE_WRITES, api_domain_remove,
		api_domain_remove_prepare, .moves = moves_gone_domain },
	{ "POST", DOMAIN "/tls-probe", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_tls_probe,
		NULL },
	{ "GET", DOMAIN "/aliases", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_domain_alias_list,
		NULL },
	{ "PUT", DOMAIN "/aliases/{alias}", RIGHT_ADMIN, NULL, "revoke", ROUTE_WRITES,
		api_domain_alias_add, NULL, .moves = moves_domain_alias },
	{ "DELETE", DOMAIN "/aliases/{alias}", RIGHT_ADMIN, NULL, "revoke", ROUTE_WRITES,
		api_domain_alias_remove, NULL, .moves = moves_domain_alias },

	{ "GET", DOMAIN "/keys", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_key_list, NULL },
	{ "POST", DOMAIN "/keys", RIGHT_ADMIN, key_body, NULL, ROUTE_WRITES, api_key_make,
		api_key_make_prepare },
	{ "GET", DOMAIN "/keys/{key}", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_key_show, NULL },
	{ "POST", DOMAIN "/keys/{key}/test", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_key_test,
		NULL },
	{ "POST", DOMAIN "/keys/import", RIGHT_ADMIN, key_import_body, NULL, ROUTE_WRITES,
		api_key_import, api_key_import_prepare, SIZE_FILE },
	{ "POST", DOMAIN "/keys/{key}/export", RIGHT_ADMIN, key_export_body, NULL, ROUTE_WRITES,
		api_key_export, api_key_export_prepare },
	{ "DELETE", DOMAIN "/keys/{key}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_key_remove,
		NULL },

	{ "GET", DOMAIN "/names", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_name_list, NULL },
	{ "GET", DOMAIN "/requests", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_request_list, NULL },
	{ "POST", DOMAIN "/requests", RIGHT_ADMIN, request_body, NULL, ROUTE_WRITES,
		api_request_make, api_request_make_prepare },
	{ "GET", DOMAIN "/requests/{request}", RIGHT_ADMIN, NULL, NULL, ROUTE_READS,
		api_request_show, NULL },
	{ "DELETE", DOMAIN "/requests/{request}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_request_remove, NULL },

	{ "GET", DOMAIN "/check", RIGHT_ADMIN, NULL, "certificate", ROUTE_OUTSIDE, api_check, NULL },
	{ "GET", DOMAIN "/certificates", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_cert_list,
		NULL },
	{ "POST", DOMAIN "/certificates", RIGHT_ADMIN, cert_body, NULL, ROUTE_WRITES,
		api_cert_make, api_cert_make_prepare },
	{ "GET", DOMAIN "/certificates/{certificate}", RIGHT_ADMIN, NULL, NULL, ROUTE_READS,
		api_cert_show, NULL },
	{ "PATCH", DOMAIN "/certificates/{certificate}", RIGHT_ADMIN, activate_body, NULL,
		ROUTE_WRITES, api_cert_activate, NULL },
	{ "PUT", DOMAIN "/certificates/{certificate}", RIGHT_ADMIN, renewal_body, NULL,
		ROUTE_WRITES, api_cert_renew, api_cert_renew_prepare, SIZE_FILE },
	{ "DELETE", DOMAIN "/certificates/{certificate}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_cert_remove, NULL },
	{ "POST", DOMAIN "/certificates/install", RIGHT_ADMIN, install_body, NULL, ROUTE_WRITES,
		api_cert_install, api_cert_install_prepare, SIZE_FILE },
	{ "POST", DOMAIN "/certificates/import", RIGHT_ADMIN, cert_import_body, NULL, ROUTE_WRITES,
		api_cert_import, api_cert_import_prepare, SIZE_FILE },
	{ "POST", DOMAIN "/certificates/{certificate}/export", RIGHT_ADMIN, cert_export_body, NULL,
		ROUTE_WRITES, api_cert_export, api_cert_export_prepare },
	{ "POST", DOMAIN "/certificates/{certificate}/refresh", RIGHT_ADMIN, refresh_body, NULL,
		ROUTE_WRITES, api_cert_refresh, api_cert_refresh_prepare },
	{ "GET", DOMAIN "/certificates/{certificate}/chain", RIGHT_ADMIN, NULL, NULL, ROUTE_READS,
		api_chain_show, NULL },
	{ "PUT", DOMAIN "/certificates/{certificate}/chain", RIGHT_ADMIN, chain_body, NULL,
		ROUTE_WRITES, api_chain_set, api_chain_set_prepare, SIZE_FILE },
	{ "DELETE", DOMAIN "/certificates/{certificate}/chain", RIGHT_ADMIN, NULL, NULL,
		ROUTE_WRITES, api_chain_remove, NULL },

	{ "GET", API "/key-store", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_key_store_show,
		NULL },
	{ "POST", API "/key-store/check", RIGHT_ADMIN, key_store_body, NULL, ROUTE_OUTSIDE,
		api_key_store_check, NULL },

	{ "GET", API "/trust", RIGHT_ADMIN, NULL, "scope domain", ROUTE_OUTSIDE, api_trust_list,
		NULL },
	{ "POST", API "/trust", RIGHT_ADMIN, trust_body, NULL, ROUTE_WRITES, api_trust_add,
		api_trust_add_prepare, SIZE_FILE },
	{ "DELETE", API "/trust/{fingerprint}", RIGHT_ADMIN, NULL, "scope domain", ROUTE_WRITES,
		api_trust_remove, api_trust_remove_prepare },

	{ "GET", DOMAIN "/client-issuers", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_issuer_list,
		NULL },
	{ "PUT", DOMAIN "/client-issuers", RIGHT_ADMIN, issuers_body, NULL, ROUTE_WRITES,
		api_issuer_set, api_issuer_set_prepare },
	{ "DELETE", DOMAIN "/client-issuers", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_issuer_clear, NULL },
	{ "DELETE", DOMAIN "/client-issuers/{fingerprint}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_issuer_remove, NULL },
	{ "GET", DOMAIN "/certmap", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_certmap_show, NULL },
	{ "PUT", DOMAIN "/certmap", RIGHT_ADMIN, certmap_body, NULL, ROUTE_WRITES, api_certmap_set,
		NULL },
	{ "DELETE", DOMAIN "/certmap", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_certmap_clear,
		NULL },
	{ "POST", DOMAIN "/certmap/test", RIGHT_ADMIN, client_cert_body, NULL, ROUTE_OUTSIDE,
		api_certmap_test, NULL, SIZE_FILE },

	/* The same for domains that have none of their own. */
	{ "GET", API "/client-issuers", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_issuer_list,
		NULL },
	{ "PUT", API "/client-issuers", RIGHT_ADMIN, issuers_body, NULL, ROUTE_WRITES,
		api_issuer_set, api_issuer_set_prepare },
	{ "DELETE", API "/client-issuers", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_issuer_clear,
		NULL },
	{ "DELETE", API "/client-issuers/{fingerprint}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_issuer_remove, NULL },
	{ "GET", API "/certmap", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_certmap_show, NULL },
	{ "PUT", API "/certmap", RIGHT_ADMIN, certmap_body, NULL, ROUTE_WRITES, api_certmap_set,
		NULL },
	{ "DELETE", API "/certmap", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_certmap_clear, NULL },

	{ "GET", API "/acme", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_acme_list, NULL },
	{ "GET", API "/acme/account", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_acme_account_show,
		NULL },
	{ "PATCH", API "/acme/account", RIGHT_ADMIN, acme_account_body, NULL, ROUTE_WRITES,
		api_acme_account_set, api_acme_account_set_prepare, SIZE_FILE },
	{ "DELETE", API "/acme/account", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_acme_account_remove, NULL },
	{ "GET", DOMAIN "/acme", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_acme_show, NULL },
	{ "POST", DOMAIN "/acme", RIGHT_ADMIN, acme_order_body, NULL, ROUTE_WRITES, api_acme_order,
		api_acme_order_prepare },
	{ "DELETE", DOMAIN "/acme", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_acme_stop, NULL },
	{ "POST", DOMAIN "/acme/renew", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_acme_renew,
		NULL },
	{ "GET", DOMAIN "/acme/account", RIGHT_ADMIN, NULL, NULL, ROUTE_READS,
		api_acme_account_show, NULL },
	{ "PATCH", DOMAIN "/acme/account", RIGHT_ADMIN, acme_account_body, NULL, ROUTE_WRITES,
		api_acme_account_set, api_acme_account_set_prepare, SIZE_FILE },
	{ "DELETE", DOMAIN "/acme/account", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_acme_account_remove, NULL },

	{ "GET", DOMAIN "/ca", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_ca_show, NULL },
	{ "POST", DOMAIN "/ca", RIGHT_ADMIN, ca_body, NULL, ROUTE_WRITES, api_ca_make,
		api_ca_make_prepare },
	{ "DELETE", DOMAIN "/ca", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_ca_remove, NULL },
	{ "POST", DOMAIN "/ca/refresh", RIGHT_ADMIN, ca_refresh_body, NULL, ROUTE_WRITES,
		api_ca_refresh, api_ca_refresh_prepare },
	{ "POST", DOMAIN "/ca/request", RIGHT_ADMIN, ca_request_body, NULL, ROUTE_WRITES,
		api_ca_request, api_ca_request_prepare },
	{ "POST", DOMAIN "/ca/install", RIGHT_ADMIN, ca_install_body, NULL, ROUTE_WRITES,
		api_ca_install, api_ca_install_prepare, SIZE_FILE },
	{ "GET", DOMAIN "/ca/certificate", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_ca_cert, NULL },
	{ "GET", DOMAIN "/ca/check", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_ca_check, NULL },
	{ "GET", DOMAIN "/ca/crl", RIGHT_ADMIN, NULL, NULL, ROUTE_OUTSIDE, api_ca_crl, NULL },
	{ "GET", DOMAIN "/ca/certificates", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_issued_list,
		NULL },
	{ "POST", DOMAIN "/ca/certificates", RIGHT_ADMIN, issue_body, NULL, ROUTE_OUTSIDE,
		api_issued_make, NULL, SIZE_FILE },
	{ "POST", DOMAIN "/ca/certificates/{certificate}/revoke", RIGHT_ADMIN, revoke_body, NULL,
		ROUTE_WRITES, api_issued_revoke, NULL },
	{ "GET", ACCOUNT "/issued", RIGHT_OWN, NULL, NULL, ROUTE_READS, api_own_issued_list, NULL },
	{ "POST", ACCOUNT "/issued/{certificate}/revoke", RIGHT_OWN, revoke_body, NULL,
		ROUTE_WRITES, api_own_issued_revoke, NULL },

	{ "GET", API "/crls", RIGHT_ADMIN, NULL, "domain", ROUTE_READS, api_crl_list, NULL },
	{ "POST", API "/crls", RIGHT_ADMIN, crl_body, NULL, ROUTE_WRITES, api_crl_add,
		api_crl_add_prepare, SIZE_CRL },
	{ "DELETE", API "/crls/{list}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_crl_remove,
		NULL },
	{ "POST", API "/crls/{list}/fetch", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES, api_crl_fetch,
		api_crl_fetch_prepare },

	{ "GET", API "/aliases", RIGHT_ADMIN, NULL, "domain", ROUTE_READS, api_alias_list, NULL },
	{ "POST", API "/aliases", RIGHT_ADMIN, alias_add_body, "revoke", ROUTE_WRITES, api_alias_add,
		NULL, .moves = moves_address },
	{ "GET", API "/aliases/{address}", RIGHT_ADMIN, NULL, NULL, ROUTE_READS, api_alias_show,
		NULL },
	{ "PUT", API "/aliases/{address}", RIGHT_ADMIN, alias_set_body, "revoke", ROUTE_WRITES,
		api_alias_set, NULL, .moves = moves_address },
	{ "DELETE", API "/aliases/{address}", RIGHT_ADMIN, NULL, "revoke", ROUTE_WRITES,
		api_alias_remove, NULL, .moves = moves_address },

	{ "GET", API "/accounts", RIGHT_ADMIN, NULL, "domain", ROUTE_READS, api_account_list,
		NULL },
	{ "POST", API "/accounts", RIGHT_ADMIN, account_add_body, "revoke", ROUTE_WRITES,
		api_account_add, api_account_add_prepare, .moves = moves_address },
	{ "GET", ACCOUNT, RIGHT_OWN, NULL, NULL, ROUTE_READS, api_account_show, NULL },
	{ "PATCH", ACCOUNT, RIGHT_OWN, account_set_body, NULL, ROUTE_WRITES, api_account_set,
		NULL, .moves = moves_postmaster },
	{ "DELETE", ACCOUNT, RIGHT_ADMIN, NULL, "revoke", ROUTE_WRITES, api_account_remove, NULL,
		.moves = moves_account },
	{ "PUT", ACCOUNT "/password", RIGHT_OWN, password_body, NULL, ROUTE_WRITES,
		api_password_set, api_password_set_prepare },
	{ "GET", ACCOUNT "/certificates", RIGHT_OWN, NULL, NULL, ROUTE_READS, api_own_cert_list,
		NULL },
	{ "POST", ACCOUNT "/certificates", RIGHT_ADMIN, client_cert_body, NULL, ROUTE_WRITES,
		api_own_cert_add, NULL, SIZE_FILE },
	{ "DELETE", ACCOUNT "/certificates/{fingerprint}", RIGHT_ADMIN, NULL, NULL, ROUTE_WRITES,
		api_own_cert_remove, NULL },
	{ "GET", ACCOUNT "/smime", RIGHT_OWN, NULL, NULL, ROUTE_OUTSIDE, api_smime_show, NULL },
	{ "PATCH", ACCOUNT "/smime", RIGHT_OWN, smime_set_body, NULL, ROUTE_OUTSIDE, api_smime_set,
		NULL },
	{ "GET", ACCOUNT "/smime/state", RIGHT_OWN, NULL, NULL, ROUTE_OUTSIDE, api_smime_state, NULL },
	{ "POST", ACCOUNT "/smime/generate", RIGHT_OWN, smime_generate_body, NULL, ROUTE_SLOW,
		api_smime_generate, NULL },
	{ "POST", ACCOUNT "/smime/import", RIGHT_OWN, smime_import_body, NULL, ROUTE_SLOW,
		api_smime_import, NULL, SIZE_FILE },
	{ "POST", ACCOUNT "/smime/export", RIGHT_OWN, smime_export_body, NULL, ROUTE_SLOW,
		api_smime_export, NULL },
	{ "POST", ACCOUNT "/smime/compare-and-remove", RIGHT_OWN, smime_compare_body, NULL,
		ROUTE_SLOW, api_smime_compare, NULL, SIZE_FILE },
	{ "POST", ACCOUNT "/smime/password", RIGHT_OWN, smime_password_body, NULL, ROUTE_SLOW,
		api_smime_password, NULL },
	{ "POST", ACCOUNT "/smime/unlock", RIGHT_OWN, smime_unlock_body, NULL, ROUTE_SLOW,
		api_smime_unlock, NULL },
	{ "POST", ACCOUNT "/smime/lock", RIGHT_OWN, NULL, NULL, ROUTE_OUTSIDE, api_smime_lock, NULL },
	{ "POST", ACCOUNT "/smime/install", RIGHT_OWN, smime_install_body, NULL, ROUTE_OUTSIDE,
		api_smime_install, NULL, SIZE_FILE },
	{ "POST", ACCOUNT "/smime/renew", RIGHT_OWN, smime_renew_body, NULL, ROUTE_OUTSIDE,
		api_smime_renew, NULL },
	{ "POST", ACCOUNT "/smime/strength", RIGHT_OWN, smime_unlock_body, NULL, ROUTE_OUTSIDE,
		api_smime_strength, NULL },

	{ "GET", ACCOUNT "/mailboxes/{mailbox}/messages", RIGHT_SELF, NULL, "before limit search",
		ROUTE_READS,
		api_message_list, NULL },
	{ "GET", ACCOUNT "/messages/{id}", RIGHT_SELF, NULL, NULL, ROUTE_OUTSIDE,
		api_message_octets, NULL },
	{ "GET", ACCOUNT "/messages/{id}/read", RIGHT_SELF, NULL, NULL, ROUTE_OUTSIDE,
		api_message_read, NULL },
	{ "GET", ACCOUNT "/messages/{id}/parts/{part}", RIGHT_SELF, NULL, NULL, ROUTE_OUTSIDE,
		api_message_part, NULL },
	{ "POST", ACCOUNT "/compose", RIGHT_SELF, compose_body, NULL, ROUTE_OUTSIDE, api_compose,
		NULL, SIZE_COMPOSE },
	{ "GET", ACCOUNT "/uploads", RIGHT_SELF, NULL, NULL, ROUTE_READS, api_upload_list, NULL },
	{ "POST", ACCOUNT "/uploads", RIGHT_SELF, NULL, NULL, ROUTE_OUTSIDE, api_upload_add, NULL,
		SIZE_MESSAGE, &api_upload_stream },
	{ "DELETE", ACCOUNT "/uploads/{upload}", RIGHT_SELF, NULL, NULL, ROUTE_OUTSIDE,
		api_upload_remove, NULL },
	{ "POST", ACCOUNT "/messages/{id}/encrypt", RIGHT_SELF, NULL, NULL, ROUTE_OUTSIDE,
		api_stored_encrypt, NULL },
	{ "POST", ACCOUNT "/messages/{id}/decrypt", RIGHT_SELF, NULL, NULL, ROUTE_OUTSIDE,
		api_stored_decrypt, NULL },
	{ "GET", ACCOUNT "/encryption", RIGHT_OWN, NULL, NULL, ROUTE_READS, api_encryption_show,
		NULL },
	{ "POST", ACCOUNT "/encryption", RIGHT_OWN, NULL, NULL, ROUTE_OUTSIDE,
		api_encryption_start, NULL },
	{ "DELETE", ACCOUNT "/encryption", RIGHT_OWN, NULL, NULL, ROUTE_WRITES,
		api_encryption_remove, NULL },
	{ "POST", ACCOUNT "/encryption/pause", RIGHT_OWN, NULL, NULL, ROUTE_WRITES,
		api_encryption_pause, NULL },
	{ "POST", ACCOUNT "/encryption/resume", RIGHT_OWN, NULL, NULL, ROUTE_WRITES,
		api_encryption_resume, NULL },

	{ "GET", ACCOUNT "/certificates/known", RIGHT_OWN, NULL, "address", ROUTE_READS,
		api_known_cert_list, NULL },
	{ "GET", ACCOUNT "/certificates/waiting", RIGHT_OWN, NULL, NULL, ROUTE_READS,
		api_waiting_cert_list, NULL },
	{ "POST", ACCOUNT "/certificates/waiting/{fingerprint}", RIGHT_WORD, decide_body, NULL,
		ROUTE_WRITES, api_cert_decide, api_cert_decide_prepare },
	{ "POST", ACCOUNT "/certificates/lookup", RIGHT_OWN, lookup_body, NULL, ROUTE_OUTSIDE,
		api_cert_lookup, NULL },
	{ "POST", ACCOUNT "/certificates/take", RIGHT_WORD, take_body, NULL, ROUTE_WRITES,
		api_cert_take, api_cert_take_prepare, SIZE_FILE },
	{ "GET", ACCOUNT "/books", RIGHT_OWN, NULL, NULL, ROUTE_READS, api_book_list, NULL },
	{ "POST", ACCOUNT "/books", RIGHT_OWN, book_body, NULL, ROUTE_WRITES, api_book_add, NULL },
	{ "PATCH", ACCOUNT "/books/{book}", RIGHT_OWN, book_body, NULL, ROUTE_WRITES, api_book_set,
		NULL },
	{ "DELETE", ACCOUNT "/books/{book}", RIGHT_OWN, NULL, NULL, ROUTE_WRITES, api_book_remove,
		NULL },
	{ "GET", ACCOUNT "/cards", RIGHT_OWN, NULL, "book", ROUTE_READS, api_card_list, NULL },
	{ "POST", ACCOUNT "/cards", RIGHT_OWN, card_add_body, NULL, ROUTE_WRITES, api_card_add,
		api_card_prepare, SIZE_FILE },
	{ "GET", ACCOUNT "/cards/{uid}", RIGHT_OWN, NULL, NULL, ROUTE_READS, api_card_show, NULL },
	{ "PUT", ACCOUNT "/cards/{uid}", RIGHT_OWN, card_set_body, NULL, ROUTE_WRITES, api_card_set,
		api_card_prepare, SIZE_FILE },
	{ "DELETE", ACCOUNT "/cards/{uid}", RIGHT_OWN, NULL, NULL, ROUTE_WRITES, api_card_remove,
		NULL },
	{ "GET", ACCOUNT "/mailboxes/{mailbox}/rights", RIGHT_OWN, NULL, NULL, ROUTE_READS,
		api_rights_list, NULL },
	{ "PUT", ACCOUNT "/mailboxes/{mailbox}/rights/{identifier}", RIGHT_OWN, rights_body, NULL,
		ROUTE_WRITES, api_rights_set, NULL },
	{ "DELETE", ACCOUNT "/mailboxes/{mailbox}/rights/{identifier}", RIGHT_OWN, NULL, NULL,
		ROUTE_WRITES, api_rights_remove, NULL },

	{ "GET", API "/rules/{owner}", RIGHT_OWN, NULL, NULL, ROUTE_READS, api_rule_list, NULL },
	{ "GET", API "/rules/{owner}/{name}", RIGHT_OWN, NULL, NULL, ROUTE_READS, api_rule_show,
		NULL },
	{ "PUT", API "/rules/{owner}/{name}", RIGHT_OWN, rule_body, NULL, ROUTE_WRITES,
		api_rule_set, api_rule_set_prepare, SIZE_FILE },
	{ "DELETE", API "/rules/{owner}/{name}", RIGHT_OWN, NULL, NULL, ROUTE_WRITES,
		api_rule_remove, NULL },

	{ "GET", ACCOUNT "/mailboxes", RIGHT_OWN, NULL, NULL, ROUTE_READS, api_mailbox_list, NULL },
	{ "POST", ACCOUNT "/mailboxes", RIGHT_OWN, mailbox_body, NULL, ROUTE_WRITES,
		api_mailbox_add, NULL },
	{ "DELETE", ACCOUNT "/mailboxes/{mailbox}", RIGHT_OWN, NULL, NULL, ROUTE_WRITES,
		api_mailbox_remove, NULL },

	{ "GET", "/", RIGHT_ANYONE, NULL, NULL, ROUTE_READS, page_first, NULL },
	{ "GET", "/.well-known/acme-challenge/{token}", RIGHT_ANYONE, NULL, NULL, ROUTE_READS,
		page_acme_challenge, NULL },
	{ "GET", "/metrics", RIGHT_METRICS, NULL, NULL, ROUTE_READS, page_metrics, NULL },
	{ "GET", "/pki/{domain}/cert.pem", RIGHT_ANYONE, NULL, NULL, ROUTE_READS, page_cert_pem,
		NULL },
	{ "GET", "/pki/{domain}/cert.der", RIGHT_ANYONE, NULL, NULL, ROUTE_READS, page_cert_der,
		NULL },
	{ "GET", "/pki/{domain}/chain.pem", RIGHT_ANYONE, NULL, NULL, ROUTE_READS, page_chain_pem,
		NULL },
	{ "GET", "/pki/{domain}/ca.der", RIGHT_ANYONE, NULL, NULL, ROUTE_OUTSIDE, page_ca_cert,
		NULL },
	{ "GET", "/pki/{domain}/ca.crl", RIGHT_ANYONE, NULL, NULL, ROUTE_OUTSIDE, page_ca_list,
		NULL },
	{ "POST", "/pki/{domain}/ocsp", RIGHT_ANYONE, NULL, NULL, ROUTE_OUTSIDE, page_ocsp_post,
		NULL },
	{ "GET", "/pki/{domain}/ocsp/{request*}", RIGHT_ANYONE, NULL, NULL, ROUTE_OUTSIDE,
		page_ocsp_get, NULL },
	{ "GET", "/pki/{domain}/{authority}/ca.der", RIGHT_ANYONE, NULL, NULL, ROUTE_OUTSIDE,
		page_ca_label_cert, NULL },
	{ "GET", "/pki/{domain}/{authority}/ca.crl", RIGHT_ANYONE, NULL, NULL, ROUTE_OUTSIDE,
		page_ca_label_list, NULL },
	{ "POST", "/pki/{domain}/{authority}/ocsp", RIGHT_ANYONE, NULL, NULL, ROUTE_OUTSIDE,
		page_ocsp_label_post, NULL },
	{ "GET", "/pki/{domain}/{authority}/ocsp/{request*}", RIGHT_ANYONE, NULL, NULL,
		ROUTE_OUTSIDE, page_ocsp_label_get, NULL },
};

#undef API
#undef DOMAIN
#undef ACCOUNT

const size_t n_http_routes = sizeof http_routes / sizeof http_routes[0];
