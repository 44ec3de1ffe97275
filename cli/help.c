/* --help and `weft help`: the short form. The long one is the man page (man.c). */
#include "help.h"

#include "exits.h"
#include "verbs.h"

#include <string.h>

#define HELP_COLUMN 32

static void append(struct help_text *text, const char *part)
{
    size_t n = strlen(text->s);

    snprintf(text->s + n, sizeof text->s - n, "%s", part);
}

static void append_option(struct help_text *text, const struct option *o)
{
    char part[120], flag[40];

    if (o->letter)
        snprintf(flag, sizeof flag, "-%c", o->letter);
    else
        snprintf(flag, sizeof flag, "--%s", o->name);
    snprintf(part, sizeof part, " [%s%s%s]%s", flag, o->value ? " " : "", o->value ? o->value : "", o->repeats ? "..." : "");
    append(text, part);
}

struct help_text help_usage(const struct verb *verb)
{
    struct help_text text = {"weft "};

    append(&text, verb->name);
    for (const struct option *o = verb->options; o->name; o++)
        append_option(&text, o);
    append(&text, *verb->words ? " " : "");
    append(&text, verb->words);
    return text;
}

static void print_options(FILE *out, const char *title, const struct option *options)
{
    if (options->name)
        fprintf(out, "\n%s:\n", title);
    for (const struct option *o = options; o->name; o++) {
        char left[80], letter[5] = "";
        if (o->letter)
            snprintf(letter, sizeof letter, "-%c,", o->letter);
        snprintf(left, sizeof left, "  %3s --%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
        const char *gap = strlen(left) < HELP_COLUMN ? "" : "\n";
        fprintf(out, "%-*s%s%*s%s\n", HELP_COLUMN, left, gap, *gap ? HELP_COLUMN : 0, "", o->help);
    }
}

int help_print_verb(FILE *out, const struct verb *verb)
{
    fprintf(out, "weft %s: %s\n\nusage: %s\n", verb->name, verb->summary, help_usage(verb).s);
    print_options(out, "options", verb->options);
    print_options(out, "options of every verb", verbs_globals());
    fprintf(out, "\nMore: man weft-%.*s%s%s\n", (int)strcspn(verb->name, " "), verb->name, strchr(verb->name, ' ') ? "-" : "",
            strchr(verb->name, ' ') ? strchr(verb->name, ' ') + 1 : "");
    return EXITS_DONE;
}

int help_print_all(FILE *out)
{
    fputs("weft: share files between your machines and your friends', directly and encrypted\n\n"
          "usage: weft VERB [OPTIONS] [WORDS]\n\nverbs:\n",
          out);
    for (size_t i = 0; verbs_at(i); i++)
        fprintf(out, "  %-14s %s\n", verbs_at(i)->name, verbs_at(i)->summary);
    print_options(out, "options of every verb", verbs_globals());
    fputs("\nTo begin: weft up on two machines of one network, then weft ls on either.\n"
          "More: weft help VERB, man weft\n",
          out);
    return EXITS_DONE;
}
