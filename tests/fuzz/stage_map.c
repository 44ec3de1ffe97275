/* Fuzzes what a stage reads back from disk: maps of large files, and the names of small ones. */
#include "stage_internal.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct claims {
    uint64_t blocks, next;
};

static int claim(void *arg, uint64_t block, const struct hash128 *hash)
{
    static const struct hash128 none;
    struct claims *c = arg;
    if (block >= c->blocks || block < c->next || hash128_equal(hash, &none)) {
        __builtin_trap(); /* beyond the file, told twice, or a slot that was never written */
    }
    c->next = block + 1;
    return 0;
}

/* The key and size that the map itself names, so that its slots are reached. */
static void read_map(const uint8_t *bytes, size_t n)
{
    struct hash128 key = {{0}};
    uint64_t size = 0;
    if (n >= STAGE_MAP_HEADER) {
        memcpy(key.b, bytes + 8, sizeof key.b);
        for (int i = 24; i < 32; i++) {
            size = size << 8 | bytes[i];
        }
    }
    int fd = memfd_create("map", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, bytes, n) == (ssize_t)n) {
        struct claims c = {.blocks = stage_blocks(size)};
        stage_map_read(fd, &key, size, claim, &c);
    }
    close(fd);
}

static void read_name(const uint8_t *bytes, size_t n)
{
    char name[300];
    size_t k = n < sizeof name - 1 ? n : sizeof name - 1;
    memcpy(name, bytes, k);
    name[k] = '\0';
    struct hash128 key, content;
    if (stage_small_parse(name, &key, &content) == 0) {
        struct hash128 key2, content2;
        struct stage_name again = stage_small_name(&key, &content);
        if (stage_small_parse(again.s, &key2, &content2) || !hash128_equal(&key, &key2) ||
            !hash128_equal(&content, &content2)) {
            __builtin_trap();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    read_map(bytes, n);
    read_name(bytes, n);
    return 0;
}
