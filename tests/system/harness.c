/* Processes write to files, not to pipes: nothing blocks, nothing is lost when one is killed, and a test can look at any
 * time. */
#include "harness.h"

#include "files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS 32

/* ---- the rig */

/* A UDP port that was free just now. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    close(fd);
    return ntohs(address.sin_port);
}

int rig_setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    const char *tmp = getenv("TMPDIR");

    if (!rig)
        return -1;
    snprintf(rig->dir, sizeof rig->dir, "%s/weft-system-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(rig->dir) || chmod(rig->dir, 0755) != 0)
        return -1;
    rig->beacon_port = free_port();
    *state = rig;
    return 0;
}

static void show(const struct process *process)
{
    char *out = stdout_of(process), *err = stderr_of(process);

    print_message("# status %d, stdout:\n%s\n# stderr:\n%s\n", process->status, out, err);
    free(out);
    free(err);
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;
    int bad = 0;

    for (unsigned i = 0; i < rig->count; i++)
        if (rig->processes[i].pid)
            process_kill(&rig->processes[i], SIGTERM);
    for (unsigned i = 0; i < rig->count; i++) {
        struct process *process = &rig->processes[i];
        if (!process->pid || process_wait(process) == 0)
            continue;
        show(process);
        bad = -1;
    }
    files_remove(rig->dir);
    free(rig);
    return bad;
}

const char *rig_path(struct rig *rig, const char *fmt, ...)
{
    char *text = rig->texts[rig->texts_used++ % (sizeof rig->texts / sizeof *rig->texts)];
    va_list ap;
    int n = snprintf(text, RIG_PATH, "%s/", rig->dir);

    va_start(ap, fmt);
    vsnprintf(text + n, RIG_PATH - (size_t)n, fmt, ap);
    va_end(ap);
    return text;
}

/* ---- processes */

/* In the child: never returns. */
static void become(const struct rig *rig, const struct process *process, char *const *argv)
{
    int in = open(rig->input ? rig->input : "/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(process->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int err = open(process->err, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int program = open(argv[0], O_PATH | O_CLOEXEC); /* whoever we become may not reach it by its path */

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (in < 0 || out < 0 || err < 0 || program < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    if (rig->run_as &&
        (setresgid(rig->run_as, rig->run_as, rig->run_as) != 0 || setresuid(rig->run_as, rig->run_as, rig->run_as) != 0))
        _exit(126);
    fexecve(program, argv, environ);
    _exit(127);
}

static struct process *start(struct rig *rig, const char *home, va_list ap)
{
    char *argv[ARGUMENTS] = {(char *)WEFT_PROGRAM, (char *)"--home", (char *)rig_path(rig, "%s", home)};
    struct process *process = &rig->processes[rig->count];
    size_t n = 3;

    assert_true(rig->count < RIG_PROCESSES);
    while ((argv[n] = va_arg(ap, char *)))
        assert_true(++n < ARGUMENTS);
    snprintf(process->out, sizeof process->out, "%s/out.%u", rig->dir, rig->count);
    snprintf(process->err, sizeof process->err, "%s/err.%u", rig->dir, rig->count);
    rig->count++;
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0)
        become(rig, process, argv);
    rig->input = NULL;
    return process;
}

struct process *weft_start(struct rig *rig, const char *home, ...)
{
    va_list ap;

    va_start(ap, home);
    struct process *process = start(rig, home, ap);
    va_end(ap);
    return process;
}

int weft(struct rig *rig, const char *home, ...)
{
    va_list ap;

    if (rig->count == RIG_PROCESSES && !rig->processes[RIG_PROCESSES - 1].pid)
        rig->count--; /* a loop of many verbs uses the last place again and again */
    va_start(ap, home);
    struct process *process = start(rig, home, ap);
    va_end(ap);
    return process_wait(process);
}

struct process *rig_last(struct rig *rig)
{
    assert_true(rig->count > 0);
    return &rig->processes[rig->count - 1];
}

void process_kill(struct process *process, int signal)
{
    assert_true(process->pid > 0);
    assert_int_equal(kill(process->pid, signal), 0);
}

int process_wait(struct process *process)
{
    int status;

    if (!process->pid)
        return process->status;
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, process->pid, 0), .events = POLLIN};
    assert_true(ended.fd >= 0);
    if (poll(&ended, 1, PATIENCE_MS) != 1) {
        show(process);
        fail_msg("a process did not end in %d ms", PATIENCE_MS);
    }
    close(ended.fd);
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    process->pid = 0;
    process->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return process->status;
}

/* Takes note of an end that has happened. */
static bool has_ended(struct process *process)
{
    siginfo_t info = {0};

    if (process->pid && waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
        process_wait(process);
    return !process->pid;
}

/* ---- what they say */

char *stdout_of(const struct process *process)
{
    return file_text(process->out);
}

char *stderr_of(const struct process *process)
{
    return file_text(process->err);
}

static bool says(const struct process *process, const char *text)
{
    char *out = stdout_of(process), *err = stderr_of(process);
    bool found = strstr(out, text) || strstr(err, text);

    free(out);
    free(err);
    return found;
}

void assert_says(const struct process *process, const char *text)
{
    if (says(process, text))
        return;
    show(process);
    fail_msg("it does not say: %s", text);
}

void assert_never_says(const struct process *process, const char *text)
{
    if (!says(process, text))
        return;
    show(process);
    fail_msg("it says: %s", text);
}

void assert_status(struct process *process, int status)
{
    if (process_wait(process) == status)
        return;
    show(process);
    assert_int_equal(process->status, status);
}

int64_t json_last(const struct process *process, const char *name)
{
    char key[64], *out = stdout_of(process);
    int64_t value = -1;
    size_t n = (size_t)snprintf(key, sizeof key, "\"%s\":", name);

    for (const char *at = strstr(out, key); at; at = strstr(at + n, key))
        value = strtoll(at + n, NULL, 10);
    free(out);
    return value;
}

/* ---- waiting */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void wait_until(bool (*condition)(void *arg), void *arg, const char *what)
{
    int64_t end = now_ms() + PATIENCE_MS;

    while (!condition(arg)) {
        if (now_ms() > end)
            fail_msg("waited %d ms in vain for: %s", PATIENCE_MS, what);
        poll(NULL, 0, 5);
    }
}

struct awaited {
    struct process *process;
    const char *text;
};

static bool said_or_ended(void *arg)
{
    struct awaited *awaited = arg;

    return says(awaited->process, awaited->text) || has_ended(awaited->process);
}

void wait_for_output(struct process *process, const char *text)
{
    struct awaited awaited = {process, text};

    wait_until(said_or_ended, &awaited, text);
    assert_says(process, text);
}

/* ---- nodes */

struct process *node_start(struct rig *rig, const char *name)
{
    char port[12];

    snprintf(port, sizeof port, "%u", rig->beacon_port);
    struct process *process = weft_start(rig, name, "up", "--name", name, "--json", "--beacon-port", port, NULL);
    wait_for_output(process, "\"ready\"");
    return process;
}

struct meeting {
    struct rig *rig;
    const char *home, *peer;
};

static bool listed(void *arg)
{
    struct meeting *meeting = arg;

    return weft(meeting->rig, meeting->home, "ping", "-q", "--count", "1", meeting->peer, NULL) == 0;
}

void node_meets(struct rig *rig, const char *home, const char *peer)
{
    struct meeting meeting = {rig, home, peer};
    unsigned count = rig->count;

    wait_until(listed, &meeting, "a peer to be seen and to answer");
    rig->count = count;
}

void node_pair(struct rig *rig, struct process **bob, struct process **anna)
{
    *bob = node_start(rig, "bob");
    *anna = node_start(rig, "anna");
    node_meets(rig, "anna", "bob");
    node_meets(rig, "bob", "anna");
}

void node_befriend(struct rig *rig, const char *home, const char *peer)
{
    assert_int_equal(weft(rig, home, "invite", NULL), 0);
    char *ticket = stdout_of(rig_last(rig));
    ticket[strcspn(ticket, "\n")] = 0;
    weft(rig, peer, "join", ticket, NULL);
    free(ticket);
    assert_status(rig_last(rig), 0);
}
