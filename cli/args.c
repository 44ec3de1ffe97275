/* Parsing of the command line, in two passes over the same walk.
 *
 * Which options exist depends on the verb, and the verb may stand behind options. So the first word that is neither an option
 * nor the value of a global one is the verb; options before it are global or an error. */
#include "args.h"

#include "log.h"
#include "suggest.h"
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    struct args *args;
    char **next, **end;
    struct fault *why;
    bool only_words;   /* behind "--" */
    const char *group; /* "pipe", while its second word is awaited */
};

#define SHOWN 96

static bool is_option(const struct option *o, char letter, const char *name, size_t n)
{
    return name ? strlen(o->name) == n && memcmp(o->name, name, n) == 0 : o->letter == letter;
}

/* The table's option of that name (its first n bytes) or, without a name, of that letter. */
static const struct option *find_in(const struct option *options, char letter, const char *name, size_t n)
{
    for (; options->name; options++)
        if (is_option(options, letter, name, n))
            return options;
    return NULL;
}

static const struct option *find_option(const struct args *args, char letter, const char *name, size_t n)
{
    const struct option *found = args->verb ? find_in(args->verb->options, letter, name, n) : NULL;

    return found ? found : find_in(verbs_globals(), letter, name, n);
}

static int unknown_option(const struct walk *w, const char *typed, size_t n)
{
    char name[SHOWN], shown[SHOWN];
    struct suggest near = {.typed = name};

    size_t kept = n < sizeof name ? n : sizeof name - 1;
    memcpy(name, typed, kept);
    name[kept] = '\0';
    escape(typed, n, shown, sizeof shown);
    if (n > 2) {
        for (const struct option *o = verbs_globals(); o->name; o++)
            suggest_consider(&near, o->name);
        for (const struct option *o = w->args->verb ? w->args->verb->options : NULL; o && o->name; o++)
            suggest_consider(&near, o->name);
    }
    if (near.best)
        return fault_set(w->why, ERR_USAGE, "no option --%s; did you mean --%s?", shown, near.best);
    if (!w->args->verb)
        return fault_set(w->why, ERR_USAGE, "no option %s%s before the verb", n > 1 ? "--" : "-", shown);
    return fault_set(w->why, ERR_USAGE, "no option %s%s for %s", n > 1 ? "--" : "-", shown, w->args->verb->name);
}

static int unknown_verb(const struct walk *w, const char *typed)
{
    char shown[SHOWN];
    struct suggest near = {.typed = typed};

    escape(typed, strlen(typed), shown, sizeof shown);
    for (size_t i = 0; verbs_at(i); i++)
        suggest_consider(&near, verbs_at(i)->name);
    if (near.best)
        return fault_set(w->why, ERR_USAGE, "no verb %s; did you mean %s?", shown, near.best);
    return fault_set(w->why, ERR_USAGE, "no verb %s; weft help lists them", shown);
}

static void keep(struct args *args, const struct option *option, const char *value)
{
    args->given[args->given_count++] = (struct given){option, value};
}

/* The value that stands behind its option, as the next argument. */
static int next_value(struct walk *w, const struct option *option)
{
    if (w->next == w->end)
        return fault_set(w->why, ERR_USAGE, "--%s needs a value: %s", option->name, option->value);
    keep(w->args, option, *w->next++);
    return 0;
}

static int take_long(struct walk *w, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);
    const struct option *option = find_option(w->args, 0, text, n);

    if (!option)
        return unknown_option(w, text, n);
    if (!option->value && equals)
        return fault_set(w->why, ERR_USAGE, "--%s takes no value", option->name);
    if (option->value && !equals)
        return next_value(w, option);
    keep(w->args, option, option->value ? equals + 1 : NULL);
    return 0;
}

static int take_short(struct walk *w, const char *text)
{
    for (; *text; text++) {
        const struct option *option = find_option(w->args, *text, NULL, 0);
        if (!option)
            return unknown_option(w, text, 1);
        if (option->value && !text[1])
            return next_value(w, option);
        keep(w->args, option, option->value ? text + 1 : NULL);
        if (option->value)
            return 0;
    }
    return 0;
}

static int take_second(struct walk *w, const char *word)
{
    char name[SHOWN];
    size_t a = strlen(w->group), b = strlen(word);

    if (a + 1 + b < sizeof name) {
        memcpy(name, w->group, a);
        name[a] = ' ';
        memcpy(name + a + 1, word, b + 1);
        w->args->verb = verbs_find(name);
        if (!w->args->verb)
            return unknown_verb(w, name);
    }
    w->group = NULL;
    return w->args->verb ? 0 : unknown_verb(w, word);
}

static int take_word(struct walk *w, const char *word)
{
    if (w->args->verb) {
        w->args->words[w->args->word_count++] = word;
        return 0;
    }
    if (w->group)
        return take_second(w, word);
    if (verbs_is_group(word)) {
        w->group = word;
        return 0;
    }
    w->args->verb = verbs_find(word);
    return w->args->verb ? 0 : unknown_verb(w, word);
}

static int take(struct walk *w, const char *text)
{
    if (w->only_words || text[0] != '-' || !text[1])
        return take_word(w, text);
    if (strcmp(text, "--") == 0) {
        w->only_words = true;
        return 0;
    }
    return text[1] == '-' ? take_long(w, text + 2) : take_short(w, text + 1);
}

static int check_words(const struct args *args, struct fault *why)
{
    const struct verb *verb = args->verb;
    char shown[SHOWN];

    if (!verb || args_has(args, "help") || args_has(args, "version"))
        return 0;
    if (args->word_count < verb->words_min)
        return fault_set(why, ERR_USAGE, "%s needs %s", verb->name, verb->words);
    if (args->word_count <= verb->words_max)
        return 0;
    const char *extra = args->words[verb->words_max];
    escape(extra, strlen(extra), shown, sizeof shown);
    return fault_set(why, ERR_USAGE, "%s is one word too many for %s", shown, verb->name);
}

int args_parse(struct args *args, int argc, char **argv, struct fault *why)
{
    struct walk w = {.args = args, .next = argv + (argc > 0), .end = argv + argc, .why = why};
    size_t letters = 1;

    *args = (struct args){0};
    for (char **arg = w.next; arg < w.end; arg++)
        letters += strlen(*arg); /* joined short flags: one argument may hold as many options as letters */
    args->given = calloc(letters, sizeof *args->given);
    args->words = calloc((size_t)argc + 1, sizeof *args->words);
    if (!args->given || !args->words)
        return fault_set(why, ERR_NOMEM, "out of memory");
    while (w.next < w.end) {
        int code = take(&w, *w.next++);
        if (code)
            return code;
    }
    if (w.group && !args_has(args, "help"))
        return fault_set(why, ERR_USAGE, "%s needs a second word; weft help lists them", w.group);
    return check_words(args, why);
}

void args_fini(struct args *args)
{
    free(args->given);
    free(args->words);
    *args = (struct args){0};
}

size_t args_count(const struct args *args, const char *option)
{
    size_t n = 0;

    for (size_t i = 0; i < args->given_count; i++)
        n += strcmp(args->given[i].option->name, option) == 0;
    return n;
}

bool args_has(const struct args *args, const char *option)
{
    return args_count(args, option) > 0;
}

const char *args_value(const struct args *args, const char *option, const char *fallback)
{
    for (size_t i = args->given_count; i-- > 0;)
        if (strcmp(args->given[i].option->name, option) == 0)
            return args->given[i].value;
    return fallback;
}

const char **args_values(const struct args *args, const char *option)
{
    size_t n = args_count(args, option), k = 0;
    const char **values = n ? calloc(n + 1, sizeof *values) : NULL;

    for (size_t i = 0; values && i < args->given_count; i++)
        if (strcmp(args->given[i].option->name, option) == 0)
            values[k++] = args->given[i].value;
    return values;
}

const char *args_word(const struct args *args, size_t i)
{
    return i < args->word_count ? args->words[i] : NULL;
}
