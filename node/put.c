/* The verb put: brings files and folders to a peer, one source after the other. See put.h. */
#include "put_internal.h"

#include "policy.h"

#include <stdlib.h>
#include <string.h>

static void next_source(struct put *p);

/* ---- the end */

static void survey_release(struct put_survey *s)
{
    for (uint32_t i = 0; i < s->job.count; i++)
        free(s->job.file[i].path);
    free(s->job.file);
    free(s);
}

/* Nothing of the source in hand is wanted any more. */
static void drop_source(struct put *p)
{
    put_let_go(p);
    put_drop_diff(p);
    if (p->survey) {
        p->survey->put = NULL;
        p->survey->job.stop = true;
        if (p->survey->back)
            survey_release(p->survey);
    }
    p->survey = NULL;
    memset(&p->file, 0, sizeof p->file);
}

void put_free(struct put *p)
{
    struct put **at = &p->core->puts;
    while (*at != p)
        at = &(*at)->next_put;
    *at = p->next_put;
    core_cancel(p->core, &p->tick);
    drop_source(p);
    put_carrier_drop(p);
    p->peer->busy--;
    row_free(p->request);
    free(p);
}

void puts_free(struct core *core)
{
    while (core->puts)
        put_free(core->puts);
}

/* Calls are ended before: there is none. */
void puts_stop(struct core *core)
{
    puts_free(core);
}

static void put_finish(struct put *p)
{
    struct call *call = p->call;
    struct fault fault = p->last;
    put_count(p);
    if (!fault.code && p->sum.failed > 0)
        fault_set(&fault, ERR_PARTIAL, "%llu item%s could not be put, each named above%s", (unsigned long long)p->sum.failed,
                  p->sum.failed == 1 ? "" : "s", p->sum.files > 0 ? "; the rest is there" : "");
    if (p->lost > 0 && p->lost < p->sources)
        fault.code = ERR_PARTIAL;
    struct row *row = put_sums_row(p, fault.code ? "summary" : "done");
    put_free(p);
    if (!fault.code) {
        call_done(call, row);
        return;
    }
    call_row(call, row);
    call_fail(call, &fault);
}

static void put_cancel(struct call *call, int code)
{
    (void)code;
    put_free(call->work);
}

/* ---- sources */

const char *put_source_text(const struct put *p, size_t *n)
{
    const char *text = NULL;
    size_t hit = 0;
    for (size_t i = 0; i < row_fields(p->request); i++)
        if (strcmp(row_name_at(p->request, i), "source") == 0 && hit++ == p->next)
            text = row_bytes_at(p->request, i, n);
    return text;
}

void put_source_over(struct put *p, const struct fault *why)
{
    struct fault fault = why ? *why : (struct fault){0}; /* may be the source's own */
    size_t n = 0;
    const char *text = put_source_text(p, &n);
    bool lost = fault.code == ERR_UNREACHABLE || fault.code == ERR_TIMEOUT;
    put_count(p);
    if (lost && p->sum.sent > 0 && !strstr(fault.text, "same command"))
        fault_set(&fault, (int)fault.code, "%.*s; what came is kept, and the same command resumes", FAULT_TEXT - 80, why->text);
    drop_source(p);
    if (fault.code) {
        p->lost++;
        p->last = fault;
        if (p->sources > 1)
            put_tell_item(p, text, n, &fault);
    }
    p->next++;
    next_source(p);
}

/* The last part of its path as the person wrote it; of "/", "." and ".." what they are. */
static bool choose_name(struct put *p, const char *text, size_t n)
{
    while (n > 0 && text[n - 1] == '/')
        n--;
    const char *slash = memrchr(text, '/', n), *name = slash ? slash + 1 : text;
    size_t len = (size_t)(text + n - name);
    if (!entry_name_valid(name, len)) {
        name = strrchr(p->survey->job.real, '/') + 1;
        len = strlen(name);
    }
    if (!entry_name_valid(name, len))
        return false;
    memset(p->name, 0, sizeof p->name);
    memcpy(p->name, name, len);
    return true;
}

static void surveyed(struct job *job)
{
    struct put_survey *s = (struct put_survey *)job;
    struct put *p = s->put;
    struct fault fault = job->fault;
    size_t n = 0;
    s->core->jobs--;
    s->back = true;
    if (!p) {
        survey_release(s);
        return;
    }
    const char *text = put_source_text(p, &n);
    if (!fault.code && !choose_name(p, text, n))
        fault_set(&fault, ERR_USAGE, "the source has no name of its own; name a folder in it");
    if (fault.code) {
        put_source_over(p, &fault);
        return;
    }
    p->files_total += s->job.files;
    put_target_start(p);
}

static void next_source(struct put *p)
{
    size_t n = 0;
    const char *text = put_source_text(p, &n);
    if (!text) {
        put_finish(p);
        return;
    }
    p->placed = false;
    p->next_file = 0;
    p->settled = false;
    p->barren = 0;
    p->inside = (struct put_sums){0};
    p->survey = calloc(1, sizeof *p->survey);
    if (!p->survey || n > PATH_BYTES_MAX) {
        struct fault fault;
        fault_set(&fault, p->survey ? ERR_LIMIT : ERR_NOMEM, p->survey ? "the source's path is too long" : "out of memory");
        free(p->survey);
        p->survey = NULL;
        put_source_over(p, &fault);
        return;
    }
    struct survey_job *job = &p->survey->job;
    job->job = (struct job){.kind = JOB_SURVEY, .done = surveyed};
    memcpy(job->path, text, n);
    job->least = BASE_MIN_BYTES;
    p->survey->core = p->core;
    p->survey->put = p;
    put_phase(p, PUT_SURVEY, 0);
    core_job(p->core, &job->job);
}

/* ---- the request */

static int check_sources(struct put *p, struct fault *fault)
{
    size_t n;
    p->sources = row_count(p->request, "source");
    for (p->next = 0; p->next < p->sources; p->next++) {
        const char *text = put_source_text(p, &n);
        if (!text || text[0] != '/' || memchr(text, '\0', n))
            return fault_set(fault, ERR_USAGE, "sources must be absolute paths");
    }
    p->next = 0;
    return p->sources > 0 ? 0 : fault_set(fault, ERR_USAGE, "one or more sources are needed");
}

static int parse(struct put *p, struct fault *fault)
{
    size_t n = 0;
    const char *target = row_get_bytes(p->request, "target", &n);
    int err = check_sources(p, fault);
    if (!err && !policy_read(row_get_text(p->request, "if_exists", "overwrite"), &p->policy))
        err = fault_set(fault, ERR_USAGE, "--if-exists is one of skip, rename, overwrite");
    if (!err)
        err = source_parse(target ? target : "", n, p->peer_name, sizeof p->peer_name, &p->at, fault);
    if (!err && p->at.share[0] == '\0')
        err = fault_set(fault, ERR_USAGE,
                        "'%s' names a peer, but not where to put things: PEER:SHARE/PATH; 'weft ls %s' "
                        "shows its shares",
                        p->peer_name, p->peer_name);
    return err ? err : core_peer(p->core, p->peer_name, &p->peer, fault);
}

void verb_put(struct call *call, const struct row *request)
{
    struct put *p = calloc(1, sizeof *p);
    struct fault fault = {0};
    if (!p || !(p->request = request_copy(request))) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
    } else {
        p->core = call->core;
        parse(p, &fault);
    }
    if (fault.code) {
        if (p)
            row_free(p->request);
        free(p);
        call_fail(call, &fault);
        return;
    }
    p->call = call;
    p->dry_run = row_get_bool(request, "dry_run", false);
    p->started = core_now(p->core);
    p->peer->busy++;
    p->next_put = p->core->puts;
    p->core->puts = p;
    put_carrier_init(p);
    put_told_start(p);
    call->work = p;
    call->cancel = put_cancel;
    next_source(p);
}
