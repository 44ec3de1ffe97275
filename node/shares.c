/* Shares: what this node offers under which name to whom.
 *
 * The table is kept in order of names, and in the database, so that it is there again after a restart (verbs_share.c). Serving
 * it is for files.c and, what is a byte stream, for resources.c. */
#include "openings.h"
#include "resources.h"

#include <stdlib.h>
#include <string.h>

struct share *share_find(struct core *core, const char *name)
{
    for (struct share *s = core->shares; s; s = s->next)
        if (strcmp(s->row.name, name) == 0)
            return s;
    return NULL;
}

static struct share *share_new(struct core *core, const char *name)
{
    struct share *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    struct share **at = &core->shares;
    while (*at && strcmp((*at)->row.name, name) < 0)
        at = &(*at)->next;
    s->next = *at;
    *at = s;
    core->share_count++;
    return s;
}

int share_put(struct core *core, const struct share_row *row, struct share **out)
{
    struct share *s = share_find(core, row->name);
    if (s)
        resources_share_dropped(core, s); /* who uses it may not be among those it is for now */
    else if (core->share_count >= SHARES_MAX)
        return ERR_FULL;
    else
        s = share_new(core, row->name);
    if (!s)
        return ERR_NOMEM;
    s->row = *row;
    files_share_changed(core, s->row.name);
    openings_share_changed(core, s->row.name);
    if (out)
        *out = s;
    return resources_share_put(core, s);
}

void share_drop(struct core *core, struct share *share)
{
    struct share **at = &core->shares;
    resources_share_dropped(core, share);
    while (*at != share)
        at = &(*at)->next;
    *at = share->next;
    core->share_count--;
    files_share_changed(core, share->row.name);
    openings_share_changed(core, share->row.name);
    free(share);
}

bool share_allows(const struct share *share, const struct peer *peer)
{
    if (share->row.is_public)
        return true;
    if (share->row.audience_count == 0)
        return peer->trusted;
    for (size_t i = 0; i < share->row.audience_count; i++)
        if (id_equal(&share->row.audience[i], &peer->id))
            return true;
    return false;
}

bool share_is_stream(const struct share *share)
{
    return share->row.kind != RESOURCE_FILE && share->row.kind != RESOURCE_DIR;
}

struct share_info share_info_of(const struct share *share)
{
    struct share_info info = {.kind = share->row.kind,
                              .size = share->row.kind == RESOURCE_FILE ? share->size : 0,
                              .is_public = share->row.is_public,
                              .writable = share->row.writable};
    memcpy(info.name, share->row.name, sizeof info.name);
    return info;
}

struct row *share_row_of(const char *peer, const struct share_info *info)
{
    struct row *row = row_new("share");
    if (!row)
        return NULL;
    row_text(row, "peer", peer);
    row_text(row, "name", info->name);
    row_text(row, "kind", resource_kind_name(info->kind));
    row_int(row, "size", (int64_t)info->size);
    row_bool(row, "public", info->is_public);
    row_bool(row, "writable", info->writable);
    return row;
}

void shares_free(struct core *core)
{
    while (core->shares) {
        struct share *s = core->shares;
        core->shares = s->next;
        free(s);
    }
}
