-- SPDX-License-Identifier: Apache-2.0

-- What is looked for every minute: revoked certificates that nobody was told of, and those that end. Nearly all
-- have no successor: an index of those that have one is no way to the others.
create index issued_untold on issued (revoked) where revoked > 0 and told <> -2;
create index issued_not_after on issued (not_after);
drop index issued_successor;
create index issued_successor on issued (successor) where successor is not null;
