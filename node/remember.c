/* Remembering files of peers. See remember.h. */
#include "remember.h"

void verb_forget(struct call *call, const struct row *request)
{
    (void)request;
    call_done(call, NULL);
}

void remember_file(struct core *core, const struct base_key *key, const char *path, const struct file_state *state)
{
    (void)core, (void)key, (void)path, (void)state;
}

void remember_row(struct core *core, const struct base_row *row)
{
    (void)core, (void)row;
}

void remember_not(struct core *core, uint64_t number)
{
    (void)core, (void)number;
}

int remember_find(struct core *core, const struct base_key *key, base_found *found, void *arg)
{
    (void)core, (void)key, (void)found, (void)arg;
    return ERR_UNSUPPORTED;
}

int remember_similar(struct core *core, const struct base_key *key, const uint64_t *sketch, size_t count, base_found *found,
                     void *arg)
{
    (void)core, (void)key, (void)sketch, (void)count, (void)found, (void)arg;
    return ERR_UNSUPPORTED;
}

void remember_cancel(struct core *core, void *arg)
{
    (void)core, (void)arg;
}

void remember_start(struct core *core)
{
    (void)core;
}

void remember_stop(struct core *core)
{
    (void)core;
}

void remember_free(struct core *core)
{
    (void)core;
}

void remember_describe(const struct core *core, struct row *status)
{
    (void)core, (void)status;
}
