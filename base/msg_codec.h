/* The codecs behind msg.h, one pair for each shape of fields. For msg*.c only.
 *
 * A writer writes, and a reader reads, exactly the fields behind [type, request]. A reader marks the bytes as wrong (mpr_fail)
 * when a value breaks the grammar of node/PROTOCOL.md; after that the message's content means nothing. */
#ifndef WEFT_BASE_MSG_CODEC_H
#define WEFT_BASE_MSG_CODEC_H

#include "mp.h"
#include "msg.h"

typedef void msg_write(struct mpw *w, const struct msg *m);
typedef void msg_read(struct mpr *r, struct msg *m);

/* msg_link.c */
msg_write hello_write, bye_write, ping_write, records_write, error_write, join_write;
msg_read hello_read, bye_read, ping_read, records_read, error_read, join_read;
/* msg_pipe.c */
msg_write query_write, answer_write;
msg_read query_read, answer_read;
/* msg_files.c */
msg_write shares_write, shares_ok_write, list_write, list_ok_write, fetch_write, fetch_ok_write, cancel_write;
msg_read shares_read, shares_ok_read, list_read, list_ok_read, fetch_read, fetch_ok_read, cancel_read;

/* Shared by them. A record of 1..RECORD_BYTES_MAX bytes, or of 0 when it may be missing. */
void record_bytes_write(struct mpw *w, const struct record_bytes *record);
void record_bytes_read(struct mpr *r, struct record_bytes *record, bool may_be_missing);

/* Fails the reader unless `right`. */
static inline void must(struct mpr *r, bool right)
{
    if (!right)
        mpr_fail(r, ERR_MALFORMED);
}

#endif
