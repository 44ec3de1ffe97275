/* Tickets as typed: what is read can be written, and reads the same. */
#include "ticket.h"
#include "identity.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

/* The bytes behind the text, with a check that is right: the fuzzer would not find one. */
static char *word_of(const uint8_t *data, size_t size)
{
    char *word = malloc(strlen(TICKET_PREFIX) + BASE32_CHARS(size + 4) + 1);
    uint8_t *bytes = malloc(size + 4);
    check(word && bytes);
    struct tag tag = tag_derive("weft ticket check 1", data, size, NULL, 0);
    memcpy(bytes, data, size);
    memcpy(bytes + size, tag.b, 4);
    strcpy(word, TICKET_PREFIX);
    base32_encode(bytes, size + 4, word + strlen(TICKET_PREFIX));
    free(bytes);
    return word;
}

static void read_and_write(const char *word)
{
    struct ticket_text first, second;
    char again[TICKET_TEXT];
    if (ticket_read(word, &first) != 0)
        return;
    check(first.addr_count <= TICKET_ADDRS_MAX);
    ticket_write(&first, again);
    check(strcasecmp(again, word) == 0);
    check(ticket_read(again, &second) == 0 && memcmp(&first, &second, sizeof first) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    check(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    read_and_write(text);
    free(text);
    text = word_of(data, size);
    read_and_write(text);
    free(text);
    return 0;
}
