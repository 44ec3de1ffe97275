/* Rows: the messages between a node and its clients on the control socket.
 *
 * A row is a kind ("peer", "entry", "progress", "done", ...) and an ordered list of named values. A request is a row too: its
 * kind is the verb, its values the arguments; a name may stand more than once (several sources). Rows are what --json prints,
 * field for field, so their kinds and names are a public schema (cli/man/weft-json.5): fields are added, never changed.
 *
 * Invariant: a row never holds more than ROW_BYTES encoded bytes; setting beyond that is remembered and row_encode fails. */
#ifndef WEFT_BASE_ROW_H
#define WEFT_BASE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROW_BYTES 60000
#define ROW_FIELDS 512
#define ROW_NAME 24

enum row_type { ROW_NIL, ROW_BOOL, ROW_INT, ROW_TEXT, ROW_DATA };

struct row; /* opaque */

/* A new empty row of a kind, or NULL when out of memory. free takes NULL. */
struct row *row_new(const char *kind);
void row_free(struct row *row);
const char *row_kind(const struct row *row);

/* Setters append a field. Text must be UTF-8 (text that is not becomes data); NULL text becomes nil. A NULL row
 * (out of memory) stays one. */
void row_bool(struct row *row, const char *name, bool v);
void row_int(struct row *row, const char *name, int64_t v);
void row_text(struct row *row, const char *name, const char *text);
void row_data(struct row *row, const char *name, const void *bytes, size_t n);
/* As row_data, but the bytes stay the caller's and must outlive the row: for a long field of a row that is sent and freed at
 * once. They need not be terminated. */
void row_data_borrowed(struct row *row, const char *name, const void *bytes, size_t n);

/* Getters find the n-th field of a name (from 0) and return a fallback when it is missing or of another type. Text is
 * borrowed from the row and terminated; data is terminated too, behind its end. */
bool row_get_bool(const struct row *row, const char *name, bool fallback);
int64_t row_get_int(const struct row *row, const char *name, int64_t fallback);
const char *row_get_text(const struct row *row, const char *name, const char *fallback);
const char *row_get_text_at(const struct row *row, const char *name, size_t n, const char *fallback);
/* Text or data, whichever the field holds: for names and paths. NULL when missing. */
const char *row_get_bytes(const struct row *row, const char *name, size_t *n);
size_t row_count(const struct row *row, const char *name);

/* All fields in order. */
size_t row_fields(const struct row *row);
const char *row_name_at(const struct row *row, size_t i);
enum row_type row_type_at(const struct row *row, size_t i);
bool row_bool_at(const struct row *row, size_t i);
int64_t row_int_at(const struct row *row, size_t i);
const char *row_bytes_at(const struct row *row, size_t i, size_t *n);

/* Encodes into at most ROW_BYTES: [seq, kind, name, value, name, value, ...]. ERR_LIMIT. */
int row_encode(const struct row *row, uint64_t seq, void *buf, size_t cap, size_t *len);
/* Gives a new row. ERR_MALFORMED, ERR_LIMIT, ERR_NOMEM. */
int row_decode(const void *bytes, size_t n, uint64_t *seq, struct row **row);

#endif
