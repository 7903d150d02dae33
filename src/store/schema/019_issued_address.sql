-- SPDX-License-Identifier: Apache-2.0

-- Whom certificates are for: looked up when mail for an address goes elsewhere.
create table issued_address (
	domain blob not null, -- A-labels
	local blob not null, -- lower case, NFC
	issued integer not null references issued on delete cascade,
	primary key (domain, local, issued)
) without rowid;
create index issued_address_issued on issued_address (issued);

-- Rows from before are read once more, as those without a key.
update issued set key_sha256 = null;
