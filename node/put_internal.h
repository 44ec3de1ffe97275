/* What the files of the verb put share. See put.h for who does what.
 *
 * A put goes through its sources one by one, and a source through units: finding its place, the update of a file, the sending
 * of a folder. A unit begins when there is a link to the peer, asks one thing at a time, and is begun anew over another link
 * when that one is lost; so what it does must do no harm the second time.
 *
 * Invariants: (1) what a put waits for is one of: its timer `again`, a reach, an ask, a base, a job, a take; all of them can be
 * let go at any time, and then nothing of them comes back (put_let_go); (2) handles belong to the link in hand, and are
 * zero without it; (3) a file in hand tries each way at most once, and in the order of enum put_way, so it comes to an end. */
#ifndef WEFT_NODE_PUT_INTERNAL_H
#define WEFT_NODE_PUT_INTERNAL_H

#include "parcels.h"
#include "put.h"
#include "remember.h"
#include "take.h"

struct put;

enum put_phase { PUT_CONNECTING, PUT_SURVEY, PUT_INDEX, PUT_FETCH, PUT_DIFF, PUT_SEND, PUT_GATHER, PUT_FINISH, PUT_PHASES };

struct put_sums {
    uint64_t files, bytes; /* that stand there now, those that did before included */
    uint64_t sent, reused; /* content bytes that crossed; and that the peer had */
    uint64_t wire;         /* all bytes, both ways */
    uint64_t present, skipped, failed;
};

/* Jobs outlive a put that does not want them any more: then nobody is told, and whoever is last frees. */
struct put_survey {
    struct survey_job job;
    struct core *core;
    struct put *put; /* NULL: not wanted any more */
    bool back;
};

struct put_diff { /* what a comparison found: also read by fetches of the literals, until they have ended */
    struct diff_job job;
    struct core *core;
    struct put *put; /* as above */
    unsigned users;  /* the job, the file in hand, a parcel */
    bool back;
    bool kept;      /* its files belong to a row */
    uint64_t token; /* of the source that it was compared with */
};

/* What stands ready for the peer. It ends before what it shows is freed. */
struct put_parcel {
    struct put *put;
    struct parcel *parcel;
    struct put_diff *diff; /* the regions of its view; or NULL */
    uint64_t sent, wire;   /* of the fetch in hand, as last seen */
    bool awaited;          /* somebody waits for its end */
    struct put_parcel *next_left;
};

/* The peer's index on its way here. */
struct put_taking {
    struct take *take;
    struct put *put; /* NULL: not wanted any more */
    char top[ENTRY_NAME_MAX + 1], key[BASE32_CHARS(TAG_BYTES) + 1];
    uint64_t wire;
};

enum put_way {
    PUT_BY_BASE,  /* compared with what is remembered of the file there, or of another one */
    PUT_BY_INDEX, /* with the peer's index of it */
    PUT_AS_WHOLE
};

struct put_file { /* the one in hand */
    char path[PATH_BYTES_MAX + 1];
    struct share_path at;
    struct file_state state; /* as surveyed */
    bool inside;             /* of a folder that is sent after it: what cannot be updated is left for then */
    enum put_way way;
    bool looked, has_base; /* at what is remembered of it */
    struct base_row base;
    uint64_t seed;
    struct msg_file_ok there;
    uint64_t opened_at;
    uint64_t destination, source; /* handles */
    uint64_t token;               /* of the source */
    struct put_diff *diff;
    uint64_t sent_before; /* of the sums, when it began */
    struct gather_limits limits;
    struct regions_cursor said, asked; /* how far the regions were said, and before the GATHER in work */
    struct regions_part part;          /* which that is */
    unsigned refused;                  /* GATHERs in a row */
};

/* What is begun when there is a link, and told when it fails for reasons that no other link would heal. */
struct put_unit {
    void (*begin)(struct put *p);
    void (*failed)(struct put *p, const struct fault *fault);
};

/* The peer's answer; that there is none goes another way (put_failed). */
typedef void put_answer(struct put *p, const struct msg *m);

#define PUT_ROUTES 256 /* characters; what does not fit is not told */
#define PEER_TEXT (NODE_ID_TEXT + NAME_MAX_BYTES + 1)

struct put {
    struct put *next_put;
    struct core *core;
    struct call *call;
    struct row *request;
    struct peer *peer;
    char peer_name[PEER_TEXT]; /* as the person wrote it */
    struct share_path at;      /* the target */
    enum file_kind target;     /* what it is, as far as known: NOTHING or DIR */
    enum if_exists policy;
    bool dry_run;
    uint64_t started;
    size_t next, sources, lost; /* source in hand, of so many, of which so many failed as a whole */
    struct fault last;
    struct put_sums sum;
    char route[PUT_ROUTES];
    /* what is told */
    struct timer tick;
    enum put_phase phase;
    uint64_t phase_done, phase_total;
    uint64_t files_done, files_total;
    /* the source in hand */
    struct put_survey *survey;
    char name[ENTRY_NAME_MAX + 1];
    struct share_path place; /* where it goes, once `placed` */
    bool placed;
    uint64_t folder;        /* handle of what it is put into */
    uint32_t next_file;     /* of a folder, to be updated */
    struct put_sums inside; /* what its updates came to: they are found to be present later */
    struct put_file file;
    struct put_parcel *parcel;
    struct put_parcel *left; /* taken back, and not over yet */
    struct put_taking *taking;
    /* put_carrier.c's */
    const struct put_unit *unit;
    put_answer *answer; /* of the request in work */
    struct timer again;
    struct timer wait; /* until `then` is called */
    void (*then)(struct put *p);
    struct fault pending; /* why the unit in hand fails, in a moment */
    link_no link, held;   /* in hand; a relayed one that is in use, or may be again */
    uint64_t link_bytes;  /* of the link in hand, counted already */
    uint64_t alive_at;    /* when something last went forward */
    uint64_t lost_at;     /* a link; 0: none was */
    uint64_t sending_at;  /* since when the parcel is fetched */
    unsigned barren;      /* attempts since something went forward */
    bool moved;           /* bytes went out beside it */
    bool better;          /* there is a connection beside the relayed link in hand: the next step takes it */
    bool settled;         /* no other way is tried any more: the better one did not do */
};

/* ---- put.c */

/* The source in hand is through; failed, unless fault is NULL. May free. */
void put_source_over(struct put *p, const struct fault *fault);
const char *put_source_text(const struct put *p, size_t *n);
void put_free(struct put *p);

/* ---- put_told.c: what is told, and counted */

void put_told_start(struct put *p);
void put_count(struct put *p); /* all that follows */
void put_count_link(struct put *p);
void put_count_parcel(struct put *p);
bool put_count_ready(struct put *p, struct put_parcel *ready); /* did more go? */
void put_add_route(struct put *p, const struct link *link);
void put_tell_item(struct put *p, const char *path, size_t n, const struct fault *fault);
/* One file that came to its end; or a folder, of so many. `base` is NULL where nothing was compared. */
struct put_told {
    const char *path;
    const struct share_path *at;
    const char *how, *base;
    uint64_t bytes, sent, reused, regions, files;
};
void put_tell_file(struct put *p, const struct put_told *told);
struct row *put_sums_row(const struct put *p, const char *kind);

/* ---- put_carrier.c */

void put_carrier_init(struct put *p);
/* The link in hand while it is up, or NULL. */
struct link *put_link(const struct put *p);
/* Begins a unit, over the link in hand or one that is to be found. */
void put_go(struct put *p, const struct put_unit *unit);
/* The unit in hand, from its beginning, over whatever is the best link now. */
void put_anew(struct put *p);
/* Asks over the link in hand; where that cannot be, the unit fails or is begun anew, in a turn of its own. */
void put_ask(struct put *p, struct msg *m, enum msg_type type, put_answer *answer);
/* A step of the unit failed: it is begun anew where another attempt could do better, else told. May free. */
void put_failed(struct put *p, const struct fault *fault);
/* The same, from where the unit must not end at once. */
void put_fail_soon(struct put *p, const struct fault *fault);
void put_fail_nomem(struct put *p);
/* A new phase, of so many bytes; 0: not known. */
void put_phase(struct put *p, enum put_phase phase, uint64_t total);
/* Goes on after a while. */
void put_wait(struct put *p, uint64_t time, void (*then)(struct put *p));
/* Ends all that is waited for, closes handles. */
void put_let_go(struct put *p);
void put_carrier_drop(struct put *p);
/* Is a better link to be taken before the next step? Then the unit is begun anew. */
bool put_moves(struct put *p);
void put_close(struct put *p, uint64_t *handle);

/* ---- put_target.c: where a source goes */

void put_target_start(struct put *p);
/* dir + "/" + name. False: it is too long. */
bool put_join(const struct share_path *dir, const char *name, struct share_path *out);
/* Asks for a handle. */
void put_open(struct put *p, const struct share_path *at, bool write, put_answer *answer);

/* ---- put_file.c */

/* The file in hand: p->file with path, at, state and inside, all else zeros (but what target_told knows). Its end is
 * put_file_over, after which it may be another one. */
void put_file_start(struct put *p);
void put_file_over(struct put *p, const struct fault *fault);
/* The way in hand came to nothing: the next one. */
void put_file_next_way(struct put *p);
void put_file_whole(struct put *p);

/* ---- put_compare.c, put_index.c */

void put_compare(struct put *p);
/* With the base of the file in hand, or the peer's index in that file of this machine; with neither ("") to know what it
 * consists of. */
void put_compare_with(struct put *p, const char *index);
void put_ask_index(struct put *p);
bool put_base_fits(const struct base_row *base, const struct file_state *there);
void put_drop_diff(struct put *p);
void put_diff_release(struct put_diff *d);
/* What stands there now is remembered: by what the comparison made, or else by reading the file once more. */
void put_remember(struct put *p, const struct file_state *there);

/* ---- put_gather.c */

void put_gather_start(struct put *p);

/* ---- put_folder.c */

void put_folder_start(struct put *p);
/* A file of it was updated, or was left. */
void put_folder_next(struct put *p);

/* ---- put_whole.c */

/* Sends what is at `path` of this machine to the place `name` in a folder, or ("") to the very place, of a handle. */
void put_whole(struct put *p, uint64_t handle, const char *name, const char *path, put_answer *answer);
/* Something is ready for the peer. NULL: out of memory. */
struct parcel *put_offer(struct put *p, const char *path, struct put_diff *diff);
/* As soon as nobody fetches it any more: only then it is known what it has cost. The peer has all of it; so it is not long. */
void put_when_fetched(struct put *p, void (*then)(struct put *p));
/* Counts what went, takes it back. */
void put_withdraw(struct put *p);
/* The put ends: what is not over yet is not counted any more. */
void put_forget_left(struct put *p);
void put_count_whole(struct put *p, const struct msg_put_ok *ok);

#endif
