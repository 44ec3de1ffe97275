/* TLS with an external key: who gets through, and above all who does not. Client and server step in turn over a socket pair. */
#include "tls.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ERR_STATE OPENSSL_ERR_STATE /* as in tls.c */
#include <openssl/err.h>
#include <openssl/ssl.h>
#undef ERR_STATE

static struct reception_info info_of(uint8_t seed)
{
    struct reception_info info = {.streams = 2};
    memset(info.id.b, seed, sizeof info.id.b);
    memset(info.key, seed + 1, sizeof info.key);
    return info;
}

static void ids(struct node_id *receiver, struct node_id *sender)
{
    memset(receiver->b, 1, sizeof receiver->b);
    memset(sender->b, 2, sizeof sender->b);
}

static struct tls_secret secret_of(const struct reception_info *info, uint8_t index)
{
    struct node_id receiver, sender;
    struct tls_secret secret;
    ids(&receiver, &sender);
    assert_int_equal(tls_derive(info, &receiver, &sender, index, &secret), 0);
    return secret;
}

/* What a server of a test knows. */
struct desk {
    struct tls_secret secret;
    unsigned asked;
};

static bool claim(void *connection, const uint8_t identity[TLS_IDENTITY_BYTES], uint8_t psk[TLS_PSK_BYTES])
{
    struct desk *desk = connection;
    desk->asked++;
    if (memcmp(identity, desk->secret.identity, TLS_IDENTITY_BYTES) != 0)
        return false;
    memcpy(psk, desk->secret.psk, TLS_PSK_BYTES);
    return true;
}

static void socket_pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
}

struct ends {
    struct tls *tls;
    struct tls_link *server, *client;
    int server_err, client_err;
    bool server_done, client_done;
};

static void step(struct tls_link *link, int *err, bool *done)
{
    short want;
    if (*done || *err != 0)
        return;
    *err = tls_shake(link, &want);
    *done = *err == 0 && want == 0;
}

static void shake(struct ends *e, struct desk *desk, const struct tls_secret *secret)
{
    int fd[2];
    struct fault fault;

    *e = (struct ends){0};
    socket_pair(fd);
    assert_int_equal(tls_new(claim, &e->tls, &fault), 0);
    e->server = tls_server(e->tls, fd[0], desk);
    e->client = tls_client(e->tls, fd[1], secret);
    for (int i = 0; i < 10; i++) {
        step(e->client, &e->client_err, &e->client_done);
        step(e->server, &e->server_err, &e->server_done);
    }
}

static void ends_free(struct ends *e)
{
    tls_link_free(e->server);
    tls_link_free(e->client);
    tls_free(e->tls);
}

static void right_key_gets_through_both_ways(void **state)
{
    struct reception_info info = info_of(7);
    struct desk desk = {.secret = secret_of(&info, 0)};
    struct ends e;
    char b[6];
    size_t got;
    short want;
    (void)state;

    shake(&e, &desk, &desk.secret);
    assert_true(e.server_done && e.client_done);
    assert_int_equal(desk.asked, 1);
    assert_int_equal(tls_write(e.client, "hello", 6, &want), 0);
    assert_int_equal(tls_read(e.server, b, sizeof b, &got, &want), 0);
    assert_int_equal(got, 6);
    assert_string_equal(b, "hello");
    assert_int_equal(tls_rekey(e.server), 0); /* and with a new key */
    assert_int_equal(tls_write(e.server, "again", 6, &want), 0);
    assert_int_equal(tls_read(e.client, b, sizeof b, &got, &want), 0);
    assert_string_equal(b, "again");
    assert_int_equal(tls_read(e.client, b, sizeof b, &got, &want), 0);
    assert_int_not_equal(want, 0); /* nothing there: it would block */
    tls_goodbye(e.server);
    assert_int_equal(tls_read(e.client, b, sizeof b, &got, &want), ERR_UNREACHABLE);
    ends_free(&e);
}

static void s25_wrong_key_is_refused(void **state)
{
    struct reception_info info = info_of(7);
    struct desk desk = {.secret = secret_of(&info, 0)};
    struct tls_secret wrong = desk.secret;
    struct ends e;
    (void)state;

    wrong.psk[31] ^= 1;
    shake(&e, &desk, &wrong);
    assert_int_equal(e.server_err, ERR_REFUSED);
    assert_int_equal(e.client_err, ERR_REFUSED);
    ends_free(&e);
}

static void s62_unknown_identity_is_refused(void **state)
{
    struct reception_info info = info_of(7);
    struct desk desk = {.secret = secret_of(&info, 0)};
    struct tls_secret wrong = desk.secret;
    struct ends e;
    (void)state;

    wrong.identity[0] ^= 1;
    shake(&e, &desk, &wrong);
    assert_int_equal(e.server_err, ERR_REFUSED);
    assert_int_equal(e.client_err, ERR_REFUSED);
    ends_free(&e);
}

static void s62_keys_are_bound_to_all_they_are_for(void **state)
{
    struct reception_info info = info_of(7), other = info_of(8);
    struct node_id receiver, sender;
    struct tls_secret s[6];
    (void)state;

    ids(&receiver, &sender);
    assert_int_equal(tls_derive(&info, &receiver, &sender, 0, &s[0]), 0);
    assert_int_equal(tls_derive(&info, &receiver, &sender, 1, &s[1]), 0);
    assert_int_equal(tls_derive(&info, &sender, &receiver, 0, &s[2]), 0);
    assert_int_equal(tls_derive(&info, &receiver, &receiver, 0, &s[3]), 0);
    memcpy(other.key, info.key, sizeof other.key);
    assert_int_equal(tls_derive(&other, &receiver, &sender, 0, &s[4]), 0);
    memcpy(other.id.b, info.id.b, sizeof other.id.b);
    other.key[0] ^= 1;
    assert_int_equal(tls_derive(&other, &receiver, &sender, 0, &s[5]), 0);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(s[i].psk, s[k].psk, TLS_PSK_BYTES);
}

/* ---- the man in the middle: a server with a certificate and no key at all */

static SSL_CTX *server_with_certificate(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();

    assert_true(ctx != NULL && key != NULL && cert != NULL);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"weft", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    EVP_PKEY_free(key);
    X509_free(cert);
    return ctx;
}

static void mitm_certificate_instead_of_the_key_is_refused(void **state)
{
    struct reception_info info = info_of(7);
    struct tls_secret secret = secret_of(&info, 0);
    struct tls *tls;
    struct fault fault;
    int fd[2], err = 0;
    bool done = false;
    (void)state;

    socket_pair(fd);
    assert_int_equal(tls_new(claim, &tls, &fault), 0);
    struct tls_link *client = tls_client(tls, fd[1], &secret);
    SSL_CTX *ctx = server_with_certificate();
    SSL *server = SSL_new(ctx);
    assert_int_equal(SSL_set_fd(server, fd[0]), 1);
    for (int i = 0; i < 10; i++) {
        step(client, &err, &done);
        SSL_accept(server);
        ERR_clear_error();
    }
    assert_false(done);
    assert_int_equal(err, ERR_REFUSED);
    SSL_free(server);
    SSL_CTX_free(ctx);
    close(fd[0]);
    tls_link_free(client);
    tls_free(tls);
}

static void mitm_without_key_or_certificate_is_refused(void **state)
{
    struct reception_info info = info_of(7), other = info_of(9);
    struct desk desk = {.secret = secret_of(&other, 0)};
    struct tls_secret secret = secret_of(&info, 0);
    struct ends e;
    (void)state;

    shake(&e, &desk, &secret);
    assert_false(e.client_done);
    assert_int_equal(e.client_err, ERR_REFUSED);
    ends_free(&e);
}

/* S34: whoever offers an older version, or another suite or group, gets nowhere. */
static void s34_no_downgrade(void **state)
{
    struct reception_info info = info_of(7);
    struct desk desk = {.secret = secret_of(&info, 0)};
    struct fault fault;
    (void)state;

    for (int kind = 0; kind < 3; kind++) {
        struct tls *tls;
        int fd[2], err = 0;
        bool done = false;

        socket_pair(fd);
        assert_int_equal(tls_new(claim, &tls, &fault), 0);
        struct tls_link *server = tls_server(tls, fd[0], &desk);
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        if (kind == 0)
            assert_int_equal(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
        else if (kind == 1)
            assert_int_equal(SSL_CTX_set_ciphersuites(ctx, "TLS_CHACHA20_POLY1305_SHA256"), 1);
        else
            assert_int_equal(SSL_CTX_set1_groups_list(ctx, "P-256"), 1);
        SSL *client = SSL_new(ctx);
        assert_int_equal(SSL_set_fd(client, fd[1]), 1);
        for (int i = 0; i < 10; i++) {
            SSL_connect(client);
            ERR_clear_error();
            step(server, &err, &done);
        }
        assert_false(done);
        assert_int_equal(err, ERR_REFUSED);
        SSL_free(client);
        SSL_CTX_free(ctx);
        close(fd[1]);
        tls_link_free(server);
        tls_free(tls);
    }
}

static void p39_a_changed_byte_is_noticed(void **state)
{
    struct reception_info info = info_of(7);
    struct desk desk = {.secret = secret_of(&info, 0)};
    struct ends e;
    uint8_t record[64];
    short want;
    size_t got;
    (void)state;

    shake(&e, &desk, &desk.secret);
    assert_true(e.server_done && e.client_done);
    int server = dup(tls_fd(e.server)); /* takes the record out, and puts it back changed */
    assert_int_equal(tls_write(e.client, "hello", 6, &want), 0);
    ssize_t n = read(server, record, sizeof record);
    assert_true(n > 6);
    record[n - 1] ^= 1;
    assert_int_equal(write(tls_fd(e.client), record, (size_t)n), n);
    assert_int_equal(tls_read(e.server, record, sizeof record, &got, &want), ERR_VERIFY);
    close(server);
    ends_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_key_gets_through_both_ways),
        cmocka_unit_test(s25_wrong_key_is_refused),
        cmocka_unit_test(s62_unknown_identity_is_refused),
        cmocka_unit_test(s62_keys_are_bound_to_all_they_are_for),
        cmocka_unit_test(mitm_certificate_instead_of_the_key_is_refused),
        cmocka_unit_test(mitm_without_key_or_certificate_is_refused),
        cmocka_unit_test(s34_no_downgrade),
        cmocka_unit_test(p39_a_changed_byte_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
