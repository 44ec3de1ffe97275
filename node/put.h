/* The verb put, as its files share it: sends files and folders to peers, of what is there already only what changed.
 *
 * put.c has the request, its sources in turn, and what is told of them; put_carrier.c the link, and what is done when it is
 * lost; put_file.c brings one file up to date: opens it there, compares it with what is remembered of it or with the peer's index, and
 * has it gathered; put_whole.c sends what is new, or a whole folder, as a parcel that the peer fetches. A folder's files that
 * are worth it are updated first, one by one; what is equal by then is not sent again.
 *
 * What a file goes through: SEEN locally (job), OPENED there, BASE found (job) or INDEX taken, DIFF (job), LITERALS sent, GATHER,
 * COMMIT, REMEMBERED (job). Where that is of no use, or fails because the base is not what is there, it is sent whole. */
#ifndef WEFT_NODE_PUT_H
#define WEFT_NODE_PUT_H

#include "core_internal.h"

void puts_free(struct core *core);
void puts_stop(struct core *core);
/* A direct link is up: puts that go through a relay begin anew over it, where that is worth it. */
void puts_upgrade(struct core *core, struct peer *peer);

#endif
