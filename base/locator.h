/* What a share leads to when that is no file: a service, a URL or a command, as the text that a person wrote.
 *
 *   tcp:HOST:PORT         HOST is a name, an IPv4 address, or an IPv6 address in brackets
 *   http://HOST[:PORT]... or https://...; neither user nor password: they would be seen by whoever lists shares
 *   cmd:WORD WORD ...     words in blanks, '...', "..." and with backslashes, as in a shell; nothing is expanded, and what a
 *                         shell would take as more than a word is refused unless it is quoted
 *
 * Nothing in here looks at the network or at files. */
#ifndef WEFT_BASE_LOCATOR_H
#define WEFT_BASE_LOCATOR_H

#include "msg.h"

#define LOCATOR_HOST_MAX 253  /* bytes of a name in the DNS */
#define LOCATOR_WORDS_MAX 256 /* of a command */

struct locator {
    enum resource_kind kind;         /* TCP, HTTP, COMMAND */
    char host[LOCATOR_HOST_MAX + 1]; /* TCP, HTTP: without brackets */
    uint16_t port;
    bool tls;                       /* HTTP */
    uint16_t count;                 /* COMMAND: words, 1 or more; the first is not empty */
    char words[PATH_BYTES_MAX + 1]; /* each with its NUL, one after the other */
};

/* Does it begin as one of these does, well formed or not? Paths do not. */
bool locator_is(const char *text);
/* ERR_USAGE with a sentence for a person. */
int locator_parse(const char *text, struct locator *l, struct fault *fault);
/* The words of a command, NULL behind the last: into `l`. */
void locator_argv(const struct locator *l, const char *argv[LOCATOR_WORDS_MAX + 1]);
/* The text of a command, with `program` in the place of its first word. ERR_LIMIT. */
int locator_command(const struct locator *l, const char *program, char out[PATH_BYTES_MAX + 1]);

#endif
