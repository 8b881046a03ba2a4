#include "gitcache/net/smart_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"
#include "gitcache/net/http.h"
#include "gitcache/net/http_login.h"
#include "gitcache/net/http_message.h"

#define MAX_HOPS 10 /* redirects and logins of one request */
#define SITES    8  /* repositories that are remembered; a thread works on few at a time */

static const char post_suffix[] = "/git-upload-pack";
static const char discovery_suffix[] = "/info/refs?service=git-upload-pack";
static const char version_2_hint[] =
    "it needs git 2.18 or newer, and its web server must hand the header Git-Protocol on to git";

/* What is known of one repository. */
struct site {
    char *url;  /* as it was asked for */
    char *base; /* without user information; where redirects led to */
    struct capabilities capabilities;
};

struct smart_http {
    const struct net_settings *settings;
    struct http *http;
    struct http_login login;
    struct site sites[SITES];
    size_t next_site; /* the one to be replaced next */
};

/* One call of smart_http_run. */
struct run {
    struct smart_http *smart;
    struct site *site;
    const char *who;
    const struct watch *watch;
    struct error *error;
};

int smart_http_new(struct smart_http **out, const struct net_settings *settings,
                   const struct gitconfig *config, struct error *e)
{
    struct smart_http *smart = calloc(1, sizeof *smart);
    int r;

    if (!smart)
        return error_no_memory(e);
    smart->settings = settings;
    r = http_new(&smart->http, settings, config, e);
    if (r < 0) {
        free(smart);
        return r;
    }
    *out = smart;
    return 0;
}

static void site_release(struct site *site)
{
    if (site->url) /* may hold a password */
        explicit_bzero(site->url, strlen(site->url));
    free(site->url);
    free(site->base);
    *site = (struct site){0};
}

void smart_http_free(struct smart_http *smart)
{
    if (!smart)
        return;
    for (size_t i = 0; i < SITES; i++)
        site_release(&smart->sites[i]);
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

/* Owned; without user information and slashes at the end. */
static char *base_of_url(const char *url)
{
    size_t size = strlen(url) + 1;
    char *base = malloc(size);

    if (!base)
        return NULL;
    url_display(url, base, size);
    for (size_t n = strlen(base); n && base[n - 1] == '/'; n--)
        base[n - 1] = '\0';
    return base;
}

static struct site *get_site(struct smart_http *smart, const char *url)
{
    struct site *site;

    for (size_t i = 0; i < SITES; i++)
        if (smart->sites[i].url && strcmp(smart->sites[i].url, url) == 0)
            return &smart->sites[i];
    site = &smart->sites[smart->next_site++ % SITES];
    site_release(site);
    site->url = strdup(url);
    site->base = base_of_url(url);
    if (site->url && site->base)
        return site;
    site_release(site);
    return NULL;
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
    return 0;
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
        r = http_request(run->smart->http, request, response, run->error);
        if (r < 0 || response->fed || hop == MAX_HOPS)
            break;
        if (response->redirect) {
            char *to = base_of_url(response->redirect);
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

static int discover(struct run *run)
{
    struct advertisement advertisement;
    struct http_response response = {0};
    struct answer answer;
    int r;

    advertisement_init(&advertisement, run->who, version_2_hint);
    answer = advertisement_answer(&advertisement);
    r = request(run, discovery_suffix,
                &(struct http_request){.type = "application/x-git-upload-pack-advertisement",
                                       .answer = &answer},
                &response);
    if (r == 0 && http_message_is_dumb(&response) && !response.fed)
        r = error_set(run->error, EIO, "%s: the server does not speak git protocol version 2; %s",
                      run->who, version_2_hint);
    else if (r == 0 && !response.fed)
        r = http_message_error(run->error, run->who, &response);
    else if (r == 0 && !answer.is_whole(answer.parser))
        r = answer_cut_off(run->error, run->who);
    if (r == 0)
        run->site->capabilities = advertisement.found;
    http_response_release(&response);
    advertisement_release(&advertisement);
    return r;
}

/* Posts the command. `refused` is set if the server did not take it and discovery may help. */
static int post(struct run *run, const struct command *command, bool *refused)
{
    struct http_response response = {0};
    struct pktline_buffer body = {0};
    struct answer answer = command->answer;
    int r;

    command->build(command->data, &body, &run->site->capabilities);
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
    if (r == 0 && !response.fed) {
        *refused = http_message_wants_discovery(&response);
        r = http_message_error(run->error, run->who, &response);
    } else if (r == 0 && !answer.is_whole(answer.parser)) {
        r = answer_cut_off(run->error, run->who);
    }
    http_response_release(&response);
    pktline_buffer_release(&body);
    return r;
}

int smart_http_run(struct smart_http *smart, const char *url, const char *who,
                   const struct command *command, const struct watch *watch, struct error *e)
{
    struct run run = {smart, get_site(smart, url), who, watch, e};
    bool refused = false;
    int r = 0;

    if (!run.site)
        return out_of_memory(&run);
    if (command->needs_capabilities && !run.site->capabilities.known)
        r = discover(&run);
    if (r == 0)
        r = post(&run, command, &refused);
    if (refused && !run.site->capabilities.known) {
        r = discover(&run);
        if (r == 0)
            r = post(&run, command, &refused);
    }
    if (r < 0) /* where a redirect once led to may be what is wrong */
        site_release(run.site);
    return r;
}
