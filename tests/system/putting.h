/* What system tests of put share: bob has a writable share `box`, and anna, whom he trusts, has fetched `file` from it. */
#ifndef WEFT_TESTS_PUTTING_H
#define WEFT_TESTS_PUTTING_H

#include "harness.h"

#define MIB ((int64_t)1 << 20)

struct putting {
    struct process *bob, *anna;
    char box[RIG_PATH], theirs[RIG_PATH]; /* bob's folder, and the file in it */
    char mine[RIG_PATH];                  /* anna's copy */
};

/* Two nodes and the file, of `size` bytes; the base of it is remembered when this returns. */
void putting_start(struct rig *rig, struct putting *p, uint64_t size);
/* Waits until nothing is in line to be remembered at anna's. */
void putting_remembered(struct rig *rig);
/* `count` pieces of 4 KiB of anna's copy become others. */
void putting_edit(const struct putting *p, unsigned count, uint64_t seed);
/* anna: weft put --json MINE bob:box. Waited for: its process. */
struct process *putting_put(struct rig *rig, const struct putting *p);
void assert_same_file(const char *a, const char *b);

#endif
