/* Openings: files of this node that peers have open, and what they may do with them (claims GATHER-2, GATHER-5 to GATHER-7).
 *
 * FILE opens one, and its handle holds for the link on which it was given out, until FILE_CLOSE, the end of the link, or
 * OPENING_IDLE without a request. A source may be any file that the peer may read; writing needs a share that is writable. A
 * file that one peer has open for writing is nobody else's to write (ERR_LOCKED, and by whom). Rights are looked at again with
 * every request: a share that is no more, or a peer that is not trusted any more, ends what is open.
 *
 *   INDEX     a worker makes the index of a file that is open for reading, and it stands ready as a parcel
 *   PUT       what the peer has ready is taken, to the place of an opening or into its folder
 *   LITERALS  what it has ready is taken, into the hidden folder of a gather
 *   GATHER    limits first; then a worker builds the next part
 *   COMMIT    a worker checks, makes durable, renames
 *
 * Requests for one opening are done one at a time (ERR_STATE for a second one). While one is in work its asker is told
 * PROGRESS; CANCEL ends it. Gathers wait for their turn, GATHERS_MAX at once, one of each peer before the second of any; and so
 * do indexes, INDEXES_MAX at once. Who opens a file anew, over another link or after losing one, waits until what it had is
 * closed. */
#ifndef WEFT_NODE_OPENINGS_H
#define WEFT_NODE_OPENINGS_H

#include "core_internal.h"

void openings_on_request(struct link *link,
                         const struct msg *m); /* FILE, FILE_CLOSE, INDEX, PUT, LITERALS, GATHER, COMMIT, CANCEL */
void openings_link_lost(struct core *core, struct link *link);
/* A share was put or dropped, or (NULL) somebody's trust changed: what is not allowed any more ends. */
void openings_share_changed(struct core *core, const char *name);
void openings_stop(struct core *core);
void openings_free(struct core *core);
size_t openings_count(const struct core *core);

#endif
