/* Shares that are byte streams, taken as people take them: into a file by get, and by a local port (pipe connect --listen).
 * Real nodes, real sockets, real disks. */
#include "files.h"
#include "harness.h"
#include "web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1u << 20)

static void friends(struct rig *rig)
{
    struct process *bob, *anna;
    node_pair(rig, &bob, &anna);
    node_befriend(rig, "bob", "anna");
}

static void share(struct rig *rig, const char *what, const char *name)
{
    weft(rig, "bob", "share", what, "--as", name, NULL);
    assert_status(rig_last(rig), 0);
}

/* ---- get */

static void assert_file(struct rig *rig, const char *path, const char *text)
{
    char *got = file_text(rig_path(rig, "%s", path));
    assert_string_equal(got, text);
    free(got);
}

static void a_stream_is_fetched_into_a_file(void **state)
{
    struct rig *rig = *state;
    friends(rig);
    share(rig, "cmd:echo one line", "line");
    folder_make(rig_path(rig, "here"));
    weft(rig, "anna", "get", "bob:line", rig_path(rig, "here"), NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "1 file, 9 B in ");
    assert_says(rig_last(rig), ", direct)");
    assert_file(rig, "here/line", "one line\n");
    weft(rig, "anna", "get", "bob:line", rig_path(rig, "here"), NULL);
    assert_status(rig_last(rig), 1);
    assert_says(rig_last(rig), "exists already");
    weft(rig, "anna", "get", "--if-exists", "rename", "bob:line", rig_path(rig, "here"), NULL);
    assert_file(rig, "here/line (2)", "one line\n");
}

static void files_come_with_streams(void **state)
{
    struct rig *rig = *state;
    friends(rig);
    file_make(rig_path(rig, "film"), 3 * MIB, 1);
    share(rig, rig_path(rig, "film"), "film");
    share(rig, "cmd:echo one line", "line");
    folder_make(rig_path(rig, "here"));
    weft(rig, "anna", "get", "--json", "bob:line", "bob:film", rig_path(rig, "here"), NULL);
    assert_status(rig_last(rig), 0);
    assert_int_equal(json_last(rig_last(rig), "files"), 2);
    assert_int_equal(json_last(rig_last(rig), "bytes_moved"), 3 * MIB + 9);
    assert_file(rig, "here/line", "one line\n");
    assert_int_equal(file_size(rig_path(rig, "here/film")), 3 * MIB);
}

static void nothing_is_left_of_a_command_that_failed(void **state)
{
    struct rig *rig = *state;
    friends(rig);
    share(rig, "cmd:sh -c 'echo some; exit 3'", "bad");
    folder_make(rig_path(rig, "here"));
    weft(rig, "anna", "get", "bob:bad", rig_path(rig, "here"), NULL);
    assert_status(rig_last(rig), 1);
    assert_says(rig_last(rig), "ended with status 3");
    assert_int_equal(rmdir(rig_path(rig, "here")), 0); /* there is nothing in it */
}

static void nothing_is_left_on_a_full_disk(void **state)
{
    struct rig *rig = *state;
    if (!small_disk(rig_path(rig, "small"), MIB))
        skip_because("no file system can be mounted");
    friends(rig);
    share(rig, "cmd:head -c 20000000 /dev/zero", "much");
    weft(rig, "anna", "get", "bob:much", rig_path(rig, "small"), NULL);
    assert_status(rig_last(rig), 8);
    assert_false(file_there(rig_path(rig, "small/much")));
    file_make(rig_path(rig, "small/other"), MIB / 2, 1); /* and the room is free again */
}

static void ctrl_c_ends_a_stream_that_has_no_end(void **state)
{
    struct rig *rig = *state;
    friends(rig);
    share(rig, "cmd:sh -c 'while echo more; do sleep 0.1; done'", "ever");
    folder_make(rig_path(rig, "here"));
    struct process *get = weft_start(rig, "anna", "get", "--json", "bob:ever", rig_path(rig, "here"), NULL);
    wait_for_output(get, "\"phase\":\"stream\"");
    process_kill(get, SIGINT);
    assert_int_equal(process_wait(get), 130);
    assert_int_equal(rmdir(rig_path(rig, "here")), 0);
}

/* ---- a local port */

static struct process *forward(struct rig *rig, const char *pipe, const char *option, struct sockaddr_in *at)
{
    static const char before[] = "\"address\":\"127.0.0.1:";
    struct process *p = weft_start(rig, "anna", "pipe", "connect", pipe, "--json", "--listen", "0", option, NULL);
    wait_for_output(p, before);
    char *out = stdout_of(p);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at->sin_port = htons((uint16_t)atoi(strstr(out, before) + strlen(before)));
    free(out);
    return p;
}

static int dial(const struct sockaddr_in *at)
{
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)at, sizeof *at), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* Asks for a page on a connection that is up, says that it will say no more, and reads the answer to its end. */
static void assert_page(int fd, const char *path, const char *body)
{
    char text[4096];
    size_t n = 0;
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\nHost: x\r\n\r\n", path);
    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
    shutdown(fd, SHUT_WR);
    for (ssize_t k; (k = recv(fd, text + n, sizeof text - 1 - n, 0)) != 0; n += (size_t)k)
        assert_true(k > 0);
    text[n] = '\0';
    close(fd);
    const char *found = strstr(text, "\r\n\r\n");
    assert_non_null(found);
    assert_string_equal(found + 4, body);
}

static void a_local_port_leads_to_a_web_server(void **state)
{
    struct rig *rig = *state;
    struct web *web = web_new();
    struct sockaddr_in at;
    char target[64];
    friends(rig);
    snprintf(target, sizeof target, "tcp:127.0.0.1:%u", web_port(web));
    share(rig, target, "web");
    struct process *p = forward(rig, "bob:web", NULL, &at);
    int first = dial(&at), second = dial(&at); /* both are up at once */
    assert_page(second, "/ok", "hello");
    assert_page(first, "/ok", "hello");
    assert_page(dial(&at), "/ok", "hello");
    wait_for_output(p, "\"event\":\"ended\"");
    process_kill(p, SIGINT);
    assert_int_equal(process_wait(p), 130);
    assert_says(p, "\"route\":\"direct\"");
    web_free(web);
}

static void a_command_that_failed_is_a_connection_that_broke(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_in at;
    char bytes[64];
    ssize_t n;
    friends(rig);
    share(rig, "cmd:sh -c 'echo some; exit 3'", "bad");
    struct process *p = forward(rig, "bob:bad", "--once", &at);
    int fd = dial(&at);
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        continue;
    assert_int_equal(n, -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    assert_int_equal(process_wait(p), 1);
    assert_says(p, "ended with status 3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_is_fetched_into_a_file),
        TEST(files_come_with_streams),
        TEST(nothing_is_left_of_a_command_that_failed),
        TEST(nothing_is_left_on_a_full_disk),
        TEST(ctrl_c_ends_a_stream_that_has_no_end),
        TEST(a_local_port_leads_to_a_web_server),
        TEST(a_command_that_failed_is_a_connection_that_broke),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
