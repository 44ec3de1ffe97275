/* The completion script for fish: a line for every verb, option and word. fish quotes what a command prints. */
#include "complete.h"
#include "verbs.h"

#include <string.h>

static void put_quoted(FILE *out, const char *text)
{
    putc('\'', out);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putc('\\', out);
        putc(*text, out);
    }
    putc('\'', out);
}

/* What may stand for a value or a word. */
static void put_what(FILE *out, enum complete complete, const char *choices)
{
    if (complete_names(complete)) {
        fprintf(out, " -a '(weft completion %s 2>/dev/null)'", complete_names(complete));
    } else if (complete == COMPLETE_FOLDER) {
        fputs(" -a '(__fish_complete_directories)'", out);
    } else if (complete == COMPLETE_CHOICE) {
        fputs(" -a '", out);
        complete_put_choices(out, choices);
        putc('\'', out);
    } else if (complete == COMPLETE_VERB) {
        fputs(" -a '", out);
        for (size_t i = 0; verbs_at(i); i++)
            fprintf(out, "%s%s", i ? " " : "", strchr(verbs_at(i)->name, ' ') ? "" : verbs_at(i)->name);
        putc('\'', out);
    }
    if (complete == COMPLETE_FILE || complete == COMPLETE_SOURCE || complete == COMPLETE_TARGET)
        fputs(" -F", out);
}

/* The group in which the word is a second one, such as "pipe" for "ls". NULL: none. */
static const struct verb *second_in(const char *word)
{
    for (size_t i = 0; verbs_at(i); i++) {
        const char *second = strchr(verbs_at(i)->name, ' ');
        if (second && strcmp(second + 1, word) == 0)
            return verbs_at(i);
    }
    return NULL;
}

static void put_seen(FILE *out, const char *before, const char *name)
{
    fprintf(out, "%s__fish_seen_subcommand_from %.*s", before, (int)strcspn(name, " "), name);
}

/* "complete -c weft", when the verb (NULL: any) has been typed. */
static void put_start(FILE *out, const struct verb *verb)
{
    fputs("complete -c weft", out);
    if (!verb)
        return;
    const char *second = strchr(verb->name, ' ');
    const struct verb *other = second ? NULL : second_in(verb->name);
    put_seen(out, " -n '", verb->name);
    if (second)
        put_seen(out, "; and ", second + 1);
    if (other)
        put_seen(out, "; and not ", other->name);
    putc('\'', out);
}

/* The second word of a verb, when the first stands there and none of its seconds. */
static void put_second(FILE *out, const struct verb *verb, const char *second)
{
    size_t n = (size_t)(second - verb->name);

    put_seen(out, "complete -c weft -n '", verb->name);
    fputs("; and not __fish_seen_subcommand_from", out);
    for (size_t i = 0; verbs_at(i); i++)
        if (strncmp(verbs_at(i)->name, verb->name, n + 1) == 0)
            fprintf(out, " %s", verbs_at(i)->name + n + 1);
    fprintf(out, "' -a %s -d ", second + 1);
    put_quoted(out, verb->summary);
    putc('\n', out);
}

static void put_options(FILE *out, const struct verb *verb, const struct option *options)
{
    for (const struct option *o = options; o->name; o++) {
        put_start(out, verb);
        if (o->letter)
            fprintf(out, " -s %c", o->letter);
        fprintf(out, " -l %s", o->name);
        if (o->value)
            fputs(o->complete == COMPLETE_FILE ? " -r" : " -x", out);
        put_what(out, o->complete, o->value);
        fputs(" -d ", out);
        put_quoted(out, o->help);
        putc('\n', out);
    }
}

static void put_words(FILE *out, const struct verb *verb)
{
    const char *second = strchr(verb->name, ' ');

    if (second)
        put_second(out, verb, second);
    if (verb->complete == COMPLETE_NOTHING)
        return;
    put_start(out, verb);
    put_what(out, verb->complete, verb->words);
    putc('\n', out);
}

void complete_fish(FILE *out)
{
    struct complete_first first;

    fputs("# Completion for weft in fish. Made by: weft completion fish\n\ncomplete -c weft -f\n", out);
    for (size_t i = 0; complete_first(i, &first); i++) {
        fprintf(out, "complete -c weft -n __fish_use_subcommand -a %.*s -d ", (int)first.length, first.word);
        put_quoted(out, first.verb ? first.verb->summary : "more verbs");
        putc('\n', out);
    }
    put_options(out, NULL, verbs_globals());
    for (size_t i = 0; verbs_at(i); i++) {
        put_words(out, verbs_at(i));
        put_options(out, verbs_at(i), verbs_at(i)->options);
    }
}
