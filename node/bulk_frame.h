/* The frames of the bulk plane's streams: bytes to structs and back. Pure: no I/O, no memory.
 *
 * A frame is a head of four bytes (type, length of the body in three, big-endian) and a body. All numbers are big-endian and of
 * fixed size. A decoder accepts exactly what an encoder makes; PROTOCOL.md has the grammar. */
#ifndef WEFT_NODE_BULK_FRAME_H
#define WEFT_NODE_BULK_FRAME_H

#include "err.h"
#include "limits.h"
#include "stage.h"

enum frame_type {
    FRAME_KEEP = 1,    /* both: still here */
    FRAME_LIST,        /* sender, stream 0: some entries of the manifest (bulk_list.h) */
    FRAME_LIST_END,    /* sender, stream 0: the manifest is complete */
    FRAME_WANT_FILES,  /* receiver: send these small files */
    FRAME_WANT_BLOCKS, /* receiver: send these blocks of a large file */
    FRAME_FILE,        /* sender: one small file, whole */
    FRAME_BLOCK,       /* sender: the next block */
    FRAME_HOLE,        /* sender: the next blocks are a hole */
    FRAME_BLOCKS_END,  /* sender: end of what WANT_BLOCKS asked for */
    FRAME_DONE,        /* receiver: nothing more is wanted on this stream */
    FRAME_STOP,        /* both: the transfer has failed, and why */
    FRAME_FLOW,        /* of a byte stream: its next bytes */
    FRAME_FLOW_END,    /* its end, which its receiver answers with DONE once all of it has been written */
    FRAME_FLOW_AT,     /* its receiver, of one that lasts and begins again: so many bytes have been written */
    FRAME_FLOW_ACK,    /* its receiver, of one that lasts: so many bytes have been written by now */
    FRAME_TYPE_END
};

#define FRAME_HEAD 4
#define LIST_BYTES_MAX 65536    /* body of a LIST */
#define WANT_FILES_MAX 512      /* entries that one WANT_FILES spans */
#define SMALL_BYTES BLOCK_BYTES /* a file of at most that is small */
#define FILE_FIXED 41           /* body of a FILE without the content */
#define BLOCK_FIXED 16
#define FLOW_BYTES_MAX BLOCK_BYTES                              /* body of a FLOW */
#define FRAME_BYTES_MAX (FRAME_HEAD + FILE_FIXED + BLOCK_BYTES) /* the longest frame */

struct frame_head {
    enum frame_type type;
    uint32_t len;
};

/* ERR_MALFORMED for an unknown type, or a length that its type cannot have. */
int frame_head_decode(const uint8_t b[FRAME_HEAD], struct frame_head *head);
void frame_head_encode(uint8_t b[FRAME_HEAD], enum frame_type type, size_t len);

/* What became of an item at the sender. */
enum item_status {
    ITEM_OK,
    ITEM_DENIED,  /* the sending node's user may not read it */
    ITEM_GONE,    /* it is no longer there */
    ITEM_CHANGED, /* it changed while it was read */
    ITEM_FAILED,  /* reading failed */
    ITEM_LIMIT,   /* its path is too long or too deep */
    ITEM_STATUS_COUNT
};
/* The error that a status stands for, and the status for an error. */
int item_err(enum item_status status);
enum item_status item_status(int err);

/* A file as the sender sees it at this moment. */
struct file_now {
    uint64_t token, size;
    int64_t mtime_s;
    uint32_t mtime_ns;
};

/* ---- bodies. The encoders write a whole frame, head included, and return its length. The decoders get the body, whose length
 * frame_head_decode has checked. All decoders return 0 or ERR_MALFORMED. */

struct list_end {
    uint32_t count;      /* entries in the list */
    uint64_t bytes;      /* content of its readable files */
    uint64_t holes;      /* of which so much is surely holes */
    struct hash128 hash; /* over the bodies of all LIST frames */
};
#define LIST_END_BYTES 36
size_t list_end_encode(uint8_t *b, const struct list_end *v);
int list_end_decode(const uint8_t *b, struct list_end *v);

/* Bit i (of byte i / 8, lowest first) asks for entry first + i. The first and the last bit are set. */
struct want_files {
    uint32_t first;
    uint16_t count;
    uint8_t bits[WANT_FILES_MAX / 8];
};
#define WANT_FILES_FIXED 6
#define WANT_FILES_BYTES_MAX (FRAME_HEAD + WANT_FILES_FIXED + WANT_FILES_MAX / 8)
size_t want_files_encode(uint8_t *b, const struct want_files *v);
int want_files_decode(const uint8_t *b, size_t n, struct want_files *v);
bool want_files_has(const struct want_files *v, unsigned i);

struct want_blocks {
    uint32_t entry;
    uint64_t first, count; /* blocks of BLOCK_BYTES; count > 0 */
    uint64_t token;        /* of the file as the receiver knows it */
};
#define WANT_BLOCKS_BYTES 28
size_t want_blocks_encode(uint8_t *b, const struct want_blocks *v);
int want_blocks_decode(const uint8_t *b, struct want_blocks *v);

/* The content follows: now.size bytes, none unless ITEM_OK. The encoder writes head and fixed part only. */
struct file_frame {
    uint32_t entry;
    enum item_status status;
    struct file_now now;
    struct hash128 hash;
};
size_t file_frame_encode(uint8_t *b, const struct file_frame *v);
int file_frame_decode(const uint8_t *b, size_t n, struct file_frame *v);

/* 16 bytes of hash, then the content. The encoder writes head and hash only. */
size_t block_encode(uint8_t *b, size_t n, const struct hash128 *hash);

#define HOLE_BYTES 8
size_t hole_encode(uint8_t *b, uint64_t blocks);
int hole_decode(const uint8_t *b, uint64_t *blocks);

struct blocks_end {
    enum item_status status;
    struct file_now now; /* what is there instead, when CHANGED; else zeros */
};
#define BLOCKS_END_BYTES 29
size_t blocks_end_encode(uint8_t *b, const struct blocks_end *v);
int blocks_end_decode(const uint8_t *b, struct blocks_end *v);

/* Counts of bytes since the stream began: the body of FLOW_END, FLOW_AT and FLOW_ACK, of which `type` is one. */
#define FLOW_COUNT_BYTES 8
size_t flow_count_encode(uint8_t *b, enum frame_type type, uint64_t bytes);
int flow_count_decode(const uint8_t *b, uint64_t *bytes);

/* An error's name and sentence. */
#define STOP_BYTES_MAX 600
size_t stop_encode(uint8_t *b, const struct fault *v);
int stop_decode(const uint8_t *b, size_t n, struct fault *v);

#endif
