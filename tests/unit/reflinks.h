/* A file system that can clone, in a scratch folder: xfs in a file, mounted by a loop device. For whoever may mount. */
#ifndef WEFT_TESTS_REFLINKS_H
#define WEFT_TESTS_REFLINKS_H

#include "scratch.h"

/* Mounts one at folder `name` of the scratch folder, which it makes. False: this machine or this user cannot. */
bool reflinks_mount(const struct scratch *s, const char *name);
/* To be called before the scratch folder is removed. */
void reflinks_unmount(const struct scratch *s, const char *name);

#endif
