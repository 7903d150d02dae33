/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: the views that are kept, and who is told of changes. */

#include <stddef.h>
#include <stdint.h>

struct view_cache;
struct view_cache *view_cache_new(void);
struct view_cache *view_cache_free(struct view_cache *cache);

/* A commit changed these mailboxes: after it is visible, before its tasks are done. */
void view_cache_changed(struct view_cache *cache, const int64_t *mailboxes, size_t n);

struct watches;
struct watches *watches_new(void);
struct watches *watches_free(struct watches *watches);

/* A mailbox may be named more than once; its watchers hear of it once or more. */
void watches_notify(struct watches *watches, const int64_t *mailboxes, size_t n);
