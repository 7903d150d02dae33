-- SPDX-License-Identifier: Apache-2.0

-- Old mail of an account that is being encrypted: the messages that were there at the modification
-- number bound, in the order of their ids; those up to id after have been dealt with.
create table encryption (
	account integer primary key references account on delete cascade,
	state integer not null,
	bound integer not null,
	after integer not null,
	n_total integer not null,
	n_done integer not null,
	n_already integer not null,
	n_failed integer not null,
	n_held integer not null,
	last_error blob not null,
	started integer not null,
	changed integer not null
);
create index encryption_state on encryption (state);
