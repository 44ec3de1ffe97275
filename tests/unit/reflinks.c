/* A file system that can clone, by the tools that every system has for it. */
#include "reflinks.h"

#include <errno.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define IMAGE_BYTES (320 << 20) /* the least that mkfs.xfs makes; it takes as much room as is used */

static bool run(const char *const argv[])
{
    extern char **environ;
    pid_t pid;
    int status = -1;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ) != 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool reflinks_mount(const struct scratch *s, const char *name)
{
    char image_name[64];
    snprintf(image_name, sizeof image_name, "%s.image", name);
    struct scratch_path image = scratch_at(s, image_name), folder = scratch_at(s, name);
    scratch_dir(s, name);
    scratch_text(s, image_name, "");
    if (geteuid() != 0 || truncate(image.s, IMAGE_BYTES) != 0)
        return false;
    return run((const char *const[]){"mkfs.xfs", "-q", "-m", "reflink=1", image.s, NULL}) &&
           run((const char *const[]){"mount", "-o", "loop", image.s, folder.s, NULL});
}

void reflinks_unmount(const struct scratch *s, const char *name)
{
    assert_int_equal(umount2(scratch_at(s, name).s, MNT_DETACH), 0);
}
