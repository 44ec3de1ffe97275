/* The state table: moves that are allowed are traced, others abort. */
#include "state.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum door { DOOR_SHUT, DOOR_OPEN, DOOR_GONE, DOOR_STATES };

static const struct state_table door_table = {
    .what = "door",
    .names = (const char *const[]){"shut", "open", "gone"},
    .allowed = (const uint32_t[]){STATE_BIT(DOOR_OPEN) | STATE_BIT(DOOR_GONE), STATE_BIT(DOOR_SHUT), 0},
    .count = DOOR_STATES,
};

static void hear(void *arg, enum log_level level, const char *module, const char *line)
{
    snprintf(arg, 64, "%s %s: %s", log_level_name(level), module, line);
}

static void an_allowed_move_is_made_and_traced(void **unused)
{
    (void)unused;
    char heard[64] = "";
    struct log log = {LOG_DEBUG, hear, heard};
    struct state door;
    state_init(&door, &door_table, DOOR_SHUT);
    assert_string_equal(state_name(&door), "shut");
    state_move(&door, DOOR_OPEN, &log);
    assert_int_equal(door.now, DOOR_OPEN);
    assert_string_equal(heard, "debug door: shut -> open");
    state_move(&door, DOOR_SHUT, NULL);
    assert_string_equal(state_name(&door), "shut");
}

/* The signal that ends a child which makes this move, or 0. */
static int signal_of_move(int from, int to)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        struct state door;
        setrlimit(RLIMIT_CORE, &no_core);
        fclose(stderr);
        signal(SIGABRT, SIG_DFL);
        state_init(&door, &door_table, from);
        state_move(&door, to, NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void a_move_that_is_not_in_the_table_is_our_bug(void **unused)
{
    (void)unused;
    assert_int_equal(signal_of_move(DOOR_SHUT, DOOR_OPEN), 0);
#ifndef NDEBUG
    assert_int_equal(signal_of_move(DOOR_SHUT, DOOR_SHUT), SIGABRT);
    assert_int_equal(signal_of_move(DOOR_OPEN, DOOR_GONE), SIGABRT);
    assert_int_equal(signal_of_move(DOOR_GONE, DOOR_OPEN), SIGABRT);
    assert_int_equal(signal_of_move(DOOR_SHUT, DOOR_STATES), SIGABRT);
    assert_int_equal(signal_of_move(DOOR_SHUT, -1), SIGABRT);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allowed_move_is_made_and_traced),
        cmocka_unit_test(a_move_that_is_not_in_the_table_is_our_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
