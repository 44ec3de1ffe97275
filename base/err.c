/* Codes, their names, and the faults that carry a sentence. See err.h. */
#include "err.h"

#include "escape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
} codes[ERR_COUNT] = {
    [ERR_OK] = {"ok", "no error"},
    [ERR_NOMEM] = {"out-of-memory", "out of memory"},
    [ERR_USAGE] = {"usage", "wrong usage"},
    [ERR_MALFORMED] = {"malformed", "malformed data"},
    [ERR_LIMIT] = {"limit", "over a limit"},
    [ERR_STATE] = {"wrong-state", "not allowed now"},
    [ERR_NOT_FOUND] = {"not-found", "not found"},
    [ERR_REFUSED] = {"refused", "refused"},
    [ERR_UNREACHABLE] = {"unreachable", "cannot be reached"},
    [ERR_TIMEOUT] = {"timeout", "no answer in time"},
    [ERR_EXISTS] = {"exists", "already exists"},
    [ERR_NOSPACE] = {"no-space", "no space left"},
    [ERR_IO] = {"io", "input/output error"},
    [ERR_DENIED] = {"denied", "permission denied"},
    [ERR_CHANGED] = {"changed", "changed while it was read"},
    [ERR_VERIFY] = {"verify", "verification failed"},
    [ERR_FULL] = {"full", "busy, try again later"},
    [ERR_CANCELLED] = {"cancelled", "cancelled"},
    [ERR_PARTIAL] = {"partial", "done in part"},
    [ERR_DAMAGED] = {"damaged", "damaged state on disk"},
    [ERR_LOCKED] = {"locked", "in use by another process"},
    [ERR_NO_NODE] = {"no-node", "no node is running"},
    [ERR_UNSUPPORTED] = {"unsupported", "not supported"},
    [ERR_GUARD] = {"guard", "stopped by a safety guard"},
};

const char *err_name(int code)
{
    return code >= 0 && code < ERR_COUNT ? codes[code].name : "unknown";
}

const char *err_text(int code)
{
    return code >= 0 && code < ERR_COUNT ? codes[code].text : "unknown error";
}

int err_from_name(const char *name)
{
    for (int code = 0; code < ERR_COUNT; code++)
        if (strcmp(codes[code].name, name) == 0)
            return code;
    return ERR_MALFORMED;
}

int err_from_errno(int errnum)
{
    switch (errnum) {
    case ENOMEM: return ERR_NOMEM;
    case ENOENT:
    case ENOTDIR:
    case ESTALE: return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_DENIED;
    case EEXIST:
    case ENOTEMPTY: return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT: return ERR_NOSPACE;
    case EMFILE:
    case ENFILE:
    case ENOBUFS: return ERR_FULL;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case ECANCELED: return ERR_CANCELLED;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH: return ERR_UNREACHABLE;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT: return ERR_UNSUPPORTED;
    default: return ERR_IO;
    }
}

/* Formats into `f`, with ": reason" behind it when there is one. */
static void fault_format(struct fault *f, int code, const char *reason, const char *fmt, va_list args)
    __attribute__((format(printf, 4, 0)));

static void fault_format(struct fault *f, int code, const char *reason, const char *fmt, va_list args)
{
    char raw[2 * FAULT_TEXT]; /* longer than what is kept, so that the cut and its dots come from escape_line */
    int n = vsnprintf(raw, sizeof raw, fmt, args);
    size_t len = n < 0 ? 0 : strlen(raw);
    if (reason)
        snprintf(raw + len, sizeof raw - len, ": %s", reason);
    f->code = (enum err)code;
    escape_line(raw, strlen(raw), f->text, sizeof f->text);
}

int fault_set(struct fault *f, int code, const char *fmt, ...)
{
    if (!f)
        return code;
    va_list args;
    va_start(args, fmt);
    fault_format(f, code, NULL, fmt, args);
    va_end(args);
    return code;
}

int fault_errno(struct fault *f, int errnum, const char *fmt, ...)
{
    int code = err_from_errno(errnum);
    if (!f)
        return code;
    char space[128];
    const char *reason = strerror_r(errnum, space, sizeof space);
    va_list args;
    va_start(args, fmt);
    fault_format(f, code, reason, fmt, args);
    va_end(args);
    return code;
}
