/* See put_world.h. */
#include "put_world.h"

#include "core_internal.h"
#include "openings.h"
#include "parcels.h"
#include "put.h"
#include "take.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- files */

struct disk_path path_at(struct puts *t, size_t node, const char *name)
{
    struct disk_path p;
    assert_true(snprintf(p.s, sizeof p.s, "%s/%s", world_disk(t->w, node), name) < (int)sizeof p.s);
    return p;
}

static uint64_t step(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

/* Times of their own: the machine's clock would give the same one to what follows fast. */
static void write_at(struct puts *t, const char *path, int flags, uint64_t at, size_t n, uint64_t seed)
{
    struct timespec when = {1700000000 + (time_t)t->writes++, 5};
    uint64_t x = seed * 88172645463325252ull + 1;
    uint8_t *bytes = malloc(n + 8);
    int fd = open(path, O_WRONLY | flags, 0644);
    assert_true(fd >= 0 && bytes);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = step(&x);
        memcpy(bytes + i, &v, sizeof v);
    }
    assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
    assert_int_equal(futimens(fd, (struct timespec[2]){when, when}), 0);
    close(fd);
    free(bytes);
}

void make_file(struct puts *t, size_t node, const char *name, size_t size, uint64_t seed)
{
    write_at(t, path_at(t, node, name).s, O_CREAT | O_TRUNC, 0, size, seed);
}

void make_folder(struct puts *t, size_t node, const char *name)
{
    assert_int_equal(mkdir(path_at(t, node, name).s, 0755), 0);
}

void edit_file(struct puts *t, size_t node, const char *name, uint64_t at, size_t n)
{
    write_at(t, path_at(t, node, name).s, 0, at, n, at + 12345);
}

bool exists(struct puts *t, size_t node, const char *name)
{
    return access(path_at(t, node, name).s, F_OK) == 0;
}

static uint8_t *read_all(const char *path, size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0)
        fail_msg("%s: %s", path, strerror(errno));
    *n = (size_t)st.st_size;
    uint8_t *bytes = malloc(*n + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, *n), *n);
    close(fd);
    return bytes;
}

static bool same(struct puts *t, const char *here, const char *there)
{
    size_t n, m;
    uint8_t *a = read_all(path_at(t, ANNA, here).s, &n), *b = read_all(path_at(t, HUGO, there).s, &m);
    bool equal = n == m && memcmp(a, b, n) == 0;
    free(a);
    free(b);
    return equal;
}

void assert_same(struct puts *t, const char *here, const char *there)
{
    assert_true(same(t, here, there));
}

void assert_differ(struct puts *t, const char *here, const char *there)
{
    assert_false(same(t, here, there));
}

/* ---- requests */

static void ask_node(struct puts *t, size_t node, struct row *row)
{
    t->answer = world_call(t->w, node, row);
    if (!t->answer->done)
        fail_msg("%s: %s", t->answer->code ? t->answer->code : "no answer",
                 t->answer->count ? row_get_text(t->answer->row[t->answer->count - 1], "text", "") : "");
}

struct row *share_row(struct puts *t, const char *name)
{
    struct row *row = row_new("share");
    struct disk_path path = path_at(t, HUGO, name);
    row_data(row, "path", path.s, strlen(path.s));
    row_text(row, "name", name);
    return row;
}

static void share_folder(struct puts *t, const char *name, const char *via)
{
    struct row *row = share_row(t, name);
    row_bool(row, "writable", true);
    if (via)
        row_text(row, "via", via);
    ask_node(t, HUGO, row);
}

static void add_source(struct puts *t, struct row *row, size_t node, const char *name)
{
    struct disk_path path = path_at(t, node, name);
    row_data(row, "source", path.s, strlen(path.s));
}

struct row *put_row(struct puts *t, const char *source, const char *other, const char *target)
{
    struct row *row = row_new("put");
    add_source(t, row, ANNA, source);
    if (other)
        add_source(t, row, ANNA, other);
    row_text(row, "target", target);
    return row;
}

const char *put_of(struct puts *t, size_t node, const char *source, const char *target)
{
    struct row *row = row_new("put");
    add_source(t, row, node, source);
    row_text(row, "target", target);
    t->answer = world_call(t->w, node, row);
    const char *text = t->answer->count ? row_get_text(t->answer->row[t->answer->count - 1], "text", "") : "";
    snprintf(t->text, sizeof t->text, "%s", text);
    return t->answer->code;
}

void assert_done(struct puts *t, struct row *row)
{
    ask_node(t, ANNA, row);
}

void assert_refused(struct puts *t, struct row *row, const char *code, const char *text)
{
    t->answer = world_call(t->w, ANNA, row);
    assert_false(t->answer->done);
    assert_non_null(t->answer->code);
    assert_string_equal(t->answer->code, code);
    const char *said = row_get_text(t->answer->row[t->answer->count - 1], "text", "");
    if (!strstr(said, text))
        fail_msg("'%s' is not in '%s'", text, said);
}

void put(struct puts *t, const char *source, const char *target)
{
    assert_done(t, put_row(t, source, NULL, target));
}

void get(struct puts *t, const char *source)
{
    struct row *row = row_new("get");
    const char *dest = world_disk(t->w, ANNA);
    row_text(row, "source", source);
    row_data(row, "dest", dest, strlen(dest));
    assert_done(t, row);
}

void assert_put(struct puts *t, const char *source, const char *target, const char *how, const char *base)
{
    put(t, source, target);
    assert_int_equal(answer_count(t->answer, "file"), 1);
    const struct row *row = answer_row(t->answer, "file", 0);
    assert_string_equal(row_get_text(row, "how", ""), how);
    assert_string_equal(row_get_text(row, "base", ""), base);
}

int64_t told(struct puts *t, const char *kind, const char *name)
{
    assert_true(answer_count(t->answer, kind) > 0);
    return row_get_int(answer_row(t->answer, kind, 0), name, -1);
}

/* ---- puts that run */

static void on_row(void *arg, const struct row *row)
{
    struct puts *t = arg;
    const char *kind = row_kind(row);
    if (strcmp(kind, "done") == 0 || strcmp(kind, "summary") == 0) {
        t->sent = row_get_int(row, "bytes_sent", -1);
        t->files = row_get_int(row, "files", -1);
        t->wire = row_get_int(row, "bytes_wire", -1);
        snprintf(t->route, sizeof t->route, "%s", row_get_text(row, "route", ""));
    } else if (strcmp(kind, "progress") == 0) {
        snprintf(t->phase, sizeof t->phase, "%s", row_get_text(row, "phase", ""));
    } else if (strcmp(kind, "error") == 0) {
        snprintf(t->code, sizeof t->code, "%s", row_get_text(row, "code", ""));
        snprintf(t->text, sizeof t->text, "%s", row_get_text(row, "text", ""));
    }
    t->over |= strcmp(kind, "done") == 0 || strcmp(kind, "error") == 0;
}

void start_put(struct puts *t, struct row *row)
{
    t->over = false;
    t->code[0] = t->text[0] = t->route[0] = t->phase[0] = '\0';
    t->sent = t->files = t->wire = -1;
    if (!t->program)
        t->program = world_program(t->w, ANNA, on_row, t);
    program_send(t->program, row);
}

void run_for(struct puts *t, uint64_t ns)
{
    world_run(t->w, world_now(t->w) + ns);
}

static bool is_over(struct world *w, void *arg)
{
    (void)w;
    return ((const struct puts *)arg)->over;
}

void until_put_over(struct puts *t, uint64_t within)
{
    if (!world_run_until(t->w, is_over, t, world_now(t->w) + within))
        fail_msg("not over after %llu s", (unsigned long long)(within / SECOND));
}

void assert_quiet(struct puts *t)
{
    for (size_t i = ANNA; i <= HUGO; i++) {
        struct core *core = world_core(t->w, i);
        assert_int_equal(core->transfers, 0);
        assert_null(core->puts);
        assert_null(core->parcels);
        assert_null(core->takes);
        assert_int_equal(openings_count(core), 0);
    }
}

void assert_went_well(struct puts *t)
{
    if (t->code[0])
        fail_msg("%s: %s", t->code, t->text);
}

/* ---- the world */

static void trust(struct puts *t, size_t a, size_t b)
{
    struct row *row = row_new("trust");
    row_text(row, "peer", id_text(world_id(t->w, b)).s);
    ask_node(t, a, row);
}

static struct puts *world_of_puts(size_t nodes, bool relayed)
{
    static const char *const names[] = {"anna", "hugo", "sara"};
    struct puts *t = calloc(1, sizeof *t);
    t->w = world_new(1);
    t->base = "bytes"; /* of a megabyte: copied where it cannot be cloned */
    for (size_t i = ANNA; i < nodes; i++) {
        world_add(t->w, names[i]);
        world_disk(t->w, i);
        world_roles(t->w, i, relayed && i == SARA ? ROLE_RELAY : 0);
        world_firewall(t->w, i, relayed && i != SARA);
        world_start(t->w, i);
    }
    world_cut(t->w, ANNA, HUGO, relayed);
    run_for(t, 2 * SECOND);
    for (size_t a = ANNA; a < nodes; a++)
        for (size_t b = ANNA; b < nodes; b++)
            if (a != b)
                trust(t, a, b);
    make_folder(t, HUGO, "docs");
    share_folder(t, "docs", relayed ? "sara" : NULL);
    run_for(t, 2 * SECOND);
    return t;
}

int puts_setup(void **state)
{
    *state = world_of_puts(SARA, false);
    return 0;
}

int puts_three_setup(void **state)
{
    *state = world_of_puts(SARA + 1, false);
    return 0;
}

int puts_relay_setup(void **state)
{
    *state = world_of_puts(SARA + 1, true);
    return 0;
}

int puts_teardown(void **state)
{
    struct puts *t = *state;
    world_free(t->w);
    free(t);
    return 0;
}
