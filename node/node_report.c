/* What only the running node can tell of itself: its part of "status", and the rows of "doctor". */
#include "node.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_WANTED 4096         /* two for each of LINKS_MAX links, streams, and what a transfer has open */
#define DISK_WANTED (64ull << 20) /* for the database and spool files */

void node_row_endpoints(struct weft_node *node, struct row *row)
{
    struct endpoint e[RECORD_ENDPOINTS_MAX];
    size_t n = node_endpoints(node, e, RECORD_ENDPOINTS_MAX);
    for (size_t i = 0; i < n; i++)
        row_text(row, "endpoint", e[i].text);
}

/* Resident bytes of the whole process, or -1. */
static int64_t memory_bytes(void)
{
    long long pages = -1;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return -1;
    if (fscanf(f, "%*d %lld", &pages) != 1)
        pages = -1;
    fclose(f);
    return pages < 0 ? -1 : (int64_t)pages * sysconf(_SC_PAGESIZE);
}

void node_describe(void *self, struct row *status)
{
    struct weft_node *node = self;
    struct bulk_counts bulk;
    struct wire_counts wire;
    struct bridge_counts bridges = {0};
    bulk_counts(node->bulk, &bulk);
    if (node->bridges)
        bridge_counts(node->bridges, &bridges);
    wire_count(node->wire, &wire);
    row_data(status, "home", node->home.path, strlen(node->home.path));
    row_int(status, "pid", getpid());
    row_int(status, "beacon_port", node->options.no_beacon ? 0 : node->options.beacon_port);
    row_int(status, "streams", bulk.streams);
    row_int(status, "receptions", bulk.receptions);
    row_int(status, "refused", (int64_t)(bulk.refused + bridges.refused + wire.refused));
    row_int(status, "memory_bytes", memory_bytes());
    node_row_endpoints(node, status);
}

/* ---- doctor */

struct checks {
    struct weft_node *node;
    uint64_t client;
};

static void tell(const struct checks *c, const char *name, const char *level, const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(const struct checks *c, const char *name, const char *level, const char *advice, const char *fmt, ...)
{
    char text[FAULT_TEXT];
    struct row *row = row_new("check");
    if (!row)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    row_text(row, "name", name);
    row_text(row, "level", level);
    row_text(row, "text", text);
    row_text(row, "advice", advice);
    c->node->port.reply(c->node, c->client, row);
    row_free(row);
}

static void check_key(const struct checks *c)
{
    struct fault fault = {0};
    if (home_check_key(&c->node->home, &fault) == 0)
        tell(c, "key", "ok", NULL, "%s/key is readable by you alone", c->node->home.path);
    else
        tell(c, "key", "error", "repair it before the next start: the node would refuse to run", "%s", fault.text);
}

static void check_endpoints(const struct checks *c)
{
    struct endpoint e[RECORD_ENDPOINTS_MAX];
    size_t n = node_endpoints(c->node, e, RECORD_ENDPOINTS_MAX), far = 0;
    for (size_t i = 0; i < n; i++) {
        tell(c, "endpoint", "ok", NULL, "listening at %s%s%s", e[i].text, e[i].iface[0] ? " on " : "", e[i].iface);
        far += e[i].scope == 0;
    }
    if (far == 0)
        tell(c, "endpoint", "warning", "connect a network, or start the node with --listen tcp://*:*",
             "no other machine can dial this node: it listens on this one only");
}

/* The address without its port, of which an interface has none. */
static const char *host_text(const struct addr *a, char out[ADDR_TEXT])
{
    addr_text(a, out);
    *strrchr(out, ':') = '\0';
    return out;
}

static void check_beacons(const struct checks *c)
{
    struct weft_node *node = c->node;
    struct udp_interface face[UDP_INTERFACES_MAX];
    size_t n = udp_interfaces(node->udp, face, UDP_INTERFACES_MAX);
    if (node->options.no_beacon)
        tell(c, "beacons", "note", "name peers with --peer", "off: this node was started with --no-beacon");
    else if (!udp_hears(node->udp))
        tell(c, "beacons", "warning", "stop the other program, or give all nodes another --beacon-port",
             "UDP port %u is taken by another program: no beacons are heard", node->options.beacon_port);
    else
        tell(c, "beacons", "ok", NULL, "heard on UDP port %u", node->options.beacon_port);
    for (size_t i = 0; i < n; i++) {
        char text[ADDR_TEXT];
        tell(c, "interface", "ok", NULL, "%s has %s", face[i].name, host_text(&face[i].addr, text));
    }
    if (n == 0)
        tell(c, "interface", "error", "bring an interface up, or see whether --interface names one that is there",
             "no interface can be used");
}

static void check_limits(const struct checks *c)
{
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < FILES_WANTED)
        tell(c, "open-files", "warning", "raise it: ulimit -Hn 4096, or LimitNOFILE= in a systemd unit",
             "only %llu files may be open at once", (unsigned long long)files.rlim_cur);
    else
        tell(c, "open-files", "ok", NULL, "%llu files may be open at once", (unsigned long long)files.rlim_cur);
}

static void check_disk(const struct checks *c)
{
    struct statvfs fs;
    if (fstatvfs(c->node->home.fd, &fs) != 0) {
        tell(c, "disk", "warning", NULL, "cannot tell how much room there is at %s", c->node->home.path);
        return;
    }
    unsigned long long room = (unsigned long long)fs.f_bavail * fs.f_frsize;
    bool low = room < DISK_WANTED;
    tell(c, "disk", low ? "warning" : "ok", low ? "make room: without it shares and peers cannot be remembered" : NULL,
         "%llu MiB are free at %s", room >> 20, c->node->home.path);
}

static void check_landlock(const struct checks *c)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* LANDLOCK_CREATE_RULESET_VERSION */);
    if (version > 0)
        tell(c, "landlock", "ok", NULL, "version %ld: what is fetched is confined to its folder by the kernel too", version);
    else
        tell(c, "landlock", "note", "nothing needs to be done",
             "this kernel has none: paths are still checked, by weft itself");
}

void node_check(void *self, uint64_t client)
{
    const struct checks c = {.node = self, .client = client};
    check_key(&c);
    check_endpoints(&c);
    check_beacons(&c);
    check_limits(&c);
    check_disk(&c);
    check_landlock(&c);
}
