/* Manifests: a list of up to millions of entries of one transfer, in memory that does not grow with it.
 *
 * Two nameless files: `facts` has one struct fact an entry, so that entry i is at a known place; `text` has names and link
 * targets. Each is seen through one window, which is also the buffer of what is appended. The files are never seen by anyone
 * else, so they hold plain structs.
 *
 * Invariants:
 *  1. The trail of a manifest is the way from entry 0 down to one entry: its ancestors, their numbers, and the path they form.
 *     It makes paths in order cheap, and tells whether a new entry follows in order.
 *  2. A window's bytes from `clean` on are not in the file yet; only the last bytes of a file can be such. */
#include "manifest.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_BYTES 65536

struct fact {
    uint64_t text_at;
    uint64_t size;
    uint64_t token;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint32_t mode;
    uint32_t parent;
    uint16_t depth;
    uint16_t target_len;
    uint8_t name_len;
    uint8_t kind;
    uint8_t err;
};

struct window {
    int fd;
    uint64_t start; /* offset in the file of bytes[0] */
    size_t len;
    size_t clean;
    char bytes[WINDOW_BYTES];
};

struct step {
    uint32_t entry;
    uint16_t path_len; /* of the path down to this entry, itself included; 0 for entry 0 */
    bool folder;
};

struct trail {
    uint32_t steps; /* the entry it leads to is at depth steps - 1; 0 when it leads nowhere */
    struct step step[DEPTH_MAX + 1];
    char path[PATH_BYTES_MAX + 1];
};

struct manifest {
    uint32_t count;
    uint64_t text_len;
    struct manifest_sums sums;
    bool borrowed; /* a reader: the descriptors are another's */
    struct trail trail;
    struct window facts, text;
};

/* ---- windows */

static int window_flush(struct window *w)
{
    int rc = io_pwrite(w->fd, w->bytes + w->clean, w->len - w->clean, w->start + w->clean);
    if (rc == 0) {
        w->clean = w->len;
    }
    return rc;
}

/* Moves the window such that `n` bytes at `offset` can be appended. */
static int window_at_end(struct window *w, uint64_t offset, size_t n)
{
    if (w->start + w->len == offset && n <= sizeof w->bytes - w->len) {
        return 0;
    }
    int rc = window_flush(w);
    if (rc == 0) {
        w->start = offset;
        w->len = w->clean = 0;
    }
    return rc;
}

static void window_append(struct window *w, const void *bytes, size_t n)
{
    if (n > 0) { /* bytes may be NULL otherwise */
        memcpy(w->bytes + w->len, bytes, n);
        w->len += n;
    }
}

static bool window_has(const struct window *w, uint64_t offset, size_t n)
{
    return offset >= w->start && offset - w->start <= w->len && n <= w->len - (offset - w->start);
}

/* Points *bytes at `n` bytes of the file, at most half a window. The window is moved in halves, so that reading on or back
 * finds most of what it wants in it. */
static int window_see(struct window *w, uint64_t offset, size_t n, const void **bytes)
{
    if (!window_has(w, offset, n)) {
        int rc = window_flush(w);
        if (rc == 0) {
            w->start = offset - offset % (sizeof w->bytes / 2);
            rc = io_pread(w->fd, w->bytes, sizeof w->bytes, w->start, &w->len);
            w->clean = w->len;
        }
        if (rc == 0 && !window_has(w, offset, n)) {
            rc = ERR_DAMAGED;
        }
        if (rc) {
            w->len = w->clean = 0;
            return rc;
        }
    }
    *bytes = w->bytes + (offset - w->start);
    return 0;
}

/* Copies `n` bytes and leaves the window where it is: for single looks far back. */
static int window_copy(struct window *w, uint64_t offset, size_t n, void *out)
{
    if (window_has(w, offset, n)) {
        memcpy(out, w->bytes + (offset - w->start), n);
        return 0;
    }
    size_t got;
    int rc = window_flush(w);
    rc = rc ? rc : io_pread(w->fd, out, n, offset, &got);
    return rc ? rc : got == n ? 0 : ERR_DAMAGED;
}

/* Lets `other` see the same file of so many bytes. What the window holds all of need not be written: a short list is kept also
 * where the disk is full. */
static int window_share(struct window *w, uint64_t bytes, struct window *other)
{
    other->fd = w->fd;
    if (w->start > 0 || w->len < bytes) {
        return window_flush(w);
    }
    memcpy(other->bytes, w->bytes, w->len);
    other->len = other->clean = w->len;
    return 0;
}

/* ---- life */

int manifest_new(const char *dir, struct manifest **m, struct fault *fault)
{
    struct manifest *new = calloc(1, sizeof *new);
    if (!new) {
        return fault_set(fault, ERR_NOMEM, "no memory for the list of files");
    }
    new->facts.fd = io_temp(dir);
    new->text.fd = new->facts.fd < 0 ? -1 : io_temp(dir);
    if (new->text.fd < 0) {
        int rc = fault_errno(fault, errno, "cannot make a temporary file in '%s'", path_text(dir).s);
        manifest_free(new);
        return rc;
    }
    *m = new;
    return 0;
}

void manifest_free(struct manifest *m)
{
    if (m && !m->borrowed) {
        io_close(m->facts.fd);
        io_close(m->text.fd);
    }
    free(m);
}

int manifest_reader(struct manifest *m, struct manifest **reader, struct fault *fault)
{
    struct manifest *new = calloc(1, sizeof *new);
    if (!new) {
        return fault_set(fault, ERR_NOMEM, "no memory for the list of files");
    }
    int rc = window_share(&m->facts, m->count * (uint64_t)sizeof(struct fact), &new->facts);
    rc = rc ? rc : window_share(&m->text, m->text_len, &new->text);
    if (rc) {
        rc = fault_errno(fault, errno, "cannot write the list of files");
        free(new);
        return rc;
    }
    new->count = m->count;
    new->text_len = m->text_len;
    new->sums = m->sums;
    new->borrowed = true;
    *reader = new;
    return 0;
}

uint32_t manifest_count(const struct manifest *m)
{
    return m->count;
}

void manifest_sums(const struct manifest *m, struct manifest_sums *out)
{
    *out = m->sums;
}

/* ---- reading */

static int fact_copy(struct manifest *m, uint32_t i, struct fact *fact)
{
    return window_copy(&m->facts, (uint64_t)i * sizeof *fact, sizeof *fact, fact);
}

int manifest_get(struct manifest *m, uint32_t i, struct manifest_entry *out)
{
    if (i >= m->count) {
        return ERR_NOT_FOUND;
    }
    const void *bytes;
    int rc = window_see(&m->facts, (uint64_t)i * sizeof(struct fact), sizeof(struct fact), &bytes);
    if (rc) {
        return rc;
    }
    struct fact f;
    memcpy(&f, bytes, sizeof f);
    rc = window_see(&m->text, f.text_at, (size_t)f.name_len + f.target_len, &bytes);
    if (rc) {
        return rc;
    }
    *out = (struct manifest_entry){
        .entry = {.kind = (enum entry_kind)f.kind,
                  .mode = f.mode,
                  .size = f.size,
                  .mtime_s = f.mtime_s,
                  .mtime_ns = f.mtime_ns,
                  .name_len = f.name_len,
                  .target_len = f.target_len,
                  .name = bytes,
                  .target = (const char *)bytes + f.name_len},
        .depth = f.depth,
        .parent = f.parent,
        .token = f.token,
        .err = f.err,
    };
    return 0;
}

/* ---- trails */

static bool trail_has(const struct trail *t, uint32_t depth, uint32_t entry)
{
    return depth < t->steps && t->step[depth].entry == entry;
}

static bool trail_fits(const struct trail *t, uint32_t depth, size_t name_len)
{
    size_t above = depth > 0 ? t->step[depth - 1].path_len : 0;
    return depth == 0 || above + (above > 0) + name_len <= PATH_BYTES_MAX;
}

/* Goes on from the step above to an entry in it; trail_fits said that there is room. */
static void trail_to(struct trail *t, uint32_t depth, struct step step, const char *name, size_t name_len)
{
    size_t len = 0;
    if (depth > 0) {
        len = t->step[depth - 1].path_len;
        if (len > 0) {
            t->path[len++] = '/';
        }
        memcpy(t->path + len, name, name_len);
        len += name_len;
    }
    step.path_len = (uint16_t)len;
    t->step[depth] = step;
    t->steps = depth + 1;
}

static bool is_folder(const struct fact *f)
{
    return f->kind == ENTRY_DIR && f->err == 0;
}

/* Leads the trail from wherever it is to entry i: up from i to the first ancestor that is on it, then down again. */
static int trail_lead(struct manifest *m, uint32_t i)
{
    struct trail *t = &m->trail;
    uint32_t way[DEPTH_MAX + 1];
    struct fact f;
    int rc = fact_copy(m, i, &f);
    uint32_t depth = rc ? 0 : f.depth;
    while (rc == 0 && f.depth > 0 && !trail_has(t, f.depth, i)) {
        way[f.depth] = i;
        i = f.parent;
        rc = fact_copy(m, i, &f);
    }
    if (rc) {
        return rc;
    }
    uint32_t d = f.depth;
    if (trail_has(t, d, i)) {
        t->steps = d + 1;
    } else {
        trail_to(t, 0, (struct step){.entry = i, .folder = is_folder(&f)}, "", 0);
    }
    while (++d <= depth) {
        char name[ENTRY_NAME_MAX];
        rc = fact_copy(m, way[d], &f);
        rc = rc ? rc : window_copy(&m->text, f.text_at, f.name_len, name);
        if (rc) {
            return rc;
        }
        trail_to(t, d, (struct step){.entry = way[d], .folder = is_folder(&f)}, name, f.name_len);
    }
    return 0;
}

int manifest_path(struct manifest *m, uint32_t i, char *path)
{
    if (i >= m->count) {
        return ERR_NOT_FOUND;
    }
    int rc = trail_lead(m, i);
    if (rc == 0) {
        size_t n = m->trail.step[m->trail.steps - 1].path_len;
        memcpy(path, m->trail.path, n);
        path[n] = '\0';
    }
    return rc;
}

/* ---- adding */

static bool entry_valid(const struct entry *e, int err)
{
    bool has_target = e->kind == ENTRY_LINK && (err == 0 || e->target_len > 0);
    return entry_name_valid(e->name, e->name_len) && e->kind < ENTRY_KIND_COUNT && e->mode <= 07777 && e->size <= INT64_MAX &&
           e->mtime_ns < SECOND && err >= 0 && err < ERR_COUNT &&
           (has_target ? e->target_len > 0 && e->target_len <= LINK_TARGET_MAX && !memchr(e->target, 0, e->target_len)
                       : e->target_len == 0);
}

/* Does the name come after that of the last entry in the same folder? */
static bool in_order(const struct trail *t, const struct entry *e, uint32_t depth)
{
    if (depth >= t->steps) {
        return true; /* the first one in its folder */
    }
    size_t above = t->step[depth - 1].path_len;
    const char *last = t->path + above + (above > 0);
    size_t n = t->step[depth].path_len - (size_t)(last - t->path);
    int order = memcmp(last, e->name, n < e->name_len ? n : e->name_len);
    return order < 0 || (order == 0 && n < e->name_len);
}

static int may_add(const struct manifest *m, const struct entry *e, uint32_t depth, int err)
{
    const struct trail *t = &m->trail;
    if (depth > DEPTH_MAX || m->count >= MANIFEST_ENTRIES_MAX) {
        return ERR_LIMIT;
    }
    bool placed = m->count == 0 ? depth == 0 : depth >= 1 && depth <= t->steps && t->step[depth - 1].folder;
    if (!placed || !entry_valid(e, err) || !in_order(t, e, depth)) {
        return ERR_MALFORMED;
    }
    uint64_t bytes = (m->count + 1ull) * sizeof(struct fact) + m->text_len + e->name_len + e->target_len;
    return bytes > MANIFEST_BYTES_MAX || !trail_fits(t, depth, e->name_len) ? ERR_LIMIT : 0;
}

static void sum(struct manifest_sums *s, const struct fact *f)
{
    uint32_t *const by_kind[] = {
        [ENTRY_FILE] = &s->files, [ENTRY_DIR] = &s->dirs, [ENTRY_LINK] = &s->links, [ENTRY_OTHER] = &s->others};
    ++*(f->err ? &s->failed : by_kind[f->kind]);
    if (f->kind == ENTRY_FILE && f->err == 0) {
        s->bytes = f->size > UINT64_MAX - s->bytes ? UINT64_MAX : s->bytes + f->size;
    }
}

int manifest_add(struct manifest *m, const struct entry *entry, uint32_t depth, uint64_t token, int err)
{
    if (m->borrowed) {
        return ERR_STATE;
    }
    int rc = m->count > 0 ? trail_lead(m, m->count - 1) : 0;
    rc = rc ? rc : may_add(m, entry, depth, err);
    rc = rc ? rc : window_at_end(&m->facts, (uint64_t)m->count * sizeof(struct fact), sizeof(struct fact));
    rc = rc ? rc : window_at_end(&m->text, m->text_len, (size_t)entry->name_len + entry->target_len);
    if (rc) {
        return rc;
    }
    struct fact f;
    memset(&f, 0, sizeof f); /* padding too: it goes to disk */
    f.text_at = m->text_len;
    f.size = entry->size;
    f.token = token;
    f.mtime_s = entry->mtime_s;
    f.mtime_ns = entry->mtime_ns;
    f.mode = entry->mode;
    f.parent = depth > 0 ? m->trail.step[depth - 1].entry : 0;
    f.depth = (uint16_t)depth;
    f.target_len = entry->target_len;
    f.name_len = (uint8_t)entry->name_len;
    f.kind = (uint8_t)entry->kind;
    f.err = (uint8_t)err;
    window_append(&m->facts, &f, sizeof f);
    window_append(&m->text, entry->name, entry->name_len);
    window_append(&m->text, entry->target, entry->target_len);
    trail_to(&m->trail, depth, (struct step){.entry = m->count, .folder = is_folder(&f)}, entry->name, entry->name_len);
    sum(&m->sums, &f);
    m->text_len += (uint64_t)entry->name_len + entry->target_len;
    m->count++;
    return 0;
}
