/* A URL as a resource: fetched anew for each stream, by libcurl.
 *
 * Only the host that was named when it was shared is asked, at addresses that we looked up, by http or https, without proxy,
 * cookies, credentials or anything from the peer. An answer that leads elsewhere is not followed: it is an error, as is every
 * other than 2xx; then no byte is given. What is silent or has no end in sight is ended. */
#include "addr.h"
#include "bulk_thread.h"
#include "resource_work.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define BUFFER_BYTES (64L * 1024)
#define PIN_TEXT (LOCATOR_HOST_MAX + LOOKUP_ADDRESSES * ADDR_TEXT)

struct fetch {
    struct supply *s;
    CURL *easy;
    bool open;      /* the answer was good: the stream is open */
    uint64_t until; /* for a sign of life */
    struct fault fault;
};

/* ---- what libcurl calls */

static void alive(struct fetch *f)
{
    f->until = now_ns() + f->s->limits.silence;
}

static int judge(struct fetch *f, long status)
{
    if (status >= 200 && status < 300)
        return supply_open_pipe(f->s, &f->fault);
    if (status >= 300 && status < 400)
        return fault_set(&f->fault, ERR_REFUSED,
                         "the server behind this share answers %ld, which leads elsewhere: share the URL that it leads to",
                         status);
    return fault_set(&f->fault, status == 404 || status == 410 ? ERR_NOT_FOUND : ERR_IO,
                     "the server behind this share answers %ld", status);
}

/* A line of the head. An empty one is its end, unless another head follows (1xx); there may be some behind the body too. */
static size_t on_head(char *line, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    long status = 0;
    if (!f->open && n > 0 && (line[0] == '\r' || line[0] == '\n')) {
        curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && judge(f, status) != 0)
            return 0;
        f->open = status >= 200;
    }
    if (f->open)
        alive(f);
    return size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    if (!f->open)
        fault_set(&f->fault, ERR_MALFORMED, "the server behind this share does not speak HTTP");
    if (!f->open || supply_write(f->s, bytes, size * n, &f->fault) != 0)
        return 0;
    alive(f); /* the time that the reader took is not the server's */
    return size * n;
}

/* ---- asking */

/* "HOST:PORT:ADDRESS,ADDRESS": the addresses that libcurl is to use for a name. */
static int pin(const struct locator *l, const struct addr *address, size_t n, struct curl_slist **pins)
{
    char text[PIN_TEXT], one[ADDR_TEXT];
    struct in6_addr ip;
    if (inet_pton(AF_INET, l->host, &ip) == 1 || inet_pton(AF_INET6, l->host, &ip) == 1)
        return 0;
    size_t used = (size_t)snprintf(text, sizeof text, "%s:%u:", l->host, l->port);
    for (size_t i = 0; i < n; i++) {
        addr_text(&address[i], one);
        *strrchr(one, ':') = '\0'; /* its port */
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "," : "", one);
    }
    *pins = curl_slist_append(NULL, text);
    return *pins ? 0 : ERR_NOMEM;
}

static int set_options(struct fetch *f, struct curl_slist *pins)
{
    CURL *e = f->easy;
    bool ok = curl_easy_setopt(e, CURLOPT_URL, f->s->target) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK && /* nor one from the environment */
              curl_easy_setopt(e, CURLOPT_RESOLVE, pins) == CURLE_OK && curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_BUFFERSIZE, BUFFER_BYTES) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, 0x7fffffffL) == CURLE_OK && /* `until` is ours */
              curl_easy_setopt(e, CURLOPT_USERAGENT, "weft") == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_HEADERDATA, f) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_WRITEDATA, f) == CURLE_OK;
    return ok ? 0 : fault_set(&f->fault, ERR_UNSUPPORTED, "this machine's libcurl cannot fetch a URL as it must be");
}

/* ---- running */

static int timed_out(struct fetch *f)
{
    if (!f->open)
        return fault_set(&f->fault, ERR_TIMEOUT, "the server behind this share does not answer");
    return fault_set(&f->fault, ERR_TIMEOUT, "the server behind this share was silent for %llu seconds",
                     (unsigned long long)((f->s->limits.silence + SECOND - 1) / SECOND));
}

/* How it ended, when nothing of ours said so first. libcurl's words are about the network and the protocol, not the content. */
static int result(struct fetch *f, CURLcode code)
{
    if (f->fault.code)
        return (int)f->fault.code;
    if (code != CURLE_OK)
        return fault_set(&f->fault, f->open ? ERR_IO : ERR_UNREACHABLE,
                         f->open ? "what the server behind this share brought is not whole: %s"
                                 : "the server behind this share cannot be reached: %s",
                         curl_easy_strerror(code));
    return f->open ? 0 : fault_set(&f->fault, ERR_IO, "the server behind this share gives no answer");
}

static int run(struct fetch *f, CURLM *multi)
{
    struct curl_waitfd stop = {.fd = f->s->stop_fd, .events = CURL_WAIT_POLLIN};
    int running = 1, left;
    for (;;) {
        CURLMcode failed = curl_multi_perform(multi, &running);
        const CURLMsg *m = curl_multi_info_read(multi, &left);
        if (m && m->msg == CURLMSG_DONE)
            return result(f, m->data.result);
        if (supply_stopped(f->s))
            return fault_set(&f->fault, ERR_CANCELLED, "nobody wants it any more");
        if (now_ns() >= f->until)
            return timed_out(f);
        if (!failed)
            failed = curl_multi_poll(multi, &stop, 1, supply_wait_ms(f->until), NULL);
        if (failed)
            return fault_set(&f->fault, ERR_IO, "the URL behind this share cannot be fetched: %s", curl_multi_strerror(failed));
    }
}

static int fetch(struct fetch *f, struct curl_slist *pins)
{
    CURLM *multi = curl_multi_init();
    f->easy = curl_easy_init();
    int err = multi && f->easy ? set_options(f, pins) : fault_set(&f->fault, ERR_NOMEM, "out of memory");
    if (!err && curl_multi_add_handle(multi, f->easy) != CURLM_OK)
        err = fault_set(&f->fault, ERR_NOMEM, "out of memory");
    if (!err) {
        err = run(f, multi);
        curl_multi_remove_handle(multi, f->easy);
    }
    curl_easy_cleanup(f->easy);
    curl_multi_cleanup(multi);
    return err;
}

int supply_http(struct supply *s, struct fault *fault)
{
    struct addr address[LOOKUP_ADDRESSES];
    struct fetch f = {.s = s, .until = now_ns() + s->limits.connect};
    struct curl_slist *pins = NULL;
    size_t n;
    int err = lookup(s, f.until, address, &n, fault);
    if (err)
        return err;
    if (pin(&s->locator, address, n, &pins) != 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        curl_slist_free_all(pins);
        return fault_set(fault, ERR_NOMEM, "out of memory");
    }
    err = fetch(&f, pins);
    curl_slist_free_all(pins);
    curl_global_cleanup();
    if (err)
        *fault = f.fault;
    return err;
}
