/* The peers that a person names: [ID@]ENDPOINT, with host names resolved. Blocks, so it comes before the loop runs. */
#ifndef WEFT_NODE_SEEDS_H
#define WEFT_NODE_SEEDS_H

#include "core.h"

/* Calls each(arg, seed) for every address of `text`: [ID@][tcp://]HOST:PORT or [ID@]ipc:///PATH. ERR_USAGE when it is
 * nothing of the kind; ERR_UNREACHABLE when the name has no address now. */
int seeds_resolve(const char *text, void (*each)(void *arg, const struct seed *seed), void *arg, struct fault *fault);

#endif
