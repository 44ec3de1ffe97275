/* Runs a node inside a program, offers a folder to everybody, and prints what happens until ^C: embed HOME FOLDER
 *
 * The node has a thread of its own, on which on_event is called. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

static void on_event(void *arg, const struct weft_row *row)
{
    (void)arg;
    printf("%s %s %s\n", weft_row_kind(row), weft_row_text(row, "name", ""), weft_row_text(row, "change", ""));
    fflush(stdout);
}

static int fail(const char *doing, const struct weft_error *error)
{
    fprintf(stderr, "%s: %s: %s\n", doing, error->name, error->text);
    return 1;
}

/* Asks the node, as any other program would. */
static int share(const char *home, const char *folder)
{
    struct weft_error error;
    char *path = realpath(folder, NULL);
    struct weft *weft = weft_open(home, &error);
    if (!weft || !path) {
        free(path);
        return weft ? (perror(folder), 1) : fail("open", &error);
    }
    struct weft_row *request = weft_row_new("share");
    weft_row_set_bytes(request, "path", path, strlen(path));
    weft_row_set_bool(request, "public", true);
    int code = weft_call(weft, request, NULL, NULL, &error);
    weft_row_free(request);
    weft_close(weft);
    free(path);
    return code ? fail("share", &error) : 0;
}

int main(int argc, char **argv)
{
    struct weft_error error;
    sigset_t signals;
    int caught;
    if (argc != 3) {
        fprintf(stderr, "usage: %s HOME FOLDER\n", argv[0]);
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before there are threads: all of them leave signals to sigwait below */

    const struct weft_options options = {.home = argv[1], .event = on_event};
    struct weft_node *node = weft_node_start(&options, &error);
    if (!node)
        return fail("start", &error);
    int code = share(argv[1], argv[2]);
    if (code == 0)
        sigwait(&signals, &caught);
    weft_node_free(node); /* stops it in order, goodbyes and all */
    return code;
}
