-- SPDX-License-Identifier: Apache-2.0

-- Whose a public key is: it is certified for one account, and never again once it was revoked as compromised.
-- Null: a row from before, whose key is noted when the next certificate is issued.
alter table issued add column key_sha256 blob;
create index issued_key on issued (key_sha256);
