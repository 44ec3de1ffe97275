/* Bases: their files. See bases.h. */
#include "bases.h"

int base_files_open(const char *dir, const struct base_row *row, struct anchors **index, int *bytes, struct fault *fault)
{
    (void)dir, (void)row, (void)index, (void)bytes;
    return fault_set(fault, ERR_NOT_FOUND, "not yet");
}

int base_files_clone(const char *dir, uint64_t number, int fd, int *bytes, struct fault *fault)
{
    (void)dir, (void)number, (void)fd, (void)bytes;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

int base_files_index(const char *dir, uint64_t number, const struct anchors *index, uint64_t *cost, struct fault *fault)
{
    (void)dir, (void)number, (void)index, (void)cost;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

void base_files_drop(const char *dir, uint64_t number)
{
    (void)dir, (void)number;
}

void base_files_path(const char *dir, uint64_t number, const char *kind, char path[PATH_BYTES_MAX + 1])
{
    (void)dir, (void)number, (void)kind;
    path[0] = '\0';
}

void base_files_sweep(const char *dir, bool (*is_known)(void *arg, uint64_t number), void *arg)
{
    (void)dir, (void)is_known, (void)arg;
}
