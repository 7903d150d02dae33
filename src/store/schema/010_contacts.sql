-- SPDX-License-Identifier: Apache-2.0

-- Address books. Their modification numbers, and those of cards, are the account's; born is the first.
create table address_book (
	id integer primary key autoincrement,
	account integer not null references account on delete cascade,
	name blob not null,
	is_default integer not null,
	born integer not null,
	modseq integer not null,
	created integer not null,
	unique (account, name)
);

-- Cards (JSContact). uid is one in the account. octets are those of card.
create table contact (
	id integer primary key autoincrement,
	account integer not null references account on delete cascade,
	book integer not null references address_book on delete cascade,
	uid blob not null,
	kind blob not null,
	name blob not null,
	octets integer not null,
	born integer not null,
	modseq integer not null,
	created integer not null,
	updated integer not null,
	card blob not null,
	unique (account, uid)
);
create index contact_book on contact (book);
create index contact_modseq on contact (account, modseq);

-- How much an account has, so that nobody counts cards. removed_floor: what was removed up to this
-- modification number is not all on record.
create table contact_use (
	account integer primary key references account on delete cascade,
	n_cards integer not null,
	octets integer not null,
	removed_floor integer not null
);

-- Cards and books that are gone, for clients that ask what changed. kind: 0 book, 1 card.
create table contact_removed (
	account integer not null references account on delete cascade,
	modseq integer not null,
	kind integer not null,
	uid blob not null,
	primary key (account, modseq, kind, uid)
) without rowid;

-- The cards of a mail address, in the form of store/name.h. n: its place in the card.
create table contact_address (
	account integer not null references account on delete cascade,
	address blob not null,
	contact integer not null references contact on delete cascade,
	n integer not null,
	primary key (account, address, contact)
) without rowid;
create index contact_address_contact on contact_address (contact);

-- Certificates of mail addresses. contact is the card it belongs to. in_card: it stands in the card
-- itself. chain: certificates that came along, one behind the other. capabilities: of its holder's
-- mail program (SMIMECapabilities), may be empty.
create table contact_cert (
	id integer primary key autoincrement,
	account integer not null references account on delete cascade,
	contact integer not null references contact on delete cascade,
	address blob not null,
	sha256 blob not null,
	state integer not null,
	source integer not null,
	in_card integer not null,
	not_before integer not null,
	not_after integer not null,
	created integer not null,
	reason blob not null, -- why it waits, or was taken anyway
	capabilities blob not null,
	der blob not null,
	chain blob not null,
	unique (account, address, sha256)
);
create index contact_cert_contact on contact_cert (contact);
