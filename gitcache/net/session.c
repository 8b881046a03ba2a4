#include "gitcache/net/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/url.h"
#include "gitcache/net/git_daemon.h"
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
    struct capabilities capabilities; /* known once the server has said them */
    bool listed;                      /* its server has read its refs, and may keep what it read */
    int64_t used_at;                  /* milliseconds */
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

static int open_session(struct session *session, struct http *http, const char *url,
                        const char *who, const struct watch *watch, struct error *e)
{
    char *copy = strdup(url);
    int r;

    if (!copy)
        return error_set(e, ENOMEM, "%s: out of memory", who);
    session->scheme = url_scheme(url);
    if (session->scheme == URL_SSH)
        r = ssh_open(&session->stream, url, who, session->settings, session->config, e);
    else if (session->scheme == URL_LOCAL)
        r = upload_pack_open(&session->stream, url, who, e);
    else
        r = git_daemon_open(&session->stream, http, url, who, session->settings, watch, e);
    if (r < 0) {
        free(copy);
        return r;
    }
    session->url = copy;
    session->capabilities = (struct capabilities){0};
    session->start = session->end = 0;
    session->listed = false;
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
    if (r == 0 && session->capabilities.known)
        r = answer_cut_off(e, session->stream.who);
    else if (r == 0)
        r = error_set(e, EIO, "%s: the connection was closed without an answer",
                      session->stream.who);
    return r;
}

/* The capabilities come right before an answer, so they are fed a byte at a time: not one of the
 * answer's may go along. */
static int read_capabilities(struct session *session, struct error *e)
{
    struct advertisement advertisement;
    struct answer answer;
    bool more = true;
    int r = 0;

    advertisement_init(&advertisement, session->stream.who,
                       session->scheme == URL_SSH
                           ? "it needs git 2.18 or newer, and its sshd must accept the "
                             "variable (AcceptEnv GIT_PROTOCOL)"
                           : "it needs git 2.18 or newer");
    answer = advertisement_answer(&advertisement);
    while (r == 0 && !answer.is_whole(answer.parser)) {
        r = fill_buffer(session, &more, e);
        if (r == 0 && !more)
            r = ended_early(session, e);
        if (r == 0)
            r = answer.feed(answer.parser, session->buffer + session->start++, 1, e);
    }
    session->capabilities = advertisement.found;
    advertisement_release(&advertisement);
    return r;
}

/* `begun` tells whether a byte of the answer came. */
static int read_answer(struct session *session, const struct answer *answer, bool *begun,
                       struct error *e)
{
    bool more = true;
    int r = 0;

    while (r == 0 && !answer->is_whole(answer->parser)) {
        r = fill_buffer(session, &more, e);
        if (r == 0 && !more)
            r = ended_early(session, e);
        if (r < 0)
            break;
        *begun = true;
        r = answer->feed(answer->parser, session->buffer + session->start,
                         session->end - session->start, e);
        session->start = session->end;
    }
    return r;
}

/* A server that has hung up may have said why: that is read afterwards. */
static int send_request(struct session *session, const struct command *command, struct error *e)
{
    struct pktline_buffer request = {0};
    int r;

    command->build(command->data, &request, &session->capabilities);
    if (request.failed)
        r = error_set(e, ENOMEM, "%s: out of memory", session->stream.who);
    else
        r = stream_write(&session->stream, request.bytes, request.length, e);
    pktline_buffer_release(&request);
    return r == -EPIPE ? 0 : r;
}

static int run_command(struct session *session, const struct command *command, bool *begun,
                       struct error *e)
{
    bool fresh = !session->capabilities.known;
    bool wait = fresh && command->needs_capabilities;
    int r = 0;

    if (!wait)
        r = send_request(session, command, e);
    if (r == 0 && fresh)
        r = read_capabilities(session, e);
    if (r == 0 && wait)
        r = send_request(session, command, e);
    return r < 0 ? r : read_answer(session, &command->answer, begun, e);
}

static bool can_be_used(const struct session *session, const char *url,
                        const struct command *command)
{
    return session->url && !(command->lists && session->listed) && strcmp(session->url, url) == 0 &&
           clock_now() - session->used_at <= MAX_IDLE;
}

int session_run(struct session *session, struct http *http, const char *url, const char *who,
                const struct command *command, const struct watch *watch, struct error *e)
{
    bool kept = can_be_used(session, url, command), begun = false;
    int r = 0;

    for (;; kept = false) {
        if (!kept) {
            session_rest(session);
            r = open_session(session, http, url, who, watch, e);
            if (r < 0)
                return r;
        }
        session->stream.who = who;
        session->stream.silence = session->settings->silence_timeout;
        session->stream.watch = watch;
        r = run_command(session, command, &begun, e);
        /* One that was kept may have been closed meanwhile by the server. */
        if (r != -EIO || !kept || begun)
            break;
    }
    session->listed |= command->lists;
    session->used_at = clock_now();
    session->stream.watch = NULL;
    if (r < 0)
        session_rest(session);
    return r;
}
