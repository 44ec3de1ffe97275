/* A relay between two nodes that cannot dial each other: machines of this test's own, of which the relay sees both others, and
 * they see only it. Real sockets, real ciphertext, real kills. */
#include "files.h"
#include "harness.h"
#include "machines.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1u << 20)

enum { HUB, ANNA, BOB, SECOND }; /* machines; anna uses, bob holds, the second hub is there when it is wanted */

/* Without ipc: they see the same files, as machines do not. */
static struct process *start_at(struct rig *rig, unsigned machine, const char *name, const char *role)
{
    char port[12];
    snprintf(port, sizeof port, "%u", rig->beacon_port);
    machine_go(machine);
    struct process *node = weft_start(rig, name, "up", "--name", name, "--json", "--beacon-port", port, "--listen", "tcp://*:*",
                                      role ? "--role" : NULL, role, NULL);
    wait_for_output(node, "\"ready\"");
    machine_go(HUB);
    return node;
}

/* The verb of a node; where it is called from makes no difference. */
static char *id_of(struct rig *rig, const char *home)
{
    assert_int_equal(weft(rig, home, "id", NULL), 0);
    char *id = stdout_of(rig_last(rig));
    id[strcspn(id, " \n")] = 0;
    return id;
}

static void trust_by_id(struct rig *rig, const char *home, const char *peer)
{
    char *id = id_of(rig, peer);
    weft(rig, home, "trust", id, NULL);
    assert_status(rig_last(rig), 0);
    free(id);
}

struct trio {
    struct process *hub, *anna, *bob;
};

/* The hub trusts both, and they trust each other and the hub. */
static void trio_start(struct rig *rig, struct trio *t)
{
    machines_plug(HUB, ANNA, 1);
    machines_plug(HUB, BOB, 2);
    t->hub = start_at(rig, HUB, "hub", "relay");
    t->anna = start_at(rig, ANNA, "anna", NULL);
    t->bob = start_at(rig, BOB, "bob", NULL);
    node_meets(rig, "hub", "anna");
    node_meets(rig, "hub", "bob");
    node_befriend(rig, "hub", "anna");
    node_befriend(rig, "hub", "bob");
    trust_by_id(rig, "anna", "bob");
    trust_by_id(rig, "bob", "anna");
}

static void share_via(struct rig *rig, const char *what, const char *name)
{
    weft(rig, "bob", "share", what, "--as", name, "--via", "hub", NULL);
    assert_status(rig_last(rig), 0);
}

struct wanted {
    struct rig *rig;
    const char *home, *target, *text;
};

static bool lists(void *arg)
{
    const struct wanted *w = arg;
    bool there = weft(w->rig, w->home, "ls", w->target, NULL) == 0;
    char *out = stdout_of(rig_last(w->rig));
    there = there && strstr(out, w->text);
    free(out);
    w->rig->count--; /* it is asked often */
    return there;
}

/* Until `ls TARGET` at anna's shows the text. */
static void anna_sees(struct rig *rig, const char *target, const char *text)
{
    struct wanted wanted = {rig, "anna", target, text};
    wait_until(lists, &wanted, text);
}

/* ---- files */

static void relay_1_to_6_files_of_a_peer_that_cannot_be_dialled(void **state)
{
    struct rig *rig = *state;
    struct trio t;
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    tree_make(rig_path(rig, "photos"), 300);
    share_via(rig, rig_path(rig, "photos"), "photos");
    anna_sees(rig, "hub", "bob:photos");
    anna_sees(rig, "bob:photos", "folder 0");
    folder_make(rig_path(rig, "got"));
    weft(rig, "anna", "get", "bob:photos", rig_path(rig, "got"), NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "relay:hub");
    assert_true(tree_same(rig_path(rig, "photos"), rig_path(rig, "got/photos")));
    weft(rig, "anna", "peers", NULL);
    assert_says(rig_last(rig), "relay:hub");
}

static void relay_7_what_is_withdrawn_is_gone_and_what_was_never_offered_is_refused(void **state)
{
    struct rig *rig = *state;
    struct trio t;
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    tree_make(rig_path(rig, "photos"), 5);
    folder_make(rig_path(rig, "private"));
    share_via(rig, rig_path(rig, "photos"), "photos");
    weft(rig, "bob", "share", rig_path(rig, "private"), NULL);
    assert_status(rig_last(rig), 0);
    anna_sees(rig, "bob:photos", "folder 0");
    weft(rig, "anna", "ls", "bob:private", NULL); /* offered on the LAN, but not at this relay */
    assert_true(rig_last(rig)->status != 0);
    weft(rig, "bob", "unshare", "photos", NULL);
    assert_status(rig_last(rig), 0);
    weft(rig, "anna", "ls", "bob:photos", NULL);
    assert_true(rig_last(rig)->status != 0);
    weft(rig, "anna", "ls", "hub", NULL);
    assert_never_says(rig_last(rig), "bob:photos");
}

/* ---- what the relay can see */

struct sniffer {
    int fd;
    const char *text;
    size_t packets;
    bool found;
    _Atomic bool stop;
    pthread_t thread;
};

static void *sniff(void *arg)
{
    struct sniffer *s = arg;
    static char buf[1 << 17];
    while (!s->stop) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        if (poll(&p, 1, 20) != 1)
            continue;
        ssize_t n = recv(s->fd, buf, sizeof buf, MSG_DONTWAIT);
        s->packets += n > 0;
        if (n > 0 && memmem(buf, (size_t)n, s->text, strlen(s->text)))
            s->found = true;
    }
    return NULL;
}

static void p42_neither_names_nor_content_cross_the_relay_in_clear(void **state)
{
    static const char words[] = "these words are nobody else's business";
    struct rig *rig = *state;
    struct trio t;
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    struct sniffer s = {.text = words, .fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))};
    assert_true(s.fd >= 0);
    assert_int_equal(pthread_create(&s.thread, NULL, sniff, &s), 0);
    folder_make(rig_path(rig, "letters"));
    file_save(rig_path(rig, "letters/a"), words, strlen(words));
    share_via(rig, rig_path(rig, "letters"), "letters");
    anna_sees(rig, "bob:letters", "a");
    weft(rig, "anna", "get", "bob:letters/a", rig_path(rig, "copy"), NULL);
    assert_status(rig_last(rig), 0);
    s.stop = true;
    pthread_join(s.thread, NULL);
    close(s.fd);
    assert_true(s.packets > 0);
    assert_false(s.found);
}

/* ---- kills */

/* A get of a large file that is under way: some of it has come. */
static struct process *get_begun(struct rig *rig, unsigned mib)
{
    file_make(rig_path(rig, "large"), (uint64_t)mib * MIB, 5);
    share_via(rig, rig_path(rig, "large"), "large");
    anna_sees(rig, "bob:large", "large");
    folder_make(rig_path(rig, "got"));
    struct process *get = weft_start(rig, "anna", "get", "bob:large", rig_path(rig, "got"), "--json", NULL);
    wait_for_output(get, "\"phase\":\"data\"");
    return get;
}

static void assert_came(struct rig *rig)
{
    assert_int_equal(file_size(rig_path(rig, "got/large")), file_size(rig_path(rig, "large")));
    assert_true(machine_run("cmp %s %s", rig_path(rig, "large"), rig_path(rig, "got/large")));
}

/* By itself, or, when it gave up, by the same command again. */
static void assert_comes(struct rig *rig, struct process *get)
{
    if (process_wait(get) != 0) {
        anna_sees(rig, "bob:large", "large");
        weft(rig, "anna", "get", "bob:large", rig_path(rig, "got"), NULL);
        assert_status(rig_last(rig), 0);
    }
    assert_came(rig);
}

static void p38_a_relay_that_is_killed_in_the_middle_and_comes_again(void **state)
{
    struct rig *rig = *state;
    struct trio t;
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    struct process *get = get_begun(rig, 768);
    process_kill(t.hub, SIGKILL);
    process_wait(t.hub);
    t.hub->status = 0; /* as was wanted */
    start_at(rig, HUB, "hub", "relay");
    assert_comes(rig, get);
}

static void p38_a_holder_that_is_killed_in_the_middle(void **state)
{
    struct rig *rig = *state;
    struct trio t;
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    struct process *get = get_begun(rig, 768);
    process_kill(t.bob, SIGKILL);
    process_wait(t.bob);
    t.bob->status = 0;
    assert_false(file_there(rig_path(rig, "got/large")));
    start_at(rig, BOB, "bob", NULL);
    assert_comes(rig, get);
}

/* ---- ways that come and go */

static void relay_7_a_get_moves_to_a_direct_link_and_back(void **state)
{
    struct rig *rig = *state;
    struct trio t;
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    struct process *get = get_begun(rig, 1024);
    machines_plug(ANNA, BOB, 3);
    wait_for_output(get, "\"route\":");
    char *out = stdout_of(get);
    bool direct = strstr(out, "relay:hub, direct") != NULL;
    free(out);
    assert_status(get, 0);
    assert_true(direct);
    assert_came(rig);
    machines_unplug(3);
    anna_sees(rig, "bob:large", "large"); /* through the relay again */
}

static void relay_7_a_relay_that_stops_sends_its_clients_to_another(void **state)
{
    struct rig *rig = *state;
    struct trio t;
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    machines_plug(SECOND, ANNA, 4);
    machines_plug(SECOND, BOB, 5);
    start_at(rig, SECOND, "hub2", "relay");
    node_meets(rig, "anna", "hub2");
    node_meets(rig, "bob", "hub2");
    node_befriend(rig, "hub2", "anna");
    node_befriend(rig, "hub2", "bob");
    tree_make(rig_path(rig, "photos"), 5);
    weft(rig, "bob", "share", rig_path(rig, "photos"), "--via", "hub", "--via", "hub2", NULL);
    assert_status(rig_last(rig), 0);
    anna_sees(rig, "hub", "bob:photos");
    anna_sees(rig, "hub2", "bob:photos");
    anna_sees(rig, "bob:photos", "folder 0");
    weft(rig, "hub", "down", NULL);
    assert_status(rig_last(rig), 0);
    anna_sees(rig, "bob:photos", "folder 0");
    weft(rig, "anna", "peers", NULL);
    assert_says(rig_last(rig), "relay:hub2");
}

/* ---- resources that are no files */

static void relay_2_a_command_and_a_service_behind_a_relay(void **state)
{
    struct rig *rig = *state;
    struct trio t;
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    share_via(rig, "cmd:echo 'told by bob'", "words");
    anna_sees(rig, "hub", "bob:words");
    weft(rig, "anna", "pipe", "connect", "bob:words", NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "told by bob");
    folder_make(rig_path(rig, "got"));
    weft(rig, "anna", "get", "bob:words", rig_path(rig, "got"), NULL);
    assert_status(rig_last(rig), 0);
    char *got = file_text(rig_path(rig, "got/words"));
    assert_string_equal(got, "told by bob\n");
    free(got);
}

static void relay_7_a_quota_that_is_used_up_is_told(void **state)
{
    struct rig *rig = *state;
    struct trio t;
    char port[12];
    if (!machines_there())
        skip();
    trio_start(rig, &t);
    weft(rig, "hub", "down", NULL);
    assert_status(t.hub, 0);
    snprintf(port, sizeof port, "%u", rig->beacon_port);
    t.hub = weft_start(rig, "hub", "up", "--name", "hub", "--json", "--beacon-port", port, "--listen", "tcp://*:*", "--role",
                       "relay", "--relay-bytes", "8M", NULL);
    wait_for_output(t.hub, "\"ready\"");
    file_make(rig_path(rig, "large"), 32 * MIB, 5);
    share_via(rig, rig_path(rig, "large"), "large");
    anna_sees(rig, "bob:large", "large");
    folder_make(rig_path(rig, "got"));
    weft(rig, "anna", "get", "bob:large", rig_path(rig, "got"), NULL);
    assert_true(rig_last(rig)->status != 0);
    assert_says(rig_last(rig), "used up");
    assert_false(file_there(rig_path(rig, "got/large")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(relay_1_to_6_files_of_a_peer_that_cannot_be_dialled),
        TEST(relay_7_what_is_withdrawn_is_gone_and_what_was_never_offered_is_refused),
        TEST(p42_neither_names_nor_content_cross_the_relay_in_clear),
        TEST(p38_a_relay_that_is_killed_in_the_middle_and_comes_again),
        TEST(p38_a_holder_that_is_killed_in_the_middle),
        TEST(relay_7_a_get_moves_to_a_direct_link_and_back),
        TEST(relay_7_a_relay_that_stops_sends_its_clients_to_another),
        TEST(relay_2_a_command_and_a_service_behind_a_relay),
        TEST(relay_7_a_quota_that_is_used_up_is_told),
    };
    machines_make(4);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
