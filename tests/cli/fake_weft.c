/* libweft as fake_weft.h tells. Rows are the real ones of base/. */
#include "fake_weft.h"

#include "cli.h"
#include "err.h"
#include "row.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libweft has no place for a test's context: this is it. */
static struct fake *current;

struct weft {
    atomic_bool cancelled;
};

struct weft_node {
    int unused;
};

static struct row *inner(const struct weft_row *row)
{
    return (struct row *)(uintptr_t)row;
}

struct weft_row *weft_row_new(const char *kind)
{
    return (struct weft_row *)row_new(kind);
}

void weft_row_free(struct weft_row *row)
{
    row_free(inner(row));
}

void weft_row_set_text(struct weft_row *row, const char *name, const char *text)
{
    row_text(inner(row), name, text);
}

void weft_row_set_bytes(struct weft_row *row, const char *name, const void *bytes, size_t n)
{
    row_data(inner(row), name, bytes, n);
}

void weft_row_set_int(struct weft_row *row, const char *name, int64_t value)
{
    row_int(inner(row), name, value);
}

void weft_row_set_bool(struct weft_row *row, const char *name, bool value)
{
    row_bool(inner(row), name, value);
}

const char *weft_row_kind(const struct weft_row *row)
{
    return row_kind(inner(row));
}

const char *weft_row_text(const struct weft_row *row, const char *name, const char *fallback)
{
    return row_get_text(inner(row), name, fallback);
}

const char *weft_row_bytes(const struct weft_row *row, const char *name, size_t *n)
{
    return row_get_bytes(inner(row), name, n);
}

int64_t weft_row_int(const struct weft_row *row, const char *name, int64_t fallback)
{
    return row_get_int(inner(row), name, fallback);
}

bool weft_row_bool(const struct weft_row *row, const char *name, bool fallback)
{
    return row_get_bool(inner(row), name, fallback);
}

size_t weft_row_fields(const struct weft_row *row)
{
    return row_fields(inner(row));
}

const char *weft_row_field_name(const struct weft_row *row, size_t i)
{
    return row_name_at(inner(row), i);
}

char weft_row_field_type(const struct weft_row *row, size_t i)
{
    return "nbitd"[row_type_at(inner(row), i)];
}

int64_t weft_row_field_int(const struct weft_row *row, size_t i)
{
    enum row_type type = row_type_at(inner(row), i);

    if (type == ROW_BOOL)
        return row_bool_at(inner(row), i);
    return type == ROW_INT ? row_int_at(inner(row), i) : 0;
}

const char *weft_row_field_bytes(const struct weft_row *row, size_t i, size_t *n)
{
    enum row_type type = row_type_at(inner(row), i);

    return type == ROW_TEXT || type == ROW_DATA ? row_bytes_at(inner(row), i, n) : NULL;
}

int weft_home(const char *given, char *path, size_t cap, struct weft_error *error)
{
    (void)error;
    snprintf(path, cap, "%s", given ? given : "/nowhere");
    return 0;
}

int weft_id(const char *home, char *id, size_t cap, struct weft_error *error)
{
    (void)home, (void)error;
    snprintf(id, cap, "%s", "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst");
    return 0;
}

struct weft *weft_open(const char *home, struct weft_error *error)
{
    (void)home;
    if (!current->no_node)
        return calloc(1, sizeof(struct weft));
    *error = (struct weft_error){ERR_NO_NODE, err_name(ERR_NO_NODE), "no node is running for /nowhere"};
    return NULL;
}

void weft_close(struct weft *weft)
{
    free(weft);
}

static int end_with(struct weft_error *error, int code, const char *name, const char *text)
{
    if (error) {
        *error = (struct weft_error){.code = code, .name = name};
        snprintf(error->text, sizeof error->text, "%s", text);
    }
    return code;
}

int weft_call(struct weft *weft, const struct weft_row *request, weft_on_row *on_row, void *arg, struct weft_error *error)
{
    struct fake *f = current;
    uint8_t bytes[ROW_BYTES];
    uint64_t seq;
    size_t n;
    struct row *copy;

    if (row_encode(inner(request), 0, bytes, sizeof bytes, &n) || row_decode(bytes, n, &seq, &copy))
        return end_with(error, ERR_MALFORMED, "malformed", "the request cannot be sent");
    f->requests[f->request_count++] = (struct weft_row *)copy;
    if (f->raises) {
        kill(getpid(), SIGINT);
        while (!atomic_load(&weft->cancelled))
            continue;
    }
    while (f->answer_next < f->answer_count && !atomic_load(&weft->cancelled)) {
        const struct weft_row *row = f->answers[f->answer_next++];
        if (strcmp(weft_row_kind(row), "error") == 0)
            return end_with(error, err_from_name(weft_row_text(row, "code", "")), weft_row_text(row, "code", ""),
                            weft_row_text(row, "text", ""));
        if (on_row)
            on_row(arg, row);
        if (strcmp(weft_row_kind(row), "done") == 0)
            return 0;
    }
    if (atomic_load(&weft->cancelled))
        return end_with(error, ERR_CANCELLED, "cancelled", "cancelled");
    return end_with(error, ERR_STATE, "wrong-state", "the test laid down no more answers");
}

void weft_cancel(struct weft *weft)
{
    atomic_store(&weft->cancelled, true);
}

/* A node that comes up, tells its events, and has stopped by the time it is waited for. */
struct weft_node *weft_node_start(const struct weft_options *options, struct weft_error *error)
{
    struct fake *f = current;

    if (f->no_node) {
        end_with(error, ERR_LOCKED, "locked", "a node is running for this home already");
        return NULL;
    }
    while (f->answer_next < f->answer_count)
        options->event(options->arg, f->answers[f->answer_next++]);
    return calloc(1, sizeof(struct weft_node));
}

void weft_node_stop(struct weft_node *node)
{
    (void)node;
}

int weft_node_wait(struct weft_node *node, struct weft_error *error)
{
    (void)node, (void)error;
    return 0;
}

void weft_node_free(struct weft_node *node)
{
    free(node);
}

/* ---- the test's side */

struct fake *fake_new(void)
{
    current = calloc(1, sizeof *current);
    return current;
}

void fake_free(struct fake *f)
{
    for (size_t i = 0; i < f->answer_count; i++)
        weft_row_free(f->answers[i]);
    for (size_t i = 0; i < f->request_count; i++)
        weft_row_free(f->requests[i]);
    free(f->out);
    free(f->err);
    free(f);
}

struct weft_row *fake_answer(struct fake *f, const char *kind)
{
    struct weft_row *row = weft_row_new(kind);

    f->answers[f->answer_count++] = row;
    return row;
}

int fake_run_on(struct fake *f, FILE *const streams[3], const char *const *words)
{
    char *argv[32] = {(char *)(uintptr_t) "weft"};
    int argc = 1;

    while (words[argc - 1]) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
        argc++;
    }
    f->status = cli_run(argc, argv, streams);
    return f->status;
}

int fake_run(struct fake *f, const char *input, const char *const *words)
{
    size_t out_n, err_n;

    free(f->out);
    free(f->err);
    FILE *streams[3] = {*input ? fmemopen((void *)(uintptr_t)input, strlen(input), "r") : fopen("/dev/null", "r"),
                        open_memstream(&f->out, &out_n), open_memstream(&f->err, &err_n)};
    fake_run_on(f, streams, words);
    for (size_t i = 0; i < 3; i++)
        fclose(streams[i]);
    return f->status;
}
