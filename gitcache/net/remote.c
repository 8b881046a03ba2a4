#include "gitcache/net/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gitcache/base/url.h"
#include "gitcache/net/command.h"
#include "gitcache/net/fetch_command.h"
#include "gitcache/net/gitconfig.h"
#include "gitcache/net/lsrefs_command.h"
#include "gitcache/net/session.h"
#include "gitcache/net/sigpipe.h"
#include "gitcache/net/smart_http.h"

struct remote {
    struct net_settings settings;
    struct gitconfig *config;
    struct smart_http *smart; /* made when first needed, as is the session */
    struct session *session;
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
    int r;

    if (!remote)
        return error_no_memory(e);
    remote->settings = *settings;
    r = gitconfig_load(&remote->config, e);
    if (r < 0) {
        free(remote);
        return r;
    }
    *out = remote;
    return 0;
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
    session_free(remote->session);
    smart_http_free(remote->smart);
    gitconfig_free(remote->config);
    free(remote);
}

static int target_init(struct goal *target, const struct remote *remote, const char *url,
                       struct error *e)
{
    url_display(url, target->who, sizeof target->who);
    target->url = gitconfig_rewrite(remote->config, url);
    if (!target->url)
        return error_set(e, ENOMEM, "%s: out of memory", target->who);
    url_display(target->url, target->who, sizeof target->who);
    target->scheme = url_scheme(target->url);
    if (target->scheme == URL_REFUSED)
        return error_set(e, EINVAL,
                         "%s: not a URL of a repository; write https://, ssh://, git://, "
                         "user@host:path or an absolute path",
                         target->who);
    return 0;
}

static void target_release(struct goal *target)
{
    if (target->url) /* may hold a password */
        explicit_bzero(target->url, strlen(target->url));
    free(target->url);
}

/* Sends a command and feeds the answer. */
static int run(struct remote *remote, const struct goal *target, const struct command *command,
               const struct watch *watch, struct error *e)
{
    struct sigpipe sigpipe;
    int r = 0;

    if (!remote->smart)
        r = smart_http_new(&remote->smart, &remote->settings, remote->config, e);
    if (r == 0 && !remote->session)
        r = session_new(&remote->session, &remote->settings, remote->config, e);
    if (r < 0)
        return r;
    sigpipe_hold(&sigpipe);
    if (target->scheme == URL_HTTP || target->scheme == URL_HTTPS)
        r = smart_http_run(remote->smart, target->url, target->who, command, watch, e);
    else
        r = session_run(remote->session, smart_http_get_http(remote->smart), target->url,
                        target->who, command, watch, e);
    sigpipe_release(&sigpipe);
    return r;
}

static void build_list(const void *data, struct pktline_buffer *out,
                       const struct capabilities *capabilities)
{
    lsrefs_command_build(out, capabilities, data);
}

static int list(struct remote *remote, const struct goal *target,
                const struct lsrefs_command_branches *branches, const struct watch *watch,
                struct listing *out, struct error *e)
{
    struct lsrefs_command lsrefs;
    struct command command = {.build = build_list, .data = branches, .lists = true};
    int r;

    lsrefs_command_init(&lsrefs, target->who, branches, remote->settings.max_listing, watch);
    command.answer = lsrefs_command_answer(&lsrefs);
    r = run(remote, target, &command, watch, e);
    if (r == 0) {
        *out = lsrefs.listing;
        out->listed_at = time(NULL);
        lsrefs.listing = (struct listing){0};
    }
    lsrefs_command_release(&lsrefs);
    return r;
}

int remote_list(struct remote *remote, const char *url, const char *const *branches, size_t count,
                const struct watch *watch, struct listing *out, struct error *e)
{
    struct goal target = {0};
    int r = target_init(&target, remote, url, e);

    if (r == 0)
        r = list(remote, &target, &(struct lsrefs_command_branches){branches, count}, watch, out,
                 e);
    target_release(&target);
    return r;
}

static void build_fetch(const void *data, struct pktline_buffer *out,
                        const struct capabilities *capabilities)
{
    fetch_command_build(out, capabilities, data);
}

int remote_fetch(struct remote *remote, const char *url,
                 const struct fetch_command_request *request, fetch_command_sink sink,
                 void *sink_data, const struct watch *watch, struct error *e)
{
    struct command command = {.build = build_fetch, .data = request};
    struct goal target = {0};
    struct fetch_command fetch;
    int r = target_init(&target, remote, url, e);

    if (r == 0) {
        fetch_command_init(&fetch, target.who, remote->settings.max_pack, sink, sink_data, watch);
        command.needs_capabilities = request->commits_only;
        command.answer = fetch_command_answer(&fetch);
        r = run(remote, &target, &command, watch, e);
        fetch_command_release(&fetch);
    }
    target_release(&target);
    return r;
}
