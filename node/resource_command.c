/* The output of a command as a resource: a fixed one, run anew for each stream. Nothing of it comes from the peer.
 *
 * It is run by its words, never by a shell, in a session of its own, with /dev/null as its input and for what it complains of,
 * in the folder "/", with no other descriptor and no signal blocked or ignored. Its end is the end of the stream: what it has
 * left running in its session is killed then. It is asked to end (SIGTERM) when nobody reads any more, or when it has been
 * silent for too long, and killed when it does not. Should this process be killed, it ends as in a shell's pipeline: when it
 * next writes.
 *
 * It is waited for by a descriptor (pidfd), so that it matters to nobody how the process around us treats SIGCHLD. Its group is
 * signalled only before it has been waited for: until then no other group can have its number. */
#include "io.h"
#include "resource_work.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_PATIENCE (5 * SECOND) /* only what waits inside the kernel does not die at once */

struct command {
    pid_t pid;
    int pidfd;
};

/* ---- starting */

static int file_actions(posix_spawn_file_actions_t *actions, int out)
{
    int err = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
    if (!err)
        err = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!err)
        err = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!err)
        err = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    return err ? err : posix_spawn_file_actions_addchdir_np(actions, "/");
}

static int attributes(posix_spawnattr_t *attr)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (!err)
        err = posix_spawnattr_setsigdefault(attr, &all);
    return err ? err : posix_spawnattr_setsigmask(attr, &none);
}

/* An errno value. */
static int spawn(const struct locator *locator, int out, pid_t *pid)
{
    const char *argv[LOCATOR_WORDS_MAX + 1];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    locator_argv(locator, argv);
    int err = posix_spawn_file_actions_init(&actions);
    if (err)
        return err;
    err = posix_spawnattr_init(&attr);
    if (!err) {
        err = file_actions(&actions, out);
        if (!err)
            err = attributes(&attr);
        if (!err)
            err = posix_spawn(pid, argv[0], &actions, &attr, (char *const *)argv, environ);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

/* ---- ending */

static bool ended(const struct command *c, uint64_t wait)
{
    struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
    return poll(&p, 1, (int)(wait / MILLISECOND)) > 0;
}

static void kill_group(void *arg)
{
    const struct command *c = arg;
    kill(-c->pid, SIGKILL);
}

/* However it goes on: then it is gone. Its status as waitid gives it; si_code 0 when that is not known, because somebody else
 * took it or because the system cannot end it. */
static siginfo_t finish(const struct command *c, uint64_t grace)
{
    siginfo_t info = {0};
    if (!ended(c, 0)) {
        kill(-c->pid, SIGTERM);
        ended(c, grace);
    }
    kill_group((void *)c);
    if (ended(c, KILL_PATIENCE) && waitid(P_PID, (id_t)c->pid, &info, WEXITED) != 0)
        info.si_code = 0;
    close(c->pidfd);
    return info;
}

static int verdict(const siginfo_t *info, struct fault *fault)
{
    if (info->si_code == CLD_EXITED && info->si_status == 0)
        return 0;
    if (info->si_code == CLD_EXITED)
        return fault_set(fault, ERR_IO, "the command behind this share ended with status %d", info->si_status);
    if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED)
        return fault_set(fault, ERR_IO, "the command behind this share was ended by signal %d", info->si_status);
    return fault_set(fault, ERR_IO, "how the command behind this share ended is not known");
}

/* ---- all */

static int follow(struct supply *s, struct command *c, int in, struct fault *fault)
{
    struct pump pump = {.in = in, .ended_fd = c->pidfd, .silence = s->limits.silence, .ending = kill_group, .arg = c};
    int err = supply_open_pipe(s, fault);
    if (!err)
        err = supply_pump(s, &pump, fault);
    else
        close(in);
    siginfo_t info = finish(c, s->limits.grace);
    return err ? err : verdict(&info, fault);
}

int supply_command(struct supply *s, struct fault *fault)
{
    struct command c = {.pidfd = -1};
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0)
        return fault_errno(fault, errno, "no pipe for the command behind this share");
    int errnum = fcntl(p[0], F_SETFL, O_NONBLOCK) != 0 ? errno : spawn(&s->locator, p[1], &c.pid);
    close(p[1]);
    if (errnum) {
        close(p[0]);
        return fault_errno(fault, errnum, "the command behind this share cannot be started");
    }
    c.pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
    if (c.pidfd >= 0)
        return follow(s, &c, p[0], fault);
    fault_errno(fault, errno, "the command behind this share cannot be watched");
    close(p[0]);
    kill_group(&c);
    waitpid(c.pid, NULL, 0);
    return (int)fault->code;
}
