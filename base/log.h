/* The log of one node.
 *
 * A log is a value that its owner passes on, never a global. Lines go to one sink with level, module and text. Names, paths and
 * texts from peers pass through `escape` (escape.h) before they reach a log or a terminal. File content never does. */
#ifndef WEFT_BASE_LOG_H
#define WEFT_BASE_LOG_H

#include "escape.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
    enum log_level level; /* lines above it are not made */
    void (*sink)(void *arg, enum log_level level, const char *module, const char *line);
    void *arg;
};

/* One line; `log` may be NULL (silent). The text passes escape_line as a whole, newlines included. */
void log_write(const struct log *log, enum log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
const char *log_level_name(enum log_level level);

/* A sink that writes "level module: line" to the FILE * in arg. */
void log_to_file(void *arg, enum log_level level, const char *module, const char *line);

#endif
