/* Remembering, as its two files share it: remember.c asks and tells the store actor, for whoever wants to know; remember_line.c
 * has the files that wait for their base to be made. */
#ifndef WEFT_NODE_REMEMBER_INTERNAL_H
#define WEFT_NODE_REMEMBER_INTERNAL_H

#include "remember.h"

#define LINE_BUCKETS 4096

struct lined; /* a file in line */

/* Somebody waits for a base. */
struct find {
    struct find *next;
    struct core *core;
    base_found *found; /* NULL: not wanted any more, but its job is out */
    void *arg;
    struct base_job *job;      /* what is asked; the port's once it is `out` */
    const struct lined *after; /* NULL: it waits for nothing in line */
    bool out;
};

struct remember {
    struct core *core;
    struct find *finds;   /* oldest first */
    struct timer none;    /* tells those that there is nothing to be found */
    bool ready, stopping; /* ready: the folder is in line with the rows, and the seed is known */
    bool hurried;         /* somebody waits for what could not begin yet */
    uint64_t seed;
    struct bases_sums sums;
    size_t putting; /* rows on their way */
    /* remember_line.c's */
    struct lined *first, *last; /* oldest first */
    struct lined *bucket[LINE_BUCKETS];
    struct lined *quiet;        /* the one at the quiet worker */
    struct lined *left;         /* forgotten while they were in work */
    size_t count, text, looked; /* in line; bytes of their names; that wait for their index only */
};

/* Of this core, made when it is missing; NULL: out of memory. */
struct remember *remember_of(struct core *core);
/* A job of the store actor about bases, with all that all have in common. NULL: out of memory. */
struct base_job *remember_job(struct remember *r, enum job_kind kind, const struct base_key *key);
void remember_put(struct remember *r, const struct base_row *row);
/* What waited for `e` waits for `instead` now; for NULL it is asked. */
void finds_after(struct remember *r, const struct lined *e, const struct lined *instead);

/* ---- remember_line.c */

struct lined *line_find(struct remember *r, const struct base_key *key);
/* Somebody waits for it. */
void line_hurry(struct lined *e);
/* It is not to be made any more. */
void line_forget(struct lined *e);
void line_forget_all(struct remember *r);
void line_advance(struct remember *r);
/* Frees all; jobs that are out do not come back. */
void line_free(struct remember *r);

#endif
