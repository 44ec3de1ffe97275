/* weft help [VERB], and weft help --man FILE [VERB], by which the build makes the man pages. */
#include "cli.h"
#include "exits.h"
#include "help.h"
#include "log.h"
#include "man.h"
#include "suggest.h"
#include "verbs.h"

#include <errno.h>
#include <string.h>

static int no_verb(struct cli *cli, const char *name)
{
    char shown[96];
    struct suggest near = {.typed = name};

    for (size_t i = 0; verbs_at(i); i++)
        suggest_consider(&near, verbs_at(i)->name);
    escape(name, strlen(name), shown, sizeof shown);
    if (near.best)
        return cli_fail(cli, ERR_USAGE, "no verb %s; did you mean %s?", shown, near.best);
    return cli_fail(cli, ERR_USAGE, "no verb %s; weft help lists them", shown);
}

static int print_man(struct cli *cli, const char *path, const struct verb *verb)
{
    char shown[160];
    FILE *template = fopen(path, "re");

    escape(path, strlen(path), shown, sizeof shown);
    if (!template)
        return cli_fail(cli, err_from_errno(errno), "%s: %s", shown, strerror(errno));
    int code = man_expand(template, verb, cli->out);
    fclose(template);
    return code ? cli_fail(cli, code, "%s: %s", shown, "not a template of a man page, or it cannot be read") : EXITS_DONE;
}

/* "pipe resolve" may come as two words. */
static const char *verb_name(const struct args *args, char *out, size_t cap)
{
    const char *a = args_word(args, 0), *b = args_word(args, 1);

    if (a)
        snprintf(out, cap, "%s%s%s", a, b ? " " : "", b ? b : "");
    return a ? out : NULL;
}

int cli_verb_help(struct cli *cli)
{
    char buffer[128];
    const char *name = verb_name(&cli->args, buffer, sizeof buffer);
    const char *template = args_value(&cli->args, "man", NULL);
    const struct verb *verb = name ? verbs_find(name) : NULL;

    if (name && !verb)
        return no_verb(cli, name);
    if (template)
        return print_man(cli, template, verb);
    return verb ? help_print_verb(cli->out, verb) : help_print_all(cli->out);
}
