/* Fetches a file or folder from a peer, with progress: fetch PEER:SHARE[/PATH] [DEST] */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

static void on_row(void *arg, const struct weft_row *row)
{
    (void)arg;
    if (strcmp(weft_row_kind(row), "progress") == 0)
        fprintf(stderr, "\r%lld of %lld bytes", (long long)weft_row_int(row, "bytes_done", 0),
                (long long)weft_row_int(row, "bytes_total", 0));
    if (strcmp(weft_row_kind(row), "done") == 0)
        printf("\n%lld files, %lld bytes\n", (long long)weft_row_int(row, "files", 0),
               (long long)weft_row_int(row, "bytes", 0));
}

int main(int argc, char **argv)
{
    struct weft_error error;
    char dest[PATH_MAX];
    if (argc < 2) {
        fprintf(stderr, "usage: %s PEER:SHARE[/PATH] [DEST]\n", argv[0]);
        return 2;
    }
    if (!realpath(argc > 2 ? argv[2] : ".", dest)) { /* the node has a working directory of its own */
        perror(argv[2]);
        return 1;
    }
    struct weft *weft = weft_open(NULL, &error);
    if (!weft) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    struct weft_row *get = weft_row_new("get");
    weft_row_set_text(get, "source", argv[1]);
    weft_row_set_text(get, "dest", dest);
    int code = weft_call(weft, get, on_row, NULL, &error);
    if (code)
        fprintf(stderr, "\n%s: %s\n", error.name, error.text);
    weft_row_free(get);
    weft_close(weft);
    return code ? 1 : 0;
}
