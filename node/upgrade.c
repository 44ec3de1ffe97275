#include "core_internal.h"

void upgrades_consider(struct core *core)
{
    (void)core;
}

void upgrades_init(struct core *core)
{
    (void)core;
}

void upgrades_fini(struct core *core)
{
    (void)core;
}
