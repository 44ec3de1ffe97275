/* Programs at simulated nodes: clients whose calls last. See world.h.
 *
 * Rows go both ways encoded, as over the control socket, and what a program sends arrives a little later, as an event. */
#include "world_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_DELAY 10000ull /* of a row on its way to the node, in ns */
#define FIRST_CLIENT 2         /* 1 is world_call's */

struct program *world_program(struct world *w, size_t number, void (*on_row)(void *arg, const struct row *row), void *arg)
{
    struct sim_node *node = w->nodes[number];
    struct program *p = calloc(1, sizeof *p);
    assert(p && node->up);
    *p = (struct program){
        .next = node->programs, .node = node, .client = FIRST_CLIENT + w->clients++, .on_row = on_row, .arg = arg};
    node->programs = p;
    return p;
}

struct program *program_find(struct sim_node *node, uint64_t client)
{
    struct program *p = node->programs;
    while (p && p->client != client)
        p = p->next;
    return p;
}

void program_send(struct program *p, struct row *row)
{
    uint8_t buf[ROW_BYTES];
    size_t n;
    int err = row_encode(row, 0, buf, sizeof buf, &n);
    assert(!err);
    row_free(row);
    struct event *e = event_new(p->node->world, EVENT_ROW, p->node, PROGRAM_DELAY, buf, n);
    e->link = p->client;
    world_push(p->node->world, e);
}

void program_arrived(struct sim_node *node, const struct event *e)
{
    struct row *row;
    uint64_t seq;
    int err = row_decode(e->bytes, e->n, &seq, &row);
    assert(!err);
    if (program_find(node, e->link))
        core_request(node->core, e->link, row);
    row_free(row);
}

void program_reply(struct sim_node *node, uint64_t client, const struct row *row)
{
    uint8_t buf[ROW_BYTES];
    struct row *copy;
    uint64_t seq;
    size_t n;
    struct program *p = program_find(node, client);
    if (!p)
        return;
    int err = row_encode(row, 1, buf, sizeof buf, &n);
    assert(!err);
    err = row_decode(buf, n, &seq, &copy);
    assert(!err);
    p->on_row(p->arg, copy);
    row_free(copy);
}

static void program_free(struct program *p)
{
    free(p->in.bytes);
    free(p->out.bytes);
    free(p);
}

void program_leave(struct program *p)
{
    struct sim_node *node = p->node;
    struct program **at = &node->programs;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    uint64_t client = p->client;
    program_free(p);
    if (node->up)
        core_client_gone(node->core, client);
}

void programs_end(struct sim_node *node)
{
    while (node->programs) {
        struct program *p = node->programs;
        node->programs = p->next;
        program_free(p);
    }
}
