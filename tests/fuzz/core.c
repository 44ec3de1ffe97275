/* A whole core: messages of any bytes on links that are up, on links that are not, and datagrams; time goes by between them.
 * No crash, and no table over its cap.
 *
 * The core is a rendezvous and a relay, and trusts the raw node, which says all this. Its programs listen on "log" and on the
 * propagate pipe "news", and one sends to the raw node's "log". The share "in" is a real folder with the file "a", which may
 * be opened, built and put: handles are numbered from 1.
 *
 * The input is a list of steps: one byte says what, two bytes how long what follows is. In what follows 16 times 'P' stand for
 * the id of the core's `files` pipe, 'R' for that of `relay`, 'L' for that of "log", 'N' for that of "news", and 8 times 'T'
 * for the token of "a": so messages get further than to these. */
#include "batch.h"
#include "openings.h"
#include "pipes.h"
#include "registrar.h"
#include "tree.h"
#include "world_raw.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CORE, RAW };
enum { GREETED, SILENT, DATAGRAM, WAIT, STEPS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static void share(struct world *w, const char *path, bool writable)
{
    struct row *row = row_new("share");
    row_data(row, "path", path, strlen(path));
    row_bool(row, "public", true);
    row_bool(row, "writable", writable);
    check(world_call(w, CORE, row)->done);
}

/* The folder that may be written to, long ago: the token of the file in it. */
static uint64_t share_files(struct world *w)
{
    const struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char folder[128], file[160];
    struct stat st;
    snprintf(folder, sizeof folder, "%s/in", world_disk(w, CORE));
    snprintf(file, sizeof file, "%s/a", folder);
    check(mkdir(folder, 0700) == 0);
    FILE *f = fopen(file, "w");
    check(f && fputs("the quick brown fox jumps over the lazy dog", f) >= 0 && fclose(f) == 0);
    check(utimensat(AT_FDCWD, file, then, 0) == 0 && stat(file, &st) == 0);
    share(w, folder, true);
    return tree_token(&st);
}

static void trust(struct world *w)
{
    struct row *row = row_new("trust");
    row_text(row, "peer", id_text(world_id(w, RAW)).s);
    check(world_call(w, CORE, row)->done);
}

static void ignore(void *arg, const struct row *row)
{
    (void)arg, (void)row;
}

static struct program *start(struct world *w, const char *verb, const char *pipe, bool propagate)
{
    struct program *program = world_program(w, CORE, ignore, NULL);
    struct row *row = row_new(verb);
    row_text(row, "pipe", pipe);
    row_bool(row, "propagate", propagate);
    program_send(program, row);
    return program;
}

static void start_programs(struct world *w)
{
    static const uint8_t batch[] = {0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b'};
    char to_raw[NODE_ID_TEXT + 8];
    struct row *row = row_new("batch");
    start(w, "pipe-listen", "log", false);
    start(w, "pipe-listen", "news", true);
    snprintf(to_raw, sizeof to_raw, "%s:log", id_text(world_id(w, RAW)).s);
    row_data(row, "batch", batch, sizeof batch);
    program_send(start(w, "pipe-send", to_raw, false), row);
    world_run(w, world_now(w) + MILLISECOND);
}

static link_no greet(struct world *w)
{
    struct record r = {.id = *world_id(w, RAW), .name = "raw", .incarnation = 1, .seq = 1, .life_s = 60};
    struct msg *m = calloc(1, sizeof *m);
    uint8_t buf[RECORD_BYTES_MAX + 64];
    size_t n;
    check(m != NULL);
    m->type = MSG_HELLO;
    m->hello.version = PROTOCOL_VERSION;
    check(record_sign(&r, raw_identity(w, RAW), &m->hello.record) == 0);
    check(msg_encode(m, buf, sizeof buf, &n) == 0);
    free(m);
    link_no link = raw_dial(w, RAW, CORE);
    raw_say(w, RAW, link, buf, n);
    world_run(w, world_now(w) + 2 * MILLISECOND);
    return link;
}

static void fill_in_token(uint64_t token, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i++)
        if (memcmp(bytes + i, "TTTTTTTT", 8) == 0)
            for (size_t k = 0; k < 8; k++)
                bytes[i + k] = (uint8_t)(token >> (56 - 8 * k));
}

static void fill_in(struct world *w, uint8_t *bytes, size_t n)
{
    const struct node_id *core = world_id(w, CORE);
    const struct {
        char mark;
        struct tag tag;
    } pipes[] = {{'P', pipe_owned(core, "files")},
                 {'R', pipe_owned(core, "relay")},
                 {'L', pipe_owned(core, "log")},
                 {'N', pipe_shared("news")}};
    for (size_t p = 0; p < sizeof pipes / sizeof *pipes; p++) {
        uint8_t mark[TAG_BYTES];
        memset(mark, pipes[p].mark, sizeof mark);
        for (size_t i = 0; i + TAG_BYTES <= n; i++)
            if (memcmp(bytes + i, mark, TAG_BYTES) == 0)
                memcpy(bytes + i, pipes[p].tag.b, TAG_BYTES);
    }
}

struct scene {
    struct world *w;
    link_no link;
    uint64_t token;
};

/* One step, `n` bytes of it at hand. The link that messages go over, a new one when the core has parted with the old. */
static link_no step(struct scene *x, uint8_t what, const uint8_t *data, size_t n)
{
    struct world *w = x->w;
    link_no link = x->link;
    struct peer *peer = peers_find(world_core(w, CORE)->peers, world_id(w, RAW));
    uint8_t *bytes = malloc(n + 1);
    check(bytes != NULL);
    memcpy(bytes, data, n);
    fill_in(w, bytes, n);
    fill_in_token(x->token, bytes, n);
    if (!peer || peer->up == 0)
        link = greet(w);
    if (what == GREETED)
        raw_say(w, RAW, link, bytes, n);
    else if (what == SILENT)
        raw_say(w, RAW, raw_dial(w, RAW, CORE), bytes, n);
    else if (what == DATAGRAM)
        world_inject(w, CORE, bytes, n);
    world_run(w, world_now(w) + (what == WAIT ? n * SECOND / 16 : MILLISECOND));
    free(bytes);
    return link;
}

static void check_bounds(struct core *core)
{
    size_t links = 0;
    struct pipe_counts pipes;
    struct binding_counts binding;
    struct rendezvous_counts index;
    pipes_count(core, &pipes);
    binding_counts(core->binding, &binding);
    rendezvous_counts(binding_index(core->binding), &index);
    check(pipes.bound == 2 && pipes.channels <= CHANNELS_PER_PEER_MAX + 1);
    check(binding.cached <= PIPE_CACHE_MAX);
    check(index.leases <= 1 + LEASES_MAX / 4 && index.pipes <= REGISTERED_MAX);
    for (const struct link *l = core->links; l; l = l->next)
        links++;
    check(links == core->link_count && links <= 2 * LINKS_PER_PEER_MAX + 1);
    check(peers_count(core->peers) <= PEERS_MAX);
    check(core->jobs <= REQUESTS_PER_PEER_MAX + 2 * OPENINGS_PER_PEER_MAX);
    check(core->transfers <= SENDS_PER_PEER_MAX + PUTS_PER_PEER_MAX);
    check(openings_count(core) <= OPENINGS_PER_PEER_MAX);
    check(core->share_count == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = world_new(1);
    world_roles(w, world_add(w, "core"), ROLE_RELAY);
    world_add_raw(w, "raw");
    world_disk(w, CORE);
    world_start(w, CORE);
    world_start(w, RAW);
    share(w, "/srv/open", false);
    struct scene x = {.w = w, .token = share_files(w)};
    trust(w);
    x.link = greet(w);
    start_programs(w);
    for (unsigned steps = 0; size >= 3 && steps < 200; steps++) {
        size_t n = (size_t)data[1] << 8 | data[2];
        n = n < size - 3 ? n : size - 3;
        x.link = step(&x, data[0] % STEPS, data + 3, n);
        check_bounds(world_core(w, CORE));
        data += 3 + n;
        size -= 3 + n;
    }
    world_free(w);
    return 0;
}
