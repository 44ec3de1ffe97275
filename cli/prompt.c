/* Reading from a person. */
#include "prompt.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

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

/* TCSAFLUSH drops what was typed before the question, so that it cannot be answered by accident. */
static char *read_hidden(struct cli *cli)
{
    int fd = fileno(cli->in);
    struct termios old;

    if (fd < 0 || tcgetattr(fd, &old))
        return read_line(cli->in);
    struct termios quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &quiet);
    char *line = read_line(cli->in);
    tcsetattr(fd, TCSAFLUSH, &old);
    putc('\n', cli->err);
    return line;
}

char *prompt_line(struct cli *cli, const char *question)
{
    if (!question)
        return read_line(cli->in);
    fputs(question, cli->err);
    fflush(cli->err);
    return read_hidden(cli);
}

bool prompt_yes(struct cli *cli, const char *question)
{
    fprintf(cli->err, "%s [y/N] ", question);
    fflush(cli->err);
    char *line = read_line(cli->in);
    bool yes = line && (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0);
    free(line);
    return yes;
}
