#include "gitcache/base/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gitcache/base/percent.h"

/* A piece of the URL's text. */
struct url_piece {
    const char *start;
    size_t length;
};

static struct url_piece piece_between(const char *start, const char *end)
{
    return (struct url_piece){start, (size_t)(end - start)};
}

/* Where the authority (user@host:port) and the path of a URL lie, still undecoded. */
struct url_layout {
    enum url_scheme scheme;
    struct url_piece prefix;    /* "https://"; empty for user@host:path */
    struct url_piece userinfo;  /* with its '@', as it is to be left out; empty if there is none */
    struct url_piece host_port; /* of user@host:path only the host */
    const char *path;
};

static const struct {
    const char *prefix;
    enum url_scheme scheme;
} schemes[] = {
    {"http://", URL_HTTP}, {"https://", URL_HTTPS}, {"ssh://", URL_SSH},
    {"git://", URL_GIT},   {"file://", URL_LOCAL},
};

static const char *last_at_sign(const char *start, const char *end)
{
    while (end > start)
        if (*--end == '@')
            return end;
    return NULL;
}

static void lay_out_authority(struct url_layout *out, const char *start, const char *end)
{
    const char *at = last_at_sign(start, end);
    const char *host = at ? at + 1 : start;

    out->userinfo = piece_between(start, host);
    out->host_port = piece_between(host, end);
    out->path = end;
}

/* user@host:path, as scp writes it: a colon before the first slash, not one inside [brackets]. */
static void lay_out_scp(struct url_layout *out, const char *url)
{
    const char *slash = strchrnul(url, '/');
    const char *at = last_at_sign(url, slash);
    const char *host = at ? at + 1 : url;
    const char *bracket = *host == '[' ? strchr(host, ']') : NULL;
    const char *colon = strchr(bracket ? bracket : host, ':');

    if (!colon || (!bracket && colon > slash) || (bracket && colon != bracket + 1))
        return;
    if (colon == host || colon[1] == ':') /* "helper::address" runs a program in git */
        return;
    lay_out_authority(out, url, colon);
    out->path = colon + 1;
    out->scheme = URL_SSH;
}

/* URL_REFUSED, and no parts, for what no repository can be reached by. */
static void lay_out(struct url_layout *out, const char *url)
{
    const struct url_piece none = {url, 0};

    *out = (struct url_layout){*url == '/' ? URL_LOCAL : URL_REFUSED, none, none, none, url};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i].prefix);
        if (strncasecmp(url, schemes[i].prefix, length) != 0)
            continue;
        out->prefix.length = length;
        out->scheme = schemes[i].scheme;
        lay_out_authority(out, url + length, url + length + strcspn(url + length, "/?#"));
        return;
    }
    if (*url != '-' && !strstr(url, "://"))
        lay_out_scp(out, url);
}

static bool piece_is(struct url_piece piece, const char *text)
{
    return piece.length == strlen(text) && strncasecmp(piece.start, text, piece.length) == 0;
}

enum url_scheme url_scheme(const char *url)
{
    struct url_layout at;

    lay_out(&at, url);
    if (at.scheme == URL_LOCAL) {
        bool here = at.host_port.length == 0 || piece_is(at.host_port, "localhost");
        return here && *at.path == '/' ? URL_LOCAL : URL_REFUSED;
    }
    return at.host_port.length == 0 || *at.host_port.start == '-' ? URL_REFUSED : at.scheme;
}

static size_t append_shown(char *out, size_t size, size_t used, const char *text, size_t length)
{
    for (size_t i = 0; i < length && used + 1 < size; i++) {
        unsigned char c = (unsigned char)text[i];
        out[used++] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    out[used] = '\0';
    return used;
}

char *url_display(const char *url, char *out, size_t size)
{
    struct url_layout at;
    const char *unknown, *rest;
    size_t used;

    lay_out(&at, url);
    unknown = at.scheme == URL_REFUSED ? strstr(url, "://") : NULL;
    if (unknown) { /* it may carry a password too */
        at.prefix = piece_between(url, unknown + 3);
        lay_out_authority(&at, unknown + 3, unknown + 3 + strcspn(unknown + 3, "/?#"));
    }
    used = append_shown(out, size, 0, at.prefix.start, at.prefix.length);
    rest = at.userinfo.start + at.userinfo.length;
    append_shown(out, size, used, rest, strlen(rest));
    return out;
}

char *url_host(const char *url, char *out, size_t size)
{
    struct url_layout at;

    lay_out(&at, url);
    append_shown(out, size, 0, at.host_port.start,
                 at.scheme == URL_LOCAL ? 0 : at.host_port.length);
    for (char *c = out; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return out;
}

/* Owned; NULL if out of memory. A broken escape means itself, as in git. */
static char *decoded(struct url_piece piece)
{
    char *out = malloc(piece.length + 1);

    if (out)
        percent_decode(out, piece.start, piece.length);
    return out;
}

char *url_local_path(const char *url)
{
    struct url_layout at;

    lay_out(&at, url);
    if (at.prefix.length == 0)
        return strdup(url);
    return decoded(piece_between(at.path, at.path + strlen(at.path)));
}

static int split_userinfo(struct url_parts *out, struct url_piece userinfo)
{
    const char *end, *colon;

    if (userinfo.length == 0)
        return 0;
    end = userinfo.start + userinfo.length - 1; /* less the '@' */
    colon = memchr(userinfo.start, ':', (size_t)(end - userinfo.start));
    out->user = decoded(piece_between(userinfo.start, colon ? colon : end));
    if (!out->user)
        return -ENOMEM;
    if (!colon)
        return 0;
    out->password = decoded(piece_between(colon + 1, end));
    return out->password ? 0 : -ENOMEM;
}

static int split_host(struct url_parts *out, struct url_piece host_port)
{
    const char *start = host_port.start, *end = start + host_port.length;
    const char *bracket = *start == '[' ? memchr(start, ']', host_port.length) : NULL;
    const char *rest = bracket ? bracket + 1 : memchr(start, ':', host_port.length);

    if (!rest)
        rest = end;
    out->host = decoded(bracket ? piece_between(start + 1, bracket) : piece_between(start, rest));
    if (!out->host)
        return -ENOMEM;
    if (rest < end && *rest != ':')
        return -EINVAL;
    if (end - rest < 2) /* "host:" is the scheme's own port */
        return 0;
    out->port = strndup(rest + 1, (size_t)(end - rest - 1));
    return out->port ? 0 : -ENOMEM;
}

static int split_path(struct url_parts *out, const struct url_layout *at)
{
    const char *path = at->path;
    bool decode = at->prefix.length && (at->scheme == URL_SSH || at->scheme == URL_GIT);

    /* ssh://host/~anna/x means anna's home, which the server's shell finds without the slash. */
    if (decode && path[0] == '/' && path[1] == '~')
        path++;
    out->path = decode ? decoded(piece_between(path, path + strlen(path))) : strdup(path);
    return out->path ? 0 : -ENOMEM;
}

static bool has_control_character(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

static bool port_is_valid(const char *port)
{
    size_t length = strlen(port);

    return length <= 5 && strspn(port, "0123456789") == length && atoi(port) <= 65535;
}

/* A host or path that begins with a dash would be an option to the program it is handed to. */
static bool parts_are_valid(const struct url_parts *parts, bool needs_path)
{
    return *parts->host && *parts->host != '-' && (*parts->path || !needs_path) &&
           *parts->path != '-' && !(parts->user && *parts->user == '-') &&
           (!parts->port || port_is_valid(parts->port)) && !has_control_character(parts->host) &&
           !has_control_character(parts->path) && !has_control_character(parts->user) &&
           !has_control_character(parts->password);
}

int url_split(struct url_parts *out, const char *url)
{
    struct url_layout at;
    int r;

    memset(out, 0, sizeof *out);
    lay_out(&at, url);
    if (at.scheme == URL_LOCAL)
        return -EINVAL;
    r = split_userinfo(out, at.userinfo);
    if (r == 0)
        r = split_host(out, at.host_port);
    if (r == 0)
        r = split_path(out, &at);
    if (r == 0 && !parts_are_valid(out, at.scheme == URL_SSH || at.scheme == URL_GIT))
        r = -EINVAL;
    if (r < 0)
        url_parts_release(out);
    return r;
}

void url_parts_release(struct url_parts *parts)
{
    if (parts->password)
        explicit_bzero(parts->password, strlen(parts->password));
    free(parts->user);
    free(parts->password);
    free(parts->host);
    free(parts->port);
    free(parts->path);
    memset(parts, 0, sizeof *parts);
}
