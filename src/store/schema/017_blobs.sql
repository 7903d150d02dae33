-- SPDX-License-Identifier: Apache-2.0

-- What accounts have uploaded, to be used in a message: uploads that no content takes over. No
-- foreign keys: the pieces are erased in small steps, also those of an account that is gone.
create table account_blob (
	upload integer primary key,
	account integer not null,
	type blob not null,
	size integer not null, -- octets; of one that is not complete what is reserved for it
	complete integer not null,
	expires integer not null -- from then on it is not there, and is erased; 0: erased at once
);
create index account_blob_account on account_blob (account);
create index account_blob_expires on account_blob (expires);
