/* The completion script for bash.
 *
 * It looks at the line itself and not at COMP_WORDS, for bash breaks words at colons and PEER:SHARE has one. Names from the
 * node are compared in a loop: compgen -W would expand them, and a peer could call itself $(something). The first word of a put
 * is a file. */
#include "complete.h"
#include "verbs.h"

#include <string.h>

static const char head[] = "# Completion for weft in bash. Made by: weft completion bash\n"
                           "\n"
                           "_weft_add()\n"
                           "{\n"
                           "    local word quoted\n"
                           "    while IFS= read -r word; do\n"
                           "        [[ -n $word && $word == \"$cur\"* ]] || continue\n"
                           "        printf -v quoted %q \"$word\"\n"
                           "        COMPREPLY+=(\"$quoted\")\n"
                           "    done\n"
                           "}\n"
                           "\n"
                           "_weft()\n"
                           "{\n"
                           "    local line=${COMP_LINE:0:COMP_POINT} cur prev word skip= verb= kind= words= options= value= i\n"
                           "    local -a before\n"
                           "    cur=${line##*[[:space:]]}\n"
                           "    read -ra before <<< \"${line%\"$cur\"}\"\n"
                           "    prev=${before[${#before[@]} - 1]}\n"
                           "    COMPREPLY=()\n";

/* Finds the verb: the first word that is no option, and the second where the first is a group. */
static const char find_verb[] = "    for word in \"${before[@]:1}\"; do\n"
                                "        if [[ $skip ]]; then skip=; continue; fi\n"
                                "        case $word in\n"
                                "        --home | --color) skip=1 ;;\n"
                                "        -*) ;;\n"
                                "        *) case $verb in\n"
                                "            '') verb=$word ;;\n";

static const char verb_found[] = "            esac ;;\n"
                                 "        esac\n"
                                 "    done\n"
                                 "    case $verb in\n"
                                 "    '') kind=words words=$verbs ;;\n";

static const char tail[] =
    "    if [[ ! $value && $cur == -* ]]; then kind=words words=\"$options $globals\"; fi\n"
    "    case $kind in\n"
    "    words) _weft_add <<< \"${words// /$'\\n'}\" ;;\n"
    "    peers | shares | pipes) _weft_add < <(weft completion $kind 2>/dev/null) ;;\n"
    "    sources | targets)\n"
    "        compopt -o nospace 2>/dev/null\n"
    "        [[ $kind == targets && ! $cur && ${#before[@]} -lt 3 ]] || _weft_add < <(weft completion $kind 2>/dev/null)\n"
    "        [[ ${COMPREPLY[0]} ]] || { compopt +o nospace -o filenames 2>/dev/null\n"
    "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); } ;;\n"
    "    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "    folder) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
    "    esac\n"
    "    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
    "        for i in \"${!COMPREPLY[@]}\"; do COMPREPLY[i]=${COMPREPLY[i]#\"${cur%\"${cur##*:}\"}\"}; done\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -F _weft weft\n";

static void put_kind(FILE *out, enum complete complete, const char *choices)
{
    if (complete_names(complete)) {
        fprintf(out, " kind=%s", complete_names(complete));
    } else if (complete == COMPLETE_FILE || complete == COMPLETE_FOLDER) {
        fprintf(out, " kind=%s", complete == COMPLETE_FILE ? "file" : "folder");
    } else if (complete == COMPLETE_CHOICE) {
        fputs(" kind=words words='", out);
        complete_put_choices(out, choices);
        putc('\'', out);
    } else if (complete == COMPLETE_VERB) {
        fputs(" kind=words words=$verbs", out);
    }
}

static void put_option_names(FILE *out, const struct option *options)
{
    putc('\'', out);
    for (const struct option *o = options; o->name; o++)
        fprintf(out, "%s--%s", o == options ? "" : " ", o->name);
    putc('\'', out);
}

/* Patterns for "verb/option": what may stand behind an option that takes a value. */
static void put_values(FILE *out, const char *pattern, const struct option *options)
{
    for (const struct option *o = options; o->name; o++) {
        if (!o->value)
            continue;
        fprintf(out, "    %s/--%s) value=1 kind=", pattern, o->name);
        put_kind(out, o->complete, o->value);
        fputs(" ;;\n", out);
    }
}

static void put_verb(FILE *out, const struct verb *verb)
{
    fprintf(out, "    '%s') options=", verb->name);
    put_option_names(out, verb->options);
    put_kind(out, verb->complete, verb->words);
    fputs(" ;;\n", out);
}

static void put_seconds(FILE *out, const struct complete_first *group)
{
    fprintf(out, "    %.*s) kind=words words='", (int)group->length, group->word);
    for (size_t i = 0; verbs_at(i); i++)
        if (strncmp(verbs_at(i)->name, group->word, group->length) == 0 && verbs_at(i)->name[group->length] == ' ')
            fprintf(out, "%s ", verbs_at(i)->name + group->length + 1);
    fputs("' ;;\n", out);
}

static void put_first_words(FILE *out)
{
    struct complete_first first;

    fputs("    local verbs='", out);
    for (size_t i = 0; complete_first(i, &first); i++)
        fprintf(out, "%s%.*s", i ? " " : "", (int)first.length, first.word);
    fputs("'\n    local globals=", out);
    put_option_names(out, verbs_globals());
    putc('\n', out);
}

static void put_groups(FILE *out, const char *before, void (*put)(FILE *out, const struct complete_first *group))
{
    struct complete_first first;

    fputs(before, out);
    for (size_t i = 0; complete_first(i, &first); i++)
        if (!first.verb)
            put(out, &first);
}

static void put_second_follows(FILE *out, const struct complete_first *group)
{
    fprintf(out, "            %.*s) verb+=\" $word\" ;;\n", (int)group->length, group->word);
}

void complete_bash(FILE *out)
{
    char pattern[64];

    fputs(head, out);
    put_first_words(out);
    put_groups(out, find_verb, put_second_follows);
    put_groups(out, verb_found, put_seconds);
    for (size_t i = 0; verbs_at(i); i++)
        put_verb(out, verbs_at(i));
    fputs("    esac\n    case $verb/$prev in\n", out);
    put_values(out, "*", verbs_globals());
    for (size_t i = 0; verbs_at(i); i++) {
        snprintf(pattern, sizeof pattern, "'%s'", verbs_at(i)->name);
        put_values(out, pattern, verbs_at(i)->options);
    }
    fputs("    esac\n", out);
    fputs(tail, out);
}
