/* Datagrams: decoded or refused, and the table of peers takes none that is not signed. */
#include "peers.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static bool budget(void *arg)
{
    *(unsigned *)arg += 1;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct node_id self = {.b = {1}};
    struct beacon beacon;
    struct record record;
    struct peers *peers;
    struct peer *peer;
    enum peer_news news;
    unsigned checks = 0;
    int err = beacon_decode(data, size, &beacon, &record);
    if (err == 0)
        check(size <= BEACON_BYTES_MAX && beacon.kind < BEACON_KIND_COUNT && name_valid(record.name));
    bool sealed = err == 0 && beacon_verify(data, size, &record) == 0 && record_verify(&beacon.record, &record) == 0;

    check(peers_new(&self, &peers) == 0);
    int taken = peers_take_beacon(peers, data, size, SECOND, budget, &checks, &beacon, &peer, &news);
    check(err == 0 || taken == err);
    check((peers_count(peers) == 1) == (sealed && !id_equal(&record.id, &self)));
    check(checks <= 1);
    peers_free(peers);
    return 0;
}
