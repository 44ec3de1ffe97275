/* A FIFO as a resource: what others write into it, from now until the last of them has closed it.
 *
 * The path is looked at before anything is opened for reading, and what is opened is what was looked at: a device or a socket
 * that stands there by now is never touched (P29). It may be long before somebody writes: the reader waits as long as it
 * likes. */
#include "io.h"
#include "resource_work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int supply_fifo(struct supply *s, struct fault *fault)
{
    struct stat st;
    char again[64];
    int fd = -1, place = open(s->target, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0)
        return fault_errno(fault, errno, "the FIFO behind this share cannot be opened");
    if (fstat(place, &st) != 0 || !S_ISFIFO(st.st_mode)) {
        close(place);
        return fault_set(fault, ERR_CHANGED, "what is behind this share is no FIFO any more");
    }
    snprintf(again, sizeof again, "/proc/self/fd/%d", place);
    fd = open(again, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        fault_errno(fault, errno, "the FIFO behind this share cannot be opened");
    close(place);
    if (fd < 0)
        return (int)fault->code;
    s->limits.bytes = UINT64_MAX; /* what is written into it is its writers' affair */
    struct pump pump = {.in = fd, .ended_fd = -1};
    int err = supply_open_pipe(s, fault);
    if (!err)
        return supply_pump(s, &pump, fault);
    close(fd);
    return err;
}
