/* Formatting never rounds up into a number that its unit does not reach: 1023.9 KiB is 1.00 MiB, not 1024 KiB. */
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct units_text units_size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct units_text text;
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(text.s, sizeof text.s, "%" PRIu64 " B", bytes);
        return text;
    }
    while (value >= 1023.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    int places = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(text.s, sizeof text.s, "%.*f %s", places, value, units[unit]);
    return text;
}

/* "1,234,567" */
static void put_thousands(uint64_t n, char *out, size_t cap)
{
    char digits[24];
    size_t count = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;

    for (size_t i = 0; i < count && at + 2 < cap; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

struct units_text units_ratio(uint64_t whole, uint64_t part)
{
    struct units_text text;
    double ratio = (double)whole / (double)(part ? part : 1);
    char number[28];

    if (ratio < 9.95)
        snprintf(number, sizeof number, "%.1f", ratio);
    else
        put_thousands((uint64_t)(ratio + 0.5), number, sizeof number);
    snprintf(text.s, sizeof text.s, "%s:1", number);
    return text;
}

struct units_text units_duration(uint64_t us)
{
    struct units_text text;

    if (us >= 59950000)
        return units_seconds(us / 1000000);
    if (us < 1000)
        snprintf(text.s, sizeof text.s, "%" PRIu64 " us", us);
    else if (us < 999950)
        snprintf(text.s, sizeof text.s, "%.1f ms", (double)us / 1e3);
    else
        snprintf(text.s, sizeof text.s, "%.1f s", (double)us / 1e6);
    return text;
}

struct units_text units_seconds(uint64_t s)
{
    struct units_text text;

    if (s < 60)
        snprintf(text.s, sizeof text.s, "%" PRIu64 " s", s);
    else if (s < 3600)
        snprintf(text.s, sizeof text.s, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text.s, sizeof text.s, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    else
        snprintf(text.s, sizeof text.s, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
    return text;
}

struct units_text units_clock(uint64_t s)
{
    struct units_text text;

    if (s < 3600)
        snprintf(text.s, sizeof text.s, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
    else
        snprintf(text.s, sizeof text.s, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60, s % 60);
    return text;
}

struct units_text units_time(int64_t seconds)
{
    struct units_text text;
    time_t t = (time_t)seconds;
    struct tm tm;

    if (!localtime_r(&t, &tm) || strftime(text.s, sizeof text.s, "%Y-%m-%d %H:%M", &tm) == 0)
        snprintf(text.s, sizeof text.s, "%" PRId64, seconds);
    return text;
}

struct units_text units_mode(const char *kind, uint64_t mode)
{
    struct units_text text = {{0}};

    text.s[0] = '-';
    if (strcmp(kind, "dir") == 0)
        text.s[0] = 'd';
    else if (strcmp(kind, "link") == 0)
        text.s[0] = 'l';
    else if (strcmp(kind, "file") != 0)
        text.s[0] = '?';
    for (unsigned i = 0; i < 9; i++)
        text.s[1 + i] = "-rwxrwxrwx"[mode & (0400u >> i) ? 1 + i : 0];
    return text;
}

static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86400;
    default: return 0;
    }
}

bool units_parse_duration(const char *text, int64_t *seconds)
{
    const int64_t most = INT64_C(1) << 53;
    int64_t sum = 0;

    if (units_parse_int(text, 0, most, seconds))
        return true;
    if (!*text)
        return false;
    while (*text) {
        char *end;
        if (*text < '0' || *text > '9')
            return false;
        errno = 0;
        int64_t n = strtoll(text, &end, 10);
        int64_t unit = unit_seconds(*end);
        if (errno || !unit || n > (most - sum) / unit)
            return false;
        sum += n * unit;
        text = end + 1;
    }
    *seconds = sum;
    return true;
}

bool units_parse_size(const char *text, uint64_t *bytes)
{
    static const char letters[] = "KMGT";
    const uint64_t most = UINT64_C(1) << 60;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    const char *letter = *end ? strchr(letters, *end) : NULL;
    unsigned shift = letter ? 10u * (unsigned)(letter - letters + 1) : 0;
    if (errno || (*end && (!letter || end[1])) || n > most >> shift)
        return false;
    *bytes = (uint64_t)n << shift;
    return true;
}

bool units_parse_int(const char *text, int64_t least, int64_t most, int64_t *value)
{
    char *end;

    if (*text != '-' && (*text < '0' || *text > '9'))
        return false;
    errno = 0;
    int64_t n = strtoll(text, &end, 10);
    if (errno || *end || n < least || n > most)
        return false;
    *value = n;
    return true;
}
