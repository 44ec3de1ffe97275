/* A small web server of a test's own, on a port of 127.0.0.1 that the system chooses. What it answers depends on the path: see
 * web.c. */
#ifndef WEFT_TESTS_WEB_H
#define WEFT_TESTS_WEB_H

struct web;

struct web *web_new(void);
/* Ends all connections. */
void web_free(struct web *web);
unsigned web_port(const struct web *web);
/* How many requests there were for this path. */
unsigned web_asked(struct web *web, const char *path);
/* The head of the latest request: copied to `out`. */
void web_last(struct web *web, char *out, unsigned cap);

#endif
