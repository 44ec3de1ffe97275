/* Lists the peers that this machine's node knows: peers */
#include <stdio.h>
#include <weft.h>

static void on_row(void *arg, const struct weft_row *row)
{
    (void)arg;
    const char *name = weft_row_text(row, "name", NULL);
    if (name) /* the last row, "done", has none */
        printf("%-20s %-8s %-8s %s\n", name, weft_row_text(row, "state", ""), weft_row_text(row, "trust", ""),
               weft_row_text(row, "endpoint", ""));
}

int main(void)
{
    struct weft_error error;
    struct weft *weft = weft_open(NULL, &error);
    if (!weft) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    struct weft_row *request = weft_row_new("peers");
    int code = weft_call(weft, request, on_row, NULL, &error);
    if (code)
        fprintf(stderr, "%s: %s\n", error.name, error.text);
    weft_row_free(request);
    weft_close(weft);
    return code ? 1 : 0;
}
