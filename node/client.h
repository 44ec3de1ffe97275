/* What the two halves of libweft share. */
#ifndef WEFT_NODE_CLIENT_H
#define WEFT_NODE_CLIENT_H

#include "err.h"
#include "weft.h"

/* Shows a fault as the public error (may be NULL). Returns its code. */
int error_of(const struct fault *fault, struct weft_error *error);

#endif
