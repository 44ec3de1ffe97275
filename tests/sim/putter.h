/* A raw node that opens, builds and puts files at anna's (hostile.h), request by request.
 *
 * Anna has a disk, on which she shares the folders "in", which everyone may write to, and "out", which nobody may. Who puts has
 * one, too, from which anna fetches what was named to her. */
#ifndef WEFT_TESTS_SIM_PUTTER_H
#define WEFT_TESTS_SIM_PUTTER_H

#include "hostile.h"
#include "openings_internal.h"

struct putter_send;

struct putter {
    struct world *w;
    size_t raw;
    link_no link;
    struct msg *in; /* the answer that was heard last */
    /* what it has ready: a path below its disk, whatever parcel is asked for; "" nothing */
    char ready[256];
    bool stalls; /* it never connects */
    /* its own */
    uint64_t number;
    struct putter_send *sends;
    uint8_t regions[GATHER_REGION_BYTES_MAX];
};

struct world *putters_world(uint64_t seed);
/* A link of a raw node, MALLORY or EVE, that is up. A node may have several, but only the latest has anything ready. */
struct putter *putter_new(struct world *w, size_t raw);
void putter_free(struct putter *p);

/* ---- files */

/* Below the disk of a node: of anna's in "in". */
void write_file(struct world *w, size_t node, const char *name, const char *text);
/* What is there, or NULL; to be freed. */
char *read_file(struct world *w, size_t node, const char *name, size_t *n);
void assert_file(struct world *w, size_t node, const char *name, const char *text);
/* How many names there are in a folder, hidden ones too. */
unsigned count_names(struct world *w, size_t node, const char *name);

/* ---- requests */

/* Says it (takes m), under a number of its own. */
uint64_t putter_say(struct putter *p, struct msg *m);
/* The answer to that request, or NULL: PROGRESS is none. */
const struct msg *putter_heard(struct putter *p, uint64_t number);
/* Says it and waits for its answer, a minute at most. */
const struct msg *putter_ask(struct putter *p, struct msg *m);
/* The same; it must be of this type, or be refused with this code. */
const struct msg *putter_ask_for(struct putter *p, struct msg *m, enum msg_type type);
void putter_refused(struct putter *p, struct msg *m, enum err code);
/* How much PROGRESS was heard of a request, and the latest of it. */
size_t putter_progress(struct putter *p, uint64_t number, struct msg_progress *last);

struct msg *file_of(struct putter *p, const char *share, const char *path, bool write);
/* Opens it: the handle. */
uint64_t putter_open(struct putter *p, const char *path, bool write);
struct msg *closing(uint64_t handle);
struct msg *index_of(uint64_t handle);
struct msg *put_into(uint64_t handle, const char *name);
struct msg *literals_for(uint64_t handle, uint64_t bytes);
/* GATHER of these regions, which begin where they begin. They are freed, and the message must be said before the next one is
 * made. */
struct msg *gather_from(struct putter *p, uint64_t destination, uint64_t source, uint64_t token, struct regions *regions);
/* One copy. */
struct msg *gather_copy(struct putter *p, uint64_t destination, uint64_t source, uint64_t token, uint64_t offset,
                        uint64_t length);
struct msg *commit_of(uint64_t handle, const char *text);

#endif
