/* Work shared among machines: pipe_worker work NAME takes jobs from the shared pipe NAME, pipe_worker ask NAME JOB... hands
 * some out. Start workers on two machines and kill the one that works: the other goes on, and no job is lost. */
#include <stdio.h>
#include <string.h>
#include <weft.h>

static int failed(const struct weft_error *error)
{
    fprintf(stderr, "%s: %s\n", error->name, error->text);
    return 1;
}

static int work(const char *name)
{
    const struct weft_pipe_options options = {.shared = true};
    struct weft_error error;
    struct weft_event event;
    struct weft_pipe *pipe = weft_pipe_listen(NULL, name, &options, &error);
    if (!pipe)
        return failed(&error);
    while (weft_pipe_receive(pipe, &event, -1, &error) == 0) { /* and with that the job before is done */
        if (event.kind != WEFT_PIPE_MESSAGE)
            continue;
        if (event.again)
            printf("(somebody may have done this one already) ");
        printf("%s wants: %.*s\n", event.from, (int)event.n, (const char *)event.bytes);
        fflush(stdout);
    }
    weft_pipe_close(pipe);
    return failed(&error);
}

static int ask(const char *name, char **jobs)
{
    const struct weft_pipe_options options = {.wait_ms = 60000}; /* for the first worker, or the next one */
    struct weft_error error;
    struct weft_pipe *pipe = weft_pipe_open(NULL, name, &options, &error);
    int code = pipe ? 0 : error.code;
    for (; !code && *jobs; jobs++)
        code = weft_pipe_send(pipe, *jobs, strlen(*jobs), -1, &error);
    if (!code)
        code = weft_pipe_finish(pipe, &error); /* returns when a worker has taken all */
    weft_pipe_close(pipe);
    return code ? failed(&error) : 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "work") == 0)
        return work(argv[2]);
    if (argc > 3 && strcmp(argv[1], "ask") == 0)
        return ask(argv[2], argv + 3);
    fprintf(stderr, "usage: %s work NAME | ask NAME JOB...\n", argv[0]);
    return 2;
}
