/* Completion scripts for bash, zsh and fish, made from the table of verbs.
 *
 * The scripts ask `weft completion peers|shares|sources|targets|pipes` for names, one a line. Names come from other people: the
 * scripts never let a shell expand them, and quote what they insert. */
#ifndef WEFT_CLI_COMPLETE_H
#define WEFT_CLI_COMPLETE_H

#include "args.h"

#include <stdio.h>

void complete_bash(FILE *out);
void complete_zsh(FILE *out);
void complete_fish(FILE *out);

/* ---- what the three share */

/* "auto|always|never" with blanks for bars. */
void complete_put_choices(FILE *out, const char *choices);
/* The i-th first word of the verbs, each once; NULL behind the last. Gives the verb it stands for, or NULL for a group's
 * word. */
struct complete_first {
    const char *word;
    size_t length;
    const struct verb *verb;
};
bool complete_first(size_t i, struct complete_first *first);
/* What `weft completion` is asked for, for names of peers, shares, sources, targets and pipes; NULL for the others. */
const char *complete_names(enum complete complete);

#endif
