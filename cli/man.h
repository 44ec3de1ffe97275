/* Man pages: a template in mdoc(7) with the parts that the table of verbs knows put in. */
#ifndef WEFT_CLI_MAN_H
#define WEFT_CLI_MAN_H

#include "args.h"

#include <stdio.h>

/* Copies the template to out. A line of these is replaced:
 *   @head          .Dd, .Dt and .Os, NAME and SYNOPSIS (with a verb)
 *   @date          .Dd alone
 *   @options       the verb's options, as a list
 *   @globals       the options of every verb, as a list
 *   @verbs         all verbs with their summaries, as a list
 *   @exit-status   the whole section; with numbers behind it, only those statuses
 * `verb` may be NULL: then @head and @options are unknown. ERR_MALFORMED for an unknown @line; ERR_IO. */
int man_expand(FILE *template, const struct verb *verb, FILE *out);

#endif
