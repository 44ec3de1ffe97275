/* Machines for system tests: network namespaces of the test's own, joined by cables. What a test starts while at a machine
 * sees that machine's interfaces only. Any user may do this where the kernel lets them. */
#ifndef WEFT_TESTS_MACHINES_H
#define WEFT_TESTS_MACHINES_H

#include <stdbool.h>

#define MACHINES_MAX 4

/* Makes them, once, before any thread is started; the test is then at the first. False: this system lets nobody. */
bool machines_make(unsigned count);
/* Were they made? If not, says so in the output. */
bool machines_there(void);
/* From now on the test is there, and so is what it starts. */
void machine_go(unsigned machine);
/* A cable between two, by which they see each other as 10.NET.N.(machine + 1) for the net number n; and away with it. */
void machines_plug(unsigned a, unsigned b, unsigned n);
void machines_unplug(unsigned n);

/* Runs a shell command of the test's own at the machine where it is. */
bool machine_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
