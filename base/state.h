/* States and the moves allowed between them.
 *
 * A session keeps its state in a `struct state`; every change goes through state_move, which checks it against the session's
 * table, calls the trace when there is one, and treats a move that is not in the table as our bug. */
#ifndef WEFT_BASE_STATE_H
#define WEFT_BASE_STATE_H

#include "log.h"

#include <stdint.h>

struct state_table {
    const char *what;         /* "link", "get": for traces */
    const char *const *names; /* one per state */
    const uint32_t *allowed;  /* allowed[from] has bit `to` set */
    int count;                /* at most 32 */
};

struct state {
    const struct state_table *table;
    int now;
};

#define STATE_BIT(s) (1u << (unsigned)(s))

void state_init(struct state *s, const struct state_table *table, int first);
/* Moves, and logs the move at LOG_DEBUG. Asserts that it is allowed. */
void state_move(struct state *s, int to, const struct log *log);
const char *state_name(const struct state *s);

#endif
