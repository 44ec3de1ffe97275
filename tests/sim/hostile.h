/* What tests of a hostile peer say in one line each.
 *
 * Node 0 is anna, whom it is all about, node 1 is bob, an honest peer; mallory and eve are raw nodes, played by the tests. */
#ifndef WEFT_TESTS_SIM_HOSTILE_H
#define WEFT_TESTS_SIM_HOSTILE_H

#include "core_internal.h"
#include "world_raw.h"

#define MINUTE (60 * SECOND)

enum { ANNA, BOB, MALLORY, EVE };

/* The four of them, a second after they were started: anna and bob are linked. */
struct world *hostile_world(uint64_t seed);
/* Runs for as long as a question and its answer take. */
void soon(struct world *w);

/* ---- anna */

struct core *anna(struct world *w);
/* What she knows of a node, or NULL. */
struct peer *known(struct world *w, size_t node);
bool is_up(struct world *w, size_t raw);
bool bob_is_linked(struct world *w);
/* Whatever was done to her: bob is linked, and gets what he asks for. */
void anna_still_serves_bob(struct world *w);
void share(struct world *w, const char *path, bool is_public);

/* A call of a client, which must end well. */
struct row *request(const char *verb, const char *key, const char *value);
const struct answer *ok(struct world *w, size_t node, struct row *r);

/* ---- what a raw node says to her */

const char *name_of(size_t raw);
/* A record of an identity, numbered, at an address of this world. */
struct record_bytes record_of(const struct identity *identity, const char *name, uint64_t incarnation, size_t at);
/* A message to be filled in; say_new says it and frees it. */
struct msg *message(enum msg_type type, uint64_t request);
void say(struct world *w, size_t raw, link_no link, const struct msg *m);
void say_new(struct world *w, size_t raw, link_no link, struct msg *m);
void say_hello(struct world *w, size_t raw, link_no link, enum msg_type type, const struct record_bytes *record);
/* A link of a raw node that is up. */
link_no greet(struct world *w, size_t raw);
/* A SHARES, LIST or FETCH to her `files` pipe. */
struct msg *asking(struct world *w, enum msg_type type, uint64_t number, const char *share_name);
/* Fetches the share "open" into a reception object of the raw node. */
link_no fetch(struct world *w, size_t raw, link_no link, uint64_t number);

/* A raw node that is asked (raw_answers): it has every pipe bound, and passes on what comes then. */
struct server {
    void (*other)(struct world *w, size_t raw, link_no link, const struct msg *m);
    unsigned asked;
};
void serve(struct world *w, size_t raw, const struct heard *h, void *server);

/* ---- what it has heard since it last forgot */

/* The messages of a type, on a link (0: any), and the last of them. */
size_t heard(struct world *w, size_t raw, link_no link, enum msg_type type, struct msg *last);
size_t errors(struct world *w, size_t raw, enum err code);
/* Has she said BYE `refused`, once? */
bool parted(struct world *w, size_t raw, link_no link);

#endif
