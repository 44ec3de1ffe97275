/* Questions to the person at the terminal. Ask only when cli_is_terminal (cli->in). */
#ifndef WEFT_CLI_PROMPT_H
#define WEFT_CLI_PROMPT_H

#include "cli.h"

/* Asks on err and reads a line from in. True for "y" or "yes". */
bool prompt_yes(struct cli *cli, const char *question);

/* Reads one line, without its end and the blanks around it. With `question` it asks first, and a terminal shows nothing of
 * what is typed. Gives the line (free); NULL at end of input. */
char *prompt_line(struct cli *cli, const char *question);

#endif
