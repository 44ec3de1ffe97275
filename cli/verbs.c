/* The one table of verbs: parsing, --help, completions and the man pages' synopsis and options are made from it. */
#include "verbs.h"

#include <string.h>

#define DRY_RUN                                                                                 \
    {                                                                                           \
        "dry-run", NULL, "Change nothing, say what would be done", COMPLETE_NOTHING, 'n', false \
    }

static const struct option globals[] = {
    {"home", "DIR", "The state folder of the node to use; default $WEFT_HOME, else by XDG", COMPLETE_FOLDER, 0, false},
    {"json", NULL, "Print JSON as weft-json(5) describes it", COMPLETE_NOTHING, 0, false},
    {"quiet", NULL, "No progress and no messages but errors", COMPLETE_NOTHING, 'q', false},
    {"verbose", NULL, "Say more; twice: still more", COMPLETE_NOTHING, 'v', true},
    {"color", "auto|always|never", "Colours; auto: on a terminal, unless NO_COLOR is set", COMPLETE_CHOICE, 0, false},
    {"help", NULL, "Show the verb's help", COMPLETE_NOTHING, 'h', false},
    {"version", NULL, "Show the version", COMPLETE_NOTHING, 0, false},
    {.name = NULL},
};

static const struct option none[] = {{.name = NULL}};
static const struct option dry_run[] = {DRY_RUN, {.name = NULL}};

static const struct option up[] = {
    {"name", "NAME", "The node's name; default: the one of before, else the host's", COMPLETE_NOTHING, 0, false},
    {"listen", "ENDPOINT", "Listen there, such as tcp://*:9339; default: every interface, a free port", COMPLETE_NOTHING, 0,
     true},
    {"peer", "ENDPOINT", "A node to begin with, as ENDPOINT or ID@ENDPOINT", COMPLETE_NOTHING, 0, true},
    {"interface", "IF", "Use only this network interface", COMPLETE_NOTHING, 0, true},
    {"no-beacon", NULL, "Neither send nor hear beacons on the local network", COMPLETE_NOTHING, 0, false},
    {"beacon-port", "N", "UDP port of the beacons; default 9338", COMPLETE_NOTHING, 0, false},
    {"role", "relay,hub", "Also serve others as a relay, a hub, or both", COMPLETE_NOTHING, 0, true},
    {"relay-sessions", "N", "As a relay: how many sessions one client may have at once; default 64", COMPLETE_NOTHING, 0,
     false},
    {"relay-bytes", "N[KMGT]", "As a relay: how much one client may have carried while its reservation lasts; default no limit",
     COMPLETE_NOTHING, 0, false},
    {"relay-rate", "N[KMGT]", "As a relay: how much of that a second; default no limit", COMPLETE_NOTHING, 0, false},
    {"base-cache", "N[KMGT]", "How much to remember of files of peers, for putting them anew; default 32G, 0: nothing",
     COMPLETE_NOTHING, 0, false},
    {"detach", NULL, "Return as soon as the node is ready; it goes on in the background", COMPLETE_NOTHING, 0, false},
    {.name = NULL},
};

static const struct option ping[] = {
    {"count", "N", "How many to send; default 4", COMPLETE_NOTHING, 'c', false},
    {.name = NULL},
};

static const struct option invite[] = {
    {"expire", "TIME", "How long the ticket is good, such as 30s, 10m or 1h; default 10m", COMPLETE_NOTHING, 0, false},
    {.name = NULL},
};

static const struct option trust[] = {
    {"yes", NULL, "Do not ask: the fingerprint has been compared", COMPLETE_NOTHING, 'y', false},
    {.name = NULL},
};

static const struct option share[] = {
    {"as", "NAME", "The share's name; default: the last part of PATH; a TARGET needs one", COMPLETE_NOTHING, 0, false},
    {"to", "PEER,...", "Only these peers may read it; default: every trusted peer", COMPLETE_PEER, 0, true},
    {"public", NULL, "Anyone on the network may read it, trusted or not", COMPLETE_NOTHING, 0, false},
    {"writable", NULL, "Those who may read it may also change it", COMPLETE_NOTHING, 0, false},
    {"via", "SERVER,...", "Also offer it at these relays, to those who cannot reach this node", COMPLETE_PEER, 0, true},
    DRY_RUN,
    {.name = NULL},
};

static const struct option ls[] = {
    {"long", NULL, "With mode, size and time, or with kind, size and audience", COMPLETE_NOTHING, 'l', false},
    {"recursive", NULL, "Also what lies in folders, however deep", COMPLETE_NOTHING, 'R', false},
    {.name = NULL},
};

static const struct option get[] = {
    {"if-exists", "refuse|skip|rename|overwrite", "What to do about a file that is already there; default refuse",
     COMPLETE_CHOICE, 0, false},
    DRY_RUN,
    {.name = NULL},
};

static const struct option put[] = {
    {"if-exists", "skip|rename|overwrite", "What to do about a file that is already there; default overwrite", COMPLETE_CHOICE,
     0, false},
    DRY_RUN,
    {.name = NULL},
};

static const struct option status[] = {
    {"forget", NULL, "Forget what is remembered of files of peers, and free its space", COMPLETE_NOTHING, 0, false},
    {.name = NULL},
};

#define TRANSPORT                                                                                       \
    {                                                                                                   \
        "transport", "any|tcp|ipc|ws", "Only by this transport; default any", COMPLETE_CHOICE, 0, false \
    }
#define PROPAGATE                                                                                           \
    {                                                                                                       \
        "propagate", NULL, "A propagate pipe: every listener gets each message", COMPLETE_NOTHING, 0, false \
    }
#define WAIT                                                                                                         \
    {                                                                                                                \
        "wait", "TIME", "How long somebody may take to bind it, such as 30s; default 5s", COMPLETE_NOTHING, 0, false \
    }

static const struct option pipe_listen[] = {
    {"shared", NULL, "Bind NAME for all: any trusted node may, and one takes over from another", COMPLETE_NOTHING, 0, false},
    PROPAGATE,
    TRANSPORT,
    {"to", "PEER,...", "Only these peers may use it; default: every trusted peer", COMPLETE_PEER, 0, true},
    {"public", NULL, "Anyone on the network may use it, trusted or not", COMPLETE_NOTHING, 0, false},
    {"rank", "N", "Of several that bind a shared pipe the lowest is taken, 0 to 255; default 0", COMPLETE_NOTHING, 0, false},
    {"once", NULL, "End when the first sender has sent all", COMPLETE_NOTHING, 0, false},
    {"keep", NULL, "Go on listening after a byte stream has ended", COMPLETE_NOTHING, 0, false},
    {.name = NULL},
};

static const struct option pipe_send[] = {PROPAGATE, TRANSPORT, WAIT, {.name = NULL}};
static const struct option pipe_connect[] = {
    {"listen", "ADDR:PORT", "Listen there, and make a stream of each connection; port 0: a free one", COMPLETE_NOTHING, 0,
     false},
    {"once", NULL, "With --listen: take one connection, and end with it", COMPLETE_NOTHING, 0, false},
    TRANSPORT,
    WAIT,
    {.name = NULL},
};
static const struct option pipe_resolve[] = {PROPAGATE, TRANSPORT, {.name = NULL}};

static const struct option help[] = {
    {"man", "FILE", "Print the man page that FILE is the template of", COMPLETE_FILE, 0, false},
    {.name = NULL},
};

#define MANY 4096

static const struct verb verbs[] = {
    {"up", "", 0, 0, "start a node", up, COMPLETE_NOTHING, cli_verb_up},
    {"down", "", 0, 0, "stop the node", none, COMPLETE_NOTHING, cli_verb_down},
    {"status", "", 0, 0, "show the running node", status, COMPLETE_NOTHING, cli_verb_status},
    {"peers", "", 0, 0, "list the nodes that are known", none, COMPLETE_NOTHING, cli_verb_peers},
    {"id", "", 0, 0, "show this node's id and fingerprint", none, COMPLETE_NOTHING, cli_verb_id},
    {"doctor", "[PEER]", 0, 1, "find out what is wrong, and what to do", none, COMPLETE_PEER, cli_verb_doctor},
    {"ping", "PEER", 1, 1, "measure the way to a peer", ping, COMPLETE_PEER, cli_verb_ping},
    {"invite", "", 0, 0, "make a ticket for a new peer", invite, COMPLETE_NOTHING, cli_verb_invite},
    {"join", "[TICKET]", 0, 1, "use a ticket", none, COMPLETE_NOTHING, cli_verb_join},
    {"trust", "PEER", 1, 1, "trust a peer whose fingerprint was compared", trust, COMPLETE_PEER, cli_verb_trust},
    {"untrust", "PEER", 1, 1, "trust a peer no longer", none, COMPLETE_PEER, cli_verb_untrust},
    {"share", "PATH|TARGET", 1, 1, "offer a file, a folder or a service", share, COMPLETE_FILE, cli_verb_share},
    {"unshare", "NAME", 1, 1, "offer it no longer", dry_run, COMPLETE_SHARE, cli_verb_unshare},
    {"ls", "[PEER[:SHARE[/PATH]]]", 0, 1, "list peers, shares and files", ls, COMPLETE_SOURCE, cli_verb_ls},
    {"get", "PEER:SHARE[/PATH]... [DEST]", 1, MANY, "fetch files and folders", get, COMPLETE_SOURCE, cli_verb_get},
    {"put", "FILE... PEER:SHARE[/PATH]", 2, MANY, "send files and folders, of what is there only what changed", put,
     COMPLETE_TARGET, cli_verb_put},
    {"pipe listen", "NAME", 1, 1, "bind a pipe, and print what comes", pipe_listen, COMPLETE_NOTHING, cli_verb_pipe_listen},
    {"pipe send", "PIPE [MESSAGE...]", 1, MANY, "send messages, or the lines of standard input", pipe_send, COMPLETE_PIPE,
     cli_verb_pipe_send},
    {"pipe connect", "PIPE", 1, 1, "make a byte stream to whoever listens on a pipe", pipe_connect, COMPLETE_PIPE,
     cli_verb_pipe_connect},
    {"pipe ls", "[PEER]", 0, 1, "list the pipes that are bound", none, COMPLETE_PEER, cli_verb_pipe_ls},
    {"pipe resolve", "PIPE", 1, 1, "find out who has a pipe bound, and where", pipe_resolve, COMPLETE_PIPE,
     cli_verb_pipe_resolve},
    {"help", "[VERB]", 0, 2, "show help", help, COMPLETE_VERB, cli_verb_help},
    {"version", "", 0, 0, "show the version", none, COMPLETE_NOTHING, cli_verb_version},
    {"completion", "bash|zsh|fish", 1, 1, "print a shell's completions", none, COMPLETE_CHOICE, cli_verb_completion},
};

const struct verb *verbs_at(size_t i)
{
    return i < sizeof verbs / sizeof *verbs ? &verbs[i] : NULL;
}

const struct verb *verbs_find(const char *name)
{
    for (size_t i = 0; verbs_at(i); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

bool verbs_is_group(const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; verbs_at(i); i++)
        if (strncmp(verbs[i].name, word, n) == 0 && verbs[i].name[n] == ' ')
            return true;
    return false;
}

const struct option *verbs_globals(void)
{
    return globals;
}
