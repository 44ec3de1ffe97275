/* A raw node that puts. See putter.h. */
#include "putter.h"

#include "file_hash.h"
#include "world_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- files */

static void path_of(struct world *w, size_t node, const char *name, char path[512])
{
    snprintf(path, 512, "%s%s/%s", world_disk(w, node), node == ANNA ? "/in" : "", name);
}

void write_file(struct world *w, size_t node, const char *name, const char *text)
{
    char path[512];
    path_of(w, node, name, path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    /* long ago: a file that changed just now is not believed to stand still */
    const struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
}

char *read_file(struct world *w, size_t node, const char *name, size_t *n)
{
    char path[512];
    struct stat st;
    path_of(w, node, name, path);
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    assert_int_equal(fstat(fileno(f), &st), 0);
    char *text = calloc(1, (size_t)st.st_size + 1);
    assert_non_null(text);
    *n = fread(text, 1, (size_t)st.st_size, f);
    fclose(f);
    return text;
}

void assert_file(struct world *w, size_t node, const char *name, const char *text)
{
    size_t n;
    char *is = read_file(w, node, name, &n);
    assert_non_null(is);
    assert_string_equal(is, text);
    free(is);
}

unsigned count_names(struct world *w, size_t node, const char *name)
{
    char path[512];
    unsigned n = 0;
    path_of(w, node, name, path);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

/* ---- the world */

static void share_folder(struct world *w, const char *name, bool writable)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", world_disk(w, ANNA), name);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    struct row *r = request("share", "path", path);
    row_bool(r, "public", true);
    row_bool(r, "writable", writable);
    ok(w, ANNA, r);
}

struct world *putters_world(uint64_t seed)
{
    struct world *w = world_new(seed);
    world_add(w, "anna");
    world_add(w, "bob");
    world_add_raw(w, "mallory");
    world_add_raw(w, "eve");
    for (size_t i = 0; i < 4; i++) {
        world_disk(w, i);
        world_start(w, i);
    }
    world_run(w, world_now(w) + SECOND);
    share_folder(w, "in", true);
    share_folder(w, "out", false);
    return w;
}

/* ---- what it has ready */

struct putter_send {
    struct send s;
    struct putter_send *next;
    struct putter *p;
    link_no link;
    uint64_t request;
};

static void send_connected(struct send *s)
{
    struct putter_send *sending = s->owner;
    struct putter *p = sending->p;
    struct sim_node *node = p->w->nodes[p->raw];
    struct msg *m = message(MSG_FETCH_OK, sending->request);
    m->fetch_ok = s->answer;
    say_new(p->w, p->raw, sending->link, m);
    node->port.send_go(node, s);
}

static void send_ended(struct send *s)
{
    (void)s;
}

static void send_ready(struct putter *p, link_no link, const struct msg *m)
{
    struct sim_node *node = p->w->nodes[p->raw];
    struct putter_send *sending = calloc(1, sizeof *sending);
    assert_non_null(sending);
    *sending = (struct putter_send){.next = p->sends, .p = p, .link = link, .request = m->request};
    p->sends = sending;
    struct send *s = &sending->s;
    s->peer = *world_id(p->w, ANNA);
    s->root = world_disk(p->w, p->raw);
    s->path = p->ready;
    s->reception = m->fetch.reception;
    s->owner = sending;
    s->connected = send_connected;
    s->done = send_ended;
    node->port.send_start(node, s);
}

static void serve_parcel(struct putter *p, link_no link, const struct msg *m)
{
    struct msg *no = message(MSG_ERROR, m->request);
    no->error.code = ERR_NOT_FOUND;
    strcpy(no->error.text, "nothing is ready");
    if (!p->ready[0])
        say(p->w, p->raw, link, no);
    else if (!p->stalls)
        send_ready(p, link, m);
    free(no);
}

/* Keeps the link alive, and sends what is asked for. */
static void answer_anna(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    struct putter *p = arg;
    struct msg *m = message(0, 0);
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_PING) {
        m->type = MSG_PONG;
        say(w, raw, h->link, m);
    } else if (m->type == MSG_FETCH) {
        serve_parcel(p, h->link, m);
    }
    free(m);
}

struct putter *putter_new(struct world *w, size_t raw)
{
    struct putter *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->w = w;
    p->raw = raw;
    p->in = message(0, 0);
    raw_answers(w, raw, answer_anna, p);
    p->link = greet(w, raw);
    return p;
}

void putter_free(struct putter *p)
{
    raw_answers(p->w, p->raw, NULL, NULL);
    while (p->sends) {
        struct putter_send *next = p->sends->next;
        free(p->sends);
        p->sends = next;
    }
    free(p->in);
    free(p);
}

/* ---- requests */

uint64_t putter_say(struct putter *p, struct msg *m)
{
    m->request = ++p->number;
    say_new(p->w, p->raw, p->link, m);
    return p->number;
}

const struct msg *putter_heard(struct putter *p, uint64_t number)
{
    for (size_t i = 0; i < raw_heard_count(p->w, p->raw); i++) {
        const struct heard *h = raw_heard(p->w, p->raw, i);
        if (h->opened || h->link != p->link || msg_decode(h->bytes, h->n, p->in) != 0)
            continue;
        if (p->in->request == number && p->in->type != MSG_PROGRESS && p->in->type != MSG_FETCH && p->in->type != MSG_PING)
            return p->in;
    }
    return NULL;
}

size_t putter_progress(struct putter *p, uint64_t number, struct msg_progress *last)
{
    size_t n = 0;
    for (size_t i = 0; i < raw_heard_count(p->w, p->raw); i++) {
        const struct heard *h = raw_heard(p->w, p->raw, i);
        if (!h->opened && h->link == p->link && msg_decode(h->bytes, h->n, p->in) == 0 && p->in->type == MSG_PROGRESS &&
            p->in->request == number) {
            n++;
            if (last)
                *last = p->in->progress;
        }
    }
    return n;
}

struct waited {
    struct putter *p;
    uint64_t number;
};

static bool has_come(struct world *w, void *arg)
{
    struct waited *x = arg;
    (void)w;
    return putter_heard(x->p, x->number) != NULL;
}

const struct msg *putter_ask(struct putter *p, struct msg *m)
{
    enum msg_type type = m->type;
    struct waited x = {.p = p, .number = putter_say(p, m)};
    if (!world_run_until(p->w, has_come, &x, world_now(p->w) + MINUTE))
        fail_msg("%s is not answered", msg_name(type));
    return putter_heard(p, x.number);
}

const struct msg *putter_ask_for(struct putter *p, struct msg *m, enum msg_type type)
{
    const struct msg *answer = putter_ask(p, m);
    if (answer->type == MSG_ERROR && type != MSG_ERROR)
        fail_msg("%s: %s", err_name((int)answer->error.code), answer->error.text);
    assert_string_equal(msg_name(answer->type), msg_name(type));
    return answer;
}

void putter_refused(struct putter *p, struct msg *m, enum err code)
{
    const struct msg *answer = putter_ask_for(p, m, MSG_ERROR);
    if (answer->error.code != code)
        fail_msg("%s: %s", err_name((int)answer->error.code), answer->error.text);
    assert_true(answer->error.text[0] != '\0');
}

struct msg *file_of(struct putter *p, const char *share_name, const char *path, bool write)
{
    struct msg *m = message(MSG_FILE, 0);
    m->file.pipe = pipe_owned(world_id(p->w, ANNA), "files");
    m->file.write = write;
    snprintf(m->file.at.share, sizeof m->file.at.share, "%s", share_name);
    m->file.at.len = (uint16_t)snprintf(m->file.at.path, sizeof m->file.at.path, "%s", path);
    return m;
}

uint64_t putter_open(struct putter *p, const char *path, bool write)
{
    const struct msg *m = putter_ask_for(p, file_of(p, "in", path, write), MSG_FILE_OK);
    assert_true(m->file_ok.handle > 0);
    return m->file_ok.handle;
}

struct msg *closing(uint64_t handle)
{
    struct msg *m = message(MSG_FILE_CLOSE, 0);
    m->file_close.handle = handle;
    return m;
}

struct msg *index_of(uint64_t handle)
{
    struct msg *m = message(MSG_INDEX, 0);
    m->index.handle = handle;
    m->index.seed = 7;
    return m;
}

static struct tag some_parcel(void)
{
    return (struct tag){.b = {1, 2, 3}};
}

struct msg *put_into(uint64_t handle, const char *name)
{
    struct msg *m = message(MSG_PUT, 0);
    m->put.handle = handle;
    m->put.parcel = some_parcel();
    m->put.policy = IF_EXISTS_OVERWRITE;
    snprintf(m->put.name, sizeof m->put.name, "%s", name);
    return m;
}

struct msg *literals_for(uint64_t handle, uint64_t bytes)
{
    struct msg *m = message(MSG_LITERALS, 0);
    m->literals.handle = handle;
    m->literals.parcel = some_parcel();
    m->literals.bytes = bytes;
    return m;
}

struct msg *gather_from(struct putter *p, uint64_t destination, uint64_t source, uint64_t token, struct regions *regions)
{
    const struct regions_part most = {.len = sizeof p->regions, .count = GATHER_REGIONS_MAX, .length = UINT64_MAX};
    struct regions_cursor at = {0};
    struct regions_part part;
    struct msg *m = message(MSG_GATHER, 0);
    assert_int_equal(regions_encode(regions, &at, &most, p->regions, &part), 0);
    m->gather.destination = destination;
    m->gather.source = source;
    m->gather.token = token;
    m->gather.from = part.from;
    m->gather.length = part.length;
    m->gather.count = part.count;
    m->gather.len = (uint16_t)part.len;
    m->gather.bytes = p->regions;
    regions_free(regions);
    return m;
}

struct msg *gather_copy(struct putter *p, uint64_t destination, uint64_t source, uint64_t token, uint64_t offset,
                        uint64_t length)
{
    struct regions regions;
    regions_init(&regions, 0, 0);
    assert_int_equal(regions_add(&regions, REGION_COPY, offset, length, 8), 0);
    return gather_from(p, destination, source, token, &regions);
}

struct msg *commit_of(uint64_t handle, const char *text)
{
    struct msg *m = message(MSG_COMMIT, 0);
    struct file_hash h;
    struct hash128 hash;
    assert_int_equal(file_hash_init(&h), 0);
    file_hash_bytes(&h, text, strlen(text));
    assert_int_equal(file_hash_sum(&h, &hash), 0);
    file_hash_free(&h);
    m->commit.handle = handle;
    m->commit.size = strlen(text);
    memcpy(m->commit.hash, hash.b, sizeof m->commit.hash);
    m->commit.mtime_s = 2000;
    m->commit.mode = 0640;
    return m;
}
