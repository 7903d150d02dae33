-- SPDX-License-Identifier: Apache-2.0

-- Whether only clients with a certificate are let in.
alter table domain add column client_required integer not null default 0;

-- The issuers whose clients are asked for a certificate. domain is null for those of all domains that
-- have chosen none.
create table client_issuer (
	id integer primary key autoincrement,
	domain integer references domain on delete cascade,
	sha256 blob not null,
	der blob not null,
	created integer not null
);
create unique index client_issuer_once on client_issuer (coalesce(domain, 0), sha256);

-- From a client's certificate to an account: rules in the order of n. domain as above.
create table certmap (
	id integer primary key autoincrement,
	domain integer references domain on delete cascade,
	n integer not null,
	rule blob not null
);
create unique index certmap_order on certmap (coalesce(domain, 0), n);

-- Certificates that are an account's own: for rules that go by them, or demand them.
create table account_cert (
	account integer not null references account on delete cascade,
	sha256 blob not null,
	der blob not null,
	created integer not null,
	primary key (account, sha256)
) without rowid;
create index account_cert_sha256 on account_cert (sha256);
