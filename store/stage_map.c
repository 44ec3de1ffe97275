/* Maps of large staged files: which blocks were written, by their hashes.
 *
 *   header  64 bytes: "weftmap1", key (16), size (8, big-endian), block size (4, big-endian), zeros
 *   slots   16 bytes a block: its XXH3-128, or zeros when it was not written
 *
 * A slot is written after its block, but the two may reach the disk in any order, and both may be damaged: a map is a list
 * of claims to check, nothing more. A block whose hash is all zeros is simply sent again. */
#include "io.h"
#include "stage_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "weftmap1";

static void put_big(uint8_t *at, uint64_t v, size_t n)
{
    while (n > 0) {
        at[--n] = (uint8_t)v;
        v >>= 8;
    }
}

static void make_header(uint8_t header[STAGE_MAP_HEADER], const struct hash128 *key, uint64_t size)
{
    memset(header, 0, STAGE_MAP_HEADER);
    memcpy(header, magic, sizeof magic);
    memcpy(header + 8, key->b, sizeof key->b);
    put_big(header + 24, size, 8);
    put_big(header + 32, BLOCK, 4);
}

int stage_map_begin(int fd, const struct hash128 *key, uint64_t size)
{
    uint8_t header[STAGE_MAP_HEADER];
    make_header(header, key, size);
    if (ftruncate(fd, 0)) {
        return err_from_errno(errno);
    }
    return io_pwrite(fd, header, sizeof header, 0);
}

int stage_map_put(int fd, uint64_t block, const struct hash128 *hash)
{
    return io_pwrite(fd, hash->b, sizeof hash->b, STAGE_MAP_HEADER + block * STAGE_MAP_SLOT);
}

/* The one header that fits is known, so there is nothing to parse. */
static int check_header(int fd, const struct hash128 *key, uint64_t size)
{
    uint8_t expected[STAGE_MAP_HEADER], found[STAGE_MAP_HEADER];
    size_t got;
    make_header(expected, key, size);
    int rc = io_pread(fd, found, sizeof found, 0, &got);
    if (rc) {
        return rc;
    }
    return got == sizeof found && memcmp(found, expected, sizeof found) == 0 ? 0 : ERR_DAMAGED;
}

int stage_map_read(int fd, const struct hash128 *key, uint64_t size,
                   int (*slot)(void *arg, uint64_t block, const struct hash128 *hash), void *arg)
{
    static const struct hash128 none;
    struct hash128 some[1024];
    uint64_t blocks = stage_blocks(size);
    int rc = check_header(fd, key, size);
    for (uint64_t block = 0; rc == 0 && block < blocks; block += sizeof some / sizeof some[0]) {
        size_t got;
        rc = io_pread(fd, some, sizeof some, STAGE_MAP_HEADER + block * STAGE_MAP_SLOT, &got);
        size_t n = got / STAGE_MAP_SLOT; /* a slot cut short is none */
        for (size_t i = 0; rc == 0 && i < n && block + i < blocks; i++) {
            if (!hash128_equal(&some[i], &none)) {
                rc = slot(arg, block + i, &some[i]);
            }
        }
        if (n < sizeof some / sizeof some[0]) {
            break;
        }
    }
    return rc;
}
