/* Two nodes with disks, anna and hugo, who trust each other; hugo shares a writable folder "docs" of his disk. */
#ifndef WEFT_TESTS_SIM_PUT_WORLD_H
#define WEFT_TESTS_SIM_PUT_WORLD_H

#include "limits.h"
#include "world.h"

#include <stdlib.h>

enum { ANNA, HUGO, SARA };

struct puts {
    struct world *w;
    unsigned writes;
    const char *base; /* what bases on these disks are: "bytes" or "index" */
    const struct answer *answer;
    /* a put that is running, or is over */
    struct program *program;
    bool over;
    char code[32], text[512], route[128], phase[16]; /* the last one that was told */
    int64_t sent, files, wire;
};

int puts_setup(void **state);
/* Sara, who has a disk too and is trusted, is there besides. */
int puts_three_setup(void **state);
/* They can reach each other only through the relay sara. */
int puts_relay_setup(void **state);
int puts_teardown(void **state);

/* ---- files of their disks */

struct disk_path {
    char s[512];
};
struct disk_path path_at(struct puts *t, size_t node, const char *name);
/* Pseudo-random bytes, the same for the same seed. */
void make_file(struct puts *t, size_t node, const char *name, size_t size, uint64_t seed);
void make_folder(struct puts *t, size_t node, const char *name);
/* Overwrites so many bytes by others. */
void edit_file(struct puts *t, size_t node, const char *name, uint64_t at, size_t n);
bool exists(struct puts *t, size_t node, const char *name);
/* A file of anna's and one of hugo's: same bytes, or not. */
void assert_same(struct puts *t, const char *here, const char *there);
void assert_differ(struct puts *t, const char *here, const char *there);

/* ---- requests of anna's */

/* A request of hugo's: a folder of his disk, not writable as it stands. */
struct row *share_row(struct puts *t, const char *name);
/* One or two sources on her disk. */
struct row *put_row(struct puts *t, const char *source, const char *other, const char *target);
/* The put of any node; NULL, or the code of its error, whose text is in t->text. */
const char *put_of(struct puts *t, size_t node, const char *source, const char *target);
void assert_done(struct puts *t, struct row *row); /* takes */
void assert_refused(struct puts *t, struct row *row, const char *code, const char *text);
void put(struct puts *t, const char *source, const char *target);
void get(struct puts *t, const char *source);
/* The put says of its file that it went so. */
void assert_put(struct puts *t, const char *source, const char *target, const char *how, const char *base);
/* A number in the first row of this kind of the last answer. */
int64_t told(struct puts *t, const char *kind, const char *name);

/* ---- puts that run */

void start_put(struct puts *t, struct row *row); /* takes */
void run_for(struct puts *t, uint64_t ns);
void until_put_over(struct puts *t, uint64_t within);
void assert_went_well(struct puts *t);
/* Nothing of a put is left at either node. */
void assert_quiet(struct puts *t);

#endif
