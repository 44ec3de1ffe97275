/* Error codes and faults.
 *
 * Every function of weft that can fail returns an int: 0, or one of the codes below. A code says which kind of thing went
 * wrong; a `struct fault` adds the sentence for a person: what, why, and what to do. Functions that know that sentence take a
 * fault as their last argument; the others return the bare code and their caller, who knows the path or the peer, writes it.
 *
 * Three kinds of error are never mixed: the peer is wrong (ERR_MALFORMED, ERR_REFUSED, ...), the environment is (ERR_NOSPACE,
 * ERR_IO, ERR_UNREACHABLE, ...), or we are, which is an assert and has no code. */
#ifndef WEFT_BASE_ERR_H
#define WEFT_BASE_ERR_H

enum err {
    ERR_OK = 0,
    ERR_NOMEM,       /* out of memory */
    ERR_USAGE,       /* the caller's arguments make no sense */
    ERR_MALFORMED,   /* bytes from outside that break the grammar */
    ERR_LIMIT,       /* over a cap of limits.h */
    ERR_STATE,       /* well formed, but not allowed now */
    ERR_NOT_FOUND,   /* no such peer, share, path, pipe */
    ERR_REFUSED,     /* not allowed: rights, trust, wrong key, wrong ticket */
    ERR_UNREACHABLE, /* no way to the peer, or it went away */
    ERR_TIMEOUT,     /* no answer within the stated time */
    ERR_EXISTS,      /* something is already there */
    ERR_NOSPACE,     /* disk full or over quota */
    ERR_IO,          /* the system said no: errno is in the fault's text */
    ERR_DENIED,      /* this user may not read or write that file */
    ERR_CHANGED,     /* a file changed while it was read */
    ERR_VERIFY,      /* content does not match its hash, or a signature its bytes */
    ERR_FULL,        /* a bounded queue or table is full; try again later */
    ERR_CANCELLED,   /* stopped by the person or by shutdown; can be resumed */
    ERR_PARTIAL,     /* done, but for some items */
    ERR_DAMAGED,     /* our own state on disk is not what we wrote */
    ERR_LOCKED,      /* another process holds it */
    ERR_NO_NODE,     /* no node is running for this home */
    ERR_UNSUPPORTED, /* the other side, or this kernel, cannot do that */
    ERR_GUARD,       /* stopped by a safety guard */
    ERR_COUNT
};

#define FAULT_TEXT 480

/* An error with its sentence. `text` is empty when code is 0; it is UTF-8, one line, already escaped. */
struct fault {
    enum err code;
    char text[FAULT_TEXT];
};

/* The code's stable name, such as "not-found": what --json and the wire carry. Never NULL. */
const char *err_name(int code);

/* The code in words, such as "not found". Never NULL. */
const char *err_text(int code);

/* The code for a name of err_name, or ERR_MALFORMED. */
int err_from_name(const char *name);

/* The code that fits an errno value (ENOSPC and EDQUOT are ERR_NOSPACE, EACCES and EPERM ERR_DENIED, ...); ERR_IO for
 * one that it does not know, 0 included: a failure is never turned into success. */
int err_from_errno(int errnum);

/* Writes code and sentence into `f` (may be NULL) and returns code, so that a failing function can end in one line. Control
 * characters in the result are escaped; parts that went through escape() stay as they are. */
int fault_set(struct fault *f, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As fault_set with the code of `errnum`; the sentence ends with what the system calls the error. */
int fault_errno(struct fault *f, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
