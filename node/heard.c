/* See heard.h. */
#include "heard.h"

#include "batch.h"
#include "err.h"
#include "limits.h"

#include <stdlib.h>

#define HEARD_BYTES_MAX (1 << 20)

void heard_drop_oldest(struct heard *q)
{
    struct heard_message *m = q->oldest;
    q->bytes -= sizeof *m + m->n;
    q->oldest = m->next;
    free(m);
}

void heard_fini(struct heard *q)
{
    while (q->oldest)
        heard_drop_oldest(q);
}

int heard_add(struct heard *q, const struct node_id *origin, const struct tag *id, const void *bytes, size_t n)
{
    if (n > PIPE_MESSAGE_MAX)
        return ERR_LIMIT;
    uint64_t number = ++q->count;
    struct heard_message *m = malloc(sizeof *m + BATCH_HEAD + n);
    if (!m) {
        q->dropped++;
        return ERR_NOMEM;
    }
    *m = (struct heard_message){.origin = *origin, .id = *id, .number = number};
    batch_add(m->batch, BATCH_HEAD + n, &m->n, bytes, n);
    if (q->oldest)
        q->newest->next = m;
    else
        q->oldest = m;
    q->newest = m;
    q->bytes += sizeof *m + m->n;
    for (; q->bytes > HEARD_BYTES_MAX && q->oldest != m; q->dropped++)
        heard_drop_oldest(q);
    return 0;
}
