#include "gitcache/remote.h"

#include <errno.h>
#include <stdlib.h>

#include "gitcache/remote_local.h"
#include "gitcache/url.h"

struct remote {
    struct remote_settings settings;
};

void remote_settings_init(struct remote_settings *settings)
{
    *settings = (struct remote_settings){
        .connect_timeout = 10,
        .silence_timeout = 30,
        .max_pack = UINT64_C(2) << 30,
        .max_listing = UINT64_C(64) << 20,
    };
}

int remote_new(struct remote **out, const struct remote_settings *settings, struct error *e)
{
    struct remote *remote = calloc(1, sizeof *remote);

    if (!remote)
        return error_set(e, ENOMEM, "out of memory");
    remote->settings = *settings;
    *out = remote;
    return 0;
}

void remote_free(struct remote *remote)
{
    free(remote);
}

static int not_yet(const char *url, struct error *e)
{
    char shown[512];

    return error_set(e, ENOSYS, "%s: network remotes are not built in yet",
                     url_display(url, shown, sizeof shown));
}

int remote_list(struct remote *remote, const char *url, const char *const *branches, size_t count,
                const struct remote_watch *watch, struct listing *out, struct error *e)
{
    (void)watch;
    if (url_scheme(url) == URL_LOCAL)
        return remote_local_list(url, branches, count, &remote->settings, out, e);
    return not_yet(url, e);
}

int remote_fetch(struct remote *remote, const char *url, const struct remote_request *request,
                 remote_sink sink, void *sink_data, const struct remote_watch *watch,
                 struct error *e)
{
    if (url_scheme(url) == URL_LOCAL)
        return remote_local_fetch(url, request, &remote->settings, sink, sink_data, watch, e);
    return not_yet(url, e);
}
