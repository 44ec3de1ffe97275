/* The table of exits.h. Errors without a line here end with EXITS_ERROR. */
#include "exits.h"

#include "err.h"

static const unsigned char by_code[ERR_COUNT] = {
    [ERR_USAGE] = EXITS_USAGE,    [ERR_UNREACHABLE] = EXITS_UNREACHABLE, [ERR_REFUSED] = EXITS_REFUSED,
    [ERR_DENIED] = EXITS_REFUSED, [ERR_PARTIAL] = EXITS_PARTIAL,         [ERR_NOT_FOUND] = EXITS_NOT_FOUND,
    [ERR_VERIFY] = EXITS_VERIFY,  [ERR_DAMAGED] = EXITS_VERIFY,          [ERR_NOSPACE] = EXITS_NOSPACE,
    [ERR_GUARD] = EXITS_GUARD,    [ERR_TIMEOUT] = EXITS_TIMEOUT,         [ERR_CANCELLED] = EXITS_INTERRUPTED,
};

static const struct exits_meaning meanings[] = {
    {EXITS_DONE, "Done."},
    {EXITS_ERROR, "An error that has no status of its own; also: no node is running."},
    {EXITS_USAGE, "The command line makes no sense."},
    {EXITS_UNREACHABLE, "The peer cannot be reached, or went away."},
    {EXITS_REFUSED, "Refused: rights, trust, a wrong key or a wrong ticket."},
    {EXITS_PARTIAL, "Some items failed; the others are done."},
    {EXITS_NOT_FOUND, "No such peer, share, path or pipe."},
    {EXITS_VERIFY, "Content did not verify, or stored state is damaged."},
    {EXITS_NOSPACE, "No space left."},
    {EXITS_GUARD, "Stopped by a safety guard."},
    {EXITS_TIMEOUT, "No answer in time."},
    {EXITS_CONFLICTS, "Conflicts are left; nothing is lost."},
    {EXITS_INTERRUPTED, "Interrupted; the same command goes on where this one stopped."},
};

int exits_of(const char *name)
{
    int code = name ? err_from_name(name) : ERR_MALFORMED;

    return by_code[code] ? by_code[code] : EXITS_ERROR;
}

const struct exits_meaning *exits_meaning(size_t i)
{
    return i < sizeof meanings / sizeof *meanings ? &meanings[i] : NULL;
}
