/* What the plan saw: for each existing file that may be overwritten, its token at that time.
 *
 * A hash table with linear probing, keyed by a 64-bit hash of the path (two paths with the same hash share a place; then the
 * second one's token stands, the first file is found changed, and is kept). Capped: see STAGE_SEEN_MAX. */
#include "stage_internal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct seen_file {
    uint64_t path; /* hash of the path; 0 for a free place */
    uint64_t token;
};

static uint64_t path_hash(const char *path)
{
    return XXH3_64bits(path, strlen(path)) | 1;
}

/* The place of a hash, or the free one where it belongs. */
static struct seen_file *find(const struct stage_seen *seen, uint64_t path)
{
    uint32_t i = (uint32_t)(path >> 32) & (seen->room - 1);
    while (seen->file[i].path != 0 && seen->file[i].path != path) {
        i = (i + 1) & (seen->room - 1);
    }
    return &seen->file[i];
}

static int grow(struct stage_seen *seen)
{
    struct seen_file *old = seen->file;
    uint32_t old_room = seen->room;
    uint32_t room = old_room ? old_room * 2 : 256;
    struct seen_file *file = calloc(room, sizeof *file);
    if (!file) {
        return ERR_NOMEM;
    }
    seen->file = file;
    seen->room = room;
    for (uint32_t i = 0; i < old_room; i++) {
        if (old[i].path != 0) {
            *find(seen, old[i].path) = old[i];
        }
    }
    free(old);
    return 0;
}

void stage_seen_init(struct stage_seen *seen)
{
    *seen = (struct stage_seen){0};
    pthread_mutex_init(&seen->lock, NULL);
}

void stage_seen_fini(struct stage_seen *seen)
{
    free(seen->file);
    pthread_mutex_destroy(&seen->lock);
}

static int put(struct stage_seen *seen, struct seen_file file)
{
    if (seen->count >= STAGE_SEEN_MAX) {
        return ERR_LIMIT;
    }
    if (seen->count >= seen->room / 2) {
        int rc = grow(seen);
        if (rc) {
            return rc;
        }
    }
    struct seen_file *place = find(seen, file.path);
    seen->count += place->path == 0;
    *place = file;
    return 0;
}

int stage_seen_put(struct stage_seen *seen, const char *path, uint64_t token)
{
    pthread_mutex_lock(&seen->lock);
    int rc = put(seen, (struct seen_file){.path = path_hash(path), .token = token});
    pthread_mutex_unlock(&seen->lock);
    return rc;
}

bool stage_seen_get(struct stage_seen *seen, const char *path, uint64_t *token)
{
    struct seen_file file = {0};
    uint64_t hash = path_hash(path);
    pthread_mutex_lock(&seen->lock);
    if (seen->count > 0) {
        file = *find(seen, hash);
    }
    pthread_mutex_unlock(&seen->lock);
    *token = file.token;
    return file.path == hash;
}
