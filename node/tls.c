#include "tls.h"

/* ERR_STATE is ours (err.h) and also a type of OpenSSL that nobody needs. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BUFFER (256 * 1024) /* many records a system call; only what is used of it becomes resident */

struct tls {
    SSL_CTX *server, *client;
    tls_claim *claim;
};

struct tls_link {
    SSL *ssl;
    int fd;
    uint64_t before; /* bytes written by others */
    bool shaken;     /* OpenSSL forgets that once it has failed */
    bool gathered;   /* what tls_write was given is in the buffer, and only some of it has left */
};

static const char *const suite = "TLS_AES_128_GCM_SHA256";
static const unsigned char suite_id[2] = {0x13, 0x01};

int tls_derive(const struct reception_info *info, const struct node_id *receiver, const struct node_id *sender, uint8_t index,
               struct tls_secret *out)
{
    static const char context[] = "weft bulk stream 1";
    uint8_t bound[sizeof context + 2 * NODE_ID_BYTES + TLS_IDENTITY_BYTES], *p = bound;

    memcpy(out->identity, info->id.b, TAG_BYTES);
    out->identity[TAG_BYTES] = index;
    p = (uint8_t *)memcpy(p, context, sizeof context) + sizeof context;
    p = (uint8_t *)memcpy(p, receiver->b, NODE_ID_BYTES) + NODE_ID_BYTES;
    p = (uint8_t *)memcpy(p, sender->b, NODE_ID_BYTES) + NODE_ID_BYTES;
    memcpy(p, out->identity, TLS_IDENTITY_BYTES);

    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)info->key, sizeof info->key),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, bound, sizeof bound),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    int ok = ctx != NULL && EVP_KDF_derive(ctx, out->psk, sizeof out->psk, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok ? 0 : ERR_NOMEM;
}

/* A fresh session around a key: OpenSSL takes what it is given, so one must never be handed out twice. */
static SSL_SESSION *psk_session(SSL *ssl, const uint8_t psk[TLS_PSK_BYTES])
{
    SSL_SESSION *session = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite_id);
    if (session == NULL || cipher == NULL || SSL_SESSION_set1_master_key(session, psk, TLS_PSK_BYTES) != 1 ||
        SSL_SESSION_set_cipher(session, cipher) != 1 || SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
        SSL_SESSION_free(session);
        return NULL;
    }
    return session;
}

static int server_find(SSL *ssl, const unsigned char *identity, size_t n, SSL_SESSION **session)
{
    uint8_t psk[TLS_PSK_BYTES];
    struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    *session = NULL;
    if (n != TLS_IDENTITY_BYTES || !tls->claim(SSL_get_app_data(ssl), identity, psk))
        return 1; /* no such key: the handshake then fails for want of a certificate */
    *session = psk_session(ssl, psk);
    OPENSSL_cleanse(psk, sizeof psk);
    return *session != NULL;
}

static int client_use(SSL *ssl, const EVP_MD *md, const unsigned char **identity, size_t *n, SSL_SESSION **session)
{
    const struct tls_secret *secret = SSL_get_app_data(ssl);

    *session = NULL;
    *identity = secret->identity;
    *n = TLS_IDENTITY_BYTES;
    if (md != NULL && EVP_MD_get_type(md) != NID_sha256)
        return 1; /* after a HelloRetryRequest for another suite, which cannot be: offer nothing */
    *session = psk_session(ssl, secret->psk);
    return *session != NULL;
}

static SSL_CTX *context_new(const SSL_METHOD *method, struct tls *tls)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, READ_BUFFER);
    SSL_CTX_set_app_data(ctx, tls);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 && SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_ciphersuites(ctx, suite) == 1 && SSL_CTX_set1_groups_list(ctx, "X25519") == 1 &&
        SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

int tls_new(tls_claim *claim, struct tls **tls, struct fault *fault)
{
    struct tls *new = calloc(1, sizeof *new);
    if (new == NULL)
        return fault_set(fault, ERR_NOMEM, "out of memory for the TLS contexts");
    new->claim = claim;
    new->server = context_new(TLS_server_method(), new);
    new->client = context_new(TLS_client_method(), new);
    if (new->server == NULL || new->client == NULL) {
        ERR_clear_error();
        tls_free(new);
        return fault_set(fault, ERR_UNSUPPORTED, "this OpenSSL cannot do TLS 1.3 with %s and X25519", suite);
    }
    SSL_CTX_set_psk_find_session_callback(new->server, server_find);
    SSL_CTX_set_psk_use_session_callback(new->client, client_use);
    SSL_CTX_set_verify(new->client, SSL_VERIFY_PEER, NULL); /* with no trust store: every certificate fails */
    *tls = new;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->server);
    SSL_CTX_free(tls->client);
    free(tls);
}

static struct tls_link *link_new(SSL_CTX *ctx, int fd, void *data)
{
    struct tls_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        close(fd);
        return NULL;
    }
    link->fd = fd;
    link->ssl = SSL_new(ctx);
    if (link->ssl == NULL || SSL_set_fd(link->ssl, fd) != 1) {
        ERR_clear_error();
        tls_link_free(link);
        return NULL;
    }
    SSL_set_app_data(link->ssl, data);
    return link;
}

struct tls_link *tls_server(struct tls *tls, int fd, void *connection)
{
    struct tls_link *link = link_new(tls->server, fd, connection);
    if (link != NULL)
        SSL_set_accept_state(link->ssl);
    return link;
}

struct tls_link *tls_client(struct tls *tls, int fd, const struct tls_secret *secret)
{
    struct tls_link *link = link_new(tls->client, fd, (void *)(uintptr_t)secret);
    if (link != NULL)
        SSL_set_connect_state(link->ssl);
    return link;
}

void tls_link_free(struct tls_link *link)
{
    if (link == NULL)
        return;
    SSL_free(link->ssl);
    close(link->fd);
    free(link);
}

int tls_fd(const struct tls_link *link)
{
    return link->fd;
}

/* Reads, and what was written before tls_gather, are counted by the first BIO of the socket; other writes by the one behind the
 * buffer. */
void tls_moved(const struct tls_link *link, uint64_t *in, uint64_t *out)
{
    BIO *first = SSL_get_rbio(link->ssl), *last = SSL_get_wbio(link->ssl);

    while (BIO_next(last) != NULL)
        last = BIO_next(last);
    *in = BIO_number_read(first);
    *out = link->before + BIO_number_written(last) + (last != first ? BIO_number_written(first) : 0);
}

void tls_written_before(struct tls_link *link, uint64_t n)
{
    link->before += n;
}

/* Why a call returned `ret`. Empties the thread's error queue, as every call must before the next. */
static int why(const struct tls_link *link, int ret, short *want)
{
    int error = SSL_get_error(link->ssl, ret);
    unsigned long first = ERR_peek_error();

    ERR_clear_error();
    switch (error) {
    case SSL_ERROR_WANT_READ: *want = POLLIN; return 0;
    case SSL_ERROR_WANT_WRITE: *want = POLLOUT; return 0;
    case SSL_ERROR_SSL:
        if (ERR_GET_REASON(first) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return ERR_UNREACHABLE;
        return link->shaken ? ERR_VERIFY : ERR_REFUSED;
    default: /* close_notify, or the socket failed */ return ERR_UNREACHABLE;
    }
}

int tls_shake(struct tls_link *link, short *want)
{
    SSL *ssl = link->ssl;
    *want = 0;
    int ret = SSL_do_handshake(ssl);
    if (ret != 1)
        return why(link, ret, want);
    link->shaken = SSL_session_reused(ssl) == 1 && SSL_get0_peer_certificate(ssl) == NULL;
    return link->shaken ? 0 : ERR_REFUSED;
}

int tls_read(struct tls_link *link, void *buf, size_t n, size_t *got, short *want)
{
    *want = 0;
    *got = 0;
    int ret = SSL_read_ex(link->ssl, buf, n, got);
    return ret == 1 ? 0 : why(link, ret, want);
}

int tls_gather(struct tls_link *link, size_t n)
{
    BIO *buffer = BIO_new(BIO_f_buffer()), *socket = BIO_new_socket(link->fd, BIO_NOCLOSE);
    if (buffer == NULL || socket == NULL || BIO_set_write_buffer_size(buffer, (long)n) != 1) {
        ERR_clear_error();
        BIO_free(buffer);
        BIO_free(socket);
        return ERR_NOMEM;
    }
    SSL_set0_wbio(link->ssl, BIO_push(buffer, socket));
    return 0;
}

bool tls_pending(const struct tls_link *link)
{
    return SSL_has_pending(link->ssl) == 1;
}

/* Sends what tls_gather has let gather; nothing when it was not called. */
static int flush(struct tls_link *link, short *want)
{
    BIO *out = SSL_get_wbio(link->ssl);
    if (BIO_flush(out) == 1)
        return 0;
    ERR_clear_error();
    *want = BIO_should_retry(out) ? POLLOUT : 0;
    return *want != 0 ? 0 : ERR_UNREACHABLE;
}

int tls_write(struct tls_link *link, const void *buf, size_t n, short *want)
{
    size_t put;
    *want = 0;
    int ret = link->gathered ? 1 : SSL_write_ex(link->ssl, buf, n, &put);
    if (ret != 1)
        return why(link, ret, want);
    int err = flush(link, want);
    link->gathered = err == 0 && *want != 0;
    return err;
}

int tls_rekey(struct tls_link *link)
{
    if (SSL_key_update(link->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
        return 0;
    ERR_clear_error();
    return ERR_NOMEM;
}

void tls_goodbye(struct tls_link *link)
{
    short want;
    SSL_shutdown(link->ssl);
    flush(link, &want);
    ERR_clear_error();
}
