/* Gathering and writing. See sink.h. */
#include "sink.h"

#include "json.h"
#include "utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sink_init(struct sink *s, struct cli *cli)
{
    *s = (struct sink){.cli = cli, .shown = cli_is_terminal(cli->out) && !cli->json, .room = 2 * SINK_BYTES};
    s->bytes = cli_need(malloc(s->room));
}

void sink_fini(struct sink *s)
{
    free(s->bytes);
    s->bytes = NULL;
}

static void add_raw(struct sink *s, const void *bytes, size_t n)
{
    if (n > s->room - s->used) {
        s->room = s->used + n;
        s->bytes = cli_need(realloc(s->bytes, s->room));
    }
    memcpy(s->bytes + s->used, bytes, n);
    s->used += n;
}

static void add_escaped(struct sink *s, const unsigned char *bytes, size_t n)
{
    char code[8];

    for (size_t i = 0; i < n; i++) {
        snprintf(code, sizeof code, "\\x%02x", bytes[i]);
        add_raw(s, code, 4);
    }
}

static void add_shown(struct sink *s, const char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        uint32_t cp;
        size_t length = utf8_next(bytes + at, n - at, &cp);
        bool plain = length && (cp == '\n' || cp == '\t' || !utf8_hidden(cp));
        length = length ? length : 1;
        if (plain)
            add_raw(s, bytes + at, length);
        else
            add_escaped(s, (const unsigned char *)bytes + at, length);
        at += length;
    }
}

void sink_add(struct sink *s, const void *bytes, size_t n)
{
    if (s->shown)
        add_shown(s, bytes, n);
    else
        add_raw(s, bytes, n);
}

static const char *event_name(enum weft_event_kind kind)
{
    switch (kind) {
    case WEFT_PIPE_MESSAGE: return "message";
    case WEFT_PIPE_SENDER: return "sender-began";
    case WEFT_PIPE_SENDER_ENDED: return "sender-ended";
    case WEFT_PIPE_SENDER_LOST: return "sender-lost";
    case WEFT_PIPE_OFFER: return "stream-refused"; /* for which JSON has no place */
    case WEFT_PIPE_DROPPED: return "dropped";
    }
    return "unknown";
}

static json_t *json_of(const struct weft_event *e)
{
    json_t *object = cli_need(json_pack("{s:s}", "event", event_name(e->kind)));

    if (e->kind == WEFT_PIPE_DROPPED) {
        json_object_set_new(object, "messages", json_integer((json_int_t)e->seq));
        return object;
    }
    json_object_set_new(object, "from", json_string(e->from));
    json_object_set_new(object, "id", json_string(e->id));
    if (e->kind != WEFT_PIPE_OFFER)
        json_object_set_new(object, "channel", json_string(e->channel));
    if (e->kind == WEFT_PIPE_MESSAGE) {
        json_object_set_new(object, "seq", json_integer((json_int_t)e->seq));
        json_object_set_new(object, "again", json_boolean(e->again));
        json_set_bytes(object, e->bytes, e->n);
    }
    return object;
}

void sink_add_event(struct sink *s, const struct weft_event *event)
{
    json_t *object = json_of(event);
    char *line = cli_need(json_dumps(object, JSON_COMPACT | (cli_is_terminal(s->cli->out) ? JSON_ENSURE_ASCII : 0)));

    add_raw(s, line, strlen(line));
    add_raw(s, "\n", 1);
    free(line);
    json_decref(object);
}

bool sink_is_full(const struct sink *s)
{
    return s->used >= SINK_BYTES;
}

int sink_write(struct sink *s)
{
    errno = 0;
    size_t written = fwrite(s->bytes, 1, s->used, s->cli->out);
    bool good = written == s->used && fflush(s->cli->out) == 0;

    s->used = 0;
    return good ? 0 : errno ? errno : EIO;
}
