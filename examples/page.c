/* Asks a web server that a peer shares for a page, and prints the answer: page PEER:SHARE [PATH]
 *
 * There it is shared by: weft share tcp:127.0.0.1:8080 --as web --via hub
 * The name is all that is needed here. Which way it goes, straight or through the relay, the node finds out, and says. */
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

static void on_row(void *arg, const struct weft_row *row)
{
    (void)arg;
    fprintf(stderr, "%s: %s\n", weft_row_kind(row), weft_row_text(row, "route", "?"));
}

/* A pipe with the request in it, and nothing more to come: it is short enough to fit. */
static int request_for(const char *path)
{
    int fds[2];
    if (pipe(fds))
        return -1;
    dprintf(fds[1], "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
    close(fds[1]);
    return fds[0];
}

int main(int argc, char **argv)
{
    const struct weft_pipe_options options = {.on_row = on_row};
    struct weft_error error;
    if (argc < 2) {
        fprintf(stderr, "usage: %s PEER:SHARE [PATH]\n", argv[0]);
        return 2;
    }
    int request = request_for(argc > 2 ? argv[2] : "/");
    if (request < 0) {
        perror("pipe");
        return 1;
    }
    struct weft *weft = weft_open(NULL, &error);
    int code = weft ? weft_pipe_connect(weft, argv[1], &options, request, STDOUT_FILENO, NULL, &error) : error.code;
    if (code)
        fprintf(stderr, "%s: %s\n", error.name, error.text);
    weft_close(weft);
    close(request);
    return code ? 1 : 0;
}
