/* The grammar is scp's: what stands before the first colon is the peer, unless a slash comes earlier. What it means is for the
 * node to find out; here only the form is checked, so that a typing error costs no round trip. */
#include "target.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 160

bool target_is_remote(const char *text)
{
    size_t n = strcspn(text, ":/");

    return n > 0 && text[n] == ':';
}

/* Copies a path without empty and "." components. False for "..". */
static bool normalise(const char *path, char *out)
{
    char *start = out;

    while (*path) {
        size_t n = strcspn(path, "/");
        bool skip = n == 0 || (n == 1 && path[0] == '.');
        if (n == 2 && memcmp(path, "..", 2) == 0)
            return false;
        if (!skip) {
            if (out > start)
                *out++ = '/';
            memcpy(out, path, n);
            out += n;
        }
        path += n + (path[n] == '/');
    }
    *out = '\0';
    return true;
}

static int wrong(struct fault *why, const char *text, const char *what)
{
    char shown[SHOWN];

    return fault_set(why, ERR_USAGE, "%s: %s", escape(text, strlen(text), shown, sizeof shown), what);
}

static void find_name(struct target *t)
{
    const char *slash = strrchr(t->path, '/');

    t->name = slash ? slash + 1 : *t->path ? t->path : t->share;
}

int target_parse_loose(const char *text, struct target *t, struct fault *why)
{
    size_t peer = strcspn(text, ":/");
    const char *rest = text[peer] == ':' ? text + peer + 1 : text + peer;
    size_t share = strcspn(rest, "/");
    const char *path = rest + share;

    *t = (struct target){.peer = strndup(text, peer), .share = strndup(rest, share), .path = strdup(path)};
    if (!t->peer || !t->share || !t->path)
        return fault_set(why, ERR_NOMEM, "out of memory");
    if (text[peer] == '/' || !peer)
        return wrong(why, text, "this is no peer; write PEER or PEER:SHARE/PATH");
    if (!share && *path)
        return wrong(why, text, "the share's name is missing; write PEER:SHARE/PATH");
    if (!normalise(path, t->path))
        return wrong(why, text, "\"..\" leads nowhere in a share");
    if (asprintf(&t->text, "%s%s%s%s%s", t->peer, share ? ":" : "", t->share, *t->path ? "/" : "", t->path) < 0) {
        t->text = NULL;
        return fault_set(why, ERR_NOMEM, "out of memory");
    }
    find_name(t);
    return 0;
}

int target_parse(const char *text, struct target *t, struct fault *why)
{
    *t = (struct target){0};
    if (!target_is_remote(text))
        return wrong(why, text, "this is a path on this machine; get fetches from a peer: PEER:SHARE/PATH");
    int code = target_parse_loose(text, t, why);
    if (code == 0 && !*t->share)
        return wrong(why, text, "which share? write PEER:SHARE; weft ls PEER lists them");
    return code;
}

void target_fini(struct target *t)
{
    free(t->peer);
    free(t->share);
    free(t->path);
    free(t->text);
    *t = (struct target){0};
}
