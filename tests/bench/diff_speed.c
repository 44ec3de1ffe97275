/* How fast a diff is, and how much it finds: the cases of bench/put, with nothing of a network around them.
 *
 *   diff_speed [MiB [FOLDER]]      512 and /tmp unless said otherwise
 *
 * Both files lie there, without names, and are read when they are in the page cache. One line a case: GB of the new file
 * a second with the old bytes at hand, and with the old index only; of both how many regions came of it, and literal bytes. */
#include "diff.h"
#include "io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEED 5
#define PIECE (1 << 18)
#define MIB (1 << 20)

/* Seconds of the processor: the disk, and others at work, do not count. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void check(int rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "diff_speed: %s: %s\n", what, err_text(rc));
        exit(1);
    }
}

/* ---- files */

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static int new_file(const char *folder)
{
    int fd = io_temp(folder);
    check(fd < 0 ? err_from_errno(errno) : 0, folder);
    return fd;
}

static void add_noise(int fd, uint64_t *random, uint64_t n)
{
    static uint64_t piece[PIECE / 8];
    while (n > 0) {
        uint64_t k = n < PIECE ? n : PIECE;
        for (size_t i = 0; i < PIECE / 8; i++) {
            piece[i] = random_next(random);
        }
        check(io_write(fd, piece, k), "write");
        n -= k;
    }
}

static void add_part(int fd, int from, uint64_t offset, uint64_t n)
{
    static uint8_t piece[PIECE];
    while (n > 0) {
        size_t got;
        check(io_pread(from, piece, n < PIECE ? n : PIECE, offset, &got), "read");
        check(io_write(fd, piece, got), "write");
        offset += got;
        n -= got;
    }
}

/* Makes the new file of each case out of the old one. */
static void overwrites(int fd, int old, uint64_t n, uint64_t *random)
{
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t at = n / 100 * i, next = i == 99 ? n : n / 100 * (i + 1);
        add_part(fd, old, at, 50000);
        add_noise(fd, random, 4096);
        add_part(fd, old, at + 54096, next - at - 54096);
    }
}

static void byte_in_front(int fd, int old, uint64_t n, uint64_t *random)
{
    add_noise(fd, random, 1);
    add_part(fd, old, 0, n);
}

static void appended(int fd, int old, uint64_t n, uint64_t *random)
{
    add_part(fd, old, 0, n);
    add_noise(fd, random, MIB);
}

static void halves_swapped(int fd, int old, uint64_t n, uint64_t *random)
{
    (void)random;
    add_part(fd, old, n / 2, n - n / 2);
    add_part(fd, old, 0, n / 2);
}

static void inserts(int fd, int old, uint64_t n, uint64_t *random)
{
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t at = n / 1000 * i, next = i == 999 ? n : n / 1000 * (i + 1);
        add_part(fd, old, at, next - at);
        add_noise(fd, random, 10);
    }
}

static void cut_out(int fd, int old, uint64_t n, uint64_t *random)
{
    (void)random;
    add_part(fd, old, 0, n / 10 * 7);
    add_part(fd, old, n / 10 * 7 + MIB, n - n / 10 * 7 - MIB);
}

static void unchanged(int fd, int old, uint64_t n, uint64_t *random)
{
    (void)random;
    add_part(fd, old, 0, n);
}

static void unrelated(int fd, int old, uint64_t n, uint64_t *random)
{
    (void)old;
    add_noise(fd, random, n);
}

/* ---- measuring */

static int read_exactly(void *arg, uint64_t offset, void *buf, size_t n)
{
    size_t got;
    int rc = io_pread(*(int *)arg, buf, n, offset, &got);
    return rc ? rc : got == n ? 0 : ERR_CHANGED;
}

static struct diff_file file_of(int *fd)
{
    struct stat st;
    check(fstat(*fd, &st) ? ERR_IO : 0, "fstat");
    return (struct diff_file){read_exactly, NULL, fd, (uint64_t)st.st_size};
}

static struct anchors *make_index(int *fd)
{
    static uint8_t piece[PIECE];
    struct diff_file file = file_of(fd);
    struct anchors *a;
    double began = now();
    check(anchors_new(SEED, &a), "anchors_new");
    for (uint64_t at = 0; at < file.size; at += PIECE) {
        size_t n = file.size - at < PIECE ? (size_t)(file.size - at) : PIECE;
        check(read_exactly(fd, at, piece, n), "read");
        check(anchors_feed(a, piece, n), "anchors_feed");
    }
    check(anchors_finish(a), "anchors_finish");
    printf("index %.2f GB/s, a segment for %llu bytes, %.1f MB\n", (double)file.size * 1e-9 / (now() - began),
           (unsigned long long)(file.size / anchors_count(a)), (double)anchors_memory(a) * 1e-6);
    return a;
}

static void measure(const struct diff_file *fresh, const struct diff_file *old, const struct anchors *index)
{
    struct diff d = {.fresh = fresh, .old = old, .index = index, .seed = SEED};
    double began = now();
    check(diff_run(&d), "diff_run");
    printf("  %5.2f GB/s %6u regions %11llu literal", (double)fresh->size * 1e-9 / (now() - began), d.regions.count,
           (unsigned long long)d.regions.literals);
    diff_free(&d);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*make)(int fd, int old, uint64_t n, uint64_t *random);
    } cases[] = {
        {"unchanged", unchanged},           {"100 overwrites of 4 KiB", overwrites},
        {"1 byte in front", byte_in_front}, {"1 MiB appended", appended},
        {"halves swapped", halves_swapped}, {"1000 inserts of 10 bytes", inserts},
        {"1 MiB cut out at 70 %", cut_out}, {"unrelated", unrelated},
    };
    uint64_t n = (argc > 1 ? strtoull(argv[1], NULL, 10) : 512) * MIB, random = 88172645463325252;
    const char *folder = argc > 2 ? argv[2] : "/tmp";
    if (n < 64 * MIB) {
        fprintf(stderr, "usage: diff_speed [MiB [FOLDER]]   (at least 64)\n");
        return 2;
    }
    int old_fd = new_file(folder);
    add_noise(old_fd, &random, n);
    struct diff_file old = file_of(&old_fd);
    struct anchors *index = make_index(&old_fd);
    printf("%-26s%-49s%s\n", "", "  old bytes at hand", "  old index only");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = new_file(folder);
        cases[i].make(fd, old_fd, n, &random);
        struct diff_file fresh = file_of(&fd);
        printf("%-26s", cases[i].name);
        measure(&fresh, &old, index);
        measure(&fresh, NULL, index);
        printf("\n");
        close(fd);
    }
    anchors_free(index);
    close(old_fd);
    return 0;
}
