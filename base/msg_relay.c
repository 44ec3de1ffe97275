/* Fields of the messages between relays and their clients. See msg.h. */
#include "msg_codec.h"

#include "identity.h"

#include <string.h>

const char *resource_kind_name(enum resource_kind kind)
{
    static const char *const names[RESOURCE_KIND_COUNT] = {"file", "dir", "tcp", "http", "command", "fifo"};
    return (unsigned)kind < RESOURCE_KIND_COUNT ? names[kind] : "unknown";
}

struct tag handle_of(const struct node_id *holder, const char *name)
{
    return tag_derive("weft handle 1", holder->b, sizeof holder->b, name, strlen(name));
}
