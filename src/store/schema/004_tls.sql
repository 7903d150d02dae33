-- SPDX-License-Identifier: Apache-2.0

-- What is said about TLS (net/tls_policy.h): for the server (domain null, listener empty), for a
-- listener, or for a domain.
create table tls_policy (
	domain integer references domain on delete cascade,
	listener blob not null,
	key blob not null,
	value blob not null
);
create unique index tls_policy_once on tls_policy (coalesce(domain, 0), listener, key);
create index tls_policy_domain on tls_policy (domain);

-- Local addresses and the domains that answer there: 4 or 16 octets.
create table domain_address (
	address blob primary key,
	domain integer not null references domain on delete cascade
) without rowid;
create index domain_address_domain on domain_address (domain);
