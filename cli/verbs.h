/* The table of verbs. */
#ifndef WEFT_CLI_VERBS_H
#define WEFT_CLI_VERBS_H

#include "args.h"

/* The i-th verb in the order of the help, or NULL behind the last. */
const struct verb *verbs_at(size_t i);
/* The verb of exactly that name ("ls", "pipe resolve"), or NULL. */
const struct verb *verbs_find(const char *name);
/* Is this the first word of a verb of two words? */
bool verbs_is_group(const char *word);
/* The options that every verb takes; ends with one without a name. */
const struct option *verbs_globals(void);

int cli_verb_up(struct cli *cli);
int cli_verb_down(struct cli *cli);
int cli_verb_status(struct cli *cli);
int cli_verb_peers(struct cli *cli);
int cli_verb_id(struct cli *cli);
int cli_verb_doctor(struct cli *cli);
int cli_verb_ping(struct cli *cli);
int cli_verb_invite(struct cli *cli);
int cli_verb_join(struct cli *cli);
int cli_verb_trust(struct cli *cli);
int cli_verb_untrust(struct cli *cli);
int cli_verb_share(struct cli *cli);
int cli_verb_unshare(struct cli *cli);
int cli_verb_ls(struct cli *cli);
int cli_verb_get(struct cli *cli);
int cli_verb_put(struct cli *cli);
int cli_verb_pipe_listen(struct cli *cli);
int cli_verb_pipe_send(struct cli *cli);
int cli_verb_pipe_connect(struct cli *cli);
int cli_verb_pipe_ls(struct cli *cli);
int cli_verb_pipe_resolve(struct cli *cli);
int cli_verb_help(struct cli *cli);
int cli_verb_version(struct cli *cli);
int cli_verb_completion(struct cli *cli);

#endif
