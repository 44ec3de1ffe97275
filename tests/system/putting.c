/* What system tests of put share. See putting.h. */
#include "putting.h"

#include "files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_remembered(void *arg)
{
    struct rig *rig = arg;
    unsigned count = rig->count;
    assert_int_equal(weft(rig, "anna", "status", "--json", NULL), 0);
    bool none = json_last(rig_last(rig), "base_waiting") == 0;
    rig->count = count;
    return none;
}

void putting_remembered(struct rig *rig)
{
    wait_until(is_remembered, rig, "anna to remember what she fetched");
}

void putting_start(struct rig *rig, struct putting *p, uint64_t size)
{
    strcpy(p->box, rig_path(rig, "box"));
    strcpy(p->theirs, rig_path(rig, "box/file"));
    strcpy(p->mine, rig_path(rig, "mine/file"));
    if (!file_there(p->box))
        folder_make(p->box);
    folder_make(rig_path(rig, "mine"));
    file_make(p->theirs, size, 1);
    node_pair(rig, &p->bob, &p->anna);
    node_befriend(rig, "bob", "anna");
    weft(rig, "bob", "share", p->box, "--writable", NULL);
    assert_status(rig_last(rig), 0);
    weft(rig, "anna", "get", "bob:box/file", rig_path(rig, "mine"), NULL);
    assert_status(rig_last(rig), 0);
    putting_remembered(rig);
}

void putting_edit(const struct putting *p, unsigned count, uint64_t seed)
{
    int fd = open(p->mine, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(fd >= 0 && size > 0);
    srandom((unsigned)seed);
    for (unsigned i = 0; i < count; i++) {
        char bytes[4096];
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (char)random();
        off_t at = (size - (off_t)sizeof bytes) / (off_t)count * (off_t)i;
        assert_int_equal(pwrite(fd, bytes, sizeof bytes, at), sizeof bytes);
    }
    close(fd);
}

struct process *putting_put(struct rig *rig, const struct putting *p)
{
    weft(rig, "anna", "put", "--json", p->mine, "bob:box", NULL);
    return rig_last(rig);
}

void assert_same_file(const char *a, const char *b)
{
    assert_true(tree_same(a, b));
}
