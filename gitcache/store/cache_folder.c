#include "gitcache/store/cache_folder.h"

#include <git2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/memory_file.h"
#include "gitcache/base/starts_with.h"
#include "gitcache/base/url.h"

/* Room for .git and for the temporary names that stand beside it. */
#define MAX_PART 200

static bool ends_with_git(const char *part, size_t length)
{
    return length >= 4 && memcmp(part + length - 4, ".git", 4) == 0;
}

/* A part too long for a folder: its beginning, and a hash of the whole. */
static void print_long_part(FILE *out, const char *part, size_t length)
{
    char hex[GIT_OID_HEXSZ + 1] = "";
    git_oid id;

    if (git_odb_hash(&id, part, length, GIT_OBJECT_BLOB) == 0)
        git_oid_tostr(hex, sizeof hex, &id);
    fprintf(out, "%%long-%s", hex);
}

static void print_part(FILE *out, const char *part, size_t length, bool last)
{
    if (length > MAX_PART / 3) {
        bool plain = true;
        for (size_t i = 0; i < length && plain; i++)
            plain = (unsigned char)part[i] > ' ' && part[i] != '%' && part[i] != 0x7f;
        if (!plain || length > MAX_PART) {
            print_long_part(out, part, length);
            return;
        }
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)part[i];
        bool dot =
            c == '.' && (i == 0 || (!last && i + 4 == length && ends_with_git(part, length)));

        if (c <= ' ' || c == 0x7f || c == '%' || dot)
            fprintf(out, "%%%02X", c);
        else
            fputc(c, out);
    }
    if (length == 0)
        fputc('%', out);
}

/* Empty parts of a path on this machine mean nothing; a server may see a difference. */
static void print_path(FILE *out, const char *path, bool skip_empty)
{
    size_t end = strlen(path);

    while (end > 0 && path[end - 1] == '/')
        end--;
    while (*path == '/' && end > 0) {
        path++;
        end--;
    }
    for (;;) {
        size_t length = strcspn(path, "/");
        bool last = length >= end;

        if (last)
            length = end;
        if (length || !skip_empty) {
            fputc('/', out);
            print_part(out, path, length, last);
        }
        if (last)
            break;
        path += length + 1;
        end -= length + 1;
    }
    fputs(".git", out);
}

/* ssh://user@host:port/path, or [user@]host:path, which is relative to the user's home. */
static void print_ssh(FILE *out, const char *url)
{
    const char *rest = strncmp(url, "ssh://", 6) ? url : url + 6;
    bool home = rest == url;
    size_t authority = strcspn(rest, home ? ":" : "/");
    const char *at = memrchr(rest, '@', authority);
    size_t user = at ? (size_t)(at - rest) : 0;
    const char *colon = memchr(rest, ':', user);

    if (home && rest[authority] == ':' && rest[authority + 1] == '/')
        home = false; /* host:/path is absolute, as ssh://host/path */
    fputs("/ssh/", out);
    if (at) {
        print_part(out, rest, colon ? (size_t)(colon - rest) : user, true);
        fputc('@', out);
        rest = at + 1;
        authority -= user + 1;
    }
    print_part(out, rest, authority, false);
    rest += authority;
    fputs(home ? "/~" : "", out);
    print_path(out, rest + (*rest == ':'), false);
}

static void print_network(FILE *out, const char *url)
{
    const char *separator = strstr(url, "://"), *rest = separator + 3;
    size_t authority = strcspn(rest, "/");
    const char *at = memrchr(rest, '@', authority);

    fprintf(out, "/%.*s/", (int)(separator - url), url);
    if (at) {
        authority -= (size_t)(at + 1 - rest);
        rest = at + 1;
    }
    print_part(out, rest, authority, false);
    print_path(out, rest + authority, false);
}

/* False: out of memory. */
static bool print_local(FILE *out, const char *url)
{
    char *path = url_local_path(url);

    fputs("/file", out);
    if (path)
        print_path(out, path, true);
    free(path);
    return path;
}

char *cache_folder_of_url(const char *cache, const char *url)
{
    char *folder = NULL, buffer[512]; /* stdio's own is larger than all that a repository keeps */
    size_t size;
    FILE *out = memory_file_open(&folder, &size);
    bool is_whole = true;

    if (!out)
        return NULL;
    setvbuf(out, buffer, _IOFBF, sizeof buffer);
    fputs(cache, out);
    switch (url_scheme(url)) {
    case URL_SSH:
        print_ssh(out, url);
        break;
    case URL_HTTP:
    case URL_HTTPS:
    case URL_GIT:
        print_network(out, url);
        break;
    case URL_LOCAL:
    case URL_REFUSED:
        is_whole = print_local(out, url);
        break;
    }
    if (fclose(out) || !is_whole) {
        free(folder);
        return NULL;
    }
    return folder;
}

/* ---- and back ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False: it is none that print_part writes. */
static bool print_plain(FILE *out, const char *part, size_t length)
{
    if (length == 1 && *part == '%') /* an empty one */
        return true;
    for (size_t i = 0; i < length; i++) {
        if (part[i] != '%') {
            fputc(part[i], out);
            continue;
        }
        if (i + 2 >= length || digit(part[i + 1]) < 0 || digit(part[i + 2]) < 0)
            return false;
        fputc(digit(part[i + 1]) * 16 + digit(part[i + 2]), out);
        i += 2;
    }
    return true;
}

/* "/a/b.git" as "/a/b". */
static bool print_plain_path(FILE *out, const char *path)
{
    size_t all = strlen(path), end = all > 4 ? all - 4 : 0;
    bool good = end > 0 && *path == '/';

    while (good && end > 0) {
        size_t length = strcspn(path + 1, "/");

        if (length > end - 1)
            length = end - 1;
        fputc('/', out);
        good = print_plain(out, path + 1, length);
        path += length + 1;
        end -= length + 1;
    }
    return good;
}

/* What comes below the folder of a scheme. */
static bool print_url(FILE *out, const char *scheme, size_t length, const char *rest)
{
    static const char home[] = "/~/";
    bool is_local = length == 4 && strncmp(scheme, "file", 4) == 0;
    size_t authority = strcspn(rest + 1, "/");
    const char *path = rest + 1 + authority;

    if (is_local)
        return print_plain_path(out, rest);
    if (length == 3 && strncmp(scheme, "ssh", 3) == 0 && starts_with(path, home)) {
        char *relative = NULL;
        size_t size;
        FILE *memory = memory_file_open(&relative, &size);
        bool good = memory && print_plain(out, rest + 1, authority) &&
                    print_plain_path(memory, path + sizeof home - 2);
        good = memory && fclose(memory) == 0 && good;
        if (good)
            fprintf(out, ":%s", relative + 1);
        free(relative);
        return good;
    }
    fprintf(out, "%.*s://", (int)length, scheme);
    return print_plain(out, rest + 1, authority) && print_plain_path(out, path);
}

char *cache_folder_to_url(const char *cache, const char *folder)
{
    const char *scheme = folder + strlen(cache) + 1, *rest = strchr(scheme, '/');
    char *url = NULL, *there;
    size_t size;
    FILE *out;

    if (!rest || strlen(rest) < 6 || strcmp(folder + strlen(folder) - 4, ".git") != 0 ||
        !(out = memory_file_open(&url, &size)))
        return NULL;
    bool good = print_url(out, scheme, (size_t)(rest - scheme), rest);
    good = fclose(out) == 0 && good;
    there = good ? cache_folder_of_url(cache, url) : NULL;
    if (there && strcmp(there, folder) == 0) {
        free(there);
        return url;
    }
    free(there);
    free(url);
    return NULL;
}
