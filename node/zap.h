/* Who may shake hands: the ZAP handler (ZeroMQ RFC 27) of one context.
 *
 * Without one, libzmq lets every CURVE key in and forgets which it was. This one lets every key in that comes at a bearable
 * rate from its address (S31), and hands on the key as User-Id, in which messages then carry the proof of who sent them.
 * What a key may do is the core's business. Must stand before any listening socket. */
#ifndef WEFT_NODE_ZAP_H
#define WEFT_NODE_ZAP_H

#include "identity.h"
#include "log.h"
#include "loop.h"

#define CONNECTS_PER_S 50   /* from one address, averaged: far above what nodes do, a handshake costs 0.2 ms */
#define CONNECTS_BURST 1024 /* so many nodes of one machine may join at the same moment */
#define ADDRESSES_MAX 256   /* remembered; the one seen longest ago makes room */

struct zap;

int zap_new(void *context, struct loop *loop, const struct log *log, struct zap **zap, struct fault *fault);
/* To be called after all listening sockets are closed, before the context ends. NULL is fine. */
void zap_free(struct zap *zap);
/* Connections refused by rate so far. */
uint64_t zap_refused(const struct zap *zap);

/* The key that a User-Id of this handler stands for. ERR_MALFORMED. */
int zap_user_key(const char *user_id, uint8_t key[CURVE_KEY_BYTES]);

#endif
