#include "gitcache/net/git_daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"
#include "gitcache/net/pktline.h"
#include "gitcache/net/protocol.h"

/* What git daemon is told: the path and, for virtual hosting, the host; then the protocol. */
static int greet(struct stream *stream, const struct url_parts *parts, int version, struct error *e)
{
    char *text = NULL, header[8];
    bool v6 = strchr(parts->host, ':') != NULL;
    /* Each %c is the NUL that ends a part; the length goes to the start afterwards. */
    int r,
        length = asprintf(&text, "0000git-upload-pack %s%chost=%s%s%s%s%s%c%cversion=%d%c",
                          parts->path, 0, v6 ? "[" : "", parts->host, v6 ? "]" : "",
                          parts->port ? ":" : "", parts->port ? parts->port : "", 0, 0, version, 0);

    if (length < 0)
        return error_set(e, ENOMEM, "%s: out of memory", stream->who);
    if (version == 0) /* which daemons of old take no further part for */
        length -= (int)strlen("?version=0?");
    if (length > PKTLINE_MAX_DATA) {
        r = error_set(e, EINVAL, "%s: the path is too long", stream->who);
    } else {
        snprintf(header, sizeof header, "%04x", (unsigned)length);
        memcpy(text, header, 4);
        r = stream_write(stream, text, (size_t)length, e);
    }
    free(text);
    return r;
}

int git_daemon_open(struct stream *out, struct http *http, const char *url, const char *who,
                    const struct net_settings *settings, const struct gitconfig *config,
                    const struct watch *watch, struct error *e)
{
    struct url_parts parts;
    int fd, r = url_split(&parts, url);

    if (r < 0)
        return error_set(e, -r, "%s: not a URL of a git daemon", who);
    r = http_connect(http, parts.host, parts.port ? parts.port : "9418", who, watch, &fd, e);
    if (r == 0) {
        stream_init_socket(out, fd);
        out->who = who;
        out->silence = settings->silence_timeout;
        out->watch = watch;
        r = greet(out, &parts, protocol_version(config), e);
        if (r < 0)
            stream_close(out);
    }
    url_parts_release(&parts);
    return r;
}
