#include "fetch.h"

#include <string.h>

int fetch_path(const char *prefix, struct manifest *list, uint32_t i, char *path)
{
    char below[PATH_BYTES_MAX + 1];
    size_t n = strlen(prefix);
    int err = manifest_path(list, i, below);

    if (err != 0)
        return err;
    size_t m = strlen(below), slash = n > 0 && m > 0;
    if (n + slash + m > PATH_BYTES_MAX)
        return ERR_LIMIT;
    memcpy(path, prefix, n);
    if (slash)
        path[n] = '/';
    memcpy(path + n + slash, below, m + 1);
    return 0;
}

int list_views_make(struct list_views *v, struct manifest *list, unsigned n, struct fault *fault)
{
    int err = 0;

    *v = (struct list_views){0};
    for (unsigned i = 0; i < n && err == 0; i++)
        err = manifest_reader(list, &v->view[i], fault);
    if (err != 0)
        list_views_free(v);
    return err;
}

void list_views_free(struct list_views *v)
{
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        manifest_free(v->view[i]);
        v->view[i] = NULL;
    }
}

int fetch_wrong(struct stream *s, const char *what)
{
    return s->fault.code != 0 ? (int)s->fault.code
                              : fault_set(&s->fault, ERR_MALFORMED, "the other side broke the bulk protocol: %s", what);
}

int fetch_next(struct stream *s, struct frame_head *head, const uint8_t **body)
{
    struct fault said;

    if (stream_next(s, head) != 0 || (*body = stream_body(s, head)) == NULL)
        return (int)s->fault.code;
    if (head->type != FRAME_STOP)
        return 0;
    if (stop_decode(*body, head->len, &said) != 0)
        return fetch_wrong(s, "a STOP that cannot be read");
    return fault_set(&s->fault, (int)said.code, "the other side stopped: %s", said.text);
}

int fetch_expect(struct stream *s, enum frame_type type, const uint8_t **body, size_t *n)
{
    struct frame_head head;
    int err = fetch_next(s, &head, body);

    if (err != 0)
        return err;
    *n = head.len;
    return head.type == type ? 0 : fetch_wrong(s, "a frame that was not due");
}

void fetch_tell_stop(struct stream *s, const struct fault *fault)
{
    uint8_t *b = stream_room(s, FRAME_HEAD + STOP_BYTES_MAX);
    if (b == NULL)
        return;
    stream_put(s, stop_encode(b, fault));
    stream_flush(s);
}

/* What failed in a place of our own person's is told by its code alone: the sentence names paths of this machine. */
static struct fault for_peer(const struct transfer *t, const struct fault *own)
{
    struct fault told = *own;
    if (t->r != NULL && !t->r->at_fd)
        fault_set(&told, (int)own->code, "%s", err_text((int)own->code));
    return told;
}

void fetch_give_up(struct transfer *t, struct stream *s, const struct fault *own)
{
    if (own != NULL && own->code != 0) {
        struct fault told = for_peer(t, own);
        if (!transfer_stopped(t))
            fetch_tell_stop(s, &told);
        transfer_fail(t, own);
    } else if (s->fault.code != 0) {
        transfer_fail(t, &s->fault);
    }
}

static int say(struct stream *s, enum frame_type type)
{
    uint8_t *b = stream_room(s, FRAME_HEAD);
    if (b == NULL)
        return (int)s->fault.code;
    frame_head_encode(b, type, 0);
    stream_put(s, FRAME_HEAD);
    return stream_flush(s);
}

int fetch_keep(struct stream *s)
{
    return say(s, FRAME_KEEP);
}

int fetch_done(struct stream *s)
{
    return say(s, FRAME_DONE);
}
