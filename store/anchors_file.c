/* Indexes in files (FORMAT.md).
 *
 *   header    32 bytes: "weftidx1", seed, size, count (8 each)
 *   segments  10 bytes each: length (2), hash (8); or 0 and the length of a hole
 *   checksum  16 bytes: XXH3-128 of all that is before it
 *
 * Numbers are big-endian. A file may come from a peer: what is read is an index of a file of that size, or refused; whether it
 * is the right one, nobody can see. */
#include "anchors_internal.h"
#include "hash128.h"
#include "io.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER 32
#define CHECKSUM sizeof(struct hash128)
#define PIECE (6400 * SEGMENT_BYTES)

_Static_assert(HEADER <= PIECE, "a header fits a piece");

static const char magic[8] = "weftidx1";

/* A file on its way, summed up. */
struct passage {
    int fd;
    uint64_t offset;
    struct hasher *sum;
    uint8_t piece[PIECE];
};

static uint8_t *put_big(uint8_t *at, uint64_t v, size_t n)
{
    for (size_t i = n; i > 0; v >>= 8) {
        at[--i] = (uint8_t)v;
    }
    return at + n;
}

static uint64_t get_big(const uint8_t *at, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | at[i];
    }
    return v;
}

/* Segments are many. */
static uint8_t *put_segment(uint8_t *at, uint16_t length, uint64_t value)
{
    uint16_t l = htobe16(length);
    uint64_t v = htobe64(value);
    memcpy(at, &l, sizeof l);
    memcpy(at + sizeof l, &v, sizeof v);
    return at + SEGMENT_BYTES;
}

static void get_segment(const uint8_t *at, uint64_t *length, uint64_t *value)
{
    uint16_t l;
    uint64_t v;
    memcpy(&l, at, sizeof l);
    memcpy(&v, at + sizeof l, sizeof v);
    *length = be16toh(l);
    *value = be64toh(v);
}

static int passage_new(int fd, struct passage **out)
{
    struct passage *p = malloc(sizeof *p);
    struct hasher *sum = hasher_new();
    if (!p || !sum) {
        free(p);
        hasher_free(sum);
        return ERR_NOMEM;
    }
    p->fd = fd;
    p->offset = 0;
    p->sum = sum;
    *out = p;
    return 0;
}

static void passage_free(struct passage *p)
{
    hasher_free(p->sum);
    free(p);
}

/* The first n bytes of the piece are written, or read. */
static int put_piece(struct passage *p, size_t n)
{
    int rc = io_pwrite(p->fd, p->piece, n, p->offset);
    p->offset += n;
    hasher_feed(p->sum, p->piece, n);
    return rc;
}

static int get_piece(struct passage *p, size_t n)
{
    size_t got = 0;
    int rc = io_pread(p->fd, p->piece, n, p->offset, &got);
    p->offset += got;
    hasher_feed(p->sum, p->piece, got);
    return rc ? rc : got == n ? 0 : ERR_DAMAGED;
}

static size_t piece_of(uint64_t i, uint64_t count)
{
    return count - i < PIECE / SEGMENT_BYTES ? (size_t)(count - i) : PIECE / SEGMENT_BYTES;
}

/* ---- writing */

static int write_all(const struct anchors *a, struct passage *p)
{
    uint8_t *at = p->piece;
    memcpy(at, magic, sizeof magic);
    put_big(put_big(put_big(at + sizeof magic, a->seed, 8), a->size, 8), a->count, 8);
    int rc = put_piece(p, HEADER);
    for (uint64_t i = 0; rc == 0 && i < a->count;) {
        size_t n = piece_of(i, a->count);
        for (at = p->piece; at < p->piece + n * SEGMENT_BYTES; i++) {
            at = put_segment(at, a->length[i], a->value[i]);
        }
        rc = put_piece(p, n * SEGMENT_BYTES);
    }
    struct hash128 sum = hasher_sum(p->sum);
    return rc ? rc : io_pwrite(p->fd, sum.b, sizeof sum.b, p->offset);
}

int anchors_write(const struct anchors *a, int fd, struct fault *fault)
{
    struct passage *p;
    int rc = passage_new(fd, &p);
    if (rc) {
        return fault_set(fault, rc, "no memory to write a content index");
    }
    rc = write_all(a, p);
    int errnum = errno;
    passage_free(p);
    return rc ? fault_errno(fault, errnum, "cannot write a content index") : 0;
}

/* ---- reading */

static int read_header(struct passage *p, uint64_t bytes, uint64_t *count, struct anchors **a)
{
    int rc = get_piece(p, HEADER);
    if (rc || memcmp(p->piece, magic, sizeof magic) != 0) {
        return rc ? rc : ERR_DAMAGED;
    }
    *count = get_big(p->piece + 24, 8);
    if (*count > SEGMENTS_MAX) {
        return ERR_LIMIT;
    }
    if (bytes != HEADER + *count * SEGMENT_BYTES + CHECKSUM) {
        return ERR_DAMAGED;
    }
    rc = anchors_new(get_big(p->piece + 8, 8), a);
    if (rc == 0) {
        (*a)->size = get_big(p->piece + 16, 8);
    }
    return rc;
}

/* Can a segment be like that, behind those before it? Short only where what follows it is the end or a hole; no two holes. */
static bool fits(const struct anchors *a, uint64_t length, uint64_t value)
{
    uint64_t before = a->count > 0 ? a->length[a->count - 1] : SEGMENT_MIN;
    uint64_t covers = length ? length : value;
    if (length == 0 && (value == 0 || before == 0)) {
        return false;
    }
    bool short_before = before > 0 && before < SEGMENT_MIN;
    return length <= SEGMENT_MAX && !(length > 0 && short_before) && covers <= a->size - a->ended;
}

static int read_segments(struct passage *p, uint64_t count, struct anchors *a)
{
    int rc = 0;
    while (rc == 0 && a->count < count) {
        size_t n = piece_of(a->count, count);
        rc = get_piece(p, n * SEGMENT_BYTES);
        for (const uint8_t *at = p->piece; rc == 0 && at < p->piece + n * SEGMENT_BYTES; at += SEGMENT_BYTES) {
            uint64_t length, value;
            get_segment(at, &length, &value);
            rc = fits(a, length, value) ? anchors_push(a, (uint16_t)length, value) : ERR_DAMAGED;
        }
    }
    return rc ? rc : a->size <= INT64_MAX && a->ended == a->size ? 0 : ERR_DAMAGED;
}

static int read_checksum(struct passage *p)
{
    struct hash128 sum = hasher_sum(p->sum);
    int rc = get_piece(p, CHECKSUM);
    return rc ? rc : memcmp(p->piece, sum.b, CHECKSUM) == 0 ? 0 : ERR_DAMAGED;
}

static int read_all(struct passage *p, struct anchors **a)
{
    struct stat st;
    uint64_t count;
    if (fstat(p->fd, &st)) {
        return err_from_errno(errno);
    }
    int rc = read_header(p, (uint64_t)st.st_size, &count, a);
    rc = rc ? rc : read_segments(p, count, *a);
    return rc ? rc : read_checksum(p);
}

static int read_fault(struct fault *fault, int rc, int errnum)
{
    switch (rc) {
    case ERR_DAMAGED: return fault_set(fault, rc, "a content index is damaged");
    case ERR_LIMIT: return fault_set(fault, rc, "a content index is larger than this node takes");
    case ERR_NOMEM: return fault_set(fault, rc, "no memory for a content index");
    default: return fault_errno(fault, errnum, "cannot read a content index");
    }
}

int anchors_read(int fd, struct anchors **out, struct fault *fault)
{
    struct passage *p;
    struct anchors *a = NULL;
    int rc = passage_new(fd, &p), errnum = 0;
    if (rc == 0) {
        rc = read_all(p, &a);
        errnum = errno;
        passage_free(p);
    }
    if (rc) {
        anchors_free(a);
        return read_fault(fault, rc, errnum);
    }
    *out = a;
    return 0;
}
