-- SPDX-License-Identifier: Apache-2.0

-- When a certificate of Secure Mail ends, for what comes from elsewhere and that nobody renews here.
alter table secure_cert add column not_after integer not null default 0; -- 0: nobody has looked yet
alter table secure_cert add column told integer not null default -1; -- as issued.told
create index secure_cert_not_after on secure_cert (not_after);
