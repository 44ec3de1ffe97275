/* One gather in a scratch folder, with a model of what must come of it.
 *
 * The folder `d` is the share's; `d/f` is what is updated, and `d/.weft-stage-g-abc` where its gather works. */
#ifndef WEFT_TESTS_GATHERING_H
#define WEFT_TESTS_GATHERING_H

#include "file_hash.h"
#include "gather.h"
#include "hash128.h"
#include "scratch.h"
#include "tree.h"

#define GATHERING_KEY "abc"
#define GATHERING_FOLDER "d/" STAGE_PREFIX "g-" GATHERING_KEY

struct gathering {
    struct scratch scratch;
    struct root root; /* of d */
    struct site site;
    struct source source; /* fd -1: none */
    struct gather *g;
    struct regions regions; /* to be built next */
    struct gather_watch watch;
    struct fault fault;
    struct file_state state; /* of the last commit */
    struct stage_meta meta;
    uint8_t *old, *literals; /* contents */
    size_t old_size, literals_size;
    uint8_t *model; /* of the new file */
    size_t model_size;
    struct file_hash hash;
};

/* For cmocka: *state is a struct gathering, with d/f of 300,000 bytes of noise. */
int gathering_setup(void **state);
int gathering_teardown(void **state);

/* n bytes, the same for the same seed. */
void noise(uint8_t *bytes, size_t n, uint64_t seed);
uint64_t dice(uint64_t *seed);

/* Opens "f" as place, and as source when it is there, and the gather. Asserts. */
void gathering_open(struct gathering *w);
/* Closes what is open of it, and forgets what was modelled. */
void gathering_close(struct gathering *w, bool keep);
/* So many bytes of literals come, and are opened. */
void gathering_literals(struct gathering *w, size_t n);
/* Another region, here and in the model. `source` is of a COPY; literals are taken in order. */
void gathering_add(struct gathering *w, enum region_kind kind, uint64_t source, uint64_t length);
/* Builds what was added since the last time. */
int gathering_run(struct gathering *w);
/* With the model's size and hash. */
struct hash128 gathering_hash(struct gathering *w); /* of what was added */
int gathering_commit(struct gathering *w);
/* The file d/f is as the model; as it was. */
void gathering_assert_new(struct gathering *w);
void gathering_assert_old(struct gathering *w);
/* Nothing but d/f is in d. */
void gathering_assert_alone(struct gathering *w);

#endif
