/* Bases: their rows. See bases.h. */
#include "bases.h"

int bases_seed(struct db *db, uint64_t *seed, struct fault *fault)
{
    (void)db;
    *seed = 0;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

int bases_find(struct db *db, const struct base_key *key, struct base_row *row, struct fault *fault)
{
    (void)db, (void)key, (void)row;
    return fault_set(fault, ERR_NOT_FOUND, "not yet");
}

int bases_similar(struct db *db, const struct base_key *key, const uint64_t *sketch, size_t count, struct base_row *row,
                  struct fault *fault)
{
    (void)db, (void)key, (void)sketch, (void)count, (void)row;
    return fault_set(fault, ERR_NOT_FOUND, "not yet");
}

int bases_put(struct db *db, const struct base_row *row, uint64_t limit, base_dropped *dropped, void *arg, struct fault *fault)
{
    (void)db, (void)row, (void)limit, (void)dropped, (void)arg;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

int bases_forget(struct db *db, const struct base_key *key, base_dropped *dropped, void *arg, struct fault *fault)
{
    (void)db, (void)key, (void)dropped, (void)arg, (void)fault;
    return 0;
}

int bases_clear(struct db *db, struct fault *fault)
{
    (void)db, (void)fault;
    return 0;
}

int bases_sums(struct db *db, struct bases_sums *sums, struct fault *fault)
{
    (void)db, (void)fault;
    *sums = (struct bases_sums){0};
    return 0;
}
