/* See machines.h. A namespace lives as long as a process in it: a sleeping child for each. */
#include "machines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NET 77

/* The test's process is one program: what it made is its own. */
static struct {
    unsigned count, at;
    int fd[MACHINES_MAX];
    pid_t keeper[MACHINES_MAX];
    unsigned first[256]; /* machine at the first end of cable n */
} lab;

static void file_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        close(fd);
    }
}

bool machine_run(const char *fmt, ...)
{
    char command[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    return system(command) == 0; /* NOLINT(cert-env33-c): the words are this test's own */
}

static pid_t keep(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return pid;
}

static bool machine_make(unsigned i)
{
    if (unshare(CLONE_NEWNET) != 0 || !machine_run("ip link set lo up 2>/dev/null"))
        return false;
    lab.fd[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    lab.keeper[i] = keep();
    return lab.fd[i] >= 0 && lab.keeper[i] > 0;
}

bool machines_make(unsigned count)
{
    char map[64];
    unsigned uid = getuid(), gid = getgid();
    if (unshare(CLONE_NEWUSER) != 0)
        return false;
    file_put("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", uid);
    file_put("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    file_put("/proc/self/gid_map", map);
    for (unsigned i = 0; i < count; i++)
        if (!machine_make(i))
            return false;
    lab.count = count;
    machine_go(0);
    return true;
}

bool machines_there(void)
{
    if (lab.count > 0)
        return true;
    print_message("# skip: this system lets nobody make network namespaces\n");
    return false;
}

void machine_go(unsigned machine)
{
    assert_true(machine < lab.count);
    assert_int_equal(setns(lab.fd[machine], CLONE_NEWNET), 0);
    lab.at = machine;
}

/* The devices are called v and the cable's number, at both ends. */
void machines_plug(unsigned a, unsigned b, unsigned n)
{
    unsigned here = lab.at;
    machine_go(a);
    machine_run("ip link del v%u 2>/dev/null", n); /* of the test before */
    assert_true(machine_run("ip link add v%u type veth peer name v%u netns %d", n, n, (int)lab.keeper[b]));
    assert_true(machine_run("ip addr add 10.%d.%u.%u/24 broadcast + dev v%u && ip link set v%u up", NET, n, a + 1, n, n));
    machine_go(b);
    assert_true(machine_run("ip addr add 10.%d.%u.%u/24 broadcast + dev v%u && ip link set v%u up", NET, n, b + 1, n, n));
    lab.first[n] = a;
    machine_go(here);
}

void machines_unplug(unsigned n)
{
    unsigned here = lab.at;
    machine_go(lab.first[n]);
    assert_true(machine_run("ip link del v%u", n));
    machine_go(here);
}
