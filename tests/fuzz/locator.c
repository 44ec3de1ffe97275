/* What a share leads to, as text: whatever is read is within its bounds, and a command is written so that it reads the same. */
#include "locator.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct locator l, again;
    char text[PATH_BYTES_MAX + 2], out[PATH_BYTES_MAX + 1];
    if (n > sizeof text - 1)
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    if (locator_parse(text, &l, NULL) != 0)
        return 0;
    if (!locator_is(text) || (l.kind != RESOURCE_COMMAND && (l.host[0] == '\0' || l.port == 0)))
        abort();
    if (l.kind != RESOURCE_COMMAND || locator_command(&l, l.words, out) != 0)
        return 0;
    if (locator_parse(out, &again, NULL) != 0 || memcmp(&again, &l, sizeof l) != 0)
        abort();
    return 0;
}
