/* What the parts of the diff share: diff.c walks over the new file, diff_view.c has its bytes, diff_exact.c compares with old
 * bytes, diff_known.c with an old index alone.
 *
 * A walk is in step, and follows the old file as long as the new one is the same at one distance from it; or it is out of
 * step, and searches for the next place where that is so again.
 *
 * Invariants:
 *  1. said <= at <= hashed, and where following begins at <= indexed <= hashed: regions are said up to `said`, the new index is
 *     fed up to `indexed`, what is hashed has been seen.
 *  2. What is between `said` and `at` will be literals, unless a match is found that reaches back into it.
 *  3. A search that ends before the end of the data ends at a place that at least one byte can be copied to. */
#ifndef WEFT_STORE_DIFF_INTERNAL_H
#define WEFT_STORE_DIFF_INTERNAL_H

#include "diff.h"
#include "file_hash.h"

#define SEARCH_STEP 2048 /* bytes of the new file that a search looks at, at once */
#define SURE_BYTES 32    /* as many equal ones are no chance */

/* A file seen through a window that moves on. */
struct view {
    const struct diff_file *file;
    uint8_t *bytes; /* VIEW_BYTES of them */
    uint64_t floor; /* nothing before is looked at: a hole */
    uint64_t start;
    size_t len;
    size_t ahead; /* read at once: more and more as long as it goes on in order */
};

struct walk {
    struct diff *d;
    const struct anchors *index; /* of the old file, of our seed, or NULL */
    struct finder *finder;       /* in it; NULL until one is needed */
    struct file_hash hash;
    struct view fresh, old;
    uint64_t end; /* of the data at hand: a hole begins there, or nothing */
    uint64_t said, at, indexed, hashed;
    uint64_t lost;            /* where the search began */
    uint64_t shift;           /* an old offset is a new one and this (mod 2^64) */
    uint64_t former;          /* what that was before */
    uint64_t searched;        /* number of the first segment of the new index that was not looked up */
    struct segment looked_up; /* the one before it, or another one */
    uint64_t passed, probes;
    struct segment next; /* of the old index: where following goes on */
    uint8_t scratch[2][SEGMENT_MAX];
};

/* A place in the new file, from which on it is in step at this shift. */
struct hit {
    uint64_t at, shift;
};

/* ---- diff_view.c */
#define VIEW_BYTES (256 * 1024)
int view_init(struct view *v, const struct diff_file *file);
void view_fini(struct view *v);
/* At least `want` bytes (at most VIEW_BYTES / 2) from `offset` on, fewer only before `limit`. Valid until the next look. */
int view_look(struct view *v, uint64_t offset, size_t want, uint64_t limit, const uint8_t **bytes, size_t *have);
/* Exactly n bytes, at most SEGMENT_MAX, from the window or read into scratch: the window stays. */
int view_peek(const struct view *v, uint64_t offset, size_t n, uint8_t *scratch, const uint8_t **bytes);

/* ---- diff.c. Looks at the new file up to the end of the data at hand; what is seen first is hashed. */
int walk_look(struct walk *w, uint64_t offset, size_t want, const uint8_t **bytes, size_t *have);
/* The next n bytes from w->at on, seen at `bytes`, are old ones. */
int walk_copy(struct walk *w, const uint8_t *bytes, size_t n);

/* ---- diff_exact.c */
int exact_follow(struct walk *w);
/* Small changes: what is out of step here, is it in step again at once? */
int exact_probe(struct walk *w, bool *found, struct hit *hit);
/* The first place of these n bytes at w->at that is in step at the shift that was lost. */
int exact_resume(struct walk *w, const uint8_t *bytes, size_t n, bool *found, struct hit *hit);
/* Are the n new bytes from hit->at on, at most SEGMENT_MAX, the old ones? */
int exact_verify(struct walk *w, const struct hit *hit, size_t n, bool *same);
/* Moves a hit back to where the same bytes begin, at most to what is said. */
int exact_extend_back(struct walk *w, struct hit *hit);

/* ---- diff_known.c: the same, by hashes of segments. There are `have` bytes: more than n, for segments that begin in those. */
int known_follow(struct walk *w);
void known_resume(struct walk *w, const uint8_t *bytes, size_t n, size_t have, bool *found, struct hit *hit);
int known_extend_back(struct walk *w, struct hit *hit);

#endif
