/* A send, once the streams are up: the list, then whatever the receiver asks for, until it says DONE on every stream.
 *
 * The sender keeps no state of what it has sent. What may be asked for in all is bounded: every byte of the reception's limit
 * four times over, since a file that changes may be asked for again three times. */
#include "fetch_sending.h"

#define ASKED_TIMES_MAX (1 + CHANGED_TRIES)

static int serve(struct server *v)
{
    struct frame_head head;
    const uint8_t *body;
    int err;

    do {
        err = fetch_next(v->s, &head, &body);
        if (err == 0)
            switch (head.type) {
            case FRAME_WANT_FILES: err = serve_files(v, body, head.len); break;
            case FRAME_WANT_BLOCKS: err = serve_blocks(v, body); break;
            case FRAME_DONE: return 0;
            default: err = fetch_wrong(v->s, "a frame that only a sender sends");
            }
    } while (err == 0);
    return err;
}

static void serve_stream(void *arg, unsigned index)
{
    struct sending *tx = arg;
    struct server v = {.tx = tx, .s = &tx->t->stream[index], .list = tx->views.view[index]};

    int err = root_open_shared(tx->s->root, &v.root, &v.fault);
    if (err == 0) {
        err = serve(&v);
        root_close(&v.root);
    }
    if (err != 0)
        fetch_give_up(tx->t, v.s, &v.fault);
}

static void send_data(struct sending *tx)
{
    struct fault fault;

    atomic_store(&tx->t->progress->phase, TRANSFER_DATA);
    if (list_views_make(&tx->views, tx->list, tx->t->streams, &fault) != 0) {
        fetch_give_up(tx->t, &tx->t->stream[0], &fault);
        return;
    }
    transfer_run(tx->t, serve_stream, tx);
    list_views_free(&tx->views);
}

int send_open(const struct sending *tx, struct root *root, const char *path, struct source *src, struct fault *fault)
{
    int err = source_open(root, path, src, fault);
    if (err == 0 && tx->s->view != NULL)
        source_narrow(src, &tx->view);
    return err;
}

static int open_all(struct sending *tx, struct fault *fault)
{
    if (tx->s->view != NULL && source_view_init(&tx->view, tx->s->view) != 0)
        return fault_set(fault, ERR_NOMEM, "out of memory for what is new in a file");
    int err = manifest_new(tx->t->spool, &tx->list, fault);
    if (err != 0) /* the peer is told, who hears of no path of ours */
        fault_set(fault, err, "no list of files can be kept: %s", err_text(err));
    return err;
}

void fetch_send(struct transfer *t)
{
    struct fault fault = {0};
    struct sending tx = {.t = t, .s = t->s};
    uint64_t limit = t->info->limit;

    atomic_store(&tx.left, limit < UINT64_MAX / ASKED_TIMES_MAX ? limit * ASKED_TIMES_MAX : UINT64_MAX);
    if (open_all(&tx, &fault) != 0)
        fetch_give_up(t, &t->stream[0], &fault);
    else if (send_list(&tx))
        send_data(&tx);
    manifest_free(tx.list);
    source_view_fini(&tx.view);
}
