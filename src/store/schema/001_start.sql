-- SPDX-License-Identifier: Apache-2.0
-- Names, texts and octets are blobs, times are microseconds since 1970 UTC. What has an id that
-- clients keep (mailboxes, accounts, uploads) never gives it to another row: autoincrement.

create table value (
	name blob primary key,
	value blob not null
) without rowid;

create table setting (
	scope blob not null,
	key blob not null,
	value blob not null,
	primary key (scope, key)
) without rowid;

create table domain (
	id integer primary key autoincrement,
	name blob not null unique,
	pki integer not null,
	main integer not null,
	account_quota integer not null,
	n_accounts integer not null,
	created integer not null
);
create index domain_main on domain (main);

create table domain_alias (
	name blob primary key,
	domain integer not null references domain on delete cascade
) without rowid;
create index domain_alias_domain on domain_alias (domain);

create table account (
	id integer primary key autoincrement,
	domain integer not null references domain,
	local blob not null, -- lower case
	name blob not null,
	role integer not null,
	disabled integer not null,
	quota integer not null, -- -1: the domain's or the server's
	hash blob not null,
	scram blob not null,
	state integer not null,
	modseq integer not null,
	uidvalidity integer not null, -- the newest that was given
	used_octets integer not null,
	used_messages integer not null,
	created integer not null,
	unique (domain, local)
);
create index account_role on account (role, disabled);

-- Accounts that are gone and still have thread_ref rows.
create table account_removed (
	account integer primary key
);

create table address_alias (
	domain integer not null references domain on delete cascade,
	local blob not null,
	targets blob not null, -- addresses, a comma between
	primary key (domain, local)
) without rowid;

create table lease (
	account integer primary key references account on delete cascade,
	holder integer not null,
	expires integer not null
);

create table keyword (
	account integer not null references account on delete cascade,
	bit integer not null,
	name blob not null,
	folded blob not null, -- lower case
	primary key (account, bit),
	unique (account, folded)
) without rowid;

-- account is null once the mailbox was removed: then the sweeper empties it in small steps.
create table mailbox (
	id integer primary key autoincrement,
	account integer references account,
	name blob not null,
	special_use integer not null,
	uidvalidity integer not null,
	uidnext integer not null,
	highest_modseq integer not null,
	n_messages integer not null,
	n_unseen integer not null,
	n_deleted integer not null,
	octets integer not null,
	recent_from integer not null,
	n_expunged integer not null,
	expunged_floor integer not null, -- expunges up to this modseq are not all on record
	created integer not null,
	unique (account, name)
);

create table subscription (
	account integer not null references account on delete cascade,
	name blob not null,
	primary key (account, name)
) without rowid;

create table upload (
	id integer primary key autoincrement,
	created integer not null
);

create table content_piece (
	upload integer not null,
	n integer not null,
	codec integer not null,
	data blob not null,
	primary key (upload, n)
);

-- sha256 has no index: the trace fields make nearly every body unique, and an index over random
-- values costs more the more is stored. data is last, so listing never reads a body's pages.
create table content (
	id integer primary key,
	size integer not null,
	codec integer not null,
	upload integer not null, -- whose pieces are the body; 0: it is in data
	sent integer not null,
	created integer not null,
	sha256 blob not null,
	refs blob not null,
	envelope blob not null,
	structure blob not null,
	data blob not null
);

-- Contents that lost a reference: the sweeper looks whether it was the last.
create table garbage (
	since integer not null,
	content integer not null,
	primary key (since, content)
) without rowid;

-- Clustered by what IMAP asks for. No foreign key to mailbox: every statement has just read it.
create table message (
	mailbox integer not null,
	uid integer not null,
	id integer not null,
	content integer not null references content,
	thread integer not null,
	flags integer not null,
	modseq integer not null,
	size integer not null,
	received integer not null,
	saved integer not null,
	primary key (mailbox, uid)
) without rowid;
create unique index message_id on message (id);
create index message_modseq on message (mailbox, modseq);
create index message_content on message (content);

create table expunged (
	mailbox integer not null,
	modseq integer not null,
	uid integer not null,
	primary key (mailbox, modseq, uid)
) without rowid;

create table thread_ref (
	account integer not null,
	hash integer not null,
	thread integer not null,
	primary key (account, hash)
) without rowid;

create table tls_key (
	id integer primary key autoincrement,
	domain integer not null references domain on delete cascade,
	use integer not null,
	alias blob not null,
	type blob not null,
	key_id blob not null,
	wrapped blob not null,
	spki blob not null,
	created integer not null,
	unique (domain, alias)
);

create table cert (
	id integer primary key autoincrement,
	domain integer not null references domain on delete cascade,
	tls_key integer references tls_key on delete cascade,
	alias blob not null,
	der blob not null,
	chain blob not null,
	services blob not null,
	created integer not null,
	unique (domain, alias)
);
create index cert_tls_key on cert (tls_key);

create table queue (
	id integer primary key autoincrement,
	content integer not null references content,
	sender blob not null,
	recipient blob not null,
	envelope_id blob not null,
	original_recipient blob not null,
	notify integer not null,
	return_full integer not null,
	state integer not null,
	attempts integer not null,
	next integer not null,
	expires integer not null,
	created integer not null,
	last_error blob not null
);
create index queue_next on queue (state, next);
create index queue_content on queue (content);

create table audit (
	id integer primary key autoincrement,
	time integer not null,
	actor blob not null,
	action blob not null,
	target blob not null,
	detail blob not null
);
create trigger audit_update before update on audit
begin
	select raise(abort, 'the audit record is append-only');
end;
create trigger audit_delete before delete on audit
begin
	select raise(abort, 'the audit record is append-only');
end;
