/* Somebody else, for tests: a node with keys from a number, and a signed record. */
#ifndef WEFT_TESTS_SOMEONE_H
#define WEFT_TESTS_SOMEONE_H

#include "record.h"

struct someone {
    struct identity identity;
    struct record record;
    struct record_bytes bytes; /* the record, signed */
};

/* Keys from the seed of 32 times `number`; a record of incarnation 7 and seq 3 with two endpoints, one tcp and one ipc. */
void someone_make(struct someone *s, int number, const char *name);
/* Signs the record again, after a change. */
void someone_sign(struct someone *s);

#endif
