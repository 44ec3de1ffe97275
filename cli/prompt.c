/* Reading from a person. */
#include "prompt.h"

#include "exits.h"
#include "interrupt.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static char *read_line(FILE *in)
{
    char buffer[LINE_MAX_BYTES];

    if (!fgets(buffer, sizeof buffer, in))
        return NULL;
    char *start = buffer + strspn(buffer, " \t\r\n");
    size_t n = strlen(start);
    while (n && isspace((unsigned char)start[n - 1]))
        n--;
    return strndup(start, n);
}

static char *ask(struct cli *cli, const char *question)
{
    fputs(question, cli->err);
    fflush(cli->err);
    return read_line(cli->in);
}

struct hidden {
    int fd;
    struct termios before;
};

/* Ctrl-C at the question: the terminal is left as it was. */
static void leave(void *arg)
{
    struct hidden *hidden = arg;

    tcsetattr(hidden->fd, TCSAFLUSH, &hidden->before);
    _exit(EXITS_INTERRUPTED);
}

/* The terminal is quiet before the question stands there. TCSAFLUSH drops what was typed until then, so that nothing is
 * answered by accident. */
static char *ask_hidden(struct cli *cli, const char *question)
{
    struct hidden hidden = {.fd = fileno(cli->in)};
    struct interrupt interrupt = {.stop = leave, .arg = &hidden};

    if (hidden.fd < 0 || tcgetattr(hidden.fd, &hidden.before) || interrupt_start(&interrupt))
        return NULL;
    struct termios quiet = hidden.before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(hidden.fd, TCSAFLUSH, &quiet);
    char *line = ask(cli, question);
    tcsetattr(hidden.fd, TCSAFLUSH, &hidden.before);
    interrupt_finish(&interrupt);
    putc('\n', cli->err);
    return line;
}

char *prompt_line(struct cli *cli, const char *question)
{
    return question ? ask_hidden(cli, question) : read_line(cli->in);
}

bool prompt_yes(struct cli *cli, const char *question)
{
    char *line = ask(cli, question);
    bool yes = line && (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0);

    free(line);
    return yes;
}
