-- SPDX-License-Identifier: Apache-2.0

-- The newest revocation list of each authority, apart from its other columns: a list may have megabytes,
-- and whoever asks about one certificate needs none of them.
create table authority_list (
	authority integer primary key references authority on delete cascade,
	der blob not null
);
insert into authority_list (authority, der) select id, crl from authority where crl_number > 0;
alter table authority drop column crl;
