/* What a share leads to when that is no file: what is read and what is refused, with no doubt about where anything leads. */
#include "limits.h"
#include "locator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct locator l;
static struct fault fault;

static void assert_refused(const char *text)
{
    fault = (struct fault){0};
    if (locator_parse(text, &l, &fault) != ERR_USAGE || fault.code != ERR_USAGE || fault.text[0] == '\0')
        fail_msg("not refused: %s", text);
}

static void assert_host(const char *text, enum resource_kind kind, const char *host, unsigned port)
{
    if (locator_parse(text, &l, &fault) != 0)
        fail_msg("%s: %s", text, fault.text);
    assert_true(locator_is(text));
    assert_int_equal(l.kind, kind);
    assert_string_equal(l.host, host);
    assert_int_equal(l.port, port);
}

static void services(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "tcp:",        "tcp::80",          "tcp:host",      "tcp:host:",           "tcp:host:0",      "tcp:host:65536",
        "tcp:host:+1", "tcp:host:-1",      "tcp:host: 1",   "tcp:host:1 ",         "tcp:host:1x",     "tcp:host:000080",
        "tcp:h o:80",  "tcp:::1:80",       "tcp:[::1]",     "tcp:[::1]80",         "tcp:[::1]:",      "tcp:[::1:80",
        "tcp:[]:80",   "tcp:[1.2.3.4]:80", "tcp:[host]:80", "tcp:[fe80::1%lo]:80", "tcp:-h:80",       "tcp:a@b:80",
        "tcp:a/b:80",  "tcp:a:80:81",      "tcp:h\n:80",    "tcp:h\x1b:80",        "tcp:\xc3\xbc:80", "tcp:*:80",
        "TCP:host:80", "tcp//host:80",     "tcp://host:80",
    };
    assert_host("tcp:localhost:22", RESOURCE_TCP, "localhost", 22);
    assert_host("tcp:127.0.0.1:65535", RESOURCE_TCP, "127.0.0.1", 65535);
    assert_host("tcp:[2001:db8::1]:1", RESOURCE_TCP, "2001:db8::1", 1);
    assert_host("tcp:a-b_c.example:080", RESOURCE_TCP, "a-b_c.example", 80);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

static void hosts_are_at_most_as_long_as_in_the_dns(void **unused)
{
    (void)unused;
    char text[LOCATOR_HOST_MAX + 32] = "tcp:";
    memset(text + 4, 'h', LOCATOR_HOST_MAX);
    strcpy(text + 4 + LOCATOR_HOST_MAX, ":80");
    assert_int_equal(locator_parse(text, &l, &fault), 0);
    assert_int_equal(strlen(l.host), LOCATOR_HOST_MAX);
    strcpy(text + 4 + LOCATOR_HOST_MAX, "h:80");
    assert_refused(text);
}

static void urls(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "http://",       "http:///path",      "http://:80/",        "http://h:0/",      "http://h:65536/", "http://h:/",
        "http://u@h/",   "http://u:p@h/",     "http://@h/",         "http://h\\@evil/", "http://h#@evil/", "http://h/#a",
        "http://h/a b",  "http://h/\xc3\xbc", "http://h/\n",        "http://h/\"",      "http://h/<",      "http://h/{a}",
        "http://h/a\\b", "http://h/`",        "http://h/|",         "http://h/^",       "http://[::1/",    "http://[h]/",
        "http://h h/",   "ftp://h/",          "file:///etc/passwd", "HTTP://h/",        "http:/h/",        "https:h",
        "gopher://h/",   "http://h%2fevil/",  "http://*/",
    };
    assert_host("http://h", RESOURCE_HTTP, "h", 80);
    assert_false(l.tls);
    assert_host("https://example.org/a/b?c=d&e=%20@:", RESOURCE_HTTP, "example.org", 443);
    assert_true(l.tls);
    assert_host("http://[::1]:8080/", RESOURCE_HTTP, "::1", 8080);
    assert_host("http://h?x@y", RESOURCE_HTTP, "h", 80); /* behind the host an @ is an @ */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

static void assert_words(const char *text, const char *const *words)
{
    const char *argv[LOCATOR_WORDS_MAX + 1];
    if (locator_parse(text, &l, &fault) != 0)
        fail_msg("%s: %s", text, fault.text);
    assert_int_equal(l.kind, RESOURCE_COMMAND);
    locator_argv(&l, argv);
    size_t n = 0;
    for (; words[n]; n++)
        assert_string_equal(argv[n], words[n]);
    assert_int_equal(l.count, n);
    assert_null(argv[n]);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void commands(void **unused)
{
    (void)unused;
    assert_words("cmd:date", WORDS("date"));
    assert_words("cmd: \t/bin/date  -u\n", WORDS("/bin/date", "-u"));
    assert_words("cmd:a '' \"\" b", WORDS("a", "", "", "b"));
    assert_words("cmd:a 'b c'\"d e\"f\\ g", WORDS("a", "b cd ef g"));
    assert_words("cmd:a '\\' \"\\\"\\\\\\n\\$\"", WORDS("a", "\\", "\"\\\\n$"));
    assert_words("cmd:find / -name '*.c' \"a|b\" \\;", WORDS("find", "/", "-name", "*.c", "a|b", ";"));
    assert_words("cmd:a \xff\xfe ~ # = {x}", WORDS("a", "\xff\xfe", "~", "#", "=", "{x}"));
}

static void s18_nothing_that_only_a_shell_could_do(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "cmd:",      "cmd:   ",   "cmd:''",    "cmd:'' a",   "cmd:a | b", "cmd:a; b",   "cmd:a && b",
        "cmd:a > b", "cmd:a < b", "cmd:$HOME", "cmd:a $(b)", "cmd:a `b`", "cmd:ls *.c", "cmd:a?",
        "cmd:(a)",   "cmd:a &",   "cmd:'a",    "cmd:\"a",    "cmd:a\\",   "cmd:a \"\\", "cmd:a \"b\\\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

static void a_command_is_written_so_that_it_reads_the_same(void **unused)
{
    (void)unused;
    char out[PATH_BYTES_MAX + 1];
    assert_int_equal(locator_parse("cmd:printf \"it's\" '' 'a b' -x=1 '$(\\'", &l, &fault), 0);
    assert_int_equal(locator_command(&l, "/usr/bin/printf", out), 0);
    assert_string_equal(out, "cmd:/usr/bin/printf 'it'\\''s' '' 'a b' -x=1 '$(\\'");
    assert_words(out, WORDS("/usr/bin/printf", "it's", "", "a b", "-x=1", "$(\\"));
    assert_int_equal(locator_command(&l, "/a b/\xff'", out), 0);
    assert_words(out, WORDS("/a b/\xff'", "it's", "", "a b", "-x=1", "$(\\"));
}

static void s1_as_much_as_there_is_room_for_and_no_more(void **unused)
{
    (void)unused;
    static char text[PATH_BYTES_MAX + 2];
    char out[PATH_BYTES_MAX + 1];
    memset(text, 'x', PATH_BYTES_MAX);
    memcpy(text, "cmd:", 4);
    assert_int_equal(locator_parse(text, &l, &fault), 0);
    assert_int_equal(strlen(l.words), PATH_BYTES_MAX - 4);
    assert_int_equal(locator_command(&l, l.words, out), 0);
    assert_string_equal(out, text);
    text[PATH_BYTES_MAX] = 'x';
    assert_refused(text);
    text[PATH_BYTES_MAX] = '\0';
    memset(text + 4, '\'', PATH_BYTES_MAX - 5); /* an odd one would be open */
    text[4] = text[5] = '/';
    text[PATH_BYTES_MAX - 1] = '/';
    assert_int_equal(locator_parse(text, &l, &fault), 0);
    for (size_t i = 5; i < PATH_BYTES_MAX; i += 2) /* every word comes out longer than it went in */
        memcpy(text + i, "\\'", 2);
    text[PATH_BYTES_MAX] = '\0';
    assert_int_equal(locator_parse(text, &l, &fault), 0);
    assert_int_equal(locator_command(&l, "/x", out), 0);
    assert_int_equal(locator_parse("cmd:/x a", &l, &fault), 0);
    memset(text, '\'', PATH_BYTES_MAX);
    assert_int_equal(locator_command(&l, text, out), ERR_LIMIT);
}

static void words_are_counted(void **unused)
{
    (void)unused;
    char text[4 + 2 * LOCATOR_WORDS_MAX + 4] = "cmd:";
    for (size_t i = 0; i < LOCATOR_WORDS_MAX; i++)
        strcat(text, "a ");
    assert_int_equal(locator_parse(text, &l, &fault), 0);
    assert_int_equal(l.count, LOCATOR_WORDS_MAX);
    strcat(text, "a");
    assert_refused(text);
}

static void what_is_none_of_these(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"", "/", "/tcp:h:1", "tcp", "cmd", "file:/a", "udp:h:1", " tcp:h:1", "fifo:/a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_refused(bad[i]);
        assert_false(locator_is(bad[i]));
    }
    assert_true(locator_is("cmd:")); /* it begins as one, and is refused as one */
}

/* Whatever is read is inside its bounds, and a command is written and read again as what it was. */
static void random_texts(void **unused)
{
    (void)unused;
    static const char alphabet[] = "aZ09/:[]@#?%'\"\\ \t|;-._\xff";
    static const char *const begins[] = {"cmd:", "tcp:", "http://", "https://", ""};
    unsigned seed = 1;
    for (unsigned i = 0; i < 20000; i++) {
        char text[64], out[PATH_BYTES_MAX + 1];
        int n = snprintf(text, sizeof text, "%s", begins[i % 5]);
        for (int end = n + rand_r(&seed) % 24; n < end; n++)
            text[n] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        text[n] = '\0';
        if (locator_parse(text, &l, &fault) != 0 || l.kind != RESOURCE_COMMAND)
            continue;
        struct locator again;
        assert_int_equal(locator_command(&l, l.words, out), 0);
        assert_int_equal(locator_parse(out, &again, &fault), 0);
        assert_memory_equal(&again, &l, sizeof l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services),
        cmocka_unit_test(hosts_are_at_most_as_long_as_in_the_dns),
        cmocka_unit_test(urls),
        cmocka_unit_test(commands),
        cmocka_unit_test(s18_nothing_that_only_a_shell_could_do),
        cmocka_unit_test(a_command_is_written_so_that_it_reads_the_same),
        cmocka_unit_test(s1_as_much_as_there_is_room_for_and_no_more),
        cmocka_unit_test(words_are_counted),
        cmocka_unit_test(what_is_none_of_these),
        cmocka_unit_test(random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
