/* The verb put: sends files and folders to peers, of what is there already only what changed.
 *
 * put.c has the request and its sources in turn; put_told.c what is told and counted; put_carrier.c the link, and what is done
 * when it is lost; put_target.c where a source goes. put_file.c brings one file up to date: opens it there and decides;
 * put_compare.c compares it with what is remembered of it, or with the peer's index (put_index.c); put_gather.c has it put
 * together there. put_whole.c sends what is new, or a whole folder, as a parcel that the peer fetches; put_folder.c updates
 * a folder's files that are worth it first, one by one, so that they are not sent again.
 *
 * What a file goes through: its base is looked up, it is OPENED there; compared (JOB_DIFF), maybe after its INDEX was taken;
 * LITERALS, GATHER, COMMIT; remembered. Where that is of no use, or fails because what is there is something else, it is PUT as
 * a whole.
 *
 * The request: put {source (repeated, absolute), target "PEER:SHARE[/PATH]", if_exists, dry_run}. Its rows: "progress" {phase,
 * name, bytes_done and bytes_total of this phase, files_done, files_total, bytes_sent}; "file" for each update and each source
 * that came to its end otherwise; "item" for what failed; "summary" or "done". */
#ifndef WEFT_NODE_PUT_H
#define WEFT_NODE_PUT_H

#include "core_internal.h"

void puts_free(struct core *core);
void puts_stop(struct core *core);
/* A direct link is up: puts that go through a relay begin anew over it, where that is worth it. */
void puts_upgrade(struct core *core, struct peer *peer);

/* An answer that no request waits for: has it opened a file, for a put that has given up meanwhile? Then it is closed again. */
bool puts_on_late(struct link *link, const struct msg *m);

#endif
