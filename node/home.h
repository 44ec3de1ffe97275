/* The home of a node: the folder with its key, name, database and sockets.
 *
 * Only our own files are believed: a key that others can read or that is a link is refused with a sentence (S15), never
 * repaired in silence. One node at a time holds the lock, from home_lock until home_close. */
#ifndef WEFT_NODE_HOME_H
#define WEFT_NODE_HOME_H

#include "err.h"
#include "identity.h"
#include "limits.h"

#define HOME_PATH 4096

struct home {
    char path[HOME_PATH]; /* absolute, without links */
    int fd;               /* the folder */
    int lock;             /* held, or -1 */
};

/* Where the home is: `given`, $WEFT_HOME, $XDG_STATE_HOME/weft, ~/.local/state/weft. ERR_USAGE when nothing says. */
int home_where(const char *given, char *path, size_t cap, struct fault *fault);
/* Opens the folder at `path`; made (0700, with its parents) when `make`. ERR_NOT_FOUND, ERR_DENIED when it is not ours alone to
 * write. */
int home_open(const char *path, bool make, struct home *home, struct fault *fault);
void home_close(struct home *home);
/* ERR_LOCKED when another process holds it. */
int home_lock(struct home *home, struct fault *fault);

/* The node's secret, made at first use: durable before it is used. ERR_DENIED when it is not ours alone, ERR_DAMAGED when
 * it is no key. */
int home_seed(struct home *home, uint8_t seed[SEED_BYTES], struct fault *fault);
/* Is the key file as it should be? For doctor. */
int home_check_key(struct home *home, struct fault *fault);

/* Small texts that the node remembers ("name", "port"): one line, without its newline. Reading yields "" when there is none. */
int home_read(struct home *home, const char *file, char *text, size_t cap);
int home_write(struct home *home, const char *file, const char *text, struct fault *fault);

/* The node's name: `wanted` (ERR_USAGE when it cannot be one), else the remembered one, else one made from the host's name. It
 * is remembered. */
int home_name(struct home *home, const char *wanted, char name[NAME_MAX_BYTES + 1], struct fault *fault);

/* A folder in it, for this node alone: made when it is missing. Gives its path. ERR_REFUSED when it is a link, or something
 * else. */
int home_folder(const struct home *home, const char *name, char *path, size_t cap, struct fault *fault);
/* "home/file"; ERR_LIMIT when it does not fit. */
int home_file(const struct home *home, const char *file, char *path, size_t cap);

#endif
