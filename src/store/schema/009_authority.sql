-- SPDX-License-Identifier: Apache-2.0

-- Authorities that issue certificates for the mail of domains' users: a subject name with a key. They
-- outlive their domain, so that what they have said last can still be fetched.
create table authority (
	id integer primary key autoincrement,
	domain integer references domain on delete set null,
	tls_key integer references tls_key on delete set null, -- null: it signs nothing any more
	name blob not null, -- of the domain when it was made, which stands in URLs
	label blob not null unique, -- which stands there, too
	active integer not null, -- issues for its domain
	der blob not null, -- its certificate, the newest
	chain blob not null, -- DER certificates behind each other
	crl_number integer not null, -- of the list below; 0: there is none yet
	crl blob not null,
	crl_next integer not null, -- when there is to be another
	created integer not null
);
create index authority_domain on authority (domain);
create index authority_tls_key on authority (tls_key);
create index authority_crl_next on authority (crl_next);

-- What they have issued. A serial number is there once, whichever authority it is of: mail names
-- certificates by the issuer's name and the number, and authorities may share their name.
create table issued (
	id integer primary key autoincrement,
	authority integer not null references authority on delete cascade,
	account integer references account on delete set null,
	serial blob not null unique,
	address blob not null, -- the first
	der blob not null,
	not_after integer not null,
	renew integer not null, -- when; 0: not by itself
	failures integer not null, -- to renew it, in a row
	successor integer references issued on delete set null,
	revoked integer not null, -- when; 0: not
	reason integer not null, -- of RFC 5280 section 5.3.1
	listed integer not null, -- has stood on a list after its end: can be left out of the next
	told integer not null, -- smallest number of days before the end that its user was told; -1: none
	created integer not null
);
create index issued_authority on issued (authority, revoked);
create index issued_account on issued (account);
create index issued_successor on issued (successor);
create index issued_renew on issued (renew);
