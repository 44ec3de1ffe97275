/* Fields of the messages by which files of a peer are written: FILE, INDEX, PUT, LITERALS, GATHER, COMMIT, their answers, and
 * PROGRESS. See msg.h.
 *
 * What regions say is not looked at here: store/regions.h reads them. */
#include "msg_codec.h"

#include <assert.h>
#include <string.h>

/* What PUT_OK's items may take: a message less its other fields at their longest. */
#define ITEMS_BYTES (MSG_BYTES_MAX - 128)
#define ITEM_HEADS 48 /* of one, at most: heads of the array and its values, and the name of its code */

static uint64_t handle_read(struct mpr *r)
{
    uint64_t handle = mpr_uint(r, INT64_MAX);
    must(r, handle > 0);
    return handle;
}

void parcel_write(struct mpw *w, const struct tag *parcel)
{
    mpw_bin(w, parcel->b, TAG_BYTES);
}

void parcel_read(struct mpr *r, struct tag *parcel)
{
    mpr_bin_of(r, parcel->b, TAG_BYTES);
    must(r, !tag_is_zero(parcel));
}

static void state_write(struct mpw *w, const struct file_state *state)
{
    mpw_array(w, 5);
    mpw_uint(w, state->token);
    mpw_uint(w, state->size);
    mpw_int(w, state->mtime_s);
    mpw_uint(w, state->mtime_ns);
    mpw_uint(w, state->mode);
}

static void state_read(struct mpr *r, struct file_state *state)
{
    mpr_array_of(r, 5);
    state->token = mpr_uint(r, UINT64_MAX);
    state->size = mpr_uint(r, INT64_MAX);
    state->mtime_s = mpr_int(r);
    state->mtime_ns = (uint32_t)mpr_uint(r, SECOND - 1);
    state->mode = (uint32_t)mpr_uint(r, 07777);
    mpr_leave(r);
}

static void limits_write(struct mpw *w, const struct gather_limits *limits)
{
    mpw_array(w, 5);
    mpw_uint(w, limits->regions);
    mpw_uint(w, limits->bytes);
    mpw_uint(w, limits->size);
    mpw_uint(w, limits->budget);
    mpw_uint(w, limits->wait_ms);
}

static void limits_read(struct mpr *r, struct gather_limits *limits)
{
    mpr_array_of(r, 5);
    limits->regions = (uint32_t)mpr_uint(r, GATHER_REGIONS_MAX);
    limits->bytes = mpr_uint(r, INT64_MAX);
    limits->size = mpr_uint(r, INT64_MAX);
    limits->budget = mpr_uint(r, INT64_MAX);
    limits->wait_ms = (uint32_t)mpr_uint(r, UINT32_MAX);
    mpr_leave(r);
}

/* ---- FILE */

void file_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->file.pipe.b, TAG_BYTES);
    share_path_write(w, &m->file.at);
    mpw_bool(w, m->file.write);
}

void file_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->file.pipe.b, TAG_BYTES);
    share_path_read(r, &m->file.at);
    m->file.write = mpr_bool(r);
}

/* Only a file has a state. */
void file_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->file_ok.handle);
    mpw_uint(w, m->file_ok.kind);
    if (m->file_ok.kind == FILE_FILE)
        state_write(w, &m->file_ok.state);
    else
        mpw_nil(w);
    limits_write(w, &m->file_ok.limits);
}

void file_ok_read(struct mpr *r, struct msg *m)
{
    m->file_ok.handle = handle_read(r);
    m->file_ok.kind = (enum file_kind)mpr_uint(r, FILE_KIND_COUNT - 1);
    if (m->file_ok.kind == FILE_FILE)
        state_read(r, &m->file_ok.state);
    else
        mpr_nil(r);
    limits_read(r, &m->file_ok.limits);
}

void file_close_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->file_close.handle);
}

void file_close_read(struct mpr *r, struct msg *m)
{
    m->file_close.handle = handle_read(r);
}

/* ---- INDEX */

void index_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->index.handle);
    mpw_uint(w, m->index.seed);
}

void index_read(struct mpr *r, struct msg *m)
{
    m->index.handle = handle_read(r);
    m->index.seed = mpr_uint(r, UINT64_MAX);
}

void index_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->index_ok.token);
    parcel_write(w, &m->index_ok.parcel);
    mpw_uint(w, m->index_ok.bytes);
}

void index_ok_read(struct mpr *r, struct msg *m)
{
    m->index_ok.token = mpr_uint(r, UINT64_MAX);
    parcel_read(r, &m->index_ok.parcel);
    m->index_ok.bytes = mpr_uint(r, INDEX_BYTES_MAX);
    must(r, m->index_ok.bytes > 0);
}

/* ---- PUT */

void put_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->put.handle);
    mpw_bin(w, m->put.name, strlen(m->put.name));
    parcel_write(w, &m->put.parcel);
    mpw_uint(w, m->put.policy);
    mpw_bool(w, m->put.dry_run);
}

static void put_name_read(struct mpr *r, char name[ENTRY_NAME_MAX + 1])
{
    size_t n;
    const uint8_t *bytes = mpr_bin(r, ENTRY_NAME_MAX, &n);
    memcpy(name, bytes, n);
    name[n] = 0;
    must(r, n == 0 || (entry_name_valid((const char *)bytes, n) && !entry_name_hidden(name)));
}

void put_read(struct mpr *r, struct msg *m)
{
    m->put.handle = handle_read(r);
    put_name_read(r, m->put.name);
    parcel_read(r, &m->put.parcel);
    m->put.policy = (enum if_exists)mpr_uint(r, IF_EXISTS_COUNT - 1);
    m->put.dry_run = mpr_bool(r);
}

static size_t items_that_fit(const struct msg_put_ok *ok)
{
    size_t used = 0, count = 0;
    for (; count < ok->item_count; count++) {
        used += ITEM_HEADS + ok->item[count].len + strlen(ok->item[count].text);
        if (used > ITEMS_BYTES)
            break;
    }
    return count;
}

void put_ok_write(struct mpw *w, const struct msg *m)
{
    const struct msg_put_ok *ok = &m->put_ok;
    assert(ok->item_count <= PUT_ITEMS_MAX);
    mpw_uint(w, ok->files);
    mpw_uint(w, ok->bytes);
    mpw_uint(w, ok->present);
    mpw_uint(w, ok->skipped);
    mpw_uint(w, ok->failed);
    mpw_uint(w, ok->token);
    size_t count = items_that_fit(ok);
    mpw_array(w, count);
    for (size_t i = 0; i < count; i++) {
        mpw_array(w, 3);
        mpw_bin(w, ok->item[i].path, ok->item[i].len);
        code_write(w, ok->item[i].code);
        mpw_str(w, ok->item[i].text);
    }
}

static void put_item_read(struct mpr *r, struct put_item *item)
{
    size_t n;
    mpr_array_of(r, 3);
    item->path = (const char *)mpr_bin(r, PATH_BYTES_MAX, &n);
    item->len = (uint16_t)n;
    item->code = code_read(r);
    mpr_str(r, item->text, sizeof item->text);
    mpr_leave(r);
    must(r, n > 0 && share_path_valid(item->path, n) && item->code != ERR_OK);
}

void put_ok_read(struct mpr *r, struct msg *m)
{
    struct msg_put_ok *ok = &m->put_ok;
    ok->files = mpr_uint(r, INT64_MAX);
    ok->bytes = mpr_uint(r, INT64_MAX);
    ok->present = mpr_uint(r, INT64_MAX);
    ok->skipped = mpr_uint(r, INT64_MAX);
    ok->failed = mpr_uint(r, INT64_MAX);
    ok->token = mpr_uint(r, UINT64_MAX);
    ok->item_count = (uint8_t)mpr_array(r, PUT_ITEMS_MAX);
    for (size_t i = 0; i < ok->item_count; i++)
        put_item_read(r, &ok->item[i]);
    mpr_leave(r);
    must(r, ok->item_count <= ok->failed + ok->skipped);
}

/* ---- LITERALS */

void literals_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->literals.handle);
    parcel_write(w, &m->literals.parcel);
    mpw_uint(w, m->literals.bytes);
}

void literals_read(struct mpr *r, struct msg *m)
{
    m->literals.handle = handle_read(r);
    parcel_read(r, &m->literals.parcel);
    m->literals.bytes = mpr_uint(r, INT64_MAX);
    must(r, m->literals.bytes > 0);
}

void literals_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->literals.bytes);
}

void literals_ok_read(struct mpr *r, struct msg *m)
{
    m->literals.bytes = mpr_uint(r, INT64_MAX);
}

/* ---- GATHER */

void gather_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->gather.destination);
    mpw_uint(w, m->gather.source);
    mpw_uint(w, m->gather.token);
    mpw_uint(w, m->gather.from);
    mpw_uint(w, m->gather.length);
    mpw_uint(w, m->gather.count);
    mpw_bin(w, m->gather.bytes, m->gather.len);
}

/* A region is a byte at least, here and in the file. */
void gather_read(struct mpr *r, struct msg *m)
{
    size_t n;
    struct msg_gather *g = &m->gather;
    g->destination = handle_read(r);
    g->source = mpr_uint(r, INT64_MAX);
    g->token = mpr_uint(r, UINT64_MAX);
    g->from = mpr_uint(r, INT64_MAX);
    g->length = mpr_uint(r, INT64_MAX - g->from);
    g->count = (uint32_t)mpr_uint(r, GATHER_REGIONS_MAX);
    g->bytes = mpr_bin(r, GATHER_REGION_BYTES_MAX, &n);
    g->len = (uint16_t)n;
    must(r, g->count <= n && g->count <= g->length);
    must(r, (g->count > 0) == (n > 0) && (g->count > 0) == (g->length > 0));
}

void gather_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_bool(w, m->gather_ok.taken);
    mpw_uint(w, m->gather_ok.end);
    limits_write(w, &m->gather_ok.limits);
}

void gather_ok_read(struct mpr *r, struct msg *m)
{
    m->gather_ok.taken = mpr_bool(r);
    m->gather_ok.end = mpr_uint(r, INT64_MAX);
    limits_read(r, &m->gather_ok.limits);
    must(r, !m->gather_ok.taken || m->gather_ok.limits.wait_ms == 0);
}

/* ---- COMMIT */

void commit_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->commit.handle);
    mpw_uint(w, m->commit.size);
    mpw_bin(w, m->commit.hash, sizeof m->commit.hash);
    mpw_int(w, m->commit.mtime_s);
    mpw_uint(w, m->commit.mtime_ns);
    mpw_uint(w, m->commit.mode);
}

void commit_read(struct mpr *r, struct msg *m)
{
    m->commit.handle = handle_read(r);
    m->commit.size = mpr_uint(r, INT64_MAX);
    mpr_bin_of(r, m->commit.hash, sizeof m->commit.hash);
    m->commit.mtime_s = mpr_int(r);
    m->commit.mtime_ns = (uint32_t)mpr_uint(r, SECOND - 1);
    m->commit.mode = (uint32_t)mpr_uint(r, 07777);
}

void commit_ok_write(struct mpw *w, const struct msg *m)
{
    state_write(w, &m->commit_ok.state);
}

void commit_ok_read(struct mpr *r, struct msg *m)
{
    state_read(r, &m->commit_ok.state);
}

/* ---- PROGRESS */

void progress_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->progress.phase);
    mpw_uint(w, m->progress.done);
    mpw_uint(w, m->progress.total);
}

void progress_read(struct mpr *r, struct msg *m)
{
    m->progress.phase = (enum progress_phase)mpr_uint(r, PROGRESS_PHASE_COUNT - 1);
    m->progress.done = mpr_uint(r, INT64_MAX);
    m->progress.total = mpr_uint(r, INT64_MAX);
}
