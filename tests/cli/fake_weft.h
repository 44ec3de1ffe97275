/* A libweft without a node, for tests of the program: requests are recorded, answers are what the test laid down before.
 *
 * The program is run in the test's own process, by cli_run with streams in memory. */
#ifndef WEFT_TESTS_CLI_FAKE_WEFT_H
#define WEFT_TESTS_CLI_FAKE_WEFT_H

#include "weft.h"

#include <stdbool.h>
#include <stdio.h>

struct fake {
    struct weft_row *answers[64]; /* for all calls, one after the other; one of kind "done" or "error" ends a call */
    size_t answer_count, answer_next;
    struct weft_row *requests[16]; /* what was asked */
    size_t request_count;
    bool no_node;
    bool raises;     /* a call does not answer until it is cancelled, and raises SIGINT for it */
    char *out, *err; /* what the last run wrote */
    int status;
};

/* The one that the functions of libweft work on: fresh, until the next. */
struct fake *fake_new(void);
void fake_free(struct fake *fake);

/* The next row of the answers, to be filled. */
struct weft_row *fake_answer(struct fake *fake, const char *kind);

/* Runs the words (NULL-terminated, without "weft") with `input` as standard input. Returns the exit status. */
int fake_run(struct fake *fake, const char *input, const char *const *words);
#define RUN(fake, ...) fake_run(fake, "", (const char *const[]){__VA_ARGS__, NULL})

/* The same on streams of the test's own: nothing is kept of what is written. */
int fake_run_on(struct fake *fake, FILE *const streams[3], const char *const *words);

#endif
