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
