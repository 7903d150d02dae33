-- SPDX-License-Identifier: Apache-2.0

-- TLS of our own connections to other servers, by destination (svc/outgoing_rules.h). What is empty is
-- as the next wider pattern says.
create table outgoing_rule (
	pattern blob primary key, -- a domain; ".domain": those below it; "*": all
	tls blob not null,        -- none, may, must, verify
	oldest blob not null,     -- version: 1.2
	identity blob not null,   -- none, main, domain
	domain integer references domain on delete set null, -- whose certificate; null: it is gone
	alias blob not null       -- which of them; empty: those in use
) without rowid;
create index outgoing_rule_domain on outgoing_rule (domain);
