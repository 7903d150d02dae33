/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Dates of messages and of IMAP. Microseconds since 1970 UTC; no clock is asked. */

#include "base/buf.h"

/* RFC 5322 section 3.3 with its obsolete forms and comments; zone in minutes east of UTC (0 for one
 * that says nothing). false for anything that is no date. */
bool date_parse(struct span text, int64_t *ret_us, int *ret_zone_minutes);

/* IMAP date-time without its quotes: "17-Jul-1996 02:44:25 -0700"; the day may be " 7". */
bool date_parse_imap(struct span text, int64_t *ret_us);

/* The same, printed in UTC, in quotes. */
void date_add_imap(struct buf *out, int64_t time_us);

/* IMAP date, with or without quotes: "17-Jul-1996" as days since 1970. */
bool date_parse_day(struct span text, int64_t *ret_day);

/* The day on which a time lies in a zone: for SENTON and the like the sender's, for ON UTC. */
int64_t date_day(int64_t time_us, int zone_minutes);
