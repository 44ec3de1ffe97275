/* "Did you mean": the nearest of some words, by optimal string alignment distance. */
#ifndef WEFT_CLI_SUGGEST_H
#define WEFT_CLI_SUGGEST_H

#include <stddef.h>

/* The best word so far. Start with zeroes and `typed`; borrows all strings. */
struct suggest {
    const char *typed;
    const char *best;
    size_t distance;
};

/* Considers a candidate: it counts when at most a third of what was typed (and at least one place) differs. */
void suggest_consider(struct suggest *s, const char *candidate);

/* How many insertions, deletions, changes and swaps of neighbours lead from a to b; SUGGEST_FAR when either is too long. */
size_t suggest_distance(const char *a, const char *b);
#define SUGGEST_FAR ((size_t)-1)

#endif
