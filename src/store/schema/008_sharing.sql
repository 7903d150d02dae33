-- SPDX-License-Identifier: Apache-2.0

-- Rights of others to a mailbox, as bits (store/rights.h). account or domain says who; both are null
-- for all accounts of the server. The owner has all rights and no row.
create table mailbox_acl (
	id integer primary key autoincrement,
	mailbox integer not null references mailbox on delete cascade,
	account integer references account on delete cascade,
	domain integer references domain on delete cascade,
	rights integer not null
);
create unique index mailbox_acl_once on mailbox_acl (mailbox, coalesce(account, 0), coalesce(domain, 0));
create index mailbox_acl_who on mailbox_acl (account, domain);
create index mailbox_acl_domain on mailbox_acl (domain);
