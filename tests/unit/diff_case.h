/* Two files in memory, their diff, and the proof that it is right: what its regions build, its hash and its index. */
#ifndef WEFT_TESTS_DIFF_CASE_H
#define WEFT_TESTS_DIFF_CASE_H

#include "diff.h"

#include <stdbool.h>

#define DIFF_CASE_SEED 11

struct bytes {
    uint8_t *at;
    size_t n;
};

/* A file in memory. Of what is in holes no byte may be asked for. */
struct memory_file {
    struct bytes bytes;
    const uint64_t (*hole)[2]; /* [from, to), in order */
    size_t holes;
    uint64_t reads, read_bytes;
    int err; /* what reading says, if not 0 */
};

struct diff_file memory_file(struct memory_file *m);
/* The index that diff_run makes of such a file. */
struct anchors *memory_index(const struct memory_file *m);

enum base { BASE_NONE, BASE_EXACT, BASE_INDEX, BASE_BYTES, BASE_COUNT }; /* bytes and index, index, bytes alone */

struct diff_case {
    struct memory_file old, fresh;
    struct anchors *index; /* of old; made by diff_case_run when NULL */
    struct diff d;
};

/* Runs it. Fails the test (fail_msg) unless it succeeds, the new file comes out of the regions, and hash and index are those of
 * the new file. */
void diff_case_run(struct diff_case *c, enum base base);
/* The same without asserting: what is wrong, or NULL. */
const char *diff_case_try(struct diff_case *c, enum base base);
/* Frees what came of it and the index, not the bytes. */
void diff_case_fini(struct diff_case *c);

/* ---- bytes */
struct bytes bytes_random(uint64_t seed, size_t n);
/* New bytes from [from, from + n) of each of the parts, one after the other. */
struct bytes bytes_joined(const struct bytes *part, size_t count);
struct bytes bytes_part(const struct bytes *b, size_t from, size_t n); /* borrowed */

#endif
