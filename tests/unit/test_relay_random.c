/* A relay whose clients do anything, at random: its books stay right, and whatever it began ends. */
#include "relay_acts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RUNS 60
#define BYTES 6000

static void p45_whatever_clients_do_the_books_are_right(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(BYTES);
    uint64_t z = 1;
    assert_non_null(bytes);
    for (unsigned run = 0; run < RUNS; run++) {
        for (size_t i = 0; i < BYTES; i++) {
            z = z * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (uint8_t)(z >> 56);
        }
        relay_acts(bytes, BYTES);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(p45_whatever_clients_do_the_books_are_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
