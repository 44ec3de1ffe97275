#include "bulk_pair.h"

#include "bulk_thread.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the queue */

void pair_post(void *arg, void (*fn)(void *data), void *data)
{
    struct pair_queue *q = &((struct pair *)arg)->queue;

    pthread_mutex_lock(&q->lock);
    assert_true(q->count < sizeof q->post / sizeof q->post[0]);
    q->post[q->count].fn = fn;
    q->post[q->count++].data = data;
    pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

/* Runs the oldest post, or waits for one. False when none came in time. */
static bool turn(struct pair_queue *q, uint64_t until)
{
    pthread_mutex_lock(&q->lock);
    bool in_time = true;
    while (q->count == 0 && in_time)
        in_time = cond_wait_until(&q->changed, &q->lock, until);
    if (q->count == 0) {
        pthread_mutex_unlock(&q->lock);
        return false;
    }
    void (*fn)(void *) = q->post[0].fn;
    void *data = q->post[0].data;
    memmove(&q->post[0], &q->post[1], --q->count * sizeof q->post[0]);
    pthread_mutex_unlock(&q->lock);
    fn(data);
    return true;
}

void pair_until(struct pair *p, bool (*cond)(const struct pair *p))
{
    uint64_t until = now_ns() + 60 * SECOND;
    while (!cond(p))
        if (!turn(&p->queue, until))
            fail_msg("%s", "nothing happens");
}

bool pair_is_ready(const struct pair *p)
{
    return p->ready;
}

bool pair_is_connected(const struct pair *p)
{
    return p->connected;
}

bool pair_has_received(const struct pair *p)
{
    return p->received;
}

bool pair_has_sent(const struct pair *p)
{
    return p->sent;
}

bool pair_is_over(const struct pair *p)
{
    return p->received && p->sent;
}

/* ---- the two cores */

static void on_ready(struct receive *r)
{
    struct pair *p = r->owner;
    p->ready = true;
    p->s.reception = r->reception;
    if (p->on_ready != NULL)
        p->on_ready(p);
    else
        pair_start_send(p);
}

static void on_item(struct receive *r, const char *path, const struct fault *fault)
{
    struct pair *p = r->owner;
    if (p->items < PAIR_ITEMS) {
        snprintf(p->item[p->items].path, sizeof p->item[0].path, "%s", path);
        p->item[p->items].fault = *fault;
    }
    p->items++;
}

static void on_received(struct receive *r)
{
    struct pair *p = r->owner;
    assert_false(p->received);
    p->received = true;
}

static void on_connected(struct send *s)
{
    struct pair *p = s->owner;
    p->connected = true;
    p->answer = s->answer;
    if (p->on_connected != NULL) {
        p->on_connected(p);
    } else {
        bulk_receive_confirm(p->receiver, &p->r, &p->answer);
        bulk_send_go(p->sender, &p->s);
    }
}

static void on_sent(struct send *s)
{
    struct pair *p = s->owner;
    assert_false(p->sent);
    p->sent = true;
}

static size_t addresses(void *arg, struct addr *out, size_t max)
{
    (void)arg;
    assert_true(max > 0);
    assert_int_equal(addr_parse("127.0.0.1:1", out), 0);
    return 1;
}

/* ---- life */

static void ids(struct pair *p)
{
    memset(&p->receiver_id, 'r', sizeof p->receiver_id);
    memset(&p->sender_id, 's', sizeof p->sender_id);
}

void pair_make(struct pair *p, const struct pair_options *options)
{
    struct fault fault;

    memset(p, 0, sizeof *p);
    scratch_make(&p->scratch);
    scratch_dir(&p->scratch, "src");
    scratch_dir(&p->scratch, "dst");
    scratch_dir(&p->scratch, "spool");
    p->src = scratch_at(&p->scratch, "src");
    p->dst = scratch_at(&p->scratch, "dst");
    p->spool = scratch_at(&p->scratch, "spool");
    pthread_mutex_init(&p->queue.lock, NULL);
    cond_init(&p->queue.changed);
    ids(p);
    struct bulk_config config = {
        .spool = p->spool.s, .addresses = addresses, .post = pair_post, .arg = p, .self = p->receiver_id};
    config.streams = options != NULL ? options->streams : 0;
    config.deadline_s = options != NULL ? options->deadline_s : 0;
    assert_int_equal(bulk_new(&config, &p->receiver, &fault), 0);
    config.self = p->sender_id;
    assert_int_equal(bulk_new(&config, &p->sender, &fault), 0);
    pair_reset(p);
}

void pair_reset(struct pair *p)
{
    p->ready = p->connected = p->received = p->sent = false;
    p->items = 0;
    p->r = (struct receive){.peer = p->sender_id,
                            .dest = p->dst.s,
                            .top = "top",
                            .key = "abcdef",
                            .policy = IF_EXISTS_REFUSE,
                            .listen = true,
                            .owner = p,
                            .ready = on_ready,
                            .item = on_item,
                            .done = on_received};
    p->s = (struct send){
        .peer = p->receiver_id, .root = p->src.s, .path = "", .owner = p, .connected = on_connected, .done = on_sent};
}

void pair_free(struct pair *p)
{
    bulk_free(p->receiver);
    bulk_free(p->sender);
    while (p->queue.count > 0)
        turn(&p->queue, 0);
    pthread_mutex_destroy(&p->queue.lock);
    pthread_cond_destroy(&p->queue.changed);
    scratch_remove(&p->scratch);
}

void pair_start(struct pair *p)
{
    bulk_receive_start(p->receiver, &p->r);
}

void pair_start_send(struct pair *p)
{
    bulk_send_start(p->sender, &p->s);
}

void pair_run(struct pair *p)
{
    pair_start(p);
    pair_until(p, pair_is_over);
}

const struct fault *pair_item(const struct pair *p, const char *path)
{
    for (unsigned i = 0; i < p->items && i < PAIR_ITEMS; i++)
        if (strcmp(p->item[i].path, path) == 0)
            return &p->item[i].fault;
    return NULL;
}

/* ---- content */

void pair_write_big(const struct pair *p, const char *name, size_t n)
{
    char path[512];
    uint64_t x = 88172645463325252ull;
    uint8_t *b = malloc(n);

    assert_non_null(b);
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        b[i] = (uint8_t)x;
    }
    snprintf(path, sizeof path, "src/%s", name);
    scratch_write(&p->scratch, path, b, n);
    free(b);
}

void pair_write_tree(const struct pair *p, const char *name, unsigned folders, unsigned files)
{
    char path[512], text[64];

    snprintf(path, sizeof path, "src/%s", name);
    scratch_dir(&p->scratch, path);
    for (unsigned i = 0; i < folders; i++) {
        snprintf(path, sizeof path, "src/%s/folder-%03u", name, i);
        scratch_dir(&p->scratch, path);
        for (unsigned k = 0; k < files; k++) {
            snprintf(path, sizeof path, "src/%s/folder-%03u/file-%03u", name, i, k);
            snprintf(text, sizeof text, "content of file %u in folder %u", k, i);
            scratch_text(&p->scratch, path, text);
        }
    }
}

static void same_content(int a, int b, const char *name, uint64_t size)
{
    static const size_t step = 1 << 20;
    char *x = malloc(step), *y = malloc(step);
    int fa = openat(a, name, O_RDONLY | O_NOFOLLOW), fb = openat(b, name, O_RDONLY | O_NOFOLLOW);

    assert_true(fa >= 0 && fb >= 0 && x != NULL && y != NULL);
    for (uint64_t at = 0; at < size; at += step) {
        ssize_t n = pread(fa, x, step, (off_t)at);
        assert_int_equal(pread(fb, y, step, (off_t)at), n);
        assert_true(n > 0);
        assert_memory_equal(x, y, (size_t)n);
    }
    close(fa);
    close(fb);
    free(x);
    free(y);
}

static void same_folder(int a, int b);

static void same_entry(int a, int b, const char *name)
{
    struct stat sa, sb;
    char la[4096] = "", lb[4096] = "";

    assert_int_equal(fstatat(a, name, &sa, AT_SYMLINK_NOFOLLOW), 0);
    if (!S_ISREG(sa.st_mode) && !S_ISDIR(sa.st_mode) && !S_ISLNK(sa.st_mode))
        return;
    if (fstatat(b, name, &sb, AT_SYMLINK_NOFOLLOW) != 0)
        fail_msg("%s is not there", name);
    assert_int_equal(sa.st_mode & ~07000u, sb.st_mode);
    assert_true(sa.st_mtim.tv_sec == sb.st_mtim.tv_sec && sa.st_mtim.tv_nsec == sb.st_mtim.tv_nsec);
    if (S_ISLNK(sa.st_mode)) {
        assert_true(readlinkat(a, name, la, sizeof la - 1) > 0);
        assert_true(readlinkat(b, name, lb, sizeof lb - 1) > 0);
        assert_string_equal(la, lb);
    } else if (S_ISREG(sa.st_mode)) {
        assert_int_equal(sa.st_size, sb.st_size);
        same_content(a, b, name, (uint64_t)sa.st_size);
    } else {
        same_folder(openat(a, name, O_RDONLY | O_DIRECTORY), openat(b, name, O_RDONLY | O_DIRECTORY));
    }
}

/* Takes both. */
static void same_folder(int a, int b)
{
    unsigned here = 0, there = 0;
    DIR *da = fdopendir(a), *db = fdopendir(b);
    struct dirent *d;

    assert_true(da != NULL && db != NULL);
    while ((d = readdir(da)) != NULL)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0) {
            same_entry(a, b, d->d_name);
            here++;
        }
    while ((d = readdir(db)) != NULL)
        there += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
    assert_int_equal(here, there);
    closedir(da);
    closedir(db);
}

void pair_assert_same(const struct pair *p)
{
    same_folder(open(p->src.s, O_RDONLY | O_DIRECTORY), open(scratch_at(&p->scratch, "dst/top").s, O_RDONLY | O_DIRECTORY));
}
