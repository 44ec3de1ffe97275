/* Fuzzes the reader of index files, which peers send: what it takes is an index of a file of that size, can be searched, and
 * comes out as these very bytes. */
#include "anchors.h"
#include "hash128.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int file_of(const uint8_t *bytes, size_t n)
{
    int fd = memfd_create("index", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n) {
        __builtin_trap();
    }
    return fd;
}

static void check(const struct anchors *a)
{
    struct finder *f;
    uint64_t end = 0, number, sketch[SKETCH_HASHES];
    if (finder_new(a, &f)) {
        return;
    }
    for (uint64_t i = 0; i < anchors_count(a); i++) {
        struct segment s = anchors_segment(a, i), at = anchors_at(a, end), next = s;
        if (s.offset != end || s.length == 0 || at.number != i || anchors_next(a, &next) != (i + 1 < anchors_count(a))) {
            __builtin_trap();
        }
        finder_find(f, &s, end / 2, &number, 1);
        end += s.length;
    }
    if (end != anchors_size(a)) {
        __builtin_trap();
    }
    anchors_sketch(a, sketch);
    finder_free(f);
}

static void check_again(const struct anchors *a, const uint8_t *bytes, size_t n)
{
    static uint8_t again[1 << 20];
    int fd = file_of(bytes, 0);
    if (n < sizeof again &&
        (anchors_write(a, fd, NULL) || pread(fd, again, sizeof again, 0) != (ssize_t)n || memcmp(again, bytes, n))) {
        __builtin_trap();
    }
    close(fd);
}

static void read_index(const uint8_t *bytes, size_t n)
{
    struct anchors *a;
    int fd = file_of(bytes, n);
    if (anchors_read(fd, &a, NULL) == 0) {
        check(a);
        check_again(a, bytes, n);
        anchors_free(a);
    }
    close(fd);
}

/* As it is, and with the checksum that fits: who forges an index can make one. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static uint8_t forged[1 << 20];
    struct hash128 sum = hash128_of(bytes, n);
    read_index(bytes, n);
    if (n <= sizeof forged - sizeof sum) {
        memcpy(forged, bytes, n);
        memcpy(forged + n, &sum, sizeof sum);
        read_index(forged, n + sizeof sum);
    }
    return 0;
}
