/* One packet of a control socket, with or without a pair of descriptors (SCM_RIGHTS). Never SIGPIPE, never EINTR. */
#ifndef WEFT_NODE_PACKET_H
#define WEFT_NODE_PACKET_H

#include <stddef.h>
#include <sys/types.h>

/* As sendmsg; `fd` NULL: no descriptors. Those that are sent stay the caller's. */
ssize_t packet_send(int socket, const void *bytes, size_t n, const int fd[2], int flags);

/* As recvmsg. fd[] gets the pair that came along (gives; close-on-exec), or -1 twice. Descriptors that are no pair are closed
 * at once: more than two never get into this process. */
ssize_t packet_receive(int socket, void *buf, size_t cap, int fd[2], int flags);

/* Closes what is not -1 of a pair, and sets both to -1. */
void packet_close(int fd[2]);

#endif
