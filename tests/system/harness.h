/* What system tests share: a folder of their own, nodes that are real processes, and the program's verbs.
 *
 * A rig is one test's world. Its nodes find each other by beacons on a UDP port of the rig's own. Every wait has a deadline;
 * nothing waits for time to pass. What goes wrong in here fails the test that called. */
#ifndef WEFT_TESTS_HARNESS_H
#define WEFT_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>

#define PATIENCE_MS 60000 /* for anything that must happen: long, for sanitizers and busy machines */
#define RIG_PROCESSES 64
#define RIG_PATH 512

/* A process with its output in files. */
struct process {
    pid_t pid;  /* 0: has ended */
    int status; /* once it has: the exit status, or 128 and the signal's number */
    char out[RIG_PATH], err[RIG_PATH];
};

struct rig {
    char dir[128];
    unsigned beacon_port;
    uid_t run_as;      /* not 0: processes are started as this user */
    const char *input; /* stdin of the next process to be started; NULL: an empty one */
    unsigned count, texts_used;
    struct process processes[RIG_PROCESSES];
    char texts[64][RIG_PATH]; /* what rig_path gave */
};

/* cmocka's setup and teardown: *state is a struct rig. The teardown stops every node, and fails when one did not end well (a
 * sanitizer's complaint is such an end). */
int rig_setup(void **state);
int rig_teardown(void **state);

/* A path in the rig's folder; lives as long as the rig. */
const char *rig_path(struct rig *rig, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Starts `weft --home DIR/HOME ARGUMENTS...`. The list ends with NULL. */
struct process *weft_start(struct rig *rig, const char *home, ...) __attribute__((sentinel));
/* The same, waited for: its exit status. Its output stays readable by output_of (rig_last (rig)). */
int weft(struct rig *rig, const char *home, ...) __attribute__((sentinel));
struct process *rig_last(struct rig *rig);

/* A node whose home and name are `name`, with events as JSON; it is ready when this returns. */
struct process *node_start(struct rig *rig, const char *name);
/* Waits until the node of `home` lists a peer of this name with a link to it. */
void node_meets(struct rig *rig, const char *home, const char *peer);
/* Both nodes, each knowing the other. */
void node_pair(struct rig *rig, struct process **bob, struct process **anna);
/* Makes `home` and `peer` trust each other by a ticket. */
void node_befriend(struct rig *rig, const char *home, const char *peer);

void process_kill(struct process *process, int signal);
/* Waits for its end: its status. */
int process_wait(struct process *process);

/* Calls until it returns true; fails the test, naming `what`, when it does not in PATIENCE_MS. */
void wait_until(bool (*condition)(void *arg), void *arg, const char *what);
/* Waits until what the process wrote to stdout (or stderr) holds the text, and the process has not ended before. */
void wait_for_output(struct process *process, const char *text);

/* The whole of what it wrote so far; the caller frees. */
char *stdout_of(const struct process *process);
char *stderr_of(const struct process *process);
/* Fails, showing the output, unless stdout or stderr holds the text. */
void assert_says(const struct process *process, const char *text);
void assert_never_says(const struct process *process, const char *text);
/* Fails, showing the output, unless the process ended with this status. */
void assert_status(struct process *process, int status);
/* The integer after the last "name": of the JSON on stdout, or -1. */
int64_t json_last(const struct process *process, const char *name);

/* Ends the test as skipped, with the reason in the output. */
#define skip_because(reason)                     \
    do {                                         \
        print_message("# skip: %s\n", (reason)); \
        skip();                                  \
    } while (0)

#endif
