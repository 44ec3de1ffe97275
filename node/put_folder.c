/* A folder of a put: its files that are worth an update are updated first, one by one; then it is sent, when what is equal by
 * then is found to be there. Of a folder that is not there yet all is new. See put_internal.h. */
#include "put_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct put_unit whole_unit;

/* ---- the rest of it */

/* All of its files are as they are here, from now on, if nobody knows better. */
static void remember_files(struct put *p)
{
    const struct survey_job *s = &p->survey->job;
    char path[PATH_BYTES_MAX + 1];
    for (uint32_t i = 0; i < s->count; i++) {
        struct file_state state = s->file[i].state;
        struct base_key key = {.peer = p->peer->id};
        state.token = 0;
        if (s->file[i].updated || !put_join(&p->place, s->file[i].path, &key.at) ||
            snprintf(path, sizeof path, "%s/%s", s->real, s->file[i].path) > PATH_BYTES_MAX)
            continue;
        remember_file(p->core, &key, path, &state);
    }
}

static void source_over(struct put *p)
{
    put_source_over(p, NULL);
}

static void folder_sent(struct put *p, const struct msg *m)
{
    struct msg_put_ok ok = m->put_ok;
    struct put_sums *inside = &p->inside;
    if (p->dry_run) { /* they would be there by then */
        p->sum.files += inside->files;
        p->sum.bytes += inside->bytes;
        ok.files -= inside->files < ok.files ? inside->files : ok.files;
        ok.bytes -= inside->bytes < ok.bytes ? inside->bytes : ok.bytes;
    } else {
        ok.present -= inside->files < ok.present ? inside->files : ok.present;
    }
    put_count_whole(p, &ok);
    put_tell_file(p, &(struct put_told){.path = p->survey->job.real,
                                        .at = &p->place,
                                        .how = "whole",
                                        .bytes = ok.bytes,
                                        .sent = p->sum.sent - p->file.sent_before,
                                        .files = ok.files});
    if (!p->dry_run && p->policy == IF_EXISTS_OVERWRITE)
        remember_files(p);
    p->files_done += p->survey->job.files - inside->files;
    put_when_fetched(p, source_over);
}

static void parent_told(struct put *p, const struct msg *m)
{
    const char *slash = strrchr(p->place.path, '/');
    struct fault fault;
    p->folder = m->file_ok.handle;
    p->file.sent_before = p->sum.sent;
    if (m->file_ok.kind == FILE_DIR) {
        put_whole(p, p->folder, slash ? slash + 1 : p->place.path, p->survey->job.real, folder_sent);
        return;
    }
    fault_set(&fault, ERR_NOT_FOUND, "the folder that it is to be put into is gone");
    put_source_over(p, &fault);
}

static void whole_begin(struct put *p)
{
    struct share_path parent = p->place;
    char *slash = strrchr(parent.path, '/');
    parent.len = (uint16_t)(slash ? slash - parent.path : 0);
    memset(parent.path + parent.len, 0, sizeof parent.path - parent.len);
    put_open(p, &parent, true, parent_told);
}

static const struct put_unit whole_unit = {whole_begin, put_source_over};

/* ---- its files */

void put_folder_next(struct put *p)
{
    const struct survey_job *s = &p->survey->job;
    memset(&p->file, 0, sizeof p->file);
    for (; p->next_file < s->count && p->core->config.bases; p->next_file++) {
        struct put_file *f = &p->file;
        const struct surveyed *at = &s->file[p->next_file];
        if (!put_join(&p->place, at->path, &f->at) ||
            snprintf(f->path, sizeof f->path, "%s/%s", s->real, at->path) > PATH_BYTES_MAX)
            continue; /* it is told when the folder is sent */
        f->state = at->state;
        f->inside = true;
        p->next_file++;
        put_file_start(p);
        return;
    }
    memset(&p->file, 0, sizeof p->file);
    put_go(p, &whole_unit);
}

static void place_told(struct put *p, const struct msg *m)
{
    struct fault fault;
    p->folder = m->file_ok.handle;
    put_close(p, &p->folder);
    if (m->file_ok.kind == FILE_FILE) {
        fault_set(&fault, ERR_EXISTS, "a file is there under the name of '%s'; a folder cannot take its place", p->name);
        put_source_over(p, &fault);
    } else if (m->file_ok.kind == FILE_DIR && p->policy == IF_EXISTS_OVERWRITE) {
        put_folder_next(p);
    } else {
        put_go(p, &whole_unit);
    }
}

static void folder_begin(struct put *p)
{
    put_open(p, &p->place, true, place_told);
}

static const struct put_unit folder_unit = {folder_begin, put_source_over};

void put_folder_start(struct put *p)
{
    put_go(p, &folder_unit);
}
