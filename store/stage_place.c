/* Placing: where a staged file may stand, as the policy and the plan say; the rename itself is in swap.c.
 *
 * The parent folder is reached anew for each place, by root_parent. */
#include "io.h"
#include "stage_internal.h"
#include "swap.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>

/* Something stands there: replaces it if it is what the plan saw. */
static int replace(const struct placing *p, const struct swap *s, struct fault *fault)
{
    struct stat old;
    uint64_t token;
    if (!stage_seen_get(&p->stage->seen, p->path, &token)) {
        return swap_changed(s, fault);
    }
    if (fstatat(s->to_fd, s->to, &old, AT_SYMLINK_NOFOLLOW)) {
        bool placed = errno == ENOENT && swap_new(s, s->to) == 0; /* it has just gone */
        return placed ? 0 : fault_errno(fault, errno, "cannot replace '%s'", path_text(p->path).s);
    }
    return tree_token(&old) == token ? swap_replace(s, &old, fault) : swap_changed(s, fault);
}

int stage_place(const struct placing *p, struct fault *fault)
{
    struct swap s = {
        .from_fd = p->from_fd,
        .from = p->from,
        .shown = p->path,
        .hidden = p->stage->path,
        .precious = &p->stage->precious,
    };
    int rc = root_parent(p->root, p->path, &s.to_fd, &s.to, fault);
    if (rc || swap_new(&s, s.to) == 0) {
        return rc;
    }
    if (errno != EEXIST) {
        return fault_errno(fault, errno, "cannot place '%s'", path_text(p->path).s);
    }
    switch (p->stage->policy) {
    case IF_EXISTS_RENAME:
        return swap_beside(&s) ? fault_errno(fault, errno, "cannot place '%s' under a free name", path_text(p->path).s) : 0;
    case IF_EXISTS_OVERWRITE: return replace(p, &s, fault);
    default: return fault_set(fault, ERR_EXISTS, "'%s' exists already", path_text(p->path).s);
    }
}
