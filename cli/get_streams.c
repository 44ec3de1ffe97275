/* See get_streams.h. */
#include "get_streams.h"

#include "call.h"
#include "err.h"
#include "intake.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 300

/* A field, text or bytes, as a string. Nothing here has a NUL in it that means anything. */
static char *copy_field(const struct weft_row *row, const char *name)
{
    size_t n = 0;
    const char *bytes = weft_row_bytes(row, name, &n);

    return cli_need(strndup(bytes ? bytes : "", n));
}

static void note_source(struct get_streams *s, const struct weft_row *row)
{
    free(s->folder);
    free(s->top);
    s->folder = copy_field(row, "path");
    s->top = copy_field(row, "top");
}

static void note_stream(struct get_streams *s, const struct weft_row *row)
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 4;
        s->stream = cli_need(reallocarray(s->stream, s->room, sizeof *s->stream));
    }
    s->stream[s->count++] = (struct get_stream){.pipe = copy_field(row, "pipe"), .folder = s->folder, .top = s->top};
    s->folder = s->top = NULL;
}

void get_streams_note(struct get_streams *s, const struct weft_row *row)
{
    if (strcmp(weft_row_kind(row), "source") == 0)
        note_source(s, row);
    else if (strcmp(weft_row_kind(row), "stream") == 0)
        note_stream(s, row);
}

void get_streams_fini(struct get_streams *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->stream[i].pipe);
        free(s->stream[i].folder);
        free(s->stream[i].top);
    }
    free(s->stream);
    free(s->folder);
    free(s->top);
    *s = (struct get_streams){0};
}

/* ---- fetching */

/* Where it would be, or is now: a row "stored". */
static void tell_stored(const struct get_streams_run *run, const struct intake *in)
{
    char pipe[SHOWN], name[SHOWN];

    if (!*in->placed)
        return;
    if (in->dry_run) {
        cli_say(run->cli, "would fetch %s, a byte stream, as %s\n", escape(in->pipe, strlen(in->pipe), pipe, sizeof pipe),
                escape(in->placed, strlen(in->placed), name, sizeof name));
        return;
    }
    struct weft_row *row = cli_request("stored");
    weft_row_set_text(row, "pipe", in->pipe);
    weft_row_set_bytes(row, "path", in->folder, strlen(in->folder));
    weft_row_set_bytes(row, "top", in->placed, strlen(in->placed));
    weft_row_set_int(row, "bytes", (int64_t)in->bytes);
    weft_row_set_text(row, "route", in->routes.s);
    run->on_row(run->arg, row);
    weft_row_free(row);
}

static void tell_failed(const struct get_streams_run *run, const char *pipe, const struct weft_error *error)
{
    struct weft_row *row = cli_request("item");

    weft_row_set_text(row, "path", pipe);
    weft_row_set_text(row, "code", error->name);
    weft_row_set_text(row, "text", error->text);
    run->on_row(run->arg, row);
    weft_row_free(row);
    run->sum->failed++;
}

static void add_up(const struct get_streams_run *run, const struct intake *in)
{
    struct get_sum *sum = run->sum;

    sum->files += *in->placed && !in->dry_run;
    sum->skipped += *in->placed == '\0';
    sum->bytes += in->bytes;
    sum->moved += in->bytes;
    sum->elapsed_us += in->elapsed_us;
    routes_add(&sum->routes, in->routes.s);
}

static int fetch(const struct get_streams_run *run, const struct get_stream *stream, struct weft_error *error)
{
    struct intake in = {.cli = run->cli,
                        .pipe = stream->pipe,
                        .folder = stream->folder ? stream->folder : "",
                        .top = stream->top ? stream->top : "",
                        .policy = run->policy,
                        .dry_run = run->dry_run,
                        .on_progress = run->on_row,
                        .arg = run->arg};

    int code = intake_run(&in, error);
    if (code == 0) {
        add_up(run, &in);
        tell_stored(run, &in);
    } else if (code != ERR_CANCELLED && !run->alone) {
        tell_failed(run, stream->pipe, error);
    }
    return code;
}

int get_streams_run(const struct get_streams *s, const struct get_streams_run *run, int code, struct weft_error *error)
{
    size_t failed = 0;

    for (size_t i = 0; i < s->count; i++) {
        struct weft_error why = {0};
        int ended = fetch(run, &s->stream[i], &why);
        failed += ended != 0;
        if (ended && (ended == ERR_CANCELLED || run->alone)) {
            *error = why;
            return ended;
        }
    }
    if (code || failed == 0)
        return code;
    *error = (struct weft_error){.code = ERR_PARTIAL, .name = err_name(ERR_PARTIAL)};
    snprintf(error->text, sizeof error->text, "%zu source%s could not be fetched, each named above; the rest is there", failed,
             failed == 1 ? "" : "s");
    return ERR_PARTIAL;
}
