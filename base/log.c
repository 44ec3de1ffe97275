/* Log lines. See log.h.
 *
 * Does not say when something happened: its sink, or what reads the sink's file, does. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1024

void log_write(const struct log *log, enum log_level level, const char *module, const char *fmt, ...)
{
    if (!log || !log->sink || level > log->level)
        return;
    char raw[2 * LINE_BYTES], line[LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    log->sink(log->arg, level, module, escape_line(raw, n < 0 ? 0 : strlen(raw), line, sizeof line));
}

const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR: return "error";
    case LOG_WARN: return "warn";
    case LOG_INFO: return "info";
    case LOG_DEBUG: return "debug";
    }
    return "unknown";
}

void log_to_file(void *arg, enum log_level level, const char *module, const char *line)
{
    FILE *file = arg;
    fprintf(file, "%s %s: %s\n", log_level_name(level), module, line);
    fflush(file);
}
