/* Confines the calling thread to folders, with Landlock.
 *
 * What is handled is denied everywhere but beneath the folders that a rule names. Handled is all that changes a file system;
 * beneath the folders all of it is allowed but devices, sockets and FIFOs, which weft never makes. */
#include "landlock.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define PLACING                                                                                       \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define NEVER \
    (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO)

/* The version of this kernel's Landlock; 0 when there is none. */
static long abi_version(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : abi;
}

static uint64_t allowed(long abi)
{
    return PLACING | LANDLOCK_ACCESS_FS_REFER | (abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
}

static int allow(int rules, const struct landlock_folder *folder, uint64_t access, struct fault *fault)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access,
        .parent_fd = folder->path ? open(folder->path, O_PATH | O_DIRECTORY | O_CLOEXEC) : folder->fd,
    };
    int rc = 0;
    if (rule.parent_fd < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0)) {
        rc = fault_errno(fault, errno, "cannot confine a thread to '%s'",
                         folder->path ? path_text(folder->path).s : "its folder");
    }
    if (folder->path) {
        io_close(rule.parent_fd);
    }
    return rc;
}

int landlock_confine_writes(const struct landlock_folder *folders, int n, struct fault *fault)
{
    long abi = abi_version();
    if (abi < 2) { /* version 1 denies every rename from one folder to another: nothing could be placed */
        return fault_set(fault, ERR_UNSUPPORTED, "this kernel cannot confine threads (Landlock 2 or newer is needed)");
    }
    struct landlock_ruleset_attr attr = {.handled_access_fs = allowed(abi) | NEVER};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0) {
        return fault_errno(fault, errno, "cannot confine a thread");
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = allow(rules, &folders[i], allowed(abi), fault);
    }
    if (rc == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, rules, 0))) {
        rc = fault_errno(fault, errno, "cannot confine a thread");
    }
    io_close(rules);
    return rc;
}
