/* The peers a node knows, as its clients need them: to find the one that a person means, and what they may have meant. */
#ifndef WEFT_CLI_PEERLIST_H
#define WEFT_CLI_PEERLIST_H

#include "weft.h"

#include <stddef.h>

struct peerlist_peer {
    char *name, *id;
    char *route; /* "" when it is reached directly, or not at all */
};

struct peerlist {
    struct peerlist_peer *peers;
    size_t count, room;
};

/* A weft_on_row for the verbs "peers" and "status", which adds this node itself: arg is the list, zeroed at first. Memory that
 * runs out ends the program. */
void peerlist_add(void *list, const struct weft_row *row);
/* Adds one that is reached directly; copies the strings. */
void peerlist_note(struct peerlist *list, const char *name, const char *id);
void peerlist_fini(struct peerlist *list);

/* The peer with that id, that name, or an id that begins so (at least 4 characters). When several fit, the first, and *count
 * says how many. NULL: none. */
const struct peerlist_peer *peerlist_find(const struct peerlist *list, const char *text, size_t *count);
/* The name nearest to what was typed, or NULL. */
const char *peerlist_nearest(const struct peerlist *list, const char *typed);

#endif
