/* Channels end to end, in the hands of whoever carries them.
 *
 * The first byte says what the input is: a first message to a responder, a second one to an initiator, or what is done to the
 * sealed messages of an open channel: each byte then lets the next one through, leaves it out, repeats or changes it.
 * Nothing that was not written for that place ever opens, and what once failed stays closed. */
#include "noise.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static struct identity identity_of(uint8_t byte)
{
    struct identity id;
    uint8_t seed[SEED_BYTES] = {byte};
    identity_from_seed(seed, &id);
    return id;
}

struct sides {
    struct identity alice, bob;
    struct noise a, b;
    uint8_t first[NOISE_FIRST_BYTES], second[NOISE_SECOND_BYTES], met[CURVE_KEY_BYTES];
};

static const struct noise_purpose alices = {.prologue = "fuzz", .prologue_n = 4, .ephemeral = {[1] = 1}};
static const struct noise_purpose bobs = {.prologue = "fuzz", .prologue_n = 4, .ephemeral = {[1] = 2}};

static struct sides sides_new(void)
{
    struct sides s = {.alice = identity_of(1), .bob = identity_of(2)};
    check(noise_start(&s.a, &s.alice, s.bob.curve_public, &alices, s.first) == 0);
    return s;
}

/* Anyone can begin as someone of their own; as Alice, only she can. */
static void first_from_outside(const uint8_t *data, size_t size)
{
    struct sides s = sides_new();
    uint8_t first[NOISE_FIRST_BYTES] = {0};
    memcpy(first, data, size < sizeof first ? size : sizeof first);
    int err = noise_accept(&s.b, &s.bob, &bobs, first, s.met, s.second);
    check(err == 0 || (err == ERR_VERIFY && s.b.state == NOISE_NONE));
    check(err != 0 || memcmp(first, s.first, sizeof first) == 0 || memcmp(s.met, s.alice.curve_public, sizeof s.met) != 0);
}

static void second_from_outside(const uint8_t *data, size_t size)
{
    struct sides s = sides_new();
    uint8_t second[NOISE_SECOND_BYTES] = {0};
    memcpy(second, data, size < sizeof second ? size : sizeof second);
    check(noise_accept(&s.b, &s.bob, &bobs, s.first, s.met, s.second) == 0);
    int err = noise_finish(&s.a, &s.alice, second);
    check((err == 0) == (memcmp(second, s.second, sizeof second) == 0));
    check(err == 0 || s.a.state == NOISE_NONE);
}

#define WORD 4
#define SEALED (WORD + NOISE_TAG_BYTES)

/* Bob hears `sealed`, which is right when it is Alice's next and nothing went wrong before. */
static void hear(struct sides *s, const uint8_t sealed[SEALED], const uint8_t *word, bool *alive)
{
    uint8_t heard[WORD];
    int err = noise_open(&s->b, sealed, SEALED, heard);
    check((err == 0) == *alive);
    check(err == 0 ? memcmp(heard, word, WORD) == 0 : err == ERR_VERIFY);
}

static void messages_in_between(const uint8_t *data, size_t size)
{
    struct sides s = sides_new();
    check(noise_accept(&s.b, &s.bob, &bobs, s.first, s.met, s.second) == 0);
    check(noise_finish(&s.a, &s.alice, s.second) == 0);
    bool alive = true;
    for (uint32_t i = 0; i < size; i++) {
        uint8_t word[WORD], sealed[SEALED];
        memcpy(word, &i, sizeof word);
        check(noise_seal(&s.a, word, sizeof word, sealed) == 0);
        size_t bit = data[i] >> 2;
        switch (data[i] & 3) {
        case 0: hear(&s, sealed, word, &alive); break;
        case 1: alive = false; break; /* left out: the next one cannot open */
        case 2:                       /* repeated */
            hear(&s, sealed, word, &alive);
            alive = false;
            hear(&s, sealed, word, &alive);
            break;
        case 3: /* changed */
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
            alive = false;
            hear(&s, sealed, word, &alive);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0: first_from_outside(data + 1, size - 1); break;
    case 1: second_from_outside(data + 1, size - 1); break;
    case 2: messages_in_between(data + 1, size - 1 < 256 ? size - 1 : 256); break;
    }
    return 0;
}
