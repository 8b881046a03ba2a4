#include "gitcache/base/source.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/oid.h"
#include "gitcache/base/percent.h"
#include "gitcache/base/refname.h"
#include "gitcache/base/url.h"

#define DISPLAY_SIZE 400

static int no_memory(struct error *e)
{
    return error_set(e, ENOMEM, "out of memory while reading a source");
}

static void lower_case(char *hex)
{
    for (; *hex; hex++)
        if (*hex >= 'A' && *hex <= 'F')
            *hex = (char)(*hex - 'A' + 'a');
}

static bool has_control_character(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

/* True for what git reads as [user@]host:path: a colon before any slash. */
static bool looks_like_scp(const char *address)
{
    size_t length = strcspn(address, ":/");
    return length > 0 && address[length] == ':';
}

static bool has_scheme(const char *address)
{
    const char *separator = strstr(address, "://");
    return separator && (size_t)(separator - address) == strcspn(address, ":/@");
}

/* Takes SHA@ off the front; *address then points at the URL. */
static int take_commit_id(struct source *source, char **address, struct error *e)
{
    char *at = strchr(*address, '@');
    size_t digits = at ? (size_t)(at - *address) : 0;

    if (!at || has_scheme(*address))
        return 0;
    if (!oid_is_abbreviation(*address, digits)) {
        if (has_scheme(at + 1))
            return error_set(e, EINVAL,
                             "what stands before '@' of a source must be 7 to 40 hex digits of a "
                             "commit id; write SHA@URL");
        return 0;
    }
    if (looks_like_scp(at + 1) && !has_scheme(at + 1))
        return error_set(e, EINVAL,
                         "%.*s may be a commit or a user name here; write %.*s@ssh://HOST/PATH or "
                         "ssh://%.*s@HOST/PATH",
                         (int)digits, *address, (int)digits, *address, (int)digits, *address);
    source->kind = SOURCE_COMMIT;
    source->version = strndup(*address, digits);
    if (!source->version)
        return no_memory(e);
    lower_case(source->version);
    *address = at + 1;
    return 0;
}

static int take_tag(struct source *source, char *value, const char *shown, struct error *e)
{
    if (source->kind == SOURCE_COMMIT)
        return error_set(e, EINVAL, "%s: a commit id and tag= exclude each other; keep one", shown);
    if (!*value)
        return error_set(e, EINVAL,
                         "%s: tag= is empty; name a tag, or leave ?tag= out for the "
                         "default branch",
                         shown);
    if (!refname_is_valid(value, strlen(value)))
        return error_set(e, EINVAL, "%s: no tag can be called '%s'", shown, value);
    source->kind = SOURCE_NAMED;
    source->version = strdup(value);
    return source->version ? 0 : no_memory(e);
}

static int take_commit(struct source *source, char *value, const char *shown, struct error *e)
{
    if (strlen(value) != OID_HEX || !oid_is_abbreviation(value, OID_HEX))
        return error_set(e, EINVAL, "%s: commit= must be 40 hex digits", shown);
    lower_case(value);
    if (source->kind == SOURCE_COMMIT && strncmp(value, source->version, strlen(source->version)))
        return error_set(e, EINVAL, "%s: commit=%s is not the commit %s before '@'", shown, value,
                         source->version);
    source->commit = strdup(value);
    return source->commit ? 0 : no_memory(e);
}

static int take_name(struct source *source, char *value, const char *shown, struct error *e)
{
    if (!*value)
        return error_set(e, EINVAL, "%s: name= is empty", shown);
    source->name = strdup(value);
    return source->name ? 0 : no_memory(e);
}

static const struct query_key {
    const char *key;
    int (*take)(struct source *source, char *value, const char *shown, struct error *e);
} query_keys[] = {
    {"tag", take_tag},
    {"name", take_name},
    {"commit", take_commit},
};

#define QUERY_KEYS (sizeof query_keys / sizeof *query_keys)

static int take_query(struct source *source, char *query, const char *shown, struct error *e)
{
    bool seen[QUERY_KEYS] = {false};
    char *part;

    while ((part = strsep(&query, "&"))) {
        char *value = strchr(part, '=');
        size_t i = 0;
        int r;

        if (value)
            *value++ = '\0';
        while (i < QUERY_KEYS && strcmp(part, query_keys[i].key))
            i++;
        if (i == QUERY_KEYS)
            return error_set(e, EINVAL,
                             "%s: unknown query key '%s'; there are tag=, name= and commit=", shown,
                             part);
        if (!value)
            return error_set(e, EINVAL, "%s: '%s' needs a value: %s=...", shown, part, part);
        if (seen[i])
            return error_set(e, EINVAL, "%s: %s= stands twice", shown, part);
        if (!percent_decode(value, value, strlen(value)))
            return error_set(e, EINVAL, "%s: %s= has a broken %%-escape; write %% itself as %%25",
                             shown, part);
        seen[i] = true;
        r = query_keys[i].take(source, value, shown, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Leading ./ and ../ are resolved against base, which names no symlinks; later ones are left to
 * the kernel, as a symlink may stand before them. */
static char *absolute_path(const char *base, const char *path)
{
    size_t length = strlen(base);
    char *out = NULL;

    for (;;) {
        while (length > 0 && base[length - 1] == '/')
            length--;
        if (path[0] == '/') {
            path++;
        } else if (path[0] == '.' && (path[1] == '/' || !path[1])) {
            path++;
        } else if (path[0] == '.' && path[1] == '.' && (path[2] == '/' || !path[2])) {
            path += 2;
            while (length > 0 && base[length - 1] != '/')
                length--;
        } else {
            break;
        }
    }
    if (asprintf(&out, "%.*s%s%s", (int)length, base, *path || length == 0 ? "/" : "", path) < 0)
        return NULL;
    return out;
}

/* "/x", "./x", "../x", "~/x", "." and "..": what a list may hold as a path. */
static bool is_marked_path(const char *address)
{
    const char *rest = address + strspn(address, ".");

    if (*address == '/' || strncmp(address, "~/", 2) == 0)
        return true;
    return rest > address && rest <= address + 2 && (*rest == '/' || !*rest);
}

/* "github.com/my/repository" */
static bool lacks_scheme(const char *address)
{
    size_t host = strcspn(address, "/");

    return *address != '.' && address[host] == '/' && memchr(address, '.', host) &&
           !strpbrk(address, " \t");
}

static int refuse_unmarked(const char *shown, const char *address, struct error *e)
{
    if (lacks_scheme(address))
        return error_set(e, EINVAL,
                         "%s is no URL: is https:// missing? (a path begins with /, ./, ../ or ~/)",
                         shown);
    return error_set(
        e, EINVAL, "'%s' is neither a URL nor a path; a path begins with /, ./, ../ or ~/", shown);
}

/* An absolute path, malloc'd; NULL: out of memory. */
static char *expand_path(const char *base, const char *address)
{
    const char *home = getenv("HOME");

    if (*address == '/')
        return strdup(address);
    if (strncmp(address, "~/", 2) == 0 && home && *home == '/')
        return absolute_path(home, address + 2);
    return absolute_path(base, address);
}

static void strip_trailing_slashes(char *url)
{
    size_t length = strlen(url);

    while (length > 1 && url[length - 1] == '/' && url[length - 2] != ':')
        url[--length] = '\0';
}

static int check_url(const char *url, const char *shown, struct error *e)
{
    if (!strncmp(url, "file://", 7) && url[7] != '/')
        return error_set(e, EINVAL, "%s: a file URL names this machine: file:///PATH", shown);
    if (strstr(url, "://-") || (*url != '/' && strstr(url, "@-")))
        return error_set(e, EINVAL, "%s: a host name cannot begin with a dash", shown);
    if (url_scheme(url) == URL_REFUSED)
        return error_set(e, EINVAL,
                         "%s: only http, https, ssh, git and file URLs, user@host:path and paths "
                         "are sources (a path with a colon is written ./PATH)",
                         shown);
    if (*url != '/' && strpbrk(url, " \t"))
        return error_set(e, EINVAL, "%s: a URL has no spaces; one source a line, or write %%20",
                         shown);
    return 0;
}

static int set_url(struct source *source, const char *address, const char *base, bool any_path,
                   const char *shown, struct error *e)
{
    if (!*address)
        return error_set(e, EINVAL, "a source without a URL; write URL?tag=NAME, URL or SHA@URL");
    if (*address == '-')
        return error_set(e, EINVAL, "%s: a URL cannot begin with a dash", shown);
    if (has_scheme(address) || looks_like_scp(address))
        source->url = strdup(address);
    else if (!any_path && !is_marked_path(address))
        return refuse_unmarked(shown, address, e);
    else
        source->url = expand_path(base, address);
    if (!source->url)
        return no_memory(e);
    strip_trailing_slashes(source->url);
    return check_url(source->url, shown, e);
}

/* The URL's last part as `git clone` would name the folder, or NULL. Never user information: of a
 * URL without a path that is the host alone. */
static char *name_of_url(const char *url)
{
    const char *rest = has_scheme(url) ? strstr(url, "://") + 3 : url;
    const char *end = rest + strlen(rest);
    const char *start;

    if (has_scheme(url) && !strchr(rest, '/')) {
        const char *at = strrchr(rest, '@');
        start = at ? at + 1 : rest;
        return strndup(start, strcspn(start, ":"));
    }
    if (end - rest > 5 && !strcmp(end - 5, "/.git"))
        end -= 5;
    while (end > rest && end[-1] == '/')
        end--;
    if (end - rest > 4 && !strncmp(end - 4, ".git", 4) && end[-5] != '/' && end[-5] != ':')
        end -= 4;
    for (start = end; start > rest && start[-1] != '/'; start--)
        if (start[-1] == ':' && !has_scheme(url) && *url != '/')
            break;
    return strndup(start, (size_t)(end - start));
}

static int set_name(struct source *source, const char *shown, struct error *e)
{
    if (!source->name)
        source->name = name_of_url(source->url);
    if (!source->name)
        return no_memory(e);
    if (!*source->name || *source->name == '.' || strchr(source->name, '/') ||
        strlen(source->name) > NAME_MAX || has_control_character(source->name))
        return error_set(
            e, EINVAL,
            "%s: '%.300s' cannot be a folder's name (no slash, no dot at the front, at "
            "most 255 bytes); add name=ALIAS",
            shown, source->name);
    return 0;
}

/* any_path: a relative path needs no mark at its front. */
static int parse(struct source *out, const char *text, const char *base, bool any_path,
                 struct error *e)
{
    struct source source = {.kind = SOURCE_DEFAULT, .text = strdup(text)};
    char *copy = strdup(text), *address = copy, *query;
    char shown[DISPLAY_SIZE];
    int r;

    if (!source.text || !copy) {
        r = no_memory(e);
        goto out;
    }
    if (has_control_character(text)) {
        r = error_set(e, EINVAL, "a source with a control character in it");
        goto out;
    }
    query = strchr(copy, '?');
    if (query)
        *query++ = '\0';
    r = take_commit_id(&source, &address, e);
    if (r < 0)
        goto out;
    url_display(address, shown, sizeof shown);
    r = set_url(&source, address, base, any_path, shown, e);
    if (r == 0 && query)
        r = take_query(&source, query, shown, e);
    if (r == 0)
        r = set_name(&source, shown, e);
out:
    free(copy);
    if (r < 0)
        source_release(&source);
    else
        *out = source;
    return r;
}

int source_parse(struct source *out, const char *text, const char *base, struct error *e)
{
    return parse(out, text, base, false, e);
}

bool source_path_is_there(const char *path)
{
    char *bare = NULL;
    bool there = access(path, F_OK) == 0 || errno == EACCES;

    if (!there && asprintf(&bare, "%s.git", path) >= 0) {
        there = access(bare, F_OK) == 0;
        free(bare);
    }
    return there;
}

int source_parse_operand(struct source *out, const char *text, const char *base, struct error *e)
{
    char shown[DISPLAY_SIZE];
    int r = parse(out, text, base, true, e);
    const char *at = r == 0 && out->kind == SOURCE_COMMIT ? strchr(text, '@') + 1 : text;

    if (r < 0 || *out->url != '/' || source_path_is_there(out->url))
        return r;
    if (is_marked_path(at))
        return 0;
    url_display(text, shown, sizeof shown);
    source_release(out);
    if (lacks_scheme(at))
        return error_set(e, ENOENT,
                         "%s is neither a file or folder nor a URL: is https:// missing?", shown);
    return error_set(e, ENOENT, "%s: there is no such file or folder, and it is no URL", shown);
}

/* As in a query: everything but what can mean nothing else. */
static void put_encoded(FILE *out, const char *text)
{
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("._-/", *text))
            fputc(*text, out);
        else
            fprintf(out, "%%%02X", (unsigned char)*text);
}

/* Whether the folder has another name than its URL gives it; also if that is not to be known. */
static bool is_renamed(const struct source *source)
{
    char *name = name_of_url(source->url);
    bool renamed = !name || strcmp(name, source->name) != 0;

    free(name);
    return renamed;
}

char *source_format(const struct source *source)
{
    char *line = NULL;
    size_t size;
    FILE *out = open_memstream(&line, &size);
    char separator = '?';

    if (!out)
        return NULL;
    if (source->kind == SOURCE_COMMIT)
        fprintf(out, "%s@", source->version);
    fputs(source->url, out);
    if (source->kind == SOURCE_NAMED) {
        fputs("?tag=", out);
        put_encoded(out, source->version);
        separator = '&';
    }
    if (is_renamed(source)) {
        fprintf(out, "%cname=", separator);
        put_encoded(out, source->name);
        separator = '&';
    }
    if (source->commit)
        fprintf(out, "%ccommit=%s", separator, source->commit);
    if (fclose(out) != 0) {
        free(line);
        return NULL;
    }
    return line;
}

void source_release(struct source *source)
{
    free(source->text);
    free(source->url);
    free(source->name);
    free(source->version);
    free(source->commit);
    free(source->file);
    *source = (struct source){.text = NULL};
}
