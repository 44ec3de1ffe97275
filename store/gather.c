/* Gathering. See gather.h. */
#include "gather.h"

int gather_open(const struct site *site, const char *key, struct gather **g, struct fault *fault)
{
    (void)site, (void)key, (void)g;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

void gather_close(struct gather *g, bool keep)
{
    (void)g, (void)keep;
}

int gather_dir(const struct gather *g)
{
    (void)g;
    return -1;
}

int gather_literals(struct gather *g, uint64_t bytes, struct fault *fault)
{
    (void)g, (void)bytes;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

int gather_run(struct gather *g, const struct source *source, const struct regions *regions, struct gather_watch *watch,
               struct fault *fault)
{
    (void)g, (void)source, (void)regions, (void)watch;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

uint64_t gather_end(const struct gather *g)
{
    (void)g;
    return 0;
}

int gather_commit(struct gather *g, uint64_t size, const struct hash128 *hash, const struct stage_meta *meta,
                  struct file_state *state, struct fault *fault)
{
    (void)g, (void)size, (void)hash, (void)meta, (void)state;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}
