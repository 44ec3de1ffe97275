/* Tickets as text, and the proofs made with them. See ticket.h. Which tickets are open is for trust.c. */
#include "ticket.h"

#include "identity.h"

#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

#define ADDR_BYTES 19 /* family, ip, port */
#define CHECK_BYTES 4
#define HEAD_BYTES (NODE_ID_BYTES + TICKET_SECRET_BYTES + 1)
#define TICKET_BYTES_MAX (HEAD_BYTES + TICKET_ADDRS_MAX * ADDR_BYTES + CHECK_BYTES)

static size_t ticket_bytes(size_t addrs)
{
    return HEAD_BYTES + addrs * ADDR_BYTES + CHECK_BYTES;
}

static struct tag check_of(const uint8_t *bytes, size_t n)
{
    return tag_derive("weft ticket check 1", bytes, n, NULL, 0);
}

void ticket_write(const struct ticket_text *ticket, char out[TICKET_TEXT])
{
    uint8_t b[TICKET_BYTES_MAX] = {0}, *at = b;
    memcpy(at, ticket->inviter.b, NODE_ID_BYTES);
    at += NODE_ID_BYTES;
    memcpy(at, ticket->secret, TICKET_SECRET_BYTES);
    at += TICKET_SECRET_BYTES;
    *at++ = ticket->addr_count;
    for (size_t i = 0; i < ticket->addr_count; i++) {
        const struct addr *a = &ticket->addr[i];
        *at++ = a->family == AF_INET ? 4 : 6;
        memcpy(at, a->ip, sizeof a->ip);
        at[16] = (uint8_t)(a->port >> 8);
        at[17] = (uint8_t)a->port;
        at += ADDR_BYTES - 1;
    }
    struct tag check = check_of(b, (size_t)(at - b));
    memcpy(at, check.b, CHECK_BYTES);
    strcpy(out, TICKET_PREFIX);
    base32_encode(b, ticket_bytes(ticket->addr_count), out + strlen(TICKET_PREFIX));
    sodium_memzero(b, sizeof b);
}

static int addr_read(const uint8_t *b, struct addr *a)
{
    static const uint8_t zero[12];
    memset(a, 0, sizeof *a);
    a->family = b[0] == 4 ? AF_INET : AF_INET6;
    memcpy(a->ip, b + 1, sizeof a->ip);
    a->port = (uint16_t)(b[17] << 8 | b[18]);
    bool v4_padded = b[0] == 4 && memcmp(a->ip + 4, zero, sizeof zero) == 0;
    return (v4_padded || b[0] == 6) && a->port != 0 ? 0 : ERR_MALFORMED;
}

int ticket_read(const char *text, struct ticket_text *ticket)
{
    uint8_t b[TICKET_BYTES_MAX];
    memset(ticket, 0, sizeof *ticket);
    size_t prefix = strlen(TICKET_PREFIX);
    if (strncmp(text, TICKET_PREFIX, prefix) != 0)
        return ERR_MALFORMED;
    text += prefix;
    size_t addrs = 0;
    while (addrs <= TICKET_ADDRS_MAX && BASE32_CHARS(ticket_bytes(addrs)) != strlen(text))
        addrs++;
    if (addrs > TICKET_ADDRS_MAX || base32_decode(text, b, ticket_bytes(addrs)) != 0 || b[HEAD_BYTES - 1] != addrs)
        return ERR_MALFORMED;
    size_t signed_n = ticket_bytes(addrs) - CHECK_BYTES;
    struct tag check = check_of(b, signed_n);
    if (memcmp(check.b, b + signed_n, CHECK_BYTES) != 0)
        return ERR_MALFORMED;
    memcpy(ticket->inviter.b, b, NODE_ID_BYTES);
    memcpy(ticket->secret, b + NODE_ID_BYTES, TICKET_SECRET_BYTES);
    ticket->addr_count = (uint8_t)addrs;
    int err = 0;
    for (size_t i = 0; i < addrs && !err; i++)
        err = addr_read(b + HEAD_BYTES + i * ADDR_BYTES, &ticket->addr[i]);
    sodium_memzero(b, sizeof b);
    return err;
}

struct tag ticket_id(const uint8_t secret[TICKET_SECRET_BYTES])
{
    return tag_derive("weft ticket id 1", secret, TICKET_SECRET_BYTES, NULL, 0);
}

void ticket_proof(const uint8_t secret[TICKET_SECRET_BYTES], const struct node_id *prover, const struct node_id *verifier,
                  uint8_t proof[TICKET_PROOF_BYTES])
{
    static const char context[] = "weft ticket proof 1";
    crypto_generichash_state state;
    crypto_generichash_init(&state, secret, TICKET_SECRET_BYTES, TICKET_PROOF_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)context, sizeof context);
    crypto_generichash_update(&state, prover->b, NODE_ID_BYTES);
    crypto_generichash_update(&state, verifier->b, NODE_ID_BYTES);
    crypto_generichash_final(&state, proof, TICKET_PROOF_BYTES);
}
