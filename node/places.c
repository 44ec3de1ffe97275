/* Endpoints of this node. See places.h. */
#include "places.h"

#include "identity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUN_PATH_MAX 107

/* ---- scopes */

/* The machine, as long as it is up. */
static void boot_id(char id[64])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, id, 63);
    id[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

static uint64_t scope_of(const char *boot, const char *namespace_file, unsigned user)
{
    struct stat st = {0};
    char text[160];
    uint64_t scope;
    if (stat(namespace_file, &st) != 0)
        st.st_ino = 0;
    int n = snprintf(text, sizeof text, "%s %" PRIu64 " %" PRIu64 " %u", boot, (uint64_t)st.st_dev, (uint64_t)st.st_ino, user);
    struct tag tag = tag_derive("weft scope 1", text, (size_t)n, NULL, 0);
    memcpy(&scope, tag.b, sizeof scope);
    return (scope & INT64_MAX) | 1;
}

void places_init(struct places *places)
{
    char boot[64];
    *places = (struct places){0};
    boot_id(boot);
    places->files_scope = scope_of(boot, "/proc/self/ns/mnt", (unsigned)geteuid());
    places->loopback_scope = scope_of(boot, "/proc/self/ns/net", 0);
}

bool places_in_scope(const struct places *places, uint64_t scope)
{
    return scope == places->files_scope || scope == places->loopback_scope;
}

/* ---- endpoints */

void places_add(struct places *places, const char *bound)
{
    if (places->count < LISTENERS_MAX && strlen(bound) < ENDPOINT_TEXT)
        strcpy(places->bound[places->count++], bound);
}

struct list {
    const struct places *places;
    const struct udp_interface *face;
    size_t faces;
    struct endpoint *out;
    size_t count, max;
};

static void put(struct list *list, enum transport transport, const struct addr *a, const char *iface)
{
    char text[ADDR_TEXT];
    if (list->count == list->max)
        return;
    struct endpoint *e = &list->out[list->count++];
    *e = (struct endpoint){.transport = transport, .scope = addr_is_loopback(a) ? list->places->loopback_scope : 0};
    snprintf(e->text, sizeof e->text, "%s://%s", transport_name(transport), addr_text(a, text));
    snprintf(e->iface, sizeof e->iface, "%s", iface);
}

static void put_path(struct list *list, const char *bound)
{
    if (list->count == list->max)
        return;
    struct endpoint *e = &list->out[list->count++];
    *e = (struct endpoint){.transport = TRANSPORT_IPC, .iface = "local", .scope = list->places->files_scope};
    strcpy(e->text, bound);
}

static bool is_any(const struct addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->ip, zero, sizeof zero) == 0;
}

/* ZeroMQ shows an IPv4 address that it listens at as ::ffff:1.2.3.4. */
static void unmap(struct addr *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, 0xff};
    if (a->family != AF_INET6 || memcmp(a->ip, prefix, sizeof prefix) != 0)
        return;
    a->family = AF_INET;
    memmove(a->ip, a->ip + sizeof prefix, 4);
    memset(a->ip + 4, 0, sizeof a->ip - 4);
}

static bool dialable(const struct addr *a)
{
    return a->family == AF_INET || !addr_is_link_local(a);
}

/* The address itself, with the name of its interface; or, for a wildcard, every address that it stands for. */
static void put_expanded(struct list *list, enum transport transport, const char *bound, bool loopback)
{
    struct addr a;
    if (addr_parse(strstr(bound, "://") + 3, &a) != 0)
        return;
    unmap(&a);
    bool wildcard = is_any(&a), named = false;
    for (size_t i = 0; i < list->faces; i++) {
        struct addr each = list->face[i].addr;
        bool meant = wildcard ? a.family == AF_INET6 || each.family == AF_INET : addr_same_host(&a, &each);
        each.port = a.port;
        if (meant && dialable(&each) && addr_is_loopback(&each) == loopback)
            put(list, transport, &each, list->face[i].name);
        named = named || meant;
    }
    if (!wildcard && !named && addr_is_loopback(&a) == loopback)
        put(list, transport, &a, "");
}

static bool speaks(const char *bound, enum transport transport)
{
    enum transport t;
    return endpoint_transport(bound, &t) == 0 && t == transport;
}

static bool has(const struct places *places, enum transport transport)
{
    for (size_t i = 0; i < places->count; i++)
        if (speaks(places->bound[i], transport))
            return true;
    return false;
}

static void put_all(struct list *list, enum transport transport)
{
    for (int loopback = 0; loopback < 2; loopback++)
        for (size_t i = 0; i < list->places->count; i++)
            if (speaks(list->places->bound[i], transport))
                put_expanded(list, transport, list->places->bound[i], loopback);
}

size_t places_endpoints(const struct places *places, const struct udp_interface *face, size_t count, struct endpoint *out,
                        size_t max)
{
    struct list list = {.places = places, .face = face, .faces = count, .out = out, .max = max};
    for (size_t i = 0; i < places->count; i++)
        if (speaks(places->bound[i], TRANSPORT_IPC))
            put_path(&list, places->bound[i]);
    if (has(places, TRANSPORT_WS) && list.count < max)
        list.max--;
    put_all(&list, TRANSPORT_TCP);
    list.max = max;
    put_all(&list, TRANSPORT_WS);
    return list.count;
}

size_t places_addresses(const struct udp_interface *face, size_t count, struct addr *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < count && n < max; i++)
        if (dialable(&face[i].addr))
            out[n++] = face[i].addr;
    return n;
}

/* ---- the ipc socket */

/* A folder that only we can put files into, made if it is not there. */
static bool ours(const char *dir)
{
    struct stat st;
    mkdir(dir, 0700);
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static bool ipc_in(const char *dir, const char *name, char endpoint[ENDPOINT_TEXT])
{
    enum transport transport;
    int n = snprintf(endpoint, ENDPOINT_TEXT, "ipc://%s/%s", dir, name);
    return n > 0 && n <= SUN_PATH_MAX + 6 && dir[0] == '/' && endpoint_transport(endpoint, &transport) == 0 && ours(dir);
}

int places_ipc(const char *home, char endpoint[ENDPOINT_TEXT])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char dir[ENDPOINT_TEXT], name[32];
    struct tag tag = tag_derive("weft ipc 1", home, strlen(home), NULL, 0);
    base32_encode(tag.b, 10, name);
    strcat(name, ".ipc");
    if (runtime && snprintf(dir, sizeof dir, "%s/weft", runtime) < (int)sizeof dir && ipc_in(dir, name, endpoint))
        return 0;
    if (ipc_in(home, "ipc", endpoint))
        return 0;
    snprintf(dir, sizeof dir, "/tmp/weft-%u", (unsigned)geteuid());
    return ipc_in(dir, name, endpoint) ? 0 : ERR_LIMIT;
}
