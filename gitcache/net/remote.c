#include "gitcache/net/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/url.h"
#include "gitcache/net/command.h"
#include "gitcache/net/fetch_command.h"
#include "gitcache/net/gitconfig.h"
#include "gitcache/net/launcher.h"
#include "gitcache/net/lsrefs_command.h"
#include "gitcache/net/politeness.h"
#include "gitcache/net/protocol.h"
#include "gitcache/net/session.h"
#include "gitcache/net/sigpipe.h"
#include "gitcache/net/site.h"
#include "gitcache/net/smart_http.h"

#define MAX_TRIES 7 /* of a command that was dropped; the pauses are some 13 seconds in all */

struct remote {
    struct net_settings settings;
    struct gitconfig *config;
    struct smart_http *smart; /* made when first needed, as is the session */
    struct session *session;
    struct politeness *own; /* where none is shared */
    struct sites sites;     /* what is known of the servers */
};

/* Where one call goes to. */
struct goal {
    char *url;     /* after insteadOf; owned */
    char who[300]; /* as shown; cut, so that a sentence has room for what happened */
    enum url_scheme scheme;
};

int remote_new(struct remote **out, const struct net_settings *settings, struct error *e)
{
    struct remote *remote = calloc(1, sizeof *remote);

    if (!remote)
        return error_no_memory(e);
    remote->settings = *settings;
    if (!settings->politeness)
        remote->settings.politeness = remote->own = politeness_new(settings->rate);
    if (!remote->settings.politeness) {
        remote_free(remote);
        return error_no_memory(e);
    }
    *out = remote;
    return 0;
}

/* Reads git's configuration, until that has succeeded once. */
static int configure(struct remote *remote, struct error *e)
{
    if (remote->config)
        return 0;
    int r = launcher_config(remote->settings.launcher, &remote->config, e);
    if (r == 0)
        net_settings_complete(&remote->settings, remote->config);
    return r;
}

void remote_rest(struct remote *remote)
{
    session_rest(remote->session);
    smart_http_rest(remote->smart);
}

void remote_free(struct remote *remote)
{
    if (!remote)
        return;
    site_release_all(&remote->sites);
    session_free(remote->session);
    smart_http_free(remote->smart);
    gitconfig_free(remote->config);
    politeness_free(remote->own);
    free(remote);
}

static int goal_init(struct goal *goal, struct remote *remote, const char *url, struct error *e)
{
    url_display(url, goal->who, sizeof goal->who);
    int r = configure(remote, e);
    if (r < 0)
        return r;
    goal->url = gitconfig_rewrite(remote->config, url);
    if (!goal->url)
        return error_set(e, ENOMEM, "%s: out of memory", goal->who);
    url_display(goal->url, goal->who, sizeof goal->who);
    goal->scheme = url_scheme(goal->url);
    if (goal->scheme == URL_REFUSED)
        return error_set(e, EINVAL,
                         "%s: not a URL of a repository; write https://, ssh://, git://, "
                         "user@host:path or an absolute path",
                         goal->who);
    return protocol_check(remote->config, goal->scheme, goal->who, e);
}

static void goal_release(struct goal *goal)
{
    if (goal->url) /* may hold a password */
        explicit_bzero(goal->url, strlen(goal->url));
    free(goal->url);
}

/* Sends a command and feeds the answer. ECONNRESET: the connection was lost. */
static int run_once(struct remote *remote, const struct goal *goal, const struct command *command,
                    const struct watch *watch, struct error *e)
{
    struct site *site = site_get(&remote->sites, goal->url);
    struct sigpipe sigpipe;
    int r = site ? 0 : error_no_memory(e);

    if (r == 0 && !remote->smart)
        r = smart_http_new(&remote->smart, &remote->settings, remote->config, e);
    if (r == 0 && !remote->session)
        r = session_new(&remote->session, &remote->settings, remote->config, e);
    if (r < 0)
        return r;
    sigpipe_hold(&sigpipe);
    if (goal->scheme == URL_HTTP || goal->scheme == URL_HTTPS)
        r = smart_http_run(remote->smart, site, goal->who, command, watch, e);
    else
        r = session_run(remote->session, smart_http_get_http(remote->smart), site, goal->who,
                        command, watch, e);
    sigpipe_release(&sigpipe);
    return r;
}

/* Longer after each try, and not the same for all that were dropped at once. */
static void pause_before(unsigned try, const struct watch *watch)
{
    struct timespec moment = {.tv_nsec = 20000000};
    int64_t until = clock_now() + ((int64_t)50 << try) + (int64_t)(random() % 50);

    while (clock_now() < until && !watch_is_cancelled(watch))
        nanosleep(&moment, NULL);
}

/* Who waits keeps no connection, which would take others' places. */
static int take_place(struct remote *remote, const struct goal *goal, const struct watch *watch,
                      struct error *e)
{
    if (politeness_may_enter(remote->settings.politeness, goal->url))
        return 0;
    remote_rest(remote);
    return politeness_enter(remote->settings.politeness, goal->url, goal->who, watch, e);
}

/* Sends a command and feeds the answer; again, beside fewer others, if the server dropped it. */
static int run(struct remote *remote, const struct goal *goal, const struct command *command,
               const struct watch *watch, struct error *e)
{
    struct politeness *politeness = remote->settings.politeness;
    bool again = true;
    int r = 0;

    for (unsigned try = 0; again; try++) {
        if (try > 0)
            pause_before(try, watch);
        r = take_place(remote, goal, watch, e);
        if (r < 0)
            return r;
        r = run_once(remote, goal, command, watch, e);
        if (r == -EPIPE) /* before the request was sent */
            r = -ECONNRESET;
        bool was_dropped = r == -ECONNRESET && command->answer.useful(command->answer.parser) == 0;
        again = politeness_leave(politeness, goal->url, was_dropped) && try < MAX_TRIES;
        if (politeness_is_crowded(politeness, goal->url))
            remote_rest(remote);
    }
    if (r == -ECONNRESET && e)
        e->errnum = EIO;
    return r == -ECONNRESET ? -EIO : r;
}

void remote_remember(struct remote *remote, const char *url, const char *server)
{
    struct goal goal = {0};
    struct site *site = NULL;

    if (server && goal_init(&goal, remote, url, NULL) == 0)
        site = site_get(&remote->sites, goal.url);
    if (site && !site->can.known && !site->version_2)
        site_parse(site, server);
    goal_release(&goal);
}

/* What is worth keeping beside the listing; lack of memory is no reason to fail. */
static char *describe_server(struct remote *remote, const char *url)
{
    const struct site *site = site_get(&remote->sites, url);

    return site ? site_format(site) : NULL;
}

static void build_list(void *data, struct pktline_buffer *out,
                       const struct capabilities *capabilities)
{
    struct lsrefs_command *lsrefs = data;

    lsrefs_command_reset(lsrefs);
    lsrefs_command_build(out, capabilities, lsrefs->branches);
}

int remote_list(struct remote *remote, const char *url, const char *const *branches, size_t count,
                const struct watch *watch, struct listing *out, struct error *e)
{
    const struct lsrefs_command_branches asked = {branches, count};
    struct lsrefs_command lsrefs;
    struct command command = {.build = build_list, .data = &lsrefs, .refs = &lsrefs};
    struct goal goal = {0};
    int r = goal_init(&goal, remote, url, e);

    lsrefs_command_init(&lsrefs, goal.who, &asked, remote->settings.max_listing, watch);
    command.answer = lsrefs_command_answer(&lsrefs);
    if (r == 0)
        r = run(remote, &goal, &command, watch, e);
    if (r == 0) {
        *out = lsrefs.listing;
        out->listed_at = time(NULL);
        out->server = describe_server(remote, goal.url);
        lsrefs.listing = (struct listing){0};
    }
    lsrefs_command_release(&lsrefs);
    goal_release(&goal);
    return r;
}

/* What a fetch's command is built from. */
struct fetch_job {
    struct fetch_command parser;
    const struct fetch_command_request *request;
};

static void build_fetch(void *data, struct pktline_buffer *out,
                        const struct capabilities *capabilities)
{
    struct fetch_job *job = data;

    fetch_command_expect(&job->parser, capabilities, job->request);
    fetch_command_build(out, capabilities, job->request);
}

/* Said once, by each thread that meets it. */
static void note_whole_history(struct remote *remote, const struct goal *goal,
                               const struct watch *watch)
{
    struct site *site = site_get(&remote->sites, goal->url);
    char sentence[500];

    if (!site || !site->can.known || site->can.shallow || site->noted || !watch || !watch->note)
        return;
    snprintf(sentence, sizeof sentence,
             "%s: the server cannot send a version without its history: all of it is fetched",
             goal->who);
    watch->note(watch->data, sentence);
    site->noted = true;
}

int remote_fetch(struct remote *remote, const char *url,
                 const struct fetch_command_request *request, fetch_command_sink sink,
                 void *sink_data, const struct watch *watch, struct error *e)
{
    struct fetch_job job = {.request = request};
    struct command command = {
        .build = build_fetch, .data = &job, .needs_capabilities = request->commits_only};
    struct goal goal = {0};
    int r = goal_init(&goal, remote, url, e);

    fetch_command_init(&job.parser, goal.who, remote->settings.max_pack, sink, sink_data, watch);
    if (request->max_pack && request->max_pack < job.parser.max_pack) {
        job.parser.max_pack = request->max_pack;
        job.parser.too_large = EFBIG;
    }
    command.needs_filter = request->needs_filter;
    command.by_id = request->by_id;
    command.answer = fetch_command_answer(&job.parser);
    if (r == 0)
        r = run(remote, &goal, &command, watch, e);
    if (r == 0 && request->depth)
        note_whole_history(remote, &goal, watch);
    fetch_command_release(&job.parser);
    goal_release(&goal);
    return r;
}
