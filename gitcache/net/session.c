#include "gitcache/net/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/url.h"
#include "gitcache/net/advertisement.h"
#include "gitcache/net/git_daemon.h"
#include "gitcache/net/protocol.h"
#include "gitcache/net/ssh.h"
#include "gitcache/net/stream.h"
#include "gitcache/net/upload_pack.h"

#define MAX_IDLE 5000 /* milliseconds; servers close what is idle for longer, some soon */

struct session {
    const struct net_settings *settings;
    const struct gitconfig *config;
    char *url; /* of the connection that stands; NULL: there is none */
    enum url_scheme scheme;
    struct stream stream;
    struct capabilities can; /* known once the server has said them */
    bool listed;             /* its server has read its refs, and may keep what it read */
    bool spent;              /* nothing more can be asked on it */
    int64_t used_at;         /* milliseconds */
    char buffer[32768];
    size_t start, end; /* of what has been read and not yet been fed */
};

int session_new(struct session **out, const struct net_settings *settings,
                const struct gitconfig *config, struct error *e)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session)
        return error_no_memory(e);
    session->settings = settings;
    session->config = config;
    *out = session;
    return 0;
}

void session_rest(struct session *session)
{
    if (!session || !session->url)
        return;
    stream_close(&session->stream);
    free(session->url);
    session->url = NULL;
}

void session_free(struct session *session)
{
    session_rest(session);
    free(session);
}

/* One call of session_run. */
struct turn {
    struct session *session;
    struct http *http;
    struct site *site;
    const char *who;
    const struct command *command;
    const struct watch *watch;
    struct error *error;
    bool begun; /* a byte of the answer has come */
    bool eager; /* the request was sent before the server had said anything */
};

static int open_stream(const struct turn *turn)
{
    struct session *session = turn->session;
    struct stream *stream = &session->stream;
    const char *url = turn->site->url;

    if (session->scheme == URL_SSH)
        return ssh_open(stream, url, turn->who, session->settings, session->config, turn->error);
    if (session->scheme == URL_LOCAL)
        return upload_pack_open(stream, url, turn->who, session->settings, session->config,
                                turn->error);
    return git_daemon_open(stream, turn->http, url, turn->who, session->settings, session->config,
                           turn->watch, turn->error);
}

static int open_session(const struct turn *turn)
{
    struct session *session = turn->session;
    char *copy = strdup(turn->site->url);
    int r;

    if (!copy)
        return error_set(turn->error, ENOMEM, "%s: out of memory", turn->who);
    session->scheme = url_scheme(copy);
    r = open_stream(turn);
    if (r < 0) {
        free(copy);
        return r;
    }
    session->url = copy;
    session->can = (struct capabilities){0};
    session->start = session->end = 0;
    session->listed = session->spent = false;
    return 0;
}

/* Makes sure that there is something in the buffer. False in *more at the end of the stream. */
static int fill_buffer(struct session *session, bool *more, struct error *e)
{
    int r = 0;

    if (session->start == session->end) {
        session->start = session->end = 0;
        r = stream_read(&session->stream, session->buffer, sizeof session->buffer, &session->end,
                        e);
    }
    *more = session->start < session->end;
    return r;
}

static int ended_early(struct session *session, struct error *e)
{
    int r = 0;

    if (session->scheme == URL_SSH)
        r = ssh_failed(&session->stream, e);
    else if (session->scheme == URL_LOCAL)
        r = upload_pack_failed(&session->stream, e);
    if (r == 0 && session->can.known)
        r = answer_cut_off(e, session->stream.who);
    else if (r == 0)
        r = error_set(e, ECONNRESET, "%s: the connection was closed without an answer",
                      session->stream.who);
    return r;
}

/* An answer may come right behind it, so it is fed a byte at a time: not one of the answer's may go
 * along. Behind the refs of version 0, where nothing was asked yet, nothing comes. */
static int feed_advertisement(struct turn *turn, const struct advertisement *advertisement,
                              const struct answer *answer)
{
    struct session *session = turn->session;
    bool all = advertisement->state == ADVERTISEMENT_REFS && !turn->eager;
    size_t size = all ? session->end - session->start : 1;
    const char *bytes = session->buffer + session->start;

    session->start += size;
    return answer->feed(answer->parser, bytes, size, turn->error);
}

/* What the server says first. */
static int read_advertisement(struct turn *turn)
{
    struct session *session = turn->session;
    struct advertisement advertisement;
    struct answer answer;
    bool more = true;
    int r = 0;

    if (turn->command->refs)
        lsrefs_command_reset(turn->command->refs);
    advertisement_init(&advertisement, turn->who, turn->command->refs,
                       session->settings->max_listing);
    answer = advertisement_answer(&advertisement);
    while (r == 0 && !answer.is_whole(answer.parser)) {
        r = fill_buffer(session, &more, turn->error);
        if (r == 0 && !more)
            r = ended_early(session, turn->error);
        if (r == 0)
            r = feed_advertisement(turn, &advertisement, &answer);
        pace_note(&session->stream.pace, answer.useful(answer.parser));
    }
    if (r == 0) {
        session->can = turn->site->can = advertisement.found;
        turn->site->version_2 = !session->can.version_0;
    }
    advertisement_release(&advertisement);
    return r;
}

static int read_answer(struct turn *turn)
{
    struct session *session = turn->session;
    const struct answer *answer = &turn->command->answer;
    bool more = true;
    int r = 0;

    while (r == 0 && !answer->is_whole(answer->parser)) {
        r = fill_buffer(session, &more, turn->error);
        if (r == 0 && !more)
            return answer_is_whole_at_end(answer) ? 0 : ended_early(session, turn->error);
        if (r < 0)
            break;
        turn->begun = true;
        r = answer->feed(answer->parser, session->buffer + session->start,
                         session->end - session->start, turn->error);
        session->start = session->end;
        pace_note(&session->stream.pace, answer->useful(answer->parser));
    }
    return r;
}

/* A server that has hung up may have said why: that is read afterwards. */
static int send_request(struct turn *turn)
{
    struct session *session = turn->session;
    struct pktline_buffer request = {0};
    int r = command_check(turn->command, &session->can, turn->who, turn->error);

    if (r < 0)
        return r;
    turn->command->build(turn->command->data, &request, &session->can);
    if (request.failed)
        r = error_set(turn->error, ENOMEM, "%s: out of memory", turn->who);
    else
        r = stream_write(&session->stream, request.bytes, request.length, turn->error);
    pktline_buffer_release(&request);
    return r == -EPIPE ? 0 : r;
}

/* Asks in version 0, where the server has said all its refs already. */
static int run_version_0(struct turn *turn)
{
    int r;

    turn->session->spent = turn->eager;
    if (turn->command->refs)
        return 0;
    if (turn->eager) /* what was sent is in the wrong language; the caller begins anew */
        return error_set(turn->error, EIO, "%s: the server speaks version 0", turn->who);
    turn->session->spent = true;
    r = send_request(turn);
    return r < 0 ? r : read_answer(turn);
}

static int run_command(struct turn *turn)
{
    struct session *session = turn->session;
    bool fresh = !session->can.known;
    int r = 0;

    if (turn->eager)
        r = send_request(turn);
    if (r == 0 && fresh)
        r = read_advertisement(turn);
    if (r < 0)
        return r;
    if (session->can.version_0)
        return run_version_0(turn);
    if (!turn->eager)
        r = send_request(turn);
    return r < 0 ? r : read_answer(turn);
}

static bool can_be_used(const struct turn *turn)
{
    const struct session *session = turn->session;

    return session->url && strcmp(session->url, turn->site->url) == 0 && !session->spent &&
           !(turn->command->refs && session->listed) && clock_now() - session->used_at <= MAX_IDLE;
}

/* Over ssh a wrong guess costs a connection, and many servers speak version 0 there: their sshd
 * takes no GIT_PROTOCOL. */
static bool may_be_eager(const struct turn *turn)
{
    const struct session *session = turn->session;

    if (turn->command->needs_capabilities || protocol_version(session->config) < 2)
        return false;
    if (turn->site->version_2)
        return true;
    return !turn->site->can.known && session->scheme == URL_GIT;
}

static int take_turn(struct turn *turn, bool kept, bool eager)
{
    struct session *session = turn->session;
    int r;

    if (!kept) {
        session_rest(session);
        r = open_session(turn);
        if (r < 0)
            return r;
    }
    turn->eager = eager && !session->can.known && may_be_eager(turn);
    session->stream.who = turn->who;
    session->stream.silence = session->settings->silence_timeout;
    session->stream.pace = pace_begin(session->settings->silence_timeout);
    session->stream.watch = turn->watch;
    return run_command(turn);
}

static bool is_lost(int r)
{
    return r == -EIO || r == -ECONNRESET;
}

int session_run(struct session *session, struct http *http, struct site *site, const char *who,
                const struct command *command, const struct watch *watch, struct error *e)
{
    struct turn turn = {session, http, site, who, command, watch, e, false, false};
    bool kept = can_be_used(&turn);
    int r = take_turn(&turn, kept, true);

    /* One that was kept may have been closed meanwhile by the server. */
    if (is_lost(r) && kept && !turn.begun)
        r = take_turn(&turn, false, true);
    /* A server of version 0 does not like to be asked in version 2; what it said may be lost. */
    if (is_lost(r) && turn.eager && !turn.begun) {
        site->version_2 = false;
        r = take_turn(&turn, false, false);
    }
    session->listed |= command->refs != NULL;
    session->used_at = clock_now();
    session->stream.watch = NULL;
    if (r < 0 || session->spent)
        session_rest(session);
    return r;
}
