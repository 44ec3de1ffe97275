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
msg_write query_write, answer_write, register_write, register_ok_write, pipes_write, pipes_ok_write;
msg_read query_read, answer_read, register_read, register_ok_read, pipes_read, pipes_ok_read;
/* msg_channel.c */
msg_write open_write, open_ok_write, data_write, ack_write, close_write;
msg_read open_read, open_ok_read, data_read, ack_read, close_read;
/* msg_spread.c */
msg_write spread_write, spread_ids_write, spread_prune_write;
msg_read spread_read, spread_ids_read, spread_prune_read;
/* msg_files.c */
msg_write shares_write, shares_ok_write, list_write, list_ok_write, fetch_write;
msg_read shares_read, shares_ok_read, list_read, list_ok_read, fetch_read;
/* msg_reception.c */
msg_write fetch_ok_write, connect_write, connect_ok_write, cancel_write;
msg_read fetch_ok_read, connect_read, connect_ok_read, cancel_read;
/* msg_relay.c */
msg_write reserve_write, reserve_ok_write, offer_write, offer_ok_write, handles_write, handles_ok_write;
msg_read reserve_read, reserve_ok_read, offer_read, offer_ok_read, handles_read, handles_ok_read;
msg_write use_write, use_ok_write, next_write, bridge_write, bridge_ok_write;
msg_read use_read, use_ok_read, next_read, bridge_read, bridge_ok_read;

/* msg_put.c */
msg_write file_write, file_ok_write, file_close_write, index_write, index_ok_write, put_write, put_ok_write;
msg_read file_read, file_ok_read, file_close_read, index_read, index_ok_read, put_read, put_ok_read;
msg_write literals_write, literals_ok_write, gather_write, gather_ok_write, commit_write, commit_ok_write, progress_write;
msg_read literals_read, literals_ok_read, gather_read, gather_ok_read, commit_read, commit_ok_read, progress_read;

/* Shared by them. A record of 1..RECORD_BYTES_MAX bytes, or of 0 when it may be missing. */
void record_bytes_write(struct mpw *w, const struct record_bytes *record);
void record_bytes_read(struct mpr *r, struct record_bytes *record, bool may_be_missing);
/* A code of err.h, by its name. */
void code_write(struct mpw *w, enum err code);
enum err code_read(struct mpr *r);
void node_ids_write(struct mpw *w, const struct node_id *ids, size_t count, size_t max);
size_t node_ids_read(struct mpr *r, struct node_id *ids, size_t max);
/* A share's name and a valid path in it. */
void share_path_write(struct mpw *w, const struct share_path *at);
void share_path_read(struct mpr *r, struct share_path *at);
/* The name of a parcel: never zeros. */
void parcel_write(struct mpw *w, const struct tag *parcel);
void parcel_read(struct mpr *r, struct tag *parcel);
void reception_write(struct mpw *w, const struct reception_info *info);
void reception_read(struct mpr *r, struct reception_info *info);
/* A way with at least one address. */
void way_write(struct mpw *w, const struct relay_way *way);
void way_read(struct mpr *r, struct relay_way *way);

/* Fails the reader unless `right`. */
static inline void must(struct mpr *r, bool right)
{
    if (!right)
        mpr_fail(r, ERR_MALFORMED);
}

#endif
