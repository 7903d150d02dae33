/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Rights of others to an account's mailboxes. */

#include "store/sharing.h"
#include "svc/http/api.h"

static int find_mailbox(struct http_request *q, struct store_conn *c,
	struct store_account *ret_account, struct store_mailbox *ret_mailbox)
{
	int r = api_account(q, c, ret_account);

	if (r)
		return r;
	r = store_mailbox_find(c, &q->arena, ret_account->id, q->params[1], ret_mailbox);
	return r ? http_store_problem(q, r, "mailbox", "mailbox", NULL) : 0;
}

static int answer_rights(struct http_request *q, struct store_conn *c, int64_t mailbox)
{
	struct acl_entry *entries;
	json_t *list;
	size_t n;

	TRY(store_acl_list(c, &q->arena, mailbox, &entries, &n));
	list = api_answer_list(q, "rights");
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf letters = {};
		json_t *object = json_object();

		rights_print(&letters, entries[i].rights);
		api_set_text(object, "identifier", entries[i].identifier);
		api_set_text(object, "rights", buf_span(&letters));
		(void)json_object_set_new(object, "owner", json_boolean(i == 0));
		(void)json_array_append_new(list, object);
	}
	return 0;
}

int api_rights_list(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	struct store_mailbox mailbox;
	int r = find_mailbox(q, c, &account, &mailbox);

	return r ? r : answer_rights(q, c, mailbox.id);
}

static int change_rights(struct http_request *q, struct store_conn *c, unsigned rights)
{
	struct store_account account;
	struct store_mailbox mailbox;
	struct why why = {};
	int r = find_mailbox(q, c, &account, &mailbox);

	if (r)
		return r;
	r = store_acl_set(c, mailbox.id, q->params[2], ACL_SET, rights, &why);
	if (r)
		return http_store_problem(q, r, "mailbox", "identifier", &why);
	TRY(http_audit(q, c, rights ? "mailbox.rights" : "mailbox.rights-remove", account.address,
		mailbox.name));
	return answer_rights(q, c, mailbox.id);
}

int api_rights_set(struct http_request *q, struct store_conn *c)
{
	unsigned rights;

	if (!rights_parse(http_text(q, "rights"), &rights))
		return http_problem(q, 422, "rights",
			"rights are the letters l r s w i p k x t e a, see doc/sharing.md");
	return change_rights(q, c, rights);
}

int api_rights_remove(struct http_request *q, struct store_conn *c)
{
	return change_rights(q, c, 0);
}
