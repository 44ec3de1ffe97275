/* A descriptor that a program of this user has passed: read, or written, without a say of its kind.
 *
 * It may be a pipe, a terminal, a socket or a file, and its open file description belongs to other processes too: so its flags
 * are never touched. What can be is opened anew, without blocking; a socket is asked call by call not to block; of the rest it
 * is polled first. No call here blocks but a write to a disk. */
#ifndef WEFT_NODE_CONDUIT_H
#define WEFT_NODE_CONDUIT_H

#include "err.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conduit {
    int fd; /* -1: closed */
    bool writes;
    enum { CONDUIT_SOCKET, CONDUIT_OURS, CONDUIT_SHARED } way;
    size_t at_once; /* bytes that one write may have: what polling promises room for */
};

/* For one direction. Takes fd, also when it fails: ERR_IO when nobody is at the other end of a pipe any more. */
int conduit_open(struct conduit *c, int fd, bool writes, struct fault *fault);
/* All has been written: says that no more comes, also where the program keeps a socket of its own open, and closes. */
void conduit_end(struct conduit *c);
/* Closes. A socket that the program keeps says nothing of an end, for there may have been none: the program is told so. */
void conduit_close(struct conduit *c);

/* Between 1 and n bytes; 0 at the end; -1 with errno EAGAIN when it would have to wait, or another. */
ssize_t conduit_read(const struct conduit *c, void *buf, size_t n);
ssize_t conduit_write(const struct conduit *c, const void *buf, size_t n);

#endif
