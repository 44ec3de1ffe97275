/* Plain POSIX calls on whole paths: these are the test's own files, not a peer's. */
#include "files.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536
#define PATH_ROOM 4096

/* ---- making */

/* xorshift64*: the bytes need only differ. */
static void fill(uint64_t *bytes, size_t count, uint64_t *seed)
{
    for (size_t i = 0; i < count; i++) {
        *seed ^= *seed >> 12;
        *seed ^= *seed << 25;
        *seed ^= *seed >> 27;
        bytes[i] = *seed * 0x2545f4914f6cdd1dull;
    }
}

void file_make(const char *path, uint64_t size, uint64_t seed)
{
    uint64_t state = seed * 2 + 1;
    uint64_t *bytes = malloc(CHUNK);
    FILE *out = fopen(path, "w");

    assert_non_null(bytes);
    assert_non_null(out);
    for (uint64_t at = 0; at < size; at += CHUNK) {
        size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        fill(bytes, CHUNK / sizeof *bytes, &state);
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    }
    assert_int_equal(fclose(out), 0);
    free(bytes);
}

void file_save(const char *path, const void *bytes, size_t n)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

char *file_text(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st = {0};

    if (fd >= 0)
        fstat(fd, &st);
    char *text = calloc(1, (size_t)st.st_size + 1);
    assert_non_null(text);
    if (fd >= 0) {
        ssize_t n = read(fd, text, (size_t)st.st_size);
        text[n > 0 ? n : 0] = 0;
        close(fd);
    }
    return text;
}

uint64_t file_size(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? (uint64_t)st.st_size : UINT64_MAX;
}

bool file_there(const char *path)
{
    return file_size(path) != UINT64_MAX;
}

void folder_make(const char *path)
{
    assert_int_equal(mkdir(path, 0755), 0);
}

static const char *joined(char *out, const char *folder, const char *name)
{
    snprintf(out, PATH_ROOM, "%s/%s", folder, name);
    return out;
}

static void odd_ones(const char *path)
{
    static const char *const names[] = {"-rf",          "two  spaces ", "line\nbreak", "esc\x1b[31m",
                                        "no-utf8-\xe9", "trailing.",    "...",         "größe"};
    char place[PATH_ROOM], name[256] = {0};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        file_save(joined(place, path, names[i]), names[i], strlen(names[i]));
    memset(name, 'n', 255);
    file_save(joined(place, path, name), "", 0);
    assert_int_equal(chmod(place, 0400), 0);
    folder_make(joined(place, path, "empty"));
    assert_int_equal(chmod(place, 0711), 0);
    assert_int_equal(symlink("/nowhere/at/all", joined(place, path, "dangling")), 0);
    assert_int_equal(symlink("../..", joined(place, path, "up")), 0);
}

void tree_make(const char *path, unsigned count)
{
    char folder[PATH_ROOM], place[PATH_ROOM + 32], name[32];

    folder_make(path);
    odd_ones(path);
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "folder %u", i / 50);
        joined(folder, path, name);
        if (i % 50 == 0)
            folder_make(folder);
        snprintf(place, sizeof place, "%s/%u", folder, i);
        file_make(place, i * 37 % 20000, i);
    }
}

/* ---- comparing */

static bool differ(const char *path, const char *what)
{
    print_message("# %s differs: %s\n", path, what);
    return false;
}

static bool same_content(const char *a, const char *b)
{
    FILE *fa = fopen(a, "r"), *fb = fopen(b, "r");
    char *ba = malloc(CHUNK), *bb = malloc(CHUNK);
    size_t na = 1, nb = 1;
    bool same = fa && fb && ba && bb;

    while (same && na > 0) {
        na = fread(ba, 1, CHUNK, fa);
        nb = fread(bb, 1, CHUNK, fb);
        same = na == nb && memcmp(ba, bb, na) == 0;
    }
    if (fa)
        fclose(fa);
    if (fb)
        fclose(fb);
    free(ba);
    free(bb);
    return same;
}

static bool same_target(const char *a, const char *b)
{
    char ta[PATH_ROOM], tb[PATH_ROOM];
    ssize_t na = readlink(a, ta, sizeof ta), nb = readlink(b, tb, sizeof tb);

    return na == nb && na > 0 && memcmp(ta, tb, (size_t)na) == 0;
}

static bool same_time(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int real_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static bool same_folder(const char *a, const char *b)
{
    struct dirent **la = NULL, **lb = NULL;
    int na = scandir(a, &la, real_entry, alphasort), nb = scandir(b, &lb, real_entry, alphasort);
    bool same = na == nb ? true : differ(b, "the number of its entries");

    for (int i = 0; i < na && same; i++) {
        char pa[PATH_ROOM], pb[PATH_ROOM];
        same = strcmp(la[i]->d_name, lb[i]->d_name) == 0 ? true : differ(b, la[i]->d_name);
        same = same && tree_same(joined(pa, a, la[i]->d_name), joined(pb, b, lb[i]->d_name));
    }
    while (na > 0)
        free(la[--na]);
    while (nb > 0)
        free(lb[--nb]);
    free(la);
    free(lb);
    return same;
}

bool tree_same(const char *a, const char *b)
{
    struct stat sa, sb;

    if (lstat(a, &sa) != 0 || lstat(b, &sb) != 0)
        return differ(b, strerror(errno));
    if ((sa.st_mode & S_IFMT) != (sb.st_mode & S_IFMT))
        return differ(b, "kind");
    if (!same_time(&sa, &sb))
        return differ(b, "modification time");
    if (S_ISLNK(sa.st_mode))
        return same_target(a, b) ? true : differ(b, "link target");
    if ((sa.st_mode & 0777) != (sb.st_mode & 0777))
        return differ(b, "permissions");
    if (S_ISDIR(sa.st_mode))
        return same_folder(a, b);
    return sa.st_size == sb.st_size && same_content(a, b) ? true : differ(b, "content");
}

/* ---- damage */

static void find_largest(const char *folder, char *largest, uint64_t *size)
{
    struct dirent **list = NULL;
    int n = scandir(folder, &list, real_entry, alphasort);

    while (n > 0) {
        char path[PATH_ROOM];
        struct stat st;
        joined(path, folder, list[--n]->d_name);
        free(list[n]);
        if (lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            find_largest(path, largest, size);
        if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > *size) {
            *size = (uint64_t)st.st_size;
            strcpy(largest, path);
        }
    }
    free(list);
}

static unsigned char byte_at(const char *path, uint64_t at)
{
    unsigned char byte = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    close(fd);
    return byte;
}

void spoil_largest(const char *folder, const char *like, uint64_t at)
{
    char path[PATH_ROOM] = "";
    uint64_t size = 0;

    find_largest(folder, path, &size);
    assert_true(size > at);
    unsigned char byte = byte_at(path, at);
    assert_int_equal(byte, byte_at(like, at));
    byte ^= 1;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/* ---- disks, and the end */

bool small_disk(const char *path, uint64_t bytes)
{
    char options[64];

    folder_make(path);
    snprintf(options, sizeof options, "size=%llu,mode=0777", (unsigned long long)bytes);
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

void file_fill_disk(const char *path)
{
    static const char bytes[512];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

/* Opens up what a test made unreadable, so that what is in it can be removed; takes off what is mounted. */
static int open_up(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (kind == FTW_D || kind == FTW_DNR)
        chmod(path, 0700);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (remove(path) != 0 && errno == EBUSY && (kind == FTW_DP || kind == FTW_D) && umount2(path, MNT_DETACH) == 0)
        remove(path);
    return 0;
}

void files_remove(const char *path)
{
    nftw(path, open_up, 32, FTW_PHYS);
    nftw(path, remove_one, 32, FTW_PHYS | FTW_DEPTH);
}
