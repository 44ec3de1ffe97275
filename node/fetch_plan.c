#include "fetch_plan.h"

#include "bulk_thread.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct plan {
    struct manifest *list;
    unsigned streams;
    uint32_t entries;
    uint8_t *small, *big;      /* bit per entry */
    uint32_t smalls;           /* not given out */
    uint32_t small_at, big_at; /* nothing is left before */
    uint32_t bigs;             /* not begun */
    struct large *open;        /* begun and not ended, oldest first */
    unsigned returnable;       /* pieces of large files that are out: when they come back there may be more to do */
    bool stopped;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

int plan_new(struct manifest *list, unsigned streams, struct plan **plan)
{
    struct plan *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ERR_NOMEM;
    p->list = list;
    p->streams = streams;
    p->entries = manifest_count(list);
    p->small = calloc(p->entries / 8 + 1, 1);
    p->big = calloc(p->entries / 8 + 1, 1);
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->changed);
    if (p->small == NULL || p->big == NULL) {
        plan_free(p);
        return ERR_NOMEM;
    }
    *plan = p;
    return 0;
}

static void large_free(struct large *large)
{
    pthread_mutex_destroy(&large->writing);
    free(large);
}

void plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    while (plan->open != NULL) {
        struct large *large = plan->open;
        plan->open = large->link;
        if (large->file != NULL)
            stage_file_drop(large->file, true);
        large_free(large);
    }
    pthread_mutex_destroy(&plan->lock);
    pthread_cond_destroy(&plan->changed);
    free(plan->small);
    free(plan->big);
    free(plan);
}

/* ---- bits */

static bool bit(const uint8_t *bits, uint32_t i)
{
    return (bits[i / 8] >> i % 8 & 1) != 0;
}

/* The first set bit from i on, or `end`. */
static uint32_t next_bit(const uint8_t *bits, uint32_t i, uint32_t end)
{
    while (i < end && !bit(bits, i))
        i = i % 8 == 0 && bits[i / 8] == 0 ? i + 8 : i + 1;
    return i < end ? i : end;
}

void plan_want(struct plan *plan, uint32_t i, uint64_t size)
{
    bool small = size <= SMALL_BYTES;
    uint8_t *bits = small ? plan->small : plan->big;

    bits[i / 8] |= (uint8_t)(1u << i % 8);
    if (small)
        plan->smalls++;
    else
        plan->bigs++;
}

/* ---- giving out; all under the lock */

static uint64_t share(uint64_t left, unsigned streams, uint64_t least, uint64_t most)
{
    uint64_t n = left / (4ull * streams);
    return n < least ? least : n > most ? most : n;
}

static int take_files(struct plan *plan, struct piece *piece)
{
    struct want_files *w = &piece->files;
    struct manifest_entry e;
    uint64_t bytes = 0;
    uint32_t files = (uint32_t)share(plan->smalls, plan->streams, 16, WANT_FILES_MAX);
    uint32_t i = next_bit(plan->small, plan->small_at, plan->entries);

    *w = (struct want_files){.first = i};
    piece->kind = PIECE_FILES;
    for (; i < plan->entries && i - w->first < WANT_FILES_MAX && files > 0 && bytes < PIECE_BYTES;
         i = next_bit(plan->small, i + 1, plan->entries)) {
        int err = manifest_get(plan->list, i, &e);
        if (err != 0)
            return err;
        unsigned at = i - w->first;
        w->bits[at / 8] |= (uint8_t)(1u << at % 8);
        w->count = (uint16_t)(at + 1);
        bytes += e.entry.size;
        plan->small_at = i + 1;
        plan->smalls--;
        files--;
    }
    return 0;
}

/* Moves `next` to the first missing block. False when none is left to be given out. */
static bool large_more(struct large *large)
{
    if (large->file == NULL || large->status != ITEM_OK)
        return false;
    while (large->next < large->blocks && stage_file_has(large->file, large->next))
        large->next++;
    return large->next < large->blocks;
}

static void take_blocks(struct plan *plan, struct large *large, struct piece *piece)
{
    struct want_blocks *w = &piece->blocks;
    uint64_t most = share(large->blocks - large->next, plan->streams, SLICE_BLOCKS_MIN, UINT64_MAX);

    *w = (struct want_blocks){.entry = large->entry, .first = large->next, .token = large->now.token};
    while (w->count < most && large->next < large->blocks && !stage_file_has(large->file, large->next)) {
        w->count++;
        large->next++;
    }
    piece->kind = PIECE_BLOCKS;
    piece->large = large;
    large->out++;
    plan->returnable++;
}

static int take_open(struct plan *plan, struct piece *piece)
{
    struct manifest_entry e;
    uint32_t i = next_bit(plan->big, plan->big_at, plan->entries);
    int err = manifest_get(plan->list, i, &e);
    if (err != 0)
        return err;
    struct large *large = calloc(1, sizeof *large), **end = &plan->open;
    if (large == NULL)
        return ERR_NOMEM;
    pthread_mutex_init(&large->writing, NULL);
    large->entry = i;
    large->now =
        (struct file_now){.token = e.token, .size = e.entry.size, .mtime_s = e.entry.mtime_s, .mtime_ns = e.entry.mtime_ns};
    large->out = 1;
    while (*end != NULL)
        end = &(*end)->link;
    *end = large;
    plan->big_at = i + 1;
    plan->bigs--;
    plan->returnable++;
    piece->kind = PIECE_OPEN;
    piece->large = large;
    return 0;
}

static int take_now(struct plan *plan, struct piece *piece)
{
    if (plan->smalls > 0)
        return take_files(plan, piece);
    for (struct large *large = plan->open; large != NULL; large = large->link)
        if (large_more(large)) {
            take_blocks(plan, large, piece);
            return 0;
        }
    if (plan->bigs > 0)
        return take_open(plan, piece);
    piece->kind = plan->returnable > 0 && !plan->stopped ? PIECE_LATER : PIECE_END;
    return 0;
}

int plan_take(struct plan *plan, uint64_t wait_ns, struct piece *piece)
{
    uint64_t until = now_ns() + wait_ns;

    pthread_mutex_lock(&plan->lock);
    int err = take_now(plan, piece);
    while (err == 0 && piece->kind == PIECE_LATER && wait_ns > 0 && cond_wait_until(&plan->changed, &plan->lock, until))
        err = take_now(plan, piece);
    pthread_mutex_unlock(&plan->lock);
    return err;
}

void plan_stop(struct plan *plan)
{
    pthread_mutex_lock(&plan->lock);
    plan->stopped = true;
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
}

/* ---- large files */

void plan_begun(struct plan *plan, struct large *large, struct stage_file *file)
{
    pthread_mutex_lock(&plan->lock);
    large->file = file;
    large->next = 0;
    large->blocks = large->now.size / BLOCK_BYTES + (large->now.size % BLOCK_BYTES != 0);
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
}

void plan_spoil(struct plan *plan, struct large *large, enum item_status status, const struct file_now *found)
{
    pthread_mutex_lock(&plan->lock);
    if (large->status == ITEM_OK) {
        large->status = status;
        large->found = *found;
    }
    pthread_mutex_unlock(&plan->lock);
}

bool plan_unplaceable(struct plan *plan, struct large *large)
{
    pthread_mutex_lock(&plan->lock);
    bool first = !large->told;
    large->told = true;
    large->status = ITEM_FAILED;
    pthread_mutex_unlock(&plan->lock);
    return first;
}

bool plan_spoilt(struct plan *plan, struct large *large)
{
    pthread_mutex_lock(&plan->lock);
    bool spoilt = large->status != ITEM_OK;
    pthread_mutex_unlock(&plan->lock);
    return spoilt;
}

bool plan_return(struct plan *plan, struct large *large, struct stage_file **file)
{
    pthread_mutex_lock(&plan->lock);
    bool last = --large->out == 0 && !large_more(large);
    if (last) {
        large->out = 1; /* the caller's */
        *file = large->file;
        large->file = NULL;
    } else {
        plan->returnable--;
    }
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
    return last;
}

void plan_again(struct plan *plan, struct large *large)
{
    pthread_mutex_lock(&plan->lock);
    large->now = large->found;
    large->status = ITEM_OK;
    large->tries++;
    pthread_mutex_unlock(&plan->lock);
}

void plan_ended(struct plan *plan, struct large *large)
{
    pthread_mutex_lock(&plan->lock);
    for (struct large **p = &plan->open; *p != NULL; p = &(*p)->link)
        if (*p == large) {
            *p = large->link;
            break;
        }
    plan->returnable--;
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
    large_free(large);
}
