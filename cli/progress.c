/* The arithmetic and the layout of progress.h. */
#include "progress.h"

#include "units.h"
#include "width.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HALF_LIFE_NOW 1.0
#define HALF_LIFE_STEADY 10.0
#define STALLED 1.0 /* bytes per second: less is no rate to reckon with */

static void rate_add(struct progress_rate *rate, double half_life, double bytes, double seconds)
{
    double kept = exp2(-seconds / half_life);

    rate->bytes = rate->bytes * kept + bytes;
    rate->seconds = rate->seconds * kept + seconds;
}

static double rate_value(const struct progress_rate *rate)
{
    return rate->seconds > 0 ? rate->bytes / rate->seconds : 0;
}

void progress_sample(struct progress *p, uint64_t at_ns, uint64_t moved)
{
    if (p->begun && at_ns > p->at_ns) {
        double seconds = (double)(at_ns - p->at_ns) / 1e9;
        double bytes = moved > p->moved ? (double)(moved - p->moved) : 0;
        rate_add(&p->now, HALF_LIFE_NOW, bytes, seconds);
        rate_add(&p->steady, HALF_LIFE_STEADY, bytes, seconds);
    }
    if (!p->begun || at_ns > p->at_ns) {
        p->begun = true;
        p->at_ns = at_ns;
        p->moved = moved;
    }
}

double progress_rate(const struct progress *p)
{
    return rate_value(&p->now);
}

uint64_t progress_left(const struct progress *p, uint64_t bytes)
{
    double rate = rate_value(&p->steady);

    if (rate < STALLED || (double)bytes / rate > 1e9)
        return UINT64_MAX;
    return (uint64_t)ceil((double)bytes / rate);
}

enum view_phase progress_phase(const char *name)
{
    static const struct {
        const char *name;
        enum view_phase phase;
    } names[] = {
        {"listing", VIEW_LISTING}, {"survey", VIEW_LISTING},   {"data", VIEW_DATA},           {"stream", VIEW_STREAM},
        {"index", VIEW_INDEX},     {"fetch", VIEW_FETCH},      {"diff", VIEW_DIFF},           {"send", VIEW_SEND},
        {"gather", VIEW_GATHER},   {"finish", VIEW_FINISHING}, {"finishing", VIEW_FINISHING},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].phase;
    return VIEW_WAITING;
}

bool progress_flows(enum view_phase phase)
{
    return phase != VIEW_WAITING && phase != VIEW_LISTING && phase != VIEW_FINISHING;
}

static void percent(const struct progress_view *v, char *out, size_t cap)
{
    if (v->bytes_total == 0)
        snprintf(out, cap, "%s", "");
    else
        snprintf(out, cap, "  %u%%", (unsigned)(100.0 * (double)v->bytes_done / (double)v->bytes_total));
}

static void time_left(const struct progress *p, const struct progress_view *v, char *out, size_t cap)
{
    uint64_t bytes = v->bytes_total > v->bytes_done ? v->bytes_total - v->bytes_done : 0;
    uint64_t left = progress_left(p, bytes);

    if (left == UINT64_MAX)
        snprintf(out, cap, "  ETA --:--");
    else
        snprintf(out, cap, "  ETA %s", units_clock(left).s);
}

/* What stands behind the name, while bytes flow. */
static void data_tail(const struct progress *p, const struct progress_view *v, char *out, size_t cap)
{
    char part[16], eta[48];

    percent(v, part, sizeof part);
    time_left(p, v, eta, sizeof eta);
    snprintf(out, cap, "  %s / %s%s  %s/s%s", units_size(v->bytes_done).s, units_size(v->bytes_total).s, part,
             units_size((uint64_t)progress_rate(p)).s, eta);
}

/* The same of bytes that stay where they are: how many is of less interest than how far. */
static void local_tail(const struct progress *p, const struct progress_view *v, const char *what, char *out, size_t cap)
{
    char part[16], eta[48];

    percent(v, part, sizeof part);
    time_left(p, v, eta, sizeof eta);
    snprintf(out, cap, "  %s%s  %s/s%s", what, part, units_size((uint64_t)progress_rate(p)).s, eta);
}

static void safe_tail(const struct progress_view *v, char *out, size_t cap)
{
    if (v->bytes_total == 0)
        snprintf(out, cap, "  making it safe on disk");
    else
        snprintf(out, cap, "  %s  100%%, making it safe on disk", units_size(v->bytes_total).s);
}

static void tail(const struct progress *p, const struct progress_view *v, char *out, size_t cap)
{
    bool all = v->bytes_total > 0 && v->bytes_done >= v->bytes_total;

    switch (v->phase) {
    case VIEW_LISTING:
        snprintf(out, cap, "  listing: %" PRIu64 " files, %s so far", v->files_total, units_size(v->bytes_total).s);
        break;
    case VIEW_STREAM:
        snprintf(out, cap, "  %s  %s/s", units_size(v->bytes_done).s, units_size((uint64_t)progress_rate(p)).s);
        break;
    case VIEW_DATA: all ? safe_tail(v, out, cap) : data_tail(p, v, out, cap); break;
    case VIEW_SEND: data_tail(p, v, out, cap); break;
    case VIEW_INDEX: local_tail(p, v, "indexing it there", out, cap); break;
    case VIEW_FETCH: local_tail(p, v, "fetching the index", out, cap); break;
    case VIEW_DIFF: local_tail(p, v, "comparing", out, cap); break;
    case VIEW_GATHER: local_tail(p, v, "building it there", out, cap); break;
    case VIEW_FINISHING: safe_tail(v, out, cap); break;
    case VIEW_WAITING: snprintf(out, cap, "  connecting");
    }
}

const char *progress_line(const struct progress *p, const struct progress_view *v, size_t columns, char *out, size_t cap)
{
    char end[256], count[48] = "", name[512];

    tail(p, v, end, sizeof end);
    if (v->files_total > 1)
        snprintf(count, sizeof count, "[%" PRIu64 "/%" PRIu64 "] ", v->files_done, v->files_total);
    size_t fixed = strlen(end) + strlen(count);
    if (fixed + 4 > columns) {
        width_cut(end + 2, columns, out, cap);
        return out;
    }
    width_cut(v->name, columns - fixed, name, sizeof name);
    snprintf(out, cap, "%s%s%s", count, name, end);
    return out;
}
