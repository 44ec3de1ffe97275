/* What a put sends as it is: it stands ready as a parcel, and the peer fetches it. See put_internal.h. */
#include "put_internal.h"

#include <stdlib.h>
#include <string.h>

#define FETCH_ENDS SECOND /* after the peer has said that it has all */

/* ---- what stands ready */

/* What a fetch has cost is known at its end only, and is counted also when it was taken back in its middle. */
static void parcel_over(void *owner)
{
    struct put_parcel *ready = owner;
    if (ready->put) {
        struct put_parcel **at = &ready->put->left;
        put_count_ready(ready->put, ready);
        while (*at != ready)
            at = &(*at)->next_left;
        *at = ready->next_left;
    }
    if (ready->diff)
        put_diff_release(ready->diff);
    free(ready);
}

/* The peer may fetch it again, as when its streams broke: what comes then is counted anew. */
static void fetch_ended(struct parcel *parcel)
{
    struct put_parcel *ready = parcel->owner;
    struct put *p = ready->put;
    put_count_parcel(p);
    ready->sent = ready->wire = 0;
    if (ready->awaited)
        core_timer(p->core, &p->wait, 0);
}

void put_when_fetched(struct put *p, void (*then)(struct put *p))
{
    bool fetching = p->parcel && p->parcel->parcel->send;
    if (!fetching) {
        then(p);
        return;
    }
    p->parcel->awaited = true;
    put_wait(p, FETCH_ENDS, then);
}

struct parcel *put_offer(struct put *p, const char *path, struct put_diff *diff)
{
    char root[PATH_BYTES_MAX + 1];
    const char *name = strrchr(path, '/') + 1;
    size_t n = (size_t)(name - path) > 1 ? (size_t)(name - path) - 1 : 1; /* "/" is its own folder */
    struct put_parcel *ready = calloc(1, sizeof *ready);
    memcpy(root, path, n);
    root[n] = '\0';
    struct parcel *parcel = ready ? parcel_make(p->core, p->peer, root, name, ready) : NULL;
    if (!parcel) {
        free(ready);
        return NULL;
    }
    parcel->ended = fetch_ended;
    parcel->view = diff ? &diff->job.diff.regions : NULL;
    ready->put = p;
    ready->parcel = parcel;
    ready->diff = diff;
    if (diff)
        diff->users++;
    p->parcel = ready;
    p->sending_at = core_now(p->core);
    return parcel;
}

/* What went over a connection shows that it does: the relay is not needed any more. */
void put_withdraw(struct put *p)
{
    struct put_parcel *ready = p->parcel;
    struct link *link = put_link(p);
    if (!ready)
        return;
    put_count_parcel(p);
    if (p->moved && link && !link->relayed)
        link_use(p->core, &p->held, link->no);
    p->parcel = NULL;
    ready->next_left = p->left;
    p->left = ready;
    parcel_end(ready->parcel, parcel_over);
}

void put_forget_left(struct put *p)
{
    for (struct put_parcel *ready = p->left; ready; ready = ready->next_left)
        ready->put = NULL;
    p->left = NULL;
}

/* ---- sending */

void put_whole(struct put *p, uint64_t handle, const char *name, const char *path, put_answer *answer)
{
    struct msg *m = calloc(1, sizeof *m);
    struct parcel *parcel = m ? put_offer(p, path, NULL) : NULL;
    if (parcel) {
        m->type = MSG_PUT;
        m->put = (struct msg_put){.handle = handle, .parcel = parcel->name, .policy = p->policy, .dry_run = p->dry_run};
        strcpy(m->put.name, name);
        put_phase(p, PUT_SEND, 0);
        put_ask(p, m, MSG_PUT_OK, answer);
    } else {
        put_fail_nomem(p);
    }
    free(m);
}

void put_count_whole(struct put *p, const struct msg_put_ok *ok)
{
    put_count(p);
    p->sum.files += ok->files;
    p->sum.bytes += ok->bytes;
    p->sum.sent += p->dry_run ? ok->bytes : 0;
    p->sum.present += ok->present;
    p->sum.skipped += ok->skipped;
    p->sum.failed += ok->failed;
    for (size_t i = 0; i < ok->item_count; i++) {
        char text[ERROR_TEXT_MAX * 4 + 1];
        struct fault fault;
        fault_set(&fault, (int)ok->item[i].code, "%s", escape(ok->item[i].text, strlen(ok->item[i].text), text, sizeof text));
        put_tell_item(p, ok->item[i].path, ok->item[i].len, &fault);
    }
}
