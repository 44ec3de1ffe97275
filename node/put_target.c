/* Where a source of a put goes, by cp's rules.
 *
 * Into the target when that is a folder, under the source's own name; onto it when it is a file and the source is one; and when
 * nothing is there the target is the new name of the only source. What was decided stands when the source is begun anew: a
 * folder that this very put has made is not a folder to be put into. */
#include "put_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct put_unit target_unit;

bool put_join(const struct share_path *dir, const char *name, struct share_path *out)
{
    char path[PATH_BYTES_MAX + ENTRY_NAME_MAX + 2];
    int n = snprintf(path, sizeof path, "%s%s%s", dir->path, dir->len ? "/" : "", name);
    if (n > PATH_BYTES_MAX || !share_path_valid(path, (size_t)n))
        return false;
    *out = (struct share_path){.len = (uint16_t)n};
    strcpy(out->share, dir->share);
    strcpy(out->path, path);
    return true;
}

void put_open(struct put *p, const struct share_path *at, bool write, put_answer *answer)
{
    struct msg *m = calloc(1, sizeof *m);
    if (m) {
        m->type = MSG_FILE;
        m->file.pipe = pipe_owned(&p->peer->id, "files");
        m->file.at = *at;
        m->file.write = write;
        put_ask(p, m, MSG_FILE_OK, answer);
    } else {
        put_fail_nomem(p);
    }
    free(m);
}

/* It is known where it goes. */
static void begin_there(struct put *p)
{
    const struct survey_job *s = &p->survey->job;
    p->placed = true;
    if (s->kind == FILE_DIR) {
        put_folder_start(p);
        return;
    }
    strcpy(p->file.path, s->real);
    p->file.at = p->place;
    p->file.state = s->state;
    put_file_start(p);
}

static void go_into(struct put *p)
{
    struct fault fault;
    p->target = FILE_DIR;
    if (put_join(&p->at, p->name, &p->place)) {
        begin_there(p);
        return;
    }
    fault_set(&fault, ERR_LIMIT, "the path of '%s' there would be too long", p->name);
    put_source_over(p, &fault);
}

static void target_told(struct put *p, const struct msg *m)
{
    const struct msg_file_ok *ok = &m->file_ok;
    bool is_dir = p->survey->job.kind == FILE_DIR;
    struct fault fault = {0};
    p->file.destination = ok->handle;
    p->file.there = *ok;
    p->file.opened_at = core_now(p->core);
    if (ok->kind == FILE_DIR) {
        put_close(p, &p->file.destination);
        go_into(p);
        return;
    }
    if (p->sources > 1)
        fault_set(&fault, ok->kind == FILE_NOTHING ? ERR_NOT_FOUND : ERR_EXISTS,
                  "the target of several sources must be a folder that is there");
    else if (is_dir && ok->kind == FILE_FILE)
        fault_set(&fault, ERR_EXISTS, "the target is a file; a folder cannot take its place");
    if (fault.code) {
        put_source_over(p, &fault);
        return;
    }
    p->place = p->at;
    if (is_dir)
        put_close(p, &p->file.destination);
    begin_there(p);
}

static void target_begin(struct put *p)
{
    if (p->target == FILE_DIR)
        go_into(p);
    else
        put_open(p, &p->at, true, target_told);
}

static const struct put_unit target_unit = {target_begin, put_source_over};

void put_target_start(struct put *p)
{
    put_go(p, &target_unit);
}
