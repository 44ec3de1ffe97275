/* The command line: what a verb accepts, and what was given.
 *
 * Options may stand anywhere, before or after the verb and between its words; "--" ends them. Short flags may be joined
 * (-lR), a value may be joined (-c3, --count=3) or follow. What a verb accepts is data (struct verb, in verbs.c), from which
 * the parser, the help, the man pages and the completions are made. */
#ifndef WEFT_CLI_ARGS_H
#define WEFT_CLI_ARGS_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;

/* What a shell may offer for a value or a word. COMPLETE_CHOICE: the choices stand in the synopsis, as in "auto|never". */
enum complete {
    COMPLETE_NOTHING,
    COMPLETE_CHOICE,
    COMPLETE_FILE,
    COMPLETE_FOLDER,
    COMPLETE_VERB,
    COMPLETE_PEER,   /* names of peers */
    COMPLETE_SHARE,  /* own shares */
    COMPLETE_SOURCE, /* PEER:SHARE, then files */
    COMPLETE_TARGET, /* files, and PEER:SHARE that may be written to */
    COMPLETE_PIPE,   /* PEER:NAME, and shared names */
};

struct option {
    const char *name;
    const char *value; /* what its argument is called; NULL: a flag */
    const char *help;  /* one sentence, without the full stop */
    enum complete complete;
    char letter; /* 0: none */
    bool repeats;
};

struct verb {
    const char *name;  /* one word or two */
    const char *words; /* synopsis of its words, such as "PEER:SHARE[/PATH]... [DEST]" */
    size_t words_min, words_max;
    const char *summary;          /* one line, without the full stop */
    const struct option *options; /* ends with one without a name */
    enum complete complete;       /* of its words */
    int (*run)(struct cli *cli);
};

struct given {
    const struct option *option;
    const char *value; /* NULL for a flag */
};

struct args {
    const struct verb *verb; /* NULL: none was named */
    struct given *given;
    size_t given_count;
    const char **words; /* what is neither option nor verb */
    size_t word_count;
};

/* Parses argv[1..]; the strings are borrowed, args_fini is due in any case. ERR_USAGE with a sentence for the person. When
 * help or version are asked for, missing words are no error. */
int args_parse(struct args *args, int argc, char **argv, struct fault *why);
void args_fini(struct args *args);

bool args_has(const struct args *args, const char *option);
size_t args_count(const struct args *args, const char *option);
/* The last value given, or the fallback. */
const char *args_value(const struct args *args, const char *option, const char *fallback);
/* All values, NULL-terminated; NULL when there are none. Gives the array (free). */
const char **args_values(const struct args *args, const char *option);
/* The i-th word, or NULL. */
const char *args_word(const struct args *args, size_t i);

#endif
