/* Puts a file where a peer lets us write, and says what it took: publish FILE PEER:SHARE[/PATH]
 *
 * Of a file that is there already the node sends only what changed. The row "file" tells how it went, "done" what it took. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

static void on_row(void *arg, const struct weft_row *row)
{
    (void)arg;
    size_t n = 0;
    const char *target = weft_row_bytes(row, "target", &n); /* bytes, as all paths: they need not be UTF-8 */
    if (strcmp(weft_row_kind(row), "file") == 0 && target)
        printf("%.*s: %s\n", (int)n, target, weft_row_text(row, "how", ""));
    if (strcmp(weft_row_kind(row), "done") == 0)
        printf("%lld bytes: sent %lld, reused %lld, on the wire both ways %lld\n", (long long)weft_row_int(row, "bytes", 0),
               (long long)weft_row_int(row, "bytes_sent", 0), (long long)weft_row_int(row, "bytes_reused", 0),
               (long long)weft_row_int(row, "bytes_wire", 0));
}

int main(int argc, char **argv)
{
    struct weft_error error;
    char source[PATH_MAX];
    if (argc != 3) {
        fprintf(stderr, "usage: %s FILE PEER:SHARE[/PATH]\n", argv[0]);
        return 2;
    }
    if (!realpath(argv[1], source)) { /* the node has a working directory of its own */
        perror(argv[1]);
        return 1;
    }
    struct weft *weft = weft_open(NULL, &error);
    if (!weft) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    struct weft_row *put = weft_row_new("put");
    weft_row_set_bytes(put, "source", source, strlen(source));
    weft_row_set_text(put, "target", argv[2]);
    int code = weft_call(weft, put, on_row, NULL, &error);
    if (code)
        fprintf(stderr, "%s: %s\n", error.name, error.text);
    weft_row_free(put);
    weft_close(weft);
    return code ? 1 : 0;
}
