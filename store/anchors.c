/* Content indexes. See anchors.h. */
#include "anchors.h"

int anchors_new(uint64_t seed, struct anchors **a)
{
    (void)seed, (void)a;
    return ERR_UNSUPPORTED;
}

int anchors_feed(struct anchors *a, const void *bytes, size_t n)
{
    (void)a, (void)bytes, (void)n;
    return ERR_UNSUPPORTED;
}

int anchors_feed_hole(struct anchors *a, uint64_t n)
{
    (void)a, (void)n;
    return ERR_UNSUPPORTED;
}

int anchors_finish(struct anchors *a)
{
    (void)a;
    return ERR_UNSUPPORTED;
}

void anchors_free(struct anchors *a)
{
    (void)a;
}

uint64_t anchors_seed(const struct anchors *a)
{
    (void)a;
    return 0;
}

uint64_t anchors_size(const struct anchors *a)
{
    (void)a;
    return 0;
}

uint64_t anchors_count(const struct anchors *a)
{
    (void)a;
    return 0;
}

size_t anchors_memory(const struct anchors *a)
{
    (void)a;
    return 0;
}

struct segment anchors_segment(const struct anchors *a, uint64_t i)
{
    (void)a, (void)i;
    return (struct segment){0};
}

uint64_t anchors_at(const struct anchors *a, uint64_t offset)
{
    (void)a, (void)offset;
    return 0;
}

size_t anchors_find(const struct anchors *a, uint64_t hash, uint32_t length, uint64_t near, uint64_t *number, size_t max)
{
    (void)a, (void)hash, (void)length, (void)near, (void)number, (void)max;
    return 0;
}

size_t anchors_sketch(const struct anchors *a, uint64_t hash[SKETCH_HASHES])
{
    (void)a, (void)hash;
    return 0;
}

int anchors_write(const struct anchors *a, int fd, struct fault *fault)
{
    (void)a, (void)fd;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

int anchors_read(int fd, struct anchors **a, struct fault *fault)
{
    (void)fd, (void)a;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}
