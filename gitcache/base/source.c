#include "gitcache/base/source.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/memory_file.h"
#include "gitcache/base/oid.h"
#include "gitcache/base/percent.h"
#include "gitcache/base/refname.h"
#include "gitcache/base/source_url.h"
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

/* Takes SHA@ off the front; *address then points at the URL. */
static int take_commit_id(struct source *source, char **address, struct error *e)
{
    char *at = strchr(*address, '@');
    size_t digits = at ? (size_t)(at - *address) : 0;

    if (!at || source_url_has_scheme(*address))
        return 0;
    if (!oid_is_abbreviation(*address, digits)) {
        if (source_url_has_scheme(at + 1))
            return error_set(e, EINVAL,
                             "the part of a source before '@' must be 7 to 40 hex digits of a "
                             "commit id; write SHA@URL");
        return 0;
    }
    if (source_url_looks_like_scp(at + 1) && !source_url_has_scheme(at + 1))
        return error_set(e, EINVAL,
                         "%.*s could be a commit or a user name here; write %.*s@ssh://HOST/PATH "
                         "or ssh://%.*s@HOST/PATH",
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
            return error_set(
                e, EINVAL,
                "%s: unknown query key '%s'; the keys are tag=, name= and commit=", shown, part);
        if (!value)
            return error_set(e, EINVAL, "%s: '%s' needs a value: %s=...", shown, part, part);
        if (seen[i])
            return error_set(e, EINVAL, "%s: %s= is given twice", shown, part);
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

static int set_name(struct source *source, const char *shown, struct error *e)
{
    if (!source->name)
        source->name = source_url_name(source->url);
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
        r = error_set(e, EINVAL, "a source contains a control character");
        goto out;
    }
    query = strchr(copy, '?');
    if (query)
        *query++ = '\0';
    r = take_commit_id(&source, &address, e);
    if (r < 0)
        goto out;
    url_display(address, shown, sizeof shown);
    r = source_url_resolve(&source.url, address, base, any_path, shown, e);
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
    if (source_url_is_marked_path(at))
        return 0;
    url_display(text, shown, sizeof shown);
    source_release(out);
    if (source_url_lacks_scheme(at))
        return error_set(e, ENOENT,
                         "%s is neither a file or folder nor a URL: is https:// missing?", shown);
    return error_set(e, ENOENT, "%s: no such file or folder, and not a URL", shown);
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
    char *name = source_url_name(source->url);
    bool renamed = !name || strcmp(name, source->name) != 0;

    free(name);
    return renamed;
}

void source_print(const struct source *source, FILE *out)
{
    char separator = '?';

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
}

char *source_format(const struct source *source)
{
    char *line = NULL;
    size_t size;
    FILE *out = memory_file_open(&line, &size);

    if (out)
        source_print(source, out);
    return out && fclose(out) == 0 ? line : NULL;
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
