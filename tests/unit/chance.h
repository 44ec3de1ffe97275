/* Numbers that nobody would guess, the same ones for the same state, which is never 0. */
#ifndef WEFT_TESTS_CHANCE_H
#define WEFT_TESTS_CHANCE_H

#include <stddef.h>
#include <stdint.h>

uint64_t random_next(uint64_t *state);
uint64_t random_below(uint64_t *state, uint64_t n);
void random_fill(uint64_t *state, uint8_t *at, size_t n);

#endif
