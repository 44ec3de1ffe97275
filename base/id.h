/* Ids: who a node is, and the random or derived names of things.
 *
 * A node id is an Ed25519 public key. In text it is 52 characters of lower-case base32 (RFC 4648, no padding); people see its
 * first eight. A `struct tag` is 16 bytes: the id of a pipe, a query, a reception object. */
#ifndef WEFT_BASE_ID_H
#define WEFT_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODE_ID_BYTES 32
#define NODE_ID_TEXT 52
#define NODE_ID_SHORT 8
#define TAG_BYTES 16

struct node_id {
    uint8_t b[NODE_ID_BYTES];
};

struct tag {
    uint8_t b[TAG_BYTES];
};

struct id_text {
    char s[NODE_ID_TEXT + 1];
};

/* The id in text, whole or its first NODE_ID_SHORT characters. Returned by value: printf("%s", id_text(&id).s). */
struct id_text id_text(const struct node_id *id);
struct id_text id_short(const struct node_id *id);

/* Reads exactly NODE_ID_TEXT characters. ERR_MALFORMED for anything else. */
int id_parse(const char *text, struct node_id *id);

bool id_equal(const struct node_id *a, const struct node_id *b);
/* As memcmp: the order in which everything that iterates over nodes does so. */
int id_compare(const struct node_id *a, const struct node_id *b);
bool tag_equal(const struct tag *a, const struct tag *b);
bool tag_is_zero(const struct tag *tag); /* so: none */

/* Base32, lower case, no padding. `text` needs BASE32_CHARS(n) + 1 bytes. */
#define BASE32_CHARS(n) (((n)*8 + 4) / 5)
void base32_encode(const void *bytes, size_t n, char *text);
/* Decodes the whole of `text` into exactly `n` bytes; upper case is accepted. ERR_MALFORMED if it is anything else, or if
 * unused bits are set. */
int base32_decode(const char *text, void *bytes, size_t n);

#endif
