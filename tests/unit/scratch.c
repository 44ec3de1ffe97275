/* Scratch folders for tests that need real files. */
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void scratch_make(struct scratch *s)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(s->path, sizeof s->path, "%s/weft-test-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->path));
}

/* By descriptors: whole paths may be longer than a path may be. */
static void remove_below(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        fchmodat(parent, name, 0700, 0);
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d) {
        fchmod(fd, 0700);
        for (struct dirent *e; (e = readdir(d));) {
            if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlinkat(fd, e->d_name, 0)) {
                remove_below(fd, e->d_name);
            }
        }
        closedir(d);
    }
    unlinkat(parent, name, AT_REMOVEDIR);
}

void scratch_remove(struct scratch *s)
{
    remove_below(AT_FDCWD, s->path);
    assert_int_not_equal(access(s->path, F_OK), 0);
}

struct scratch_path scratch_at(const struct scratch *s, const char *name)
{
    struct scratch_path path;
    int n = snprintf(path.s, sizeof path.s, "%s%s%s", s->path, name[0] ? "/" : "", name);
    assert_in_range(n, 1, sizeof path.s - 1);
    return path;
}

void scratch_write(const struct scratch *s, const char *name, const void *bytes, size_t n)
{
    int fd = open(scratch_at(s, name).s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

void scratch_text(const struct scratch *s, const char *name, const char *text)
{
    scratch_write(s, name, text, strlen(text));
}

void scratch_dir(const struct scratch *s, const char *name)
{
    assert_int_equal(mkdir(scratch_at(s, name).s, 0755), 0);
}

void scratch_link(const struct scratch *s, const char *name, const char *target)
{
    assert_int_equal(symlink(target, scratch_at(s, name).s), 0);
}

bool scratch_exists(const struct scratch *s, const char *name)
{
    struct stat st;
    return lstat(scratch_at(s, name).s, &st) == 0;
}

void scratch_assert_text(const struct scratch *s, const char *name, const char *text)
{
    char found[4096];
    int fd = open(scratch_at(s, name).s, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail_msg("no file '%s'", name);
    }
    ssize_t n = read(fd, found, sizeof found - 1);
    close(fd);
    assert_true(n >= 0);
    found[n] = '\0';
    assert_string_equal(found, text);
}

int scratch_count(const struct scratch *s, const char *name)
{
    DIR *d = opendir(scratch_at(s, name).s);
    assert_non_null(d);
    int n = -2; /* "." and ".." */
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n;
}
