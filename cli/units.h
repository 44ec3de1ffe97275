/* Sizes, times and numbers as people write and read them. */
#ifndef WEFT_CLI_UNITS_H
#define WEFT_CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* A short text, by value: printf("%s", units_size(n).s). */
struct units_text {
    char s[32];
};

/* "0 B", "512 B", "1.42 GiB": three significant digits, powers of 1024. */
struct units_text units_size(uint64_t bytes);
/* "2,604:1", "3.4:1": how much larger the whole is than the part; of a part of 0, as of one of 1. */
struct units_text units_ratio(uint64_t whole, uint64_t part);
/* "830 us", "45.1 ms", "2.1 s", "3 min 20 s", "2 h 5 min". */
struct units_text units_duration(uint64_t microseconds);
/* "0 s", "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h". */
struct units_text units_seconds(uint64_t seconds);
/* "0:07", "12:30", "2:03:04": a time still to come, rounded to seconds. */
struct units_text units_clock(uint64_t seconds);
/* "2026-11-21 11:44" in local time. */
struct units_text units_time(int64_t seconds);
/* "drwxr-xr-x"; kind as in a row: "dir", "link", "file", "other". */
struct units_text units_mode(const char *kind, uint64_t mode);

/* Reads "30s", "10m", "1h", "2d", "1h30m"; a number alone is seconds. False for anything else, also for more than 2^53. */
bool units_parse_duration(const char *text, int64_t *seconds);
/* Reads a size: a number of bytes, or of KiB, MiB, GiB or TiB with K, M, G or T behind it. False for anything else, also for
 * more than 2^60. */
bool units_parse_size(const char *text, uint64_t *bytes);
/* Reads a decimal number within the bounds. */
bool units_parse_int(const char *text, int64_t least, int64_t most, int64_t *value);

#endif
