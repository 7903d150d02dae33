-- SPDX-License-Identifier: Apache-2.0

-- A domain that lives on all nodes of a cluster trusts what the cluster trusts, not what one server
-- does.
alter table domain add column shared integer not null default 0;

-- Requests for certificates (PKCS #10) that wait for an authority's answer.
create table request (
	id integer primary key autoincrement,
	domain integer not null references domain on delete cascade,
	tls_key integer not null references tls_key on delete cascade,
	alias blob not null,
	der blob not null,
	created integer not null,
	unique (domain, alias)
);
create index request_tls_key on request (tls_key);

-- Trusted certificates besides the built-in set. domain is null for the server's and the cluster's.
-- purposes are bits; 0: the certificate is denied in this scope.
create table trust (
	id integer primary key autoincrement,
	domain integer references domain on delete cascade,
	scope integer not null,
	sha256 blob not null,
	der blob not null,
	alias blob not null,
	purposes integer not null,
	created integer not null
);
create unique index trust_once on trust (scope, coalesce(domain, 0), sha256);
