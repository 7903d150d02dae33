-- SPDX-License-Identifier: Apache-2.0

-- Rules: Sieve scripts of the server (neither domain nor account), of domains and of accounts. At
-- most one of an owner is active.
create table rule_script (
	id integer primary key autoincrement,
	domain integer references domain on delete cascade,
	account integer references account on delete cascade,
	name blob not null,
	active integer not null,
	text blob not null,
	sha256 blob not null, -- of the text
	changed integer not null
);
create unique index rule_script_name
	on rule_script (coalesce(account, 0), coalesce(domain, 0), name);
create index rule_script_account on rule_script (account);
create index rule_script_domain on rule_script (domain);

-- Whom an account's vacation has answered, and until when it will not do so again.
create table vacation_reply (
	account integer not null references account on delete cascade,
	handle blob not null, -- of the answer
	sender blob not null, -- lower case
	until integer not null,
	primary key (account, handle, sender)
) without rowid;
