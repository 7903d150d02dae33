-- SPDX-License-Identifier: Apache-2.0

-- Whether its accounts may have Secure Mail keys; an account's -1: what its domain says.
alter table domain add column smime integer not null default 1;
alter table account add column smime integer not null default -1;

-- What an account has chosen, and counts. There is a row once something differs from the defaults.
create table secure_mail (
	account integer primary key references account on delete cascade,
	from_address blob not null, -- whom new certificates are for; empty: the account
	lock_after integer not null, -- seconds
	cipher integer not null,
	password integer not null, -- which of the passwords that the account has had over time
	revision integer not null -- changes with the password and the set of keys
);

-- The keys of an account, old ones too: they decrypt old mail.
create table secure_key (
	id integer primary key autoincrement,
	account integer not null references account on delete cascade,
	key_id blob not null,
	type blob not null,
	spki blob not null,
	wrapped blob not null, -- sealed under the Secure Mail Password, then under the key-encryption key
	password integer not null, -- which it was; keys of an earlier one do not open with the present one
	is_current integer not null, -- signs, and others encrypt to it
	created integer not null,
	unique (account, key_id)
);

create table secure_cert (
	id integer primary key autoincrement,
	secure_key integer not null references secure_key on delete cascade,
	sha256 blob not null,
	der blob not null,
	chain blob not null,
	is_current integer not null, -- of its key
	created integer not null,
	unique (secure_key, sha256)
);
