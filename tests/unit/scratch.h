/* Scratch folders for tests that need real files: made under $TMPDIR (or /tmp), removed with all that is in them. */
#ifndef WEFT_TESTS_SCRATCH_H
#define WEFT_TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

struct scratch {
    char path[256];
};

struct scratch_path {
    char s[4608];
};

void scratch_make(struct scratch *s);
void scratch_remove(struct scratch *s);
/* The whole path of `name` in it. */
struct scratch_path scratch_at(const struct scratch *s, const char *name);
/* All assert that they succeed. Write replaces; the folder must be there. */
void scratch_write(const struct scratch *s, const char *name, const void *bytes, size_t n);
void scratch_text(const struct scratch *s, const char *name, const char *text);
void scratch_dir(const struct scratch *s, const char *name);
void scratch_link(const struct scratch *s, const char *name, const char *target);
bool scratch_exists(const struct scratch *s, const char *name);
void scratch_assert_text(const struct scratch *s, const char *name, const char *text);
/* How many names there are in a folder of it. */
int scratch_count(const struct scratch *s, const char *name);

#endif
