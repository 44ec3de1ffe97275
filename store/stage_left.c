/* What earlier attempts left, and the names of staged files.
 *
 * A small file is staged as KEY-CONTENT, a large one as KEY.data and KEY.map: KEY and CONTENT are XXH3-128 hashes in base32. So
 * a name tells which file of which source it is for, and what must be in it; whether that is in it is for the reader to
 * check. Names of any other form are not ours and are left alone. */
#include "io.h"
#include "stage_internal.h"
#include "tree_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define HASH_CHARS BASE32_CHARS(16)

struct left_file {
    struct hash128 key, content;
    uint8_t slot;
};

struct hash128 stage_key(const char *path, uint64_t size, uint64_t token)
{
    uint64_t state[2] = {size, token};
    return hash128_seeded(path, strlen(path), XXH3_64bits(state, sizeof state));
}

struct stage_name stage_small_name(const struct hash128 *key, const struct hash128 *content)
{
    struct stage_name name;
    base32_encode(key->b, sizeof key->b, name.s);
    name.s[HASH_CHARS] = '-';
    base32_encode(content->b, sizeof content->b, name.s + HASH_CHARS + 1);
    return name;
}

int stage_small_parse(const char *name, struct hash128 *key, struct hash128 *content)
{
    char head[HASH_CHARS + 1];
    if (strlen(name) != 2 * HASH_CHARS + 1 || name[HASH_CHARS] != '-') {
        return ERR_MALFORMED;
    }
    memcpy(head, name, HASH_CHARS);
    head[HASH_CHARS] = '\0';
    int rc = base32_decode(head, key->b, sizeof key->b);
    return rc ? rc : base32_decode(name + HASH_CHARS + 1, content->b, sizeof content->b);
}

struct stage_name stage_large_name(const struct hash128 *key, const char *suffix)
{
    struct stage_name name;
    base32_encode(key->b, sizeof key->b, name.s);
    memcpy(name.s + HASH_CHARS, suffix, strlen(suffix) + 1);
    return name;
}

struct stage_name stage_map_of(const struct stage_name *data)
{
    struct stage_name map = *data;
    memcpy(map.s + HASH_CHARS, ".map", sizeof ".map");
    return map;
}

struct stage_name stage_slot_name(unsigned slot)
{
    struct stage_name name;
    snprintf(name.s, sizeof name.s, "b%u", slot);
    return name;
}

void stage_left_init(struct stage_left *left)
{
    *left = (struct stage_left){0};
    for (int i = 0; i < STAGE_SLOTS; i++) {
        left->fd[i] = -1;
    }
}

void stage_left_fini(struct stage_left *left)
{
    for (int i = 0; i < STAGE_SLOTS; i++) {
        io_close(left->fd[i]);
    }
    free(left->file);
}

struct reading {
    struct stage_left *left;
    unsigned slot;
};

static int left_add(void *arg, const char *name, uint64_t next)
{
    (void)next;
    struct reading *r = arg;
    struct stage_left *left = r->left;
    struct left_file file = {.slot = (uint8_t)r->slot};
    if (left->count >= STAGE_LEFT_MAX || stage_small_parse(name, &file.key, &file.content)) {
        return 0;
    }
    if (left->count == left->room) {
        uint32_t room = left->room ? left->room * 2 : 256;
        struct left_file *bigger = realloc(left->file, room * sizeof *bigger);
        if (!bigger) {
            return ERR_NOMEM;
        }
        left->file = bigger;
        left->room = room;
    }
    left->file[left->count++] = file;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return memcmp(((const struct left_file *)a)->key.b, ((const struct left_file *)b)->key.b, sizeof(struct hash128));
}

int stage_left_read(struct stage_left *left, int stage_fd, struct fault *fault)
{
    for (unsigned slot = 0; slot < STAGE_SLOTS; slot++) {
        int fd = openat(stage_fd, stage_slot_name(slot).s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        left->fd[slot] = fd;
        int rc = tree_names(fd, left_add, &(struct reading){.left = left, .slot = slot});
        if (rc) {
            return fault_errno(fault, errno, "cannot read what an earlier attempt left");
        }
    }
    if (left->count > 0) {
        qsort(left->file, left->count, sizeof *left->file, by_key);
    }
    return 0;
}

bool stage_left_find(const struct stage_left *left, const struct hash128 *key, int *fd, struct stage_name *name,
                     struct hash128 *content)
{
    struct left_file wanted = {.key = *key};
    const struct left_file *found = left->count ? bsearch(&wanted, left->file, left->count, sizeof wanted, by_key) : NULL;
    if (!found) {
        return false;
    }
    *fd = left->fd[found->slot];
    *content = found->content;
    *name = stage_small_name(&found->key, &found->content);
    return true;
}
