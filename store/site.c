/* Places: where a peer's file is to stand, reached once and beneath its share's root. See gather.h. */
#include "gather.h"

int site_open(struct root *root, const char *path, struct site *site, struct fault *fault)
{
    (void)root, (void)path, (void)site;
    return fault_set(fault, ERR_UNSUPPORTED, "not yet");
}

void site_close(struct site *site)
{
    (void)site;
}

bool site_same(const struct site *a, const struct site *b)
{
    (void)a, (void)b;
    return false;
}

struct file_state site_state(const struct site *site)
{
    (void)site;
    return (struct file_state){0};
}
