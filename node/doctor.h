/* What `doctor` finds out inside the core: rows "check" for its call. */
#ifndef WEFT_NODE_DOCTOR_H
#define WEFT_NODE_DOCTOR_H

#include "core_internal.h"

/* Who is known, heard and linked. */
void doctor_peers(struct call *call);
/* At which relays this node has reservations, and why not. */
void doctor_relays(struct call *call);
/* A peer was reached by this link, and answered after so many microseconds; or was not. */
void doctor_reached(struct call *call, const struct link *link, uint64_t rtt_us);
void doctor_not_reached(struct call *call, const struct fault *fault);

#endif
