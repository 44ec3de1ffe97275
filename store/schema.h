/* The schema of the node's database, as the steps that lead to it. store/FORMAT.md says it in prose. */
#ifndef WEFT_STORE_SCHEMA_H
#define WEFT_STORE_SCHEMA_H

#define SCHEMA_APPLICATION_ID 0x77656674 /* "weft" */
#define SCHEMA_VERSION 3

/* The SQL that leads from `version` to the next one, user_version included; version < SCHEMA_VERSION. */
const char *schema_step(int version);

#endif
