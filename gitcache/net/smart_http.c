#include "gitcache/net/smart_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"
#include "gitcache/net/advertisement.h"
#include "gitcache/net/http.h"
#include "gitcache/net/http_login.h"
#include "gitcache/net/http_message.h"
#include "gitcache/net/politeness.h"
#include "gitcache/net/protocol.h"

#define MAX_HOPS    10    /* redirects and logins of one request */
#define LONG_ANSWER 65536 /* bytes: a server that sends so much of an answer did not refuse */

static const char post_suffix[] = "/git-upload-pack";
static const char discovery_suffix[] = "/info/refs?service=git-upload-pack";

struct smart_http {
    const struct net_settings *settings;
    struct http *http;
    const struct gitconfig *config;
    struct http_login login;
};

/* One call of smart_http_run. */
struct run {
    struct smart_http *smart;
    struct site *site;
    const char *who;
    const struct command *command;
    const struct watch *watch;
    struct error *error;
    bool refused; /* the server did not take the POST; discovery may help */
};

int smart_http_new(struct smart_http **out, const struct net_settings *settings,
                   const struct gitconfig *config, struct error *e)
{
    struct smart_http *smart = calloc(1, sizeof *smart);
    int r;

    if (!smart)
        return error_no_memory(e);
    smart->settings = settings;
    smart->login.launcher = settings->launcher;
    smart->config = config;
    r = http_new(&smart->http, settings, config, e);
    if (r < 0) {
        free(smart);
        return r;
    }
    *out = smart;
    return 0;
}

void smart_http_free(struct smart_http *smart)
{
    if (!smart)
        return;
    http_login_release(&smart->login);
    http_free(smart->http);
    free(smart);
}

void smart_http_rest(struct smart_http *smart)
{
    if (smart)
        http_rest(smart->http);
}

struct http *smart_http_get_http(struct smart_http *smart)
{
    return smart->http;
}

static int out_of_memory(const struct run *run)
{
    return error_set(run->error, ENOMEM, "%s: out of memory", run->who);
}

/* Checks where a redirect leads to. */
static int check_redirect(const struct run *run, const char *from, const char *to)
{
    enum url_scheme scheme = url_scheme(to);

    if (scheme != URL_HTTP && scheme != URL_HTTPS)
        return error_set(run->error, EIO, "%s: the server redirects to something other than http",
                         run->who);
    if (scheme == URL_HTTP && url_scheme(from) == URL_HTTPS)
        return error_set(run->error, EIO,
                         "%s: the server redirects from https to http, which is refused", run->who);
    if (!gitconfig_bool(gitconfig_http(run->smart->config, from, "followredirects"), true))
        return error_set(run->error, EACCES,
                         "%s: the server redirects to another place, and git's "
                         "http.followRedirects forbids following it",
                         run->who);
    return protocol_check(run->smart->config, scheme, run->who, run->error);
}

/* Where a redirected request succeeded tells where the repository is now. */
static void remember_base(struct site *site, const char *effective, const char *suffix)
{
    size_t length = strlen(effective), tail = strlen(suffix);
    char *base;

    if (length <= tail || strcmp(effective + length - tail, suffix) != 0)
        return;
    base = strndup(effective, length - tail);
    if (!base)
        return;
    free(site->base);
    site->base = base;
}

/* Makes one request to base + suffix, through redirects and logins. */
static int request(struct run *run, const char *suffix, struct http_request *request,
                   struct http_response *response)
{
    struct http_login *login = &run->smart->login;
    char *url = NULL;
    int r;

    if (asprintf(&url, "%s%s", run->site->base, suffix) < 0)
        return out_of_memory(run);
    request->who = run->who;
    request->watch = run->watch;
    for (int hop = 0;; hop++) {
        request->url = url;
        http_login_prepare(login, run->site->url, request);
        r = politeness_wait(run->smart->settings->politeness, url, run->who, run->watch,
                            run->error);
        if (r < 0)
            break;
        r = http_request(run->smart->http, request, response, run->error);
        if (r == 0 && http_message_pause(response))
            politeness_pause(run->smart->settings->politeness, url, http_message_pause(response));
        if (r < 0 || response->fed || hop == MAX_HOPS)
            break;
        if (response->redirect) {
            char *to = site_base_of(response->redirect);
            r = to ? check_redirect(run, url, response->redirect) : out_of_memory(run);
            free(url);
            url = to;
            if (r < 0)
                break;
        } else if (response->status != 401 ||
                   !http_login_again(login, request, response,
                                     run->smart->settings->silence_timeout)) {
            break;
        }
        http_response_release(response);
    }
    if (r == 0 && response->fed) {
        http_login_worked(login, request, run->smart->settings->silence_timeout);
        remember_base(run->site, url, suffix);
    }
    free(url);
    return r;
}

/* The GET of info/refs: what the server can do, and in version 0 all its refs. */
static int discover(struct run *run)
{
    struct advertisement advertisement;
    struct http_response response = {0};
    struct answer answer;
    int r;

    if (run->command->refs)
        lsrefs_command_reset(run->command->refs);
    advertisement_init(&advertisement, run->who, run->command->refs,
                       run->smart->settings->max_listing);
    answer = advertisement_answer(&advertisement);
    r = request(run, discovery_suffix,
                &(struct http_request){.type = "application/x-git-upload-pack-advertisement",
                                       .answer = &answer},
                &response);
    if (r == 0 && !response.fed)
        r = http_message_error(run->error, run->who, &response);
    else if (r == 0 && !answer.is_whole(answer.parser))
        r = answer_cut_off(run->error, run->who);
    if (r == 0) {
        run->site->can = advertisement.found;
        run->site->version_2 = !advertisement.found.version_0;
    }
    http_response_release(&response);
    advertisement_release(&advertisement);
    return r;
}

static bool has_begun(const struct command *command)
{
    const struct answer *answer = &command->answer;

    /* Of a pack not one byte may come twice; of a listing, what is long was no refusal. */
    return answer->useful(answer->parser) > (command->refs ? LONG_ANSWER : 0);
}

/* A failure that may have no other reason than that the server was not asked as it likes. A server
 * that is known to speak version 2, and says in it that it lacks what is asked for, is believed. */
static bool may_be_refusal(const struct run *run, const struct http_response *response, int r)
{
    bool lacks = r == -ENOENT || r == -EHOSTUNREACH; /* what is asked for, or the repository */

    if (response->fed)
        return !has_begun(run->command) && !(run->site->version_2 && lacks) &&
               (r == -EIO || lacks || r == -EACCES);
    if (response->status == 0)
        return r == -EIO || r == -ECONNRESET;
    return http_message_wants_discovery(response);
}

/* Posts the command. */
static int post(struct run *run)
{
    const struct command *command = run->command;
    struct http_response response = {0};
    struct pktline_buffer body = {0};
    struct answer answer = command->answer;
    int r = command_check(command, &run->site->can, run->who, run->error);

    if (r < 0)
        return r;
    command->build(command->data, &body, &run->site->can);
    if (body.failed)
        r = out_of_memory(run);
    else
        r = request(run, post_suffix,
                    &(struct http_request){.body = body.bytes,
                                           .body_length = body.length,
                                           .body_type = "application/x-git-upload-pack-request",
                                           .type = "application/x-git-upload-pack-result",
                                           .answer = &answer},
                    &response);
    if (r == 0 && !response.fed)
        r = http_message_error(run->error, run->who, &response);
    else if (r == 0 && !answer_is_whole_at_end(&answer))
        r = answer_cut_off(run->error, run->who);
    run->refused = r < 0 && r != -ENOMEM && may_be_refusal(run, &response, r);
    if (r == 0 && !run->site->can.version_0)
        run->site->version_2 = true;
    http_response_release(&response);
    pktline_buffer_release(&body);
    return r;
}

static bool is_answered(const struct run *run)
{
    return run->command->refs && run->site->can.known && run->site->can.version_0;
}

static int discover_and_post(struct run *run)
{
    int r = discover(run);

    return r < 0 || is_answered(run) ? r : post(run);
}

static bool wants_discovery(const struct run *run)
{
    const struct gitconfig *config = run->smart->config;

    if (is_answered(run) || (run->command->needs_capabilities && !run->site->can.known))
        return true;
    if (protocol_version(config) < 2 && !run->site->can.known)
        return true;
    return run->command->refs &&
           gitconfig_bool(gitconfig_http(config, run->site->url, "startpointfsdiscover"), false);
}

int smart_http_run(struct smart_http *smart, struct site *site, const char *who,
                   const struct command *command, const struct watch *watch, struct error *e)
{
    struct run run = {smart, site, who, command, watch, e, false};
    int r;

    if (wants_discovery(&run)) {
        bool known = site->can.known || site->version_2;
        r = discover_and_post(&run);
        if (r == 0 || !known || !run.refused)
            return r;
    } else {
        r = post(&run);
    }
    if (r < 0 && run.refused) {
        /* What was known, where a redirect once led to among it, may be what is wrong. */
        if (site_forget(site) < 0)
            return out_of_memory(&run);
        r = discover_and_post(&run);
    }
    return r;
}
