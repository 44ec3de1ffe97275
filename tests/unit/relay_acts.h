/* Clients of a relay that do anything, in any order, as bytes say; and whether the relay's books are right after that. */
#ifndef WEFT_TESTS_UNIT_RELAY_ACTS_H
#define WEFT_TESTS_UNIT_RELAY_ACTS_H

#include "relay_node.h"

/* Does what these bytes say, a few of them for each act, to a relay of its own. Fails the test when its books are wrong. */
void relay_acts(const uint8_t *bytes, size_t n);
/* What relay_internal.h says of its structs. */
void relay_books_are_right(struct relay_node *n);

#endif
