/* Somebody else. See someone.h. */
#include "someone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void someone_sign(struct someone *s)
{
    assert_int_equal(record_sign(&s->record, &s->identity, &s->bytes), 0);
}

void someone_make(struct someone *s, int number, const char *name)
{
    uint8_t seed[SEED_BYTES];
    memset(s, 0, sizeof *s);
    memset(seed, number, sizeof seed);
    identity_from_seed(seed, &s->identity);
    s->record =
        (struct record){.id = s->identity.id, .incarnation = 7, .seq = 3, .roles = 1, .life_s = 600, .endpoint_count = 2};
    snprintf(s->record.name, sizeof s->record.name, "%s", name);
    s->record.endpoint[0] = (struct endpoint){.transport = TRANSPORT_TCP, .iface = "eth0"};
    snprintf(s->record.endpoint[0].text, ENDPOINT_TEXT, "tcp://192.168.1.%d:49160", number);
    s->record.endpoint[1] = (struct endpoint){.transport = TRANSPORT_IPC, .scope = 5};
    snprintf(s->record.endpoint[1].text, ENDPOINT_TEXT, "ipc:///run/weft/%d", number);
    someone_sign(s);
}
