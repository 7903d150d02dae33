-- SPDX-License-Identifier: Apache-2.0

-- Which warnings about the end of a certificate's life a domain's postmaster has had: the smallest
-- number of days before it, 0 once it is over. Certificates by digest, since those of a chain and
-- those that are trusted have no row of their own kind.
create table expiry_notice (
	domain integer not null references domain on delete cascade,
	sha256 blob not null,
	days integer not null,
	told integer not null,
	primary key (domain, sha256)
);

-- Revocation lists. domain is null for the server's. A list is known by its issuer and its scope: what
-- it is about (issuing distribution point) and whether it is a delta. With an URL it is fetched from
-- there; until the first time issuer, scope and der are empty.
create table crl (
	id integer primary key autoincrement,
	domain integer references domain on delete cascade,
	url blob not null, -- empty: given as a file
	named integer not null, -- the URL stands in a certificate, nobody gave it
	issuer blob not null,
	scope blob not null,
	der blob not null,
	authority blob not null, -- the certificate that signed it
	number blob not null,
	this_update integer not null,
	next_update integer not null, -- 0: it names none
	fetched integer not null,
	next_fetch integer not null,
	failures integer not null,
	problem blob not null, -- of the last fetch; empty: none
	warned integer not null, -- that it is stale was told
	created integer not null
);
create unique index crl_url on crl (coalesce(domain, 0), url) where length(url) > 0;
create unique index crl_scope on crl (coalesce(domain, 0), issuer, scope) where length(issuer) > 0;
create index crl_next_fetch on crl (next_fetch);

-- What responders said about certificates of ours, so that it is there at once after a start.
create table ocsp_answer (
	sha256 blob primary key, -- of the certificate
	der blob not null,
	fetched integer not null
) without rowid;
