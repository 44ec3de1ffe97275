/* What the files of the openings (openings.h) share. Nothing else includes this.
 *
 * openings.c takes the requests, and hears what happens around them. opening.c has the life of one opening, demands.c that of a
 * request for it, which may have to wait for a place or for its turn. Each kind of request has a file: opening_file.c (FILE),
 * indexes.c (INDEX), gathers.c (GATHER), commits.c (COMMIT), literals.c (LITERALS) and puts_in.c (PUT); gather_budget.c says
 * what may still be built for a peer. */
#ifndef WEFT_NODE_OPENINGS_INTERNAL_H
#define WEFT_NODE_OPENINGS_INTERNAL_H

#include "openings.h"
#include "take.h"

#define KEY_TEXT (BASE32_CHARS(TAG_BYTES) + 1)

/* What one peer has had done here. It outlives its openings until the budget is whole again: coming back is no way to more. */
struct account {
    struct account *next;
    struct node_id id;
    unsigned openings;
    struct bucket budget; /* bytes that may be built for it now */
    uint64_t served;      /* the latest turn that was its */
};

enum opening_state {
    OPENING_NEW,     /* its FILE is not answered yet */
    OPENING_OPEN,    /* its handle is good */
    OPENING_ENDING,  /* to be closed as soon as nothing in work uses it */
    OPENING_CLOSING, /* a worker closes it; then it is freed, or new again while its FILE waits */
    OPENING_STATES
};

#define NO_LITERALS UINT64_MAX

struct opening {
    struct opening *next;
    struct core *core;
    struct peer *peer;
    struct account *account;
    link_no link; /* that its handle holds for */
    uint64_t handle;
    struct state state;
    bool write;
    char share[NAME_MAX_BYTES + 1];
    char *shared;          /* what that stood for: another thing under this name is another share */
    char *root, *path;     /* as files_place says */
    char *shown;           /* SHARE/PATH, as the peer says it */
    struct demand *demand; /* in work for it, or NULL */
    unsigned uses;         /* as the source of gathers in work */
    struct timer idle;
    struct gather_job *closer; /* the job that closes it, made beforehand; NULL once it is out */
    struct site site;          /* write; dir_fd -1 while it is not open */
    struct source source;      /* else; fd -1 */
    struct index *index;       /* that was made of it, or NULL */
    char key[KEY_TEXT];        /* of the gather in this place for this peer */
    struct gather *gather;     /* NULL: none has begun */
    struct gather_watch watch;
    uint64_t end;           /* of what has been built */
    uint64_t literals;      /* bytes that have come for it, or NO_LITERALS */
    uint64_t literals_used; /* of these */
    bool keep;              /* they are good for another attempt */
    bool over;              /* a step failed, or the last one is done: none follows */
};

/* Why a demand is not in work yet. */
enum wait { WAIT_NOT, WAIT_PLACE, WAIT_GATHER, WAIT_INDEX };

/* A request in work. Those of each kind begin with it. */
struct demand {
    struct demand *next; /* in order of arrival */
    struct core *core;
    const struct demand_kind *kind;
    struct peer *peer;
    link_no link; /* that the answer goes to; 0: lost */
    link_no used; /* see link_use */
    uint64_t number;
    enum wait wait;
    struct opening *opening;
    struct opening *source;   /* of a GATHER, or NULL */
    const struct site *place; /* that it waits for or, in a folder, writes to; or NULL */
    struct fault why;         /* why it is to stop; code 0: it is not */
};

struct demand_kind {
    size_t size;
    enum wait turn;                                               /* that it needs, or WAIT_NOT */
    bool takes;                                                   /* it fetches from its peer */
    void (*begin)(struct demand *d);                              /* it has waited for long enough */
    void (*stop)(struct demand *d);                               /* what is in work is to end soon; NULL: it does anyway */
    void (*look)(const struct demand *d, struct msg_progress *p); /* how far that is; NULL: nothing to tell */
    void (*drop)(struct demand *d);                               /* frees what it has besides; may be NULL */
};

struct openings {
    struct core *core;
    struct opening *first;
    struct demand *demands;
    struct account *accounts;
    struct index *indexes;
    uint64_t handles; /* given out so far */
    uint64_t turns;   /* given so far */
    struct timer beat, soon;
};

/* ---- one opening (opening.c) */

/* A new one for this share and path, counted against its peer. NULL, and the fault: over a cap, or out of memory. */
struct opening *opening_new(struct link *link, const struct share *share, const struct msg_file *file, struct fault *fault);
/* The one of this handle on this link, with its rights looked at, and nothing in work for it. NULL: the request was refused. */
struct opening *opening_for(struct link *link, const struct msg *m, uint64_t handle);
/* The one of this handle on this link, whatever is in work for it, or NULL. */
struct opening *opening_find(const struct link *link, uint64_t handle);
/* As opening_for, and it was opened to write a file, of which no step has failed. */
struct opening *opening_to_build(struct link *link, const struct msg *m, uint64_t handle);
/* May the peer at its link still have it? Else the fault says why. */
bool opening_allowed(const struct opening *o, struct fault *fault);
/* It has come into being. */
void opening_ready(struct opening *o);
/* It is closed as soon as can be: what is in work for it is stopped for this reason. May free it. */
void opening_end(struct opening *o, const struct fault *why);
/* Something that used it has ended: it is closed, freed, or idle. May free it. */
void opening_release(struct opening *o);
/* Closes the file of a new one, whose FILE waits for the place. */
void opening_shut(struct opening *o);
/* A step towards the new file failed, or was the last: what has come for it is kept when it may be of use. */
void opening_step_over(struct opening *o, const struct fault *fault);
/* At the end of the core: closes what no worker has closed. */
void opening_abandon(struct opening *o);
/* What names a stage or a gather, by the place and the peer that it is for. */
void place_key(const char *context, const struct peer *peer, const struct site *place, char key[KEY_TEXT]);

/* Who else writes to this place? TAKEN: the fault says who. LEAVING: it is about to be free; who had it over an earlier link of
 * the same peer leaves it now. */
enum place_verdict { PLACE_FREE, PLACE_LEAVING, PLACE_TAKEN };
enum place_verdict place_look(const struct demand *d, const struct site *place, struct fault *fault);

/* ---- requests in work (demands.c) */

/* NULL: refused, out of memory. */
struct demand *demand_new(const struct demand_kind *kind, struct link *link, const struct msg *m, struct opening *o);
/* A message that answers it, to be filled in, for demand_answer; NULL: out of memory, and it has ended. */
struct msg *demand_message(struct demand *d, enum msg_type type);
/* Answers (takes m) and ends it. */
void demand_answer(struct demand *d, struct msg *m);
/* Ends it with this fault; with d->why when it was to stop. */
void demand_fail(struct demand *d, const struct fault *fault);
/* It is not wanted any more: it ends with this reason, at once where nothing is in work. What is complete by then counts. */
void demand_stop(struct demand *d, const struct fault *why);
/* At the end of the core: nothing is told, and the opening is left as it is. */
void demand_abandon(struct demand *d);
/* A row for this node's person: of what a peer puts, and where. */
struct demand_event {
    const char *state; /* "started", "done", "failed" */
    const char *name;  /* in the opening's folder, or "" */
    uint64_t bytes;
    const struct fault *fault; /* or NULL */
};
void demand_tell(const struct demand *d, const struct demand_event *event);
/* Fires every PROGRESS_EVERY_MS while anything is in work. */
void demands_beat(void *arg);
/* Those that wait may go on: they are looked at in a turn of their own. */
void demands_look_soon(struct core *core);
/* Begins all that may go on. */
void demands_look(void *arg);
/* How many of those that need this turn wait for it, or have it; of one account, or of all (NULL). */
unsigned demands_waiting(const struct openings *os, enum wait turn, const struct account *account);
unsigned demands_at_work(const struct openings *os, enum wait turn, const struct account *account);

/* May this peer have one more transfer for its puts? Else the request was refused. */
bool demands_may_take(struct link *link, const struct msg *m);
/* A JOB_GATHER or JOB_COMMIT for the opening of this demand. NULL: out of memory, and the demand has ended. */
struct gather_job *demand_job(struct demand *d, enum job_kind kind, void (*done)(struct job *job));

/* ---- what may be built (gather_budget.c) */

/* NULL: out of memory, or too many. */
struct account *account_of(struct openings *os, const struct node_id *id);
void account_limits(struct core *core, struct account *a, struct gather_limits *limits);
/* Takes that much from the budget. False: there is not, and *wait_ms how long it takes until there is. */
bool account_spend(struct core *core, struct account *a, uint64_t bytes, uint32_t *wait_ms);
/* It has sent so many bytes of literals. */
void account_credit(struct core *core, struct account *a, uint64_t bytes);
void accounts_free(struct openings *os);

/* ---- kinds of requests */

void file_on_request(struct link *link, const struct msg *m);
void index_on_request(struct link *link, const struct msg *m);
void put_on_request(struct link *link, const struct msg *m);
void literals_on_request(struct link *link, const struct msg *m);
void gather_on_request(struct link *link, const struct msg *m);
void commit_on_request(struct link *link, const struct msg *m);

/* Nobody fetches the index of this opening any more. */
void index_end(struct opening *o);
void indexes_free(struct openings *os);

#endif
