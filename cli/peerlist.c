/* Names are others' words: two peers may have the same, and they are escaped where they are shown, not here. */
#include "peerlist.h"

#include "cli.h"
#include "show.h"
#include "suggest.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX_LEAST 4

static void note(struct peerlist *list, const char *name, const char *id, const char *route)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->peers = cli_need(reallocarray(list->peers, list->room, sizeof *list->peers));
    }
    list->peers[list->count++] = (struct peerlist_peer){cli_need(strdup(name)), cli_need(strdup(id)), cli_need(strdup(route))};
}

void peerlist_note(struct peerlist *list, const char *name, const char *id)
{
    note(list, name, id, "");
}

void peerlist_add(void *list, const struct weft_row *row)
{
    const char *kind = weft_row_kind(row), *route = show_route(row);

    if (strcmp(kind, "peer") == 0 || strcmp(kind, "status") == 0)
        note(list, weft_row_text(row, "name", ""), weft_row_text(row, "id", ""), route ? route : "");
}

void peerlist_fini(struct peerlist *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->peers[i].name);
        free(list->peers[i].id);
        free(list->peers[i].route);
    }
    free(list->peers);
    *list = (struct peerlist){0};
}

static int fits(const struct peerlist_peer *peer, const char *text)
{
    size_t n = strlen(text);

    return strcmp(peer->name, text) == 0 || (n >= PREFIX_LEAST && strncmp(peer->id, text, n) == 0);
}

const struct peerlist_peer *peerlist_find(const struct peerlist *list, const char *text, size_t *count)
{
    const struct peerlist_peer *found = NULL;

    *count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->peers[i].id, text) == 0) {
            *count = 1; /* a whole id is never ambiguous, whatever names peers give themselves */
            return &list->peers[i];
        }
        if (fits(&list->peers[i], text) && ++*count == 1)
            found = &list->peers[i];
    }
    return found;
}

const char *peerlist_nearest(const struct peerlist *list, const char *typed)
{
    struct suggest near = {.typed = typed};

    for (size_t i = 0; i < list->count; i++)
        suggest_consider(&near, list->peers[i].name);
    return near.best;
}
