/* Making ZeroMQ sockets: every option and every key is set here, for all of them alike. */
#ifndef WEFT_NODE_SOCKET_H
#define WEFT_NODE_SOCKET_H

#include "identity.h"

#define SOCKET_QUEUE 96      /* messages that wait in each direction of a link: 6 MiB at the most, PIPE_CREDIT_BYTES and more */
#define SOCKET_LINGER_MS 500 /* how long a closed socket goes on to send what is queued */
#define SOCKET_ID_BYTES 5    /* of a routing id that ZeroMQ chose: a zero byte and a number */

/* A context for `sockets` sockets. NULL with errno. */
void *socket_context(int sockets);

/* A socket with all options set, or NULL with errno: never an abort, whatever has run out. */
void *socket_open(void *context, int type);

/* Makes it speak CURVE and nothing else: as the server that `identity` is, or as its client towards `server`. ERR_MALFORMED
 * when `server` is no valid id; ERR_IO. */
int socket_keys(void *socket, const struct identity *identity, const struct node_id *server);

/* Drops the rest of a message of several frames. */
void socket_skip(void *socket);

#endif
