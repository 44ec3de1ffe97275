/* Two nodes, anna and hugo, that can reach each other only through relays: sara, and rita where there are two. All trust each
 * other; hugo offers the folder "docs" at the relays. */
#ifndef WEFT_TESTS_SIM_RELAYED_WORLD_H
#define WEFT_TESTS_SIM_RELAYED_WORLD_H

#include "reservation_internal.h"
#include "world.h"

enum { ANNA, HUGO, SARA, RITA };

/* Just started: linked to the relays, and nobody trusts anybody. */
struct world *strange_world(uint64_t seed, size_t relays);
/* The same, with all that the top of this file says. */
struct world *relayed_world(uint64_t seed, size_t relays);

struct row *row_for(const char *verb, const char *key, const char *value);
void run(struct world *w, uint64_t ns);
/* Both ways. */
void trust(struct world *w, size_t a, size_t b);
/* Hugo shares a folder, and offers it at the first so many relays. */
void offer(struct world *w, const char *name, size_t relays);
const struct answer *ping(struct world *w);

/* What a node knows of sessions. */
struct relayed *relayed_at(struct world *w, size_t node);
size_t sessions_at(struct world *w, size_t node); /* open, with a link */
size_t sessions_via(struct world *w, size_t node, size_t relay);
uint64_t broken_at(struct world *w, size_t node);
/* Of hugo at a relay; NULL: there is none. */
struct reservation *reservation_with(struct world *w, size_t relay);
bool is_held(struct world *w, size_t relay);
size_t handles_at(struct world *w, size_t relay); /* that it shows to anna */

#endif
