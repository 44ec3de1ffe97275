/* The prose of a man page is written by hand, in mdoc(7); what the table of verbs says is never written twice. */
#include "man.h"

#include "err.h"
#include "exits.h"
#include "verbs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAN_DATE "November 21, 2026"

/* Text of the table inside mdoc: a backslash and a leading dot or quote would be markup. */
static void put_text(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else
            putc(*text, out);
    }
}

static void put_title(FILE *out, const char *name, bool capitals)
{
    for (; *name; name++)
        putc(*name == ' ' ? '-' : capitals ? toupper((unsigned char)*name) : *name, out);
}

/* A hyphen of an option's name is a minus. */
static void put_flag(FILE *out, const struct option *o, const char *letter_first)
{
    if (o->letter)
        fprintf(out, "Fl %c%s", o->letter, letter_first);
    if (o->letter && !*letter_first)
        return;
    fputs("Fl -", out);
    for (const char *c = o->name; *c; c++)
        fprintf(out, "%s%c", *c == '-' ? "\\" : "", *c);
}

static void put_synopsis_option(FILE *out, const struct option *o)
{
    fputs(".Op ", out);
    put_flag(out, o, "");
    if (o->value)
        fprintf(out, " Ar %s", o->value);
    fputs(o->repeats ? " ...\n" : "\n", out);
}

/* The words of a synopsis: "[DEST]" is optional, all else is an argument. */
static void put_synopsis_words(FILE *out, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        if (words[0] == '[' && words[n - 1] == ']')
            fprintf(out, ".Op Ar %.*s\n", (int)n - 2, words + 1);
        else
            fprintf(out, ".Ar %.*s\n", (int)n, words);
        words += n + (words[n] == ' ');
    }
}

static void put_head(FILE *out, const struct verb *verb)
{
    fprintf(out, ".Dd %s\n.Dt WEFT-", MAN_DATE);
    put_title(out, verb->name, true);
    fputs(" 1\n.Os weft\n.Sh NAME\n.Nm weft-", out);
    put_title(out, verb->name, false);
    fprintf(out, "\n.Nd %s\n.Sh SYNOPSIS\n.Nm weft %s\n", verb->summary, verb->name);
    for (const struct option *o = verb->options; o->name; o++)
        put_synopsis_option(out, o);
    put_synopsis_words(out, verb->words);
}

static void put_options(FILE *out, const struct option *options)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (const struct option *o = options; o->name; o++) {
        fputs(".It ", out);
        put_flag(out, o, " , ");
        if (o->value)
            fprintf(out, " Ar %s", o->value);
        putc('\n', out);
        put_text(out, o->help);
        fprintf(out, ".%s\n", o->repeats && o->value ? "\nMay be given more than once." : "");
    }
    fputs(".El\n", out);
}

static void put_verbs(FILE *out)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (size_t i = 0; verbs_at(i); i++) {
        fputs(".It Xr weft-", out);
        put_title(out, verbs_at(i)->name, false);
        fputs(" 1\n", out);
        putc(toupper((unsigned char)verbs_at(i)->summary[0]), out);
        put_text(out, verbs_at(i)->summary + 1);
        fputs(".\n", out);
    }
    fputs(".El\n", out);
}

/* Is the number one of those in " 0 1 3"? None listed: all are. */
static bool listed(const char *list, int number)
{
    char *end;

    if (!*list)
        return true;
    for (; *list; list = end) {
        if (strtol(list, &end, 10) == number)
            return true;
        if (end == list)
            break;
    }
    return false;
}

static void put_exit_status(FILE *out, const char *list)
{
    fputs(".Sh EXIT STATUS\n.Bl -tag -width 3n -compact\n", out);
    for (size_t i = 0; exits_meaning(i); i++)
        if (listed(list, exits_meaning(i)->status))
            fprintf(out, ".It %d\n%s\n", exits_meaning(i)->status, exits_meaning(i)->text);
    fputs(".El\n", out);
}

static int put_part(FILE *out, const struct verb *verb, const char *part)
{
    static const char exits[] = "exit-status";

    if (strcmp(part, "head") == 0 && verb)
        put_head(out, verb);
    else if (strcmp(part, "options") == 0 && verb)
        put_options(out, verb->options);
    else if (strcmp(part, "date") == 0)
        fprintf(out, ".Dd %s\n", MAN_DATE);
    else if (strcmp(part, "globals") == 0)
        put_options(out, verbs_globals());
    else if (strcmp(part, "verbs") == 0)
        put_verbs(out);
    else if (strncmp(part, exits, strlen(exits)) == 0)
        put_exit_status(out, part + strlen(exits));
    else
        return ERR_MALFORMED;
    return 0;
}

int man_expand(FILE *template, const struct verb *verb, FILE *out)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int code = 0;

    while (code == 0 && (n = getline(&line, &room, template)) > 0) {
        if (line[0] != '@') {
            fwrite(line, 1, (size_t)n, out);
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        code = put_part(out, verb, line + 1);
    }
    free(line);
    return code ? code : ferror(template) || ferror(out) ? ERR_IO : 0;
}
