/* Raw nodes: nodes of the simulated world that are played by the test.
 *
 * A raw node has keys and an address, but no core: it dials and is dialled, says any bytes, and what it hears is kept. CURVE
 * holds for it as for all others: who accepts its links is told its true key. It is started as other nodes are. */
#ifndef WEFT_TESTS_SIM_WORLD_RAW_H
#define WEFT_TESTS_SIM_WORLD_RAW_H

#include "identity.h"
#include "msg.h"
#include "world.h"

size_t world_add_raw(struct world *w, const char *name);
const struct identity *raw_identity(struct world *w, size_t raw);

/* Connects to a node, without a word. */
link_no raw_dial(struct world *w, size_t raw, size_t node);
void raw_say(struct world *w, size_t raw, link_no link, const void *bytes, size_t n);
void raw_hangup(struct world *w, size_t raw, link_no link);

/* What it has heard since it last forgot, in order: a link that was opened to it (`opened`), or a message. */
struct heard {
    link_no link;
    bool opened;
    size_t n;
    uint8_t *bytes;
};
size_t raw_heard_count(struct world *w, size_t raw);
const struct heard *raw_heard(struct world *w, size_t raw, size_t i);
void raw_forget(struct world *w, size_t raw);

/* From now on `answer` is called for all that it hears, which it may answer at once. */
typedef void raw_answer(struct world *w, size_t raw, const struct heard *heard, void *arg);
void raw_answers(struct world *w, size_t raw, raw_answer *answer, void *arg);

/* Makes a reception object at a raw node for what `sender` sends. */
void raw_receives(struct world *w, size_t raw, size_t sender, struct reception_info *out);

#endif
