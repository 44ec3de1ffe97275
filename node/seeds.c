/* Seeds. See seeds.h. */
#include "seeds.h"

#include "escape.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define SEED_ADDRESSES_MAX 8 /* of one name */

struct host {
    char name[256], port[8];
    enum transport transport;
};

static int not_a_seed(const char *text, struct fault *fault)
{
    char shown[160];
    return fault_set(fault, ERR_USAGE,
                     "'%s' is no address of a peer: it should look like tcp://HOST:PORT or ID@tcp://HOST:PORT",
                     escape(text, strlen(text), shown, sizeof shown));
}

/* Cuts HOST:PORT or [HOST]:PORT into its parts. */
static int split(const char *text, struct host *host)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text)
        return ERR_MALFORMED;
    const char *name = text;
    size_t n = (size_t)(colon - text), digits = strspn(colon + 1, "0123456789");
    if (name[0] == '[' && colon[-1] == ']') {
        name++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof host->name || digits == 0 || digits >= sizeof host->port || colon[1 + digits] != '\0')
        return ERR_MALFORMED;
    memcpy(host->name, name, n);
    host->name[n] = '\0';
    memcpy(host->port, colon + 1, digits + 1);
    return 0;
}

static int resolve(const struct host *host, struct seed *seed, void (*each)(void *arg, const struct seed *seed), void *arg)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    int found = 0;
    if (getaddrinfo(host->name, host->port, &hints, &list) != 0)
        return ERR_UNREACHABLE;
    for (const struct addrinfo *ai = list; ai && found < SEED_ADDRESSES_MAX; ai = ai->ai_next) {
        struct addr a;
        char text[ADDR_TEXT];
        if (addr_from_sockaddr(ai->ai_addr, &a) != 0)
            continue;
        snprintf(seed->endpoint, sizeof seed->endpoint, "%s://%s", transport_name(host->transport), addr_text(&a, text));
        each(arg, seed);
        found++;
    }
    freeaddrinfo(list);
    return found ? 0 : ERR_UNREACHABLE;
}

int seeds_resolve(const char *text, void (*each)(void *arg, const struct seed *seed), void *arg, struct fault *fault)
{
    struct seed seed = {.id_known = false};
    struct host host = {.transport = TRANSPORT_TCP};
    const char *rest = text, *at = strchr(text, '@'), *scheme;
    if (at) {
        char id[NODE_ID_TEXT + 1];
        if (at - text != NODE_ID_TEXT)
            return not_a_seed(text, fault);
        memcpy(id, text, NODE_ID_TEXT);
        id[NODE_ID_TEXT] = '\0';
        if (id_parse(id, &seed.id) != 0)
            return not_a_seed(text, fault);
        seed.id_known = true;
        rest = at + 1;
    }
    if ((scheme = strstr(rest, "://"))) {
        if (strlen(rest) >= ENDPOINT_TEXT || endpoint_transport(rest, &host.transport) != 0)
            return not_a_seed(text, fault);
        if (host.transport == TRANSPORT_IPC) {
            strcpy(seed.endpoint, rest);
            each(arg, &seed);
            return 0;
        }
        rest = scheme + 3;
    }
    if (split(rest, &host) != 0)
        return not_a_seed(text, fault);
    if (resolve(&host, &seed, each, arg) == 0)
        return 0;
    return fault_set(fault, ERR_UNREACHABLE, "the host '%s' has no address that can be found now", host.name);
}
