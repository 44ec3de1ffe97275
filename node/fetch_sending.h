/* Sending, from the inside: fetch_offer.c lists, fetch_serve.c reads files, fetch_send.c is the frame around both. */
#ifndef WEFT_NODE_FETCH_SENDING_H
#define WEFT_NODE_FETCH_SENDING_H

#include "fetch.h"
#include "source.h"

struct sending {
    struct transfer *t;
    struct send *s;
    struct manifest *list;
    struct list_views views;
    struct source_view view; /* when s->view is set */
    uint64_t token;          /* of the view when it was listed: no other state of it is sent */
    _Atomic uint64_t left;   /* content bytes that may still be asked for */
};

/* Opens what is sent from at this path: the file, or the view of it. */
int send_open(const struct sending *tx, struct root *root, const char *path, struct source *src, struct fault *fault);

/* Walks the tree: into the list, and onto stream 0. False when the transfer has failed. */
bool send_list(struct sending *tx);

struct server { /* one stream's own */
    struct sending *tx;
    struct stream *s;
    struct manifest *list;
    struct fault fault; /* ours, not the stream's */
    struct root root;
    char path[PATH_BYTES_MAX + 1];
};

/* Answers a WANT_FILES or WANT_BLOCKS. An error is the stream's fault. */
int serve_files(struct server *v, const uint8_t *body, size_t n);
int serve_blocks(struct server *v, const uint8_t *body);

#endif
