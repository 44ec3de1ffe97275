/* Walking a tree in pre-order.
 *
 * One level for each folder on the way down, with the sorted names that are still to be told. Only the OPEN_LEVELS lowest keep
 * their folder open; a higher one is opened again, beneath the root, when the walk comes back to it. */
#include "io.h"
#include "tree_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN_LEVELS 32

struct level {
    int fd;          /* -1 when closed */
    size_t path_len; /* of its folder, in walk->path */
    char *names;     /* terminated, one after another */
    size_t len, cap; /* of names */
    uint32_t *order; /* where each begins, sorted by name */
    size_t count, room, next;
    size_t longest;
};

struct walk {
    struct root *root;
    int (*each)(void *arg, const struct tree_item *item);
    void *arg;
    struct fault *fault;
    uint32_t depth; /* how many levels there are */
    struct level level[DEPTH_MAX + 1];
    char path[PATH_BYTES_MAX + 1];
    char target[LINK_TARGET_MAX + 1];
};

static void level_fini(struct level *l)
{
    io_close(l->fd);
    free(l->names);
    free(l->order);
}

static int level_add(void *arg, const char *name, uint64_t next)
{
    (void)next;
    struct level *l = arg;
    size_t n = strlen(name) + 1;
    if (l->len + n > l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 1024;
        char *names = cap > UINT32_MAX ? NULL : realloc(l->names, cap);
        if (!names) {
            return ERR_NOMEM;
        }
        l->names = names;
        l->cap = cap;
    }
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        uint32_t *order = realloc(l->order, room * sizeof *order);
        if (!order) {
            return ERR_NOMEM;
        }
        l->order = order;
        l->room = room;
    }
    memcpy(l->names + l->len, name, n);
    l->order[l->count++] = (uint32_t)l->len;
    l->len += n;
    l->longest = n - 1 > l->longest ? n - 1 : l->longest;
    return 0;
}

static int compare_names(const void *a, const void *b, void *arg)
{
    const char *names = arg;
    return strcmp(names + *(const uint32_t *)a, names + *(const uint32_t *)b);
}

/* Reads the folder at w->path as the next level, without going there yet. */
static int level_read(struct walk *w)
{
    struct level *l = &w->level[w->depth];
    *l = (struct level){.fd = -1, .path_len = strlen(w->path)};
    int rc = root_open_dir(w->root, w->path, &l->fd, w->fault);
    if (rc == 0) {
        rc = tree_names(l->fd, level_add, l);
    }
    size_t below = l->path_len + (l->path_len > 0) + l->longest;
    if (rc == 0 && l->count > 0 && (w->depth == DEPTH_MAX || below > PATH_BYTES_MAX)) {
        rc = ERR_LIMIT;
    }
    if (rc) {
        level_fini(l);
        return rc;
    }
    if (l->count > 0) {
        qsort_r(l->order, l->count, sizeof *l->order, compare_names, l->names);
    }
    return 0;
}

/* Makes sure that the lowest level's folder is open, and that not too many are. */
static int level_open(struct walk *w)
{
    struct level *l = &w->level[w->depth - 1];
    if (w->depth > OPEN_LEVELS) {
        struct level *far = &w->level[w->depth - 1 - OPEN_LEVELS];
        io_close(far->fd);
        far->fd = -1;
    }
    if (l->fd >= 0) {
        return 0;
    }
    w->path[l->path_len] = '\0';
    return root_open_dir(w->root, w->path, &l->fd, w->fault);
}

/* Tells the entry `name` of the folder `fd`, whose path is w->path, and steps down into it when it is a folder. */
static int tell(struct walk *w, int fd, const char *name)
{
    struct stat st = {0};
    struct tree_item item = {.depth = w->depth, .path = w->path};
    item.err = tree_look(fd, name, &st, &item.entry, w->target);
    if (item.err == ERR_NOT_FOUND) {
        return w->depth > 0 ? 0 : fault_set(w->fault, ERR_NOT_FOUND, "'%s' not found", path_text(w->path).s);
    }
    item.token = tree_token(&st);
    bool down = item.err == 0 && item.entry.kind == ENTRY_DIR;
    if (down) {
        item.err = level_read(w);
        down = item.err == 0;
    }
    if (item.err == ERR_NOMEM) {
        return fault_set(w->fault, ERR_NOMEM, "no memory for the names in '%s'", path_text(w->path).s);
    }
    w->depth += down;
    return w->each(w->arg, &item);
}

/* The next entry of the lowest level, or up by one when there is none. */
static int step(struct walk *w)
{
    struct level *l = &w->level[w->depth - 1];
    int rc = l->next < l->count ? level_open(w) : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND) { /* all told, or the folder is gone with the rest */
        level_fini(l);
        w->depth--;
        return 0;
    }
    if (rc) {
        return rc;
    }
    const char *name = l->names + l->order[l->next++];
    size_t at = l->path_len;
    if (at > 0) {
        w->path[at++] = '/';
    }
    memcpy(w->path + at, name, strlen(name) + 1);
    return tell(w, l->fd, name);
}

int tree_walk(struct root *root, const char *path, int (*each)(void *arg, const struct tree_item *item), void *arg,
              struct fault *fault)
{
    if (tree_hidden(path)) {
        return fault_set(fault, ERR_NOT_FOUND, "'%s' not found", path_text(path).s);
    }
    int fd = root->fd;
    const char *name = "";
    int rc = path[0] ? root_parent(root, path, &fd, &name, fault) : 0;
    if (rc) {
        return rc;
    }
    struct walk *w = malloc(sizeof *w);
    if (!w) {
        return fault_set(fault, ERR_NOMEM, "no memory to walk '%s'", path_text(path).s);
    }
    w->root = root;
    w->each = each;
    w->arg = arg;
    w->fault = fault;
    w->depth = 0;
    memcpy(w->path, path, strlen(path) + 1); /* root_parent has checked its length */
    rc = tell(w, fd, name);
    while (rc == 0 && w->depth > 0) {
        rc = step(w);
    }
    while (w->depth > 0) {
        level_fini(&w->level[--w->depth]);
    }
    free(w);
    return rc;
}
