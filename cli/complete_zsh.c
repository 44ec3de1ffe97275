/* The completion script for zsh: one _arguments call a verb. compadd quotes what it inserts. */
#include "complete.h"
#include "verbs.h"

#include <string.h>

static const char head[] = "#compdef weft\n"
                           "# Completion for weft in zsh. Made by: weft completion zsh\n"
                           "\n"
                           "_weft_names()\n"
                           "{\n"
                           "    local -a names\n"
                           "    names=(\"${(@f)$(weft completion $1 2>/dev/null)}\")\n"
                           "    if [[ $1 == sources || $1 == targets ]]; then\n"
                           "        compadd -S '' -- \"${(@)names:#}\"\n"
                           "        _files\n"
                           "    else\n"
                           "        compadd -- \"${(@)names:#}\"\n"
                           "    fi\n"
                           "}\n"
                           "\n"
                           "_weft()\n"
                           "{\n"
                           "    local curcontext=$curcontext state line\n"
                           "    typeset -A opt_args\n";

/* Text inside single quotes, where a bracket would end a description. */
static void put_quoted(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", out);
        else if (strchr("[]\\", *text))
            putc('\\', out);
        putc(*text, out);
    }
}

/* The action behind the last colon of an _arguments spec. */
static void put_action(FILE *out, enum complete complete, const char *choices)
{
    if (complete_names(complete)) {
        fprintf(out, "{_weft_names %s}", complete_names(complete));
    } else if (complete == COMPLETE_FILE) {
        fputs("_files", out);
    } else if (complete == COMPLETE_FOLDER) {
        fputs("_files -/", out);
    } else if (complete == COMPLETE_CHOICE) {
        putc('(', out);
        complete_put_choices(out, choices);
        putc(')', out);
    } else if (complete == COMPLETE_VERB) {
        putc('(', out);
        for (size_t i = 0; verbs_at(i); i++)
            fprintf(out, "%s%s", i ? " " : "", strchr(verbs_at(i)->name, ' ') ? "" : verbs_at(i)->name);
        putc(')', out);
    }
}

static void put_option(FILE *out, const struct option *o)
{
    const char *equals = o->value ? "=" : "";

    if (o->letter && o->repeats)
        fprintf(out, " '*'{-%c%s,--%s%s}'[", o->letter, o->value ? "+" : "", o->name, equals);
    else if (o->letter)
        fprintf(out, " '(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter, o->value ? "+" : "", o->name, equals);
    else
        fprintf(out, " '%s--%s%s[", o->repeats ? "*" : "", o->name, equals);
    put_quoted(out, o->help);
    putc(']', out);
    if (o->value) {
        fputs(":value:", out);
        put_action(out, o->complete, o->value);
    }
    putc('\'', out);
}

static void put_options(FILE *out, const struct option *options)
{
    for (const struct option *o = options; o->name; o++)
        put_option(out, o);
}

static void put_arguments(FILE *out, const struct verb *verb)
{
    fputs(" _arguments", out);
    put_options(out, verbs_globals());
    put_options(out, verb->options);
    if (verb->words_max > 0) {
        fputs(" '*:word:", out);
        put_action(out, verb->complete, verb->words);
        putc('\'', out);
    }
    fputs(" ;;\n", out);
}

/* A group's second word is looked at in its turn. */
static void put_group(FILE *out, const struct complete_first *group)
{
    fputs(" if (( CURRENT == 2 )); then compadd --", out);
    for (size_t i = 0; verbs_at(i); i++)
        if (strncmp(verbs_at(i)->name, group->word, group->length) == 0 && verbs_at(i)->name[group->length] == ' ')
            fprintf(out, " %s", verbs_at(i)->name + group->length + 1);
    fputs("; return; fi\n        words=(\"${(@)words[2,-1]}\"); (( CURRENT-- ))\n        case $words[1] in\n", out);
    for (size_t i = 0; verbs_at(i); i++)
        if (strncmp(verbs_at(i)->name, group->word, group->length) == 0 && verbs_at(i)->name[group->length] == ' ') {
            fprintf(out, "        %s)", verbs_at(i)->name + group->length + 1);
            put_arguments(out, verbs_at(i));
        }
    fputs("        esac ;;\n", out);
}

static void put_first(FILE *out, const struct complete_first *first)
{
    fprintf(out, " '%.*s:", (int)first->length, first->word);
    put_quoted(out, first->verb ? first->verb->summary : "more verbs");
    putc('\'', out);
}

void complete_zsh(FILE *out)
{
    struct complete_first first;

    fputs(head, out);
    fputs("    local -a verbs=(", out);
    for (size_t i = 0; complete_first(i, &first); i++)
        put_first(out, &first);
    fputs(")\n    _arguments -C", out);
    put_options(out, verbs_globals());
    fputs(" '1:verb:->verb' '*::word:->words'\n    case $state in\n    verb) _describe verb verbs; return ;;\n    esac\n"
          "    case $line[1] in\n",
          out);
    for (size_t i = 0; complete_first(i, &first); i++) {
        fprintf(out, "    %.*s)", (int)first.length, first.word);
        if (first.verb)
            put_arguments(out, first.verb);
        else
            put_group(out, &first);
    }
    fputs("    esac\n}\n\nif [[ $funcstack[1] == _weft ]]; then _weft \"$@\"; else compdef _weft weft; fi\n", out);
}
