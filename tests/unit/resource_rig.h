/* What tests of resources share: a loop, resources opened and read in it, and a look at the end whether anything was left: a
 * descriptor, a thread, a process. What goes wrong in here fails the test that called. */
#ifndef WEFT_TESTS_RESOURCE_RIG_H
#define WEFT_TESTS_RESOURCE_RIG_H

#include "limits.h"
#include "resource.h"
#include "scratch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATIENCE (60 * SECOND)
#define SHORT (200 * MILLISECOND) /* a time limit that is to be reached */
#define MIB (1u << 20)

struct world {
    struct scratch scratch;
    struct loop *loop;
    struct supplies *supplies;
    struct timer patience, moment;
    struct resource r;
    bool opened;
    char target[512];
    int fd[2]; /* taken; -1 */
    struct fault fault;
    size_t fds, threads;
};

/* cmocka's: *state is a struct world. */
int world_setup(void **state);
int world_teardown(void **state);
void restart_with(struct world *w, const struct supply_limits *limits);

/* Begins to open it: its kind is told by its first letter, paths are FIFOs. */
void begin(struct world *w, const char *target);
/* The same, waits for what comes of it, and takes the descriptors. */
int open_now(struct world *w, const char *target);
void close_now(struct world *w);
/* Lets the loop run for a while. */
void run_for(struct world *w, uint64_t ns);

/* It cannot be opened: this code, and a sentence with this in it but nothing of where it leads. */
void assert_fails(struct world *w, const char *target, int code, const char *word);

struct text {
    char *bytes; /* the caller frees */
    size_t n;
};

/* To the end, or at most so many bytes. */
struct text read_up_to(struct world *w, size_t max);
/* To the end of the line. */
struct text read_line(struct world *w);
/* What is open brings just this; closes it, and gives its verdict. */
int assert_brings(struct world *w, const char *bytes);
/* Opened, it brings just this, and ends well; or it brings just this, and says that it failed. */
void assert_brings_all(struct world *w, const char *target, const char *bytes);
void assert_ends_badly(struct world *w, const char *target, const char *bytes, int code, const char *word);

#endif
