-- SPDX-License-Identifier: Apache-2.0

-- An account with an authority that speaks ACME: the server's (domain is null), or a domain's own.
create table acme_account (
	id integer primary key autoincrement,
	domain integer references domain on delete cascade,
	directory blob not null, -- a URL
	contact blob not null, -- addresses, a comma between
	terms integer not null, -- agreed to
	kid blob not null, -- external account binding; empty: none
	mac_key blob not null, -- sealed
	roots blob not null, -- PEM of whom the directory's certificate comes from; empty: the server's trust
	key_id blob not null,
	wrapped blob not null,
	spki blob not null,
	url blob not null, -- as the authority knows the account; empty: it does not yet
	contact_sent integer not null,
	created integer not null
);
create unique index acme_account_once on acme_account (coalesce(domain, 0));

-- What is kept up for a domain: a certificate for each type of key, so that several can serve.
create table acme_order (
	id integer primary key autoincrement,
	domain integer not null references domain on delete cascade,
	type blob not null, -- of the key
	names blob not null, -- a comma between; empty: the domain and its aliases
	challenge integer not null,
	revision integer not null, -- counts changes by people
	state integer not null,
	url blob not null, -- of the order under way
	tls_key integer references tls_key on delete set null, -- made for the order under way
	cert integer references cert on delete set null, -- the newest from it
	next integer not null, -- when there is something to do
	renew integer not null, -- when the certificate is to be renewed; 0: there was none yet
	advice integer not null, -- when to ask for renewal information; 0: not offered
	failures integer not null, -- since it last went well
	last_error blob not null,
	told integer not null, -- when postmaster was told of the failure; 0: not
	created integer not null,
	unique (domain, type)
);
create index acme_order_next on acme_order (next);
create index acme_order_tls_key on acme_order (tls_key);
create index acme_order_cert on acme_order (cert);

-- Proofs that are laid out for an authority to look at, until they are taken away.
create table acme_proof (
	id integer primary key autoincrement,
	acme_order integer not null references acme_order on delete cascade,
	challenge integer not null,
	token blob not null,
	name blob not null,
	value blob not null,
	created integer not null,
	unique (acme_order, challenge, token)
);
create index acme_proof_token on acme_proof (token);

-- Which certificates came from orders: they and their keys go once they have expired.
create table acme_cert (
	cert integer primary key references cert on delete cascade,
	acme_order integer not null references acme_order on delete cascade,
	not_after integer not null
);
create index acme_cert_order on acme_cert (acme_order, not_after);
