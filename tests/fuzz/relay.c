/* A relay and four clients that do what the input says: requests, parts of any session, links that come, go and are full, time,
 * trust. After each act the relay's books must be right: see unit/relay_acts.h. */
#include "relay_acts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    relay_acts(data, size < 4096 ? size : 4096);
    return 0;
}
