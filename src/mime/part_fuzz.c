/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Any octets, as a message: the tree keeps the promises of part.h, survives packing, renders as
 * IMAP, and does not depend on how the message was cut. As a packed structure: refused or a tree.
 */

#include "mime/structure.h"
#include "mime/tree_check.h"
#include "mime/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct part_tree *t;
	struct buf text = {};

	if (!ready)
		word_init();
	ready = true;
	part_tree_free(tree_check_message(span_of(data, size), (unsigned)size, 1 + size / 7));
	if (structure_unpack(span_of(data, size), &t) == 0) {
		structure_add_imap(t, true, &text);
		structure_pack(t, &text);
		part_tree_free(t);
	}
	buf_done(&text);
	return 0;
}
