/* What a share leads to when that is no file. See locator.h.
 *
 * A URL is read by libcurl too, later and by its own lights: so only characters are let through about which two readers cannot
 * differ, and the host that is found here is the host that is asked. */
#include "locator.h"

#include "limits.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define TCP "tcp:"
#define HTTP "http://"
#define HTTPS "https://"
#define COMMAND "cmd:"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool locator_is(const char *text)
{
    return begins(text, TCP) || begins(text, HTTP) || begins(text, HTTPS) || begins(text, COMMAND);
}

/* ---- hosts and ports */

/* Reads `n` digits. */
static int read_port(const char *text, size_t n, uint16_t *port)
{
    unsigned value = 0;
    if (n == 0 || n > 5 || strspn(text, DIGITS) < n)
        return ERR_USAGE;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *port = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX ? 0 : ERR_USAGE;
}

static bool host_valid(const char *host, bool bracketed)
{
    struct in6_addr v6;
    if (bracketed)
        return inet_pton(AF_INET6, host, &v6) == 1;
    size_t n = strlen(host);
    return n > 0 && host[0] != '-' && host[n - 1] != '.' && strspn(host, LETTERS DIGITS "-._") == n;
}

/* HOST, [ADDRESS], either with :PORT, in `n` bytes. Without a port, `l->port` stays as it is. */
static int read_authority(const char *text, size_t n, struct locator *l)
{
    bool bracketed = n > 0 && text[0] == '[';
    const char *host = text + bracketed, *end = memchr(host, bracketed ? ']' : ':', n - bracketed);
    size_t host_n = end ? (size_t)(end - host) : n;
    if (host_n > LOCATOR_HOST_MAX || (bracketed && !end))
        return ERR_USAGE;
    memcpy(l->host, host, host_n);
    l->host[host_n] = '\0';
    if (!host_valid(l->host, bracketed))
        return ERR_USAGE;
    const char *rest = host + host_n + bracketed;
    size_t rest_n = n - (size_t)(rest - text);
    if (rest_n == 0)
        return 0;
    return rest[0] == ':' ? read_port(rest + 1, rest_n - 1, &l->port) : ERR_USAGE;
}

static int parse_tcp(const char *text, struct locator *l, struct fault *fault)
{
    l->kind = RESOURCE_TCP;
    if (read_authority(text, strlen(text), l) != 0 || l->port == 0)
        return fault_set(
            fault, ERR_USAGE,
            "a service is written tcp:HOST:PORT, with a name or an address (IPv6 in brackets) and a port from 1 to "
            "65535");
    return 0;
}

/* ---- URLs */

static int parse_http(const char *text, bool tls, struct locator *l, struct fault *fault)
{
    size_t n = strcspn(text, "/?#");
    l->kind = RESOURCE_HTTP;
    l->tls = tls;
    l->port = tls ? 443 : 80;
    if (memchr(text, '@', n))
        return fault_set(fault, ERR_USAGE, "a URL that is shared has neither user nor password in it: others may see it");
    if (read_authority(text, n, l) != 0)
        return fault_set(fault, ERR_USAGE, "a URL is written http://HOST[:PORT]/PATH, or https://...");
    if (text[n + strspn(text + n, LETTERS DIGITS "-._~:/?[]@!$&'()*+,;=%")] != '\0')
        return fault_set(fault, ERR_USAGE,
                         "the URL has characters that must be written as %%XX, or a part after '#', which is never asked for");
    return 0;
}

/* ---- commands */

struct splitter {
    const char *at; /* the next byte of the text */
    struct locator *l;
    size_t used;
    bool open; /* a word has begun */
    struct fault *fault;
};

static void put(struct splitter *s, char c)
{
    s->l->words[s->used++] = c; /* never more than the text has */
    s->open = true;
}

static int single_quoted(struct splitter *s)
{
    const char *end = strchr(s->at, '\'');
    s->open = true;
    if (!end)
        return fault_set(s->fault, ERR_USAGE, "a ' in the command has no other one that ends it");
    while (s->at < end)
        put(s, *s->at++);
    s->at++;
    return 0;
}

static int double_quoted(struct splitter *s)
{
    s->open = true;
    while (*s->at != '"') {
        if (s->at[0] == '\\' && s->at[1] != '\0' && strchr("\"\\$`", s->at[1]))
            s->at++;
        if (*s->at == '\0')
            return fault_set(s->fault, ERR_USAGE, "a \" in the command has no other one that ends it");
        put(s, *s->at++);
    }
    s->at++;
    return 0;
}

static int end_word(struct splitter *s)
{
    if (!s->open)
        return 0;
    if (s->l->count == LOCATOR_WORDS_MAX)
        return fault_set(s->fault, ERR_USAGE, "a command has at most %d words", LOCATOR_WORDS_MAX);
    put(s, '\0');
    s->open = false;
    s->l->count++;
    return 0;
}

/* One byte that is in no quotes. */
static int bare(struct splitter *s)
{
    char c = *s->at++;
    switch (c) {
    case '\'': return single_quoted(s);
    case '"': return double_quoted(s);
    case ' ':
    case '\t':
    case '\n': return end_word(s);
    case '\\':
        if (*s->at == '\0')
            return fault_set(s->fault, ERR_USAGE, "the command ends with a backslash");
        put(s, *s->at++);
        return 0;
    default: break;
    }
    if (strchr("|&;<>()$`*?", c))
        return fault_set(
            s->fault, ERR_USAGE,
            "no shell runs the command, so '%c' would do nothing in it: quote it, or write a script and share that", c);
    put(s, c);
    return 0;
}

static int parse_command(const char *text, struct locator *l, struct fault *fault)
{
    struct splitter s = {.at = text, .l = l, .fault = fault};
    int err = 0;
    l->kind = RESOURCE_COMMAND;
    while (!err && *s.at != '\0')
        err = bare(&s);
    if (!err)
        err = end_word(&s);
    if (!err && (l->count == 0 || l->words[0] == '\0'))
        err = fault_set(fault, ERR_USAGE, "a command is written cmd:PROGRAM WORD WORD...");
    return err;
}

void locator_argv(const struct locator *l, const char *argv[LOCATOR_WORDS_MAX + 1])
{
    const char *word = l->words;
    for (size_t i = 0; i < l->count; i++) {
        argv[i] = word;
        word += strlen(word) + 1;
    }
    argv[l->count] = NULL;
}

/* Appends; what does not fit makes *used more than there is. */
static void append(char *out, size_t *used, const char *bytes, size_t n)
{
    if (*used + n <= PATH_BYTES_MAX)
        memcpy(out + *used, bytes, n);
    *used += n;
}

static void append_word(char *out, size_t *used, const char *word)
{
    size_t n = strlen(word);
    if (n > 0 && strspn(word, LETTERS DIGITS "-._/:,+=@%") == n) {
        append(out, used, word, n);
        return;
    }
    append(out, used, "'", 1);
    for (; *word; word++)
        append(out, used, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
    append(out, used, "'", 1);
}

int locator_command(const struct locator *l, const char *program, char out[PATH_BYTES_MAX + 1])
{
    const char *argv[LOCATOR_WORDS_MAX + 1];
    size_t used = 0;
    locator_argv(l, argv);
    append(out, &used, COMMAND, strlen(COMMAND));
    append_word(out, &used, program);
    for (size_t i = 1; i < l->count; i++) {
        append(out, &used, " ", 1);
        append_word(out, &used, argv[i]);
    }
    if (used > PATH_BYTES_MAX)
        return ERR_LIMIT;
    out[used] = '\0';
    return 0;
}

/* ---- all */

int locator_parse(const char *text, struct locator *l, struct fault *fault)
{
    memset(l, 0, sizeof *l);
    if (strlen(text) > PATH_BYTES_MAX)
        return fault_set(fault, ERR_USAGE, "what is to be shared is longer than %d bytes", PATH_BYTES_MAX);
    if (begins(text, TCP))
        return parse_tcp(text + strlen(TCP), l, fault);
    if (begins(text, HTTP))
        return parse_http(text + strlen(HTTP), false, l, fault);
    if (begins(text, HTTPS))
        return parse_http(text + strlen(HTTPS), true, l, fault);
    if (begins(text, COMMAND))
        return parse_command(text + strlen(COMMAND), l, fault);
    return fault_set(fault, ERR_USAGE, "only files, folders, FIFOs, tcp:HOST:PORT, http(s)://... and cmd:... can be shared");
}
