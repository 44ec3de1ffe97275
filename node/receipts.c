/* Receipts at a node (base/receipt.h): what a reading program is told so that it can send them, and those that come in.
 *
 * They go to the sender's node by datagram, to its tcp endpoints: a node listens for datagrams at the port of its first one. */
#include "receipt.h"

#include "pipes.h"

#include <string.h>

void receipts_offer(struct pipe *pipe, const struct tag *channel, const struct peer *from, const struct receipt_way *way)
{
    struct core *core = pipe->core;
    struct endpoint usable[PIPE_ENDPOINTS_MAX];
    size_t n = from->has_record ? endpoints_usable(core, &from->record, usable, PIPE_ENDPOINTS_MAX) : 0;
    struct row *row = row_new("receipt");
    char text[BASE32_CHARS(TAG_BYTES) + 1];
    base32_encode(channel->b, TAG_BYTES, text);
    row_text(row, "channel", text);
    row_data(row, "tag", way->tag.b, TAG_BYTES);
    row_data(row, "key", way->key, RECEIPT_KEY_BYTES);
    for (size_t i = 0; i < n; i++)
        if (usable[i].transport == TRANSPORT_TCP)
            row_text(row, "to", strstr(usable[i].text, "://") + 3);
    if (row && row_count(row, "to") > 0)
        call_row(pipe->reader, row);
    else
        row_free(row);
}

bool receipts_datagram(struct core *core, const void *bytes, size_t n)
{
    struct receipt receipt;
    if (receipt_read(bytes, n, &receipt) != 0)
        return false;
    if (bucket_take(&core->receipts, core_now(core)))
        channel_out_on_receipt(core, &receipt, bytes, n);
    return true;
}
