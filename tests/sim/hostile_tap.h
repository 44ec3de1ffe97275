/* A relay that is honest, but for what the test does to its messages on their way (world_tap). */
#ifndef WEFT_TESTS_SIM_HOSTILE_TAP_H
#define WEFT_TESTS_SIM_HOSTILE_TAP_H

#include "relayed_world.h"

struct tamper;
/* What is done to a NEXT_OK or USE_OK from sara. It counts in `done` what it did. False: it does not arrive. */
typedef bool tamper_kind(struct tamper *t, struct msg *m);

struct tamper {
    struct world *w;
    size_t victim; /* whose parts: anna or hugo */
    tamper_kind *change;
    unsigned skip;  /* DATA parts with bytes that pass first */
    unsigned every; /* of those that follow, it strikes at each of that number; 0: at all */
    unsigned seen;
    unsigned times; /* 0: on and on */
    unsigned done;
    struct msg *m, *kept;
    uint8_t bytes[MSG_BYTES_MAX], kept_bytes[RELAY_PART_MAX];
};

struct tamper *tamper_new(struct world *w, size_t victim, tamper_kind *change);
void tamper_free(struct tamper *t);

/* To parts with bytes, as skip, every and times say. */
tamper_kind tamper_changes, tamper_shortens, tamper_drops, tamper_withholds;
/* The first one comes again instead of later ones. */
tamper_kind tamper_repeats;

#endif
