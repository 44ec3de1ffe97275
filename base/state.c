/* Checked, traced state changes. See state.h. */
#include "state.h"

#include <assert.h>

void state_init(struct state *s, const struct state_table *table, int first)
{
    assert(table->count > 0 && table->count <= 32);
    assert(first >= 0 && first < table->count);
    s->table = table;
    s->now = first;
}

void state_move(struct state *s, int to, const struct log *log)
{
    assert(to >= 0 && to < s->table->count);
    assert(s->table->allowed[s->now] & STATE_BIT(to));
    log_write(log, LOG_DEBUG, s->table->what, "%s -> %s", s->table->names[s->now], s->table->names[to]);
    s->now = to;
}

const char *state_name(const struct state *s)
{
    return s->table->names[s->now];
}
