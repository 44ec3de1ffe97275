/* Addresses and endpoints in text and in the kernel's form. See addr.h.
 *
 * Does not resolve names and opens nothing. Numbers have one form: no leading zeros, no spaces, no signs. */
#include "addr.h"

#include "err.h"
#include "id.h"
#include "utf8.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

const char *addr_text(const struct addr *a, char out[ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN];
    bool known = (a->family == AF_INET || a->family == AF_INET6) && inet_ntop(a->family, a->ip, ip, sizeof ip);
    if (!known)
        snprintf(out, ADDR_TEXT, "none");
    else if (a->family == AF_INET)
        snprintf(out, ADDR_TEXT, "%s:%u", ip, (unsigned)a->port);
    else if (a->scope)
        snprintf(out, ADDR_TEXT, "[%s%%%u]:%u", ip, (unsigned)a->scope, (unsigned)a->port);
    else
        snprintf(out, ADDR_TEXT, "[%s]:%u", ip, (unsigned)a->port);
    return out;
}

/* The whole of `text` as a decimal number in its shortest form. */
static bool number_parse(const char *text, uint64_t max, uint64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 10 || text[digits] || (text[0] == '0' && digits > 1))
        return false;
    *value = 0;
    for (size_t i = 0; i < digits; i++)
        *value = *value * 10 + (uint64_t)(text[i] - '0');
    return *value <= max;
}

static bool scope_parse(const char *text, struct addr *a)
{
    uint64_t scope;
    if (!addr_is_link_local(a) || !number_parse(text, UINT32_MAX, &scope) || scope == 0)
        return false;
    a->scope = (uint32_t)scope;
    return true;
}

/* "fe80::1%3", cut out of its brackets; writes into `ip`. */
static bool ip6_parse(char *ip, struct addr *a)
{
    char *percent = strchr(ip, '%');
    if (percent)
        *percent = 0;
    a->family = AF_INET6;
    return inet_pton(AF_INET6, ip, a->ip) == 1 && (!percent || scope_parse(percent + 1, a));
}

int addr_parse(const char *text, struct addr *a)
{
    char copy[ADDR_TEXT];
    *a = (struct addr){0};
    struct addr parsed = {0};
    size_t n = strnlen(text, sizeof copy);
    if (n == sizeof copy)
        return ERR_MALFORMED;
    memcpy(copy, text, n + 1);

    char *colon = strrchr(copy, ':');
    uint64_t port;
    if (!colon || !number_parse(colon + 1, UINT16_MAX, &port))
        return ERR_MALFORMED;
    *colon = 0;
    parsed.port = (uint16_t)port;
    if (copy[0] != '[') {
        parsed.family = AF_INET;
        if (inet_pton(AF_INET, copy, parsed.ip) != 1)
            return ERR_MALFORMED;
    } else {
        if (colon[-1] != ']')
            return ERR_MALFORMED;
        colon[-1] = 0;
        if (!ip6_parse(copy + 1, &parsed))
            return ERR_MALFORMED;
    }
    *a = parsed;
    return 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    size_t n = a->family == AF_INET ? 4 : 16;
    return a->family == b->family && a->port == b->port && a->scope == b->scope && memcmp(a->ip, b->ip, n) == 0;
}

/* The four bytes of an IPv4 address, mapped ones too, or NULL. */
static const uint8_t *ip4_of(const struct addr *a)
{
    if (a->family == AF_INET)
        return a->ip;
    if (a->family == AF_INET6 && memcmp(a->ip, mapped_prefix, sizeof mapped_prefix) == 0)
        return a->ip + sizeof mapped_prefix;
    return NULL;
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
    const uint8_t *a4 = ip4_of(a), *b4 = ip4_of(b);
    if (a4 && b4)
        return memcmp(a4, b4, 4) == 0;
    return a->family == b->family && a->family == AF_INET6 && a->scope == b->scope && memcmp(a->ip, b->ip, 16) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    const uint8_t *ip4 = ip4_of(a);
    if (ip4)
        return ip4[0] == 127;
    return a->family == AF_INET6 && memcmp(a->ip, one, sizeof one) == 0;
}

bool addr_is_link_local(const struct addr *a)
{
    const uint8_t *ip4 = ip4_of(a);
    if (ip4)
        return ip4[0] == 169 && ip4[1] == 254;
    return a->family == AF_INET6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

bool addr_is_dialable(const struct addr *a)
{
    static const uint8_t zero[16];
    const uint8_t *ip4 = ip4_of(a);
    if (a->port == 0)
        return false;
    if (ip4)
        return memcmp(ip4, zero, 4) != 0 && ip4[0] < 224; /* multicast, reserved and broadcast lie above */
    return a->family == AF_INET6 && memcmp(a->ip, zero, 16) != 0 && a->ip[0] != 0xff;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof *ss);
    if (a->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->ip, 4);
        memcpy(ss, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};
    memcpy(&in6.sin6_addr, a->ip, 16);
    memcpy(ss, &in6, sizeof in6);
    return sizeof in6;
}

int addr_from_sockaddr(const struct sockaddr *sa, struct addr *a)
{
    *a = (struct addr){0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        a->family = AF_INET;
        a->port = ntohs(in.sin_port);
        memcpy(a->ip, &in.sin_addr, 4);
        return 0;
    }
    if (sa->sa_family != AF_INET6)
        return ERR_UNSUPPORTED;
    struct sockaddr_in6 in6;
    memcpy(&in6, sa, sizeof in6);
    a->family = AF_INET6;
    a->port = ntohs(in6.sin6_port);
    memcpy(a->ip, &in6.sin6_addr, 16);
    a->scope = addr_is_link_local(a) ? in6.sin6_scope_id : 0;
    return 0;
}

/* ---- endpoints */

static const char *const transport_names[TRANSPORT_COUNT] = {
    [TRANSPORT_ANY] = "any", [TRANSPORT_TCP] = "tcp",     [TRANSPORT_IPC] = "ipc",
    [TRANSPORT_WS] = "ws",   [TRANSPORT_RELAY] = "relay",
};

const char *transport_name(enum transport t)
{
    return (unsigned)t < TRANSPORT_COUNT ? transport_names[t] : "unknown";
}

int transport_parse(const char *name, enum transport *t)
{
    for (int i = TRANSPORT_ANY; i <= TRANSPORT_WS; i++)
        if (strcmp(name, transport_names[i]) == 0) {
            *t = (enum transport)i;
            return 0;
        }
    return ERR_MALFORMED;
}

/* What stands behind "tcp://" and the like, or NULL; the transport in `*t`. */
static const char *endpoint_rest(const char *text, enum transport *t)
{
    for (int i = TRANSPORT_TCP; i < TRANSPORT_COUNT; i++) {
        size_t n = strlen(transport_names[i]);
        if (strncmp(text, transport_names[i], n) == 0 && strncmp(text + n, "://", 3) == 0) {
            *t = (enum transport)i;
            return text + n + 3;
        }
    }
    return NULL;
}

/* UTF-8 that a terminal shows and does not act on. */
static bool shown_whole(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t length = utf8_next(text + i, n - i, &cp);
        if (length == 0 || utf8_hidden(cp))
            return false;
        i += length;
    }
    return true;
}

int endpoint_transport(const char *text, enum transport *t)
{
    static const char net_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:[]%_*-/";
    size_t n = strnlen(text, ENDPOINT_TEXT);
    enum transport found;
    const char *rest = n < ENDPOINT_TEXT ? endpoint_rest(text, &found) : NULL;
    if (!rest || !rest[0])
        return ERR_MALFORMED;
    bool fits = found == TRANSPORT_IPC ? shown_whole(rest, strlen(rest)) : rest[strspn(rest, net_chars)] == 0;
    if (!fits)
        return ERR_MALFORMED;
    *t = found;
    return 0;
}

int endpoint_addr(const char *text, struct addr *a)
{
    enum transport t;
    struct addr parsed;
    *a = (struct addr){0};
    const char *rest = endpoint_rest(text, &t);
    bool has_one = rest && (t == TRANSPORT_TCP || t == TRANSPORT_WS);
    if (!has_one || addr_parse(rest, &parsed) != 0 || !addr_is_dialable(&parsed))
        return ERR_MALFORMED;
    *a = parsed;
    return 0;
}

int endpoint_relay(const char *text, struct node_id *relay)
{
    enum transport t;
    const char *rest = endpoint_rest(text, &t);
    return rest && t == TRANSPORT_RELAY && id_parse(rest, relay) == 0 ? 0 : ERR_MALFORMED;
}

void endpoint_set_relay(struct endpoint *e, const struct node_id *relay)
{
    *e = (struct endpoint){.transport = TRANSPORT_RELAY};
    snprintf(e->text, sizeof e->text, "relay://%s", id_text(relay).s);
}

/* Two texts for one relay would be two endpoints: there is one. */
static bool relay_valid(const struct endpoint *e)
{
    struct node_id relay;
    struct endpoint as_written;
    if (endpoint_relay(e->text, &relay) != 0)
        return false;
    endpoint_set_relay(&as_written, &relay);
    return strcmp(e->text, as_written.text) == 0 && e->iface[0] == 0 && e->scope == 0;
}

bool endpoint_valid(const struct endpoint *e)
{
    enum transport t;
    struct addr a;
    if (endpoint_transport(e->text, &t) != 0 || t != e->transport || !shown_whole(e->iface, strnlen(e->iface, IFACE_TEXT)))
        return false;
    if (t == TRANSPORT_RELAY)
        return relay_valid(e);
    return t == TRANSPORT_IPC ? strcmp(e->text, "ipc://*") != 0 : endpoint_addr(e->text, &a) == 0;
}
