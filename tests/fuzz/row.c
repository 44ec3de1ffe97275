/* Rows of the control socket: what is decoded can be encoded, and decodes to what encodes to the same bytes. */
#include "row.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

/* Every field through its accessor, so that the sanitizer sees each. */
static void touch(const struct row *row)
{
    for (size_t i = 0; i < row_fields(row); i++) {
        size_t n;
        const char *bytes = row_bytes_at(row, i, &n);
        check(bytes == NULL || bytes[n] == 0);
        check(row_count(row, row_name_at(row, i)) > 0);
        check(row_type_at(row, i) != ROW_TEXT || strlen(bytes) == n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct row *first, *second;
    uint64_t seq, again;
    size_t n, again_n;
    if (row_decode(data, size, &seq, &first) != 0) {
        check(first == NULL);
        return 0;
    }
    touch(first);
    uint8_t *once = malloc(ROW_BYTES), *twice = malloc(ROW_BYTES);
    check(once && twice);
    check(row_encode(first, seq, once, ROW_BYTES, &n) == 0);
    check(row_decode(once, n, &again, &second) == 0 && again == seq);
    check(row_encode(second, seq, twice, ROW_BYTES, &again_n) == 0);
    check(again_n == n && memcmp(once, twice, n) == 0);
    row_free(first);
    row_free(second);
    free(once);
    free(twice);
    return 0;
}
