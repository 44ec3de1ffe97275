/* ZeroMQ sockets. See socket.h. The reasons for the values:
 *
 *   MAXMSGSIZE      a peer's frame of more closes the connection before it is stored; counted as CURVE wraps it
 *   SNDHWM, RCVHWM  the default lets 2000 messages of 64 KiB wait for one slow reader
 *   LINGER          none loses goodbyes, the default waits for ever
 *   BACKLOG         a hundred nodes that start together must not wait for SYN retries
 *   HANDSHAKE_IVL   who connects and says nothing holds a descriptor no longer
 *   RECONNECT_IVL   never: the core dials again, when and where it wants to
 *   ROUTER_*        sending to one who is gone is told; nobody can take over another's routing id
 *
 * ZeroMQ's own heartbeats stay off: the core's PING and PONG go from end to end, so they also notice a peer that hangs
 * above its I/O thread, and they are sent only in silence. With both, an idle node with ten peers would wake 25 times a
 * second more. */
#include "socket.h"

#include "err.h"
#include "limits.h"

#include <zmq.h>

#define BACKLOG 4096
#define HANDSHAKE_MS 4000
#define CONNECT_MS 2000
#define CURVE_WRAP 33 /* command name, flags, nonce, authenticator */

void *socket_context(int sockets)
{
    void *context = zmq_ctx_new();
    if (!context)
        return NULL;
    zmq_ctx_set(context, ZMQ_IO_THREADS, 1);
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, sockets);
    return context;
}

static int set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

static int set_options(void *socket, int type)
{
    int64_t largest = MSG_BYTES_MAX + CURVE_WRAP;
    int err = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    err |= set(socket, ZMQ_SNDHWM, SOCKET_QUEUE);
    err |= set(socket, ZMQ_RCVHWM, SOCKET_QUEUE);
    err |= set(socket, ZMQ_LINGER, SOCKET_LINGER_MS);
    err |= set(socket, ZMQ_BACKLOG, BACKLOG);
    err |= set(socket, ZMQ_IPV6, 1);
    err |= set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    err |= set(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_MS);
    err |= set(socket, ZMQ_RECONNECT_IVL, -1);
    if (type == ZMQ_ROUTER) {
        err |= set(socket, ZMQ_ROUTER_MANDATORY, 1);
        err |= set(socket, ZMQ_ROUTER_HANDOVER, 0);
    }
    return err;
}

void *socket_open(void *context, int type)
{
    void *socket = zmq_socket(context, type);
    if (!socket)
        return NULL;
    if (set_options(socket, type) == 0)
        return socket;
    zmq_close(socket);
    return NULL;
}

int socket_keys(void *socket, const struct identity *identity, const struct node_id *server)
{
    uint8_t server_key[CURVE_KEY_BYTES];
    if (server && id_curve_key(server, server_key) != 0)
        return ERR_MALFORMED;
    int err = zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, identity->curve_secret, CURVE_KEY_BYTES);
    err |= zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, identity->curve_public, CURVE_KEY_BYTES);
    if (server) {
        err |= zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, CURVE_KEY_BYTES);
    } else {
        err |= set(socket, ZMQ_CURVE_SERVER, 1);
        err |= zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "weft", 4);
    }
    return err ? ERR_IO : 0;
}

void socket_skip(void *socket)
{
    int more = 1;
    size_t size = sizeof more;
    while (more && zmq_recv(socket, NULL, 0, ZMQ_DONTWAIT) >= 0 && zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0)
        ;
}
