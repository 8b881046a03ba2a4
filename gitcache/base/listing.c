#include "gitcache/base/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/memory_file.h"
#include "gitcache/base/refname.h"
#include "gitcache/base/starts_with.h"
#include "gitcache/base/summed.h"

/* The kept text:
 *
 *     startpointfs listing 2
 *     time 1760000000
 *     head refs/heads/main          (left out if unknown)
 *     server 0 https://host/x.git shallow ofs-delta   (likewise)
 *     ID NAME                       a line a ref, sorted by name
 *     ID NAME PEELED                an annotated tag
 *     end
 *     sum ...                       see summed.h
 *
 * Version 1 is the same without the checksum. It is read, but nothing is pinned by it. */
static const char first_line[] = "startpointfs listing 2";
static const char first_line_1[] = "startpointfs listing 1";

/* Names lie one after the other in blocks, not each in memory of its own: a server may list a million. */
struct listing_names {
    struct listing_names *before;
    size_t used, room;
    char bytes[];
};

#define NAMES_FIRST 2048u
#define NAMES_MOST  (1u << 20)

static bool name_is_listable(const char *name)
{
    if (strcmp(name, "HEAD") == 0)
        return true;
    if (starts_with(name, "refs/tags/"))
        name += strlen("refs/tags/");
    else if (starts_with(name, "refs/heads/"))
        name += strlen("refs/heads/");
    else
        return false;
    return refname_is_valid(name, strlen(name));
}

/* The array's room is always the power of two at or above its count, so it need not be kept. */
static int make_room(struct listing *listing)
{
    size_t count = listing->count;
    struct ref *refs;

    if (count & (count - 1))
        return 0;
    refs = reallocarray(listing->refs, count ? 2 * count : 1, sizeof *refs);
    if (!refs)
        return -ENOMEM;
    listing->refs = refs;
    return 0;
}

/* NULL: out of memory. */
static const char *keep_name(struct listing *listing, const char *name)
{
    struct listing_names *names = listing->names;
    size_t size = strlen(name) + 1;

    if (!names || size > names->room - names->used) {
        size_t room = !names                     ? NAMES_FIRST
                      : names->room < NAMES_MOST ? 2 * names->room
                                                 : NAMES_MOST;
        room = room > size ? room : size;
        struct listing_names *block = malloc(sizeof *block + room);
        if (!block)
            return NULL;
        *block = (struct listing_names){.before = names, .room = room};
        listing->names = names = block;
    }
    char *kept = memcpy(names->bytes + names->used, name, size);
    names->used += size;
    return kept;
}

int listing_add(struct listing *listing, const char *name, const struct oid *oid,
                const struct oid *peeled)
{
    if (!name_is_listable(name))
        return 0;
    const char *kept = keep_name(listing, name);
    if (!kept || make_room(listing) < 0)
        return -ENOMEM;
    listing->refs[listing->count++] = (struct ref){kept, *oid, *peeled};
    return 0;
}

static int compare_refs(const void *a, const void *b)
{
    return strcmp(((const struct ref *)a)->name, ((const struct ref *)b)->name);
}

void listing_finish(struct listing *listing)
{
    size_t kept = 0;

    if (listing->count == 0)
        return;
    qsort(listing->refs, listing->count, sizeof *listing->refs, compare_refs);
    for (size_t i = 1; i < listing->count; i++) {
        if (strcmp(listing->refs[i].name, listing->refs[kept].name) != 0)
            listing->refs[++kept] = listing->refs[i];
    }
    listing->count = kept + 1;
}

void listing_release(struct listing *listing)
{
    for (struct listing_names *names = listing->names, *before; names; names = before) {
        before = names->before;
        free(names);
    }
    free(listing->refs);
    free(listing->head);
    free(listing->server);
    memset(listing, 0, sizeof *listing);
}

const struct ref *listing_find(const struct listing *listing, const char *name)
{
    struct ref key = {.name = name};

    if (listing->count == 0)
        return NULL;
    return bsearch(&key, listing->refs, listing->count, sizeof key, compare_refs);
}

/* A name in two parts, which are not joined: out of memory would look like "there is no such ref". */
struct split_name {
    const char *below, *name;
};

static int compare_split(const void *key, const void *ref)
{
    const struct split_name *split = key;
    const char *full = ((const struct ref *)ref)->name;
    size_t length = strlen(split->below);
    int order = strncmp(split->below, full, length);

    return order ? order : strcmp(split->name, full + length);
}

static const struct ref *find_below(const struct listing *listing, const char *below,
                                    const char *name)
{
    const struct split_name key = {below, name};

    if (listing->count == 0)
        return NULL;
    return bsearch(&key, listing->refs, listing->count, sizeof *listing->refs, compare_split);
}

const struct ref *listing_find_version(const struct listing *listing, const char *version)
{
    const struct ref *tag = find_below(listing, "refs/tags/", version);

    return tag ? tag : find_below(listing, "refs/heads/", version);
}

const struct ref *listing_default(const struct listing *listing)
{
    const struct ref *ref = listing_find(listing, "refs/heads/master");

    if (!ref)
        ref = listing_find(listing, "refs/heads/main");
    if (!ref && listing->head)
        ref = listing_find(listing, listing->head);
    return ref ? ref : listing_find(listing, "HEAD");
}

static void print_ref(FILE *out, const struct ref *ref)
{
    char oid[OID_HEX_SIZE], peeled[OID_HEX_SIZE];

    fprintf(out, "%s %s", oid_format(&ref->oid, oid), ref->name);
    if (!oid_equal(&ref->oid, &ref->peeled))
        fprintf(out, " %s", oid_format(&ref->peeled, peeled));
    fputc('\n', out);
}

char *listing_format(const struct listing *listing, size_t *length)
{
    char *text = NULL, sum[SUMMED_LINE_SIZE + 1];
    FILE *out = memory_file_open(&text, length);
    bool failed;

    if (!out)
        return NULL;
    fprintf(out, "%s\ntime %" PRId64 "\n", first_line, listing->listed_at);
    if (listing->head)
        fprintf(out, "head %s\n", listing->head);
    if (listing->server)
        fprintf(out, "server %s\n", listing->server);
    for (size_t i = 0; i < listing->count; i++)
        print_ref(out, &listing->refs[i]);
    fputs("end\n", out);
    if (fflush(out) == 0) {
        summed_line(text, *length, sum);
        fputs(sum, out);
    }
    failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* Cuts the next line off *rest. NULL where none ends with a newline. */
static char *next_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');

    if (!end)
        return NULL;
    *end = '\0';
    *rest = end + 1;
    return line;
}

static bool parse_time(int64_t *out, const char *digits)
{
    char *end;

    if (*digits < '0' || *digits > '9' || (*digits == '0' && digits[1]))
        return false;
    errno = 0;
    *out = strtoll(digits, &end, 10);
    return errno == 0 && *end == '\0';
}

/* As oid_format writes it: in lower case. */
static bool parse_oid(struct oid *out, const char *hex)
{
    return strspn(hex, "0123456789abcdef") >= OID_HEX && oid_parse(out, hex, OID_HEX);
}

/* 1 for a ref that was added, 0 for a line that is none, negative if out of memory. */
static int parse_ref(struct listing *out, char *line)
{
    struct oid oid, peeled;
    size_t before = out->count;
    char *name = line + OID_HEX + 1, *space;
    int r;

    if (!parse_oid(&oid, line) || line[OID_HEX] != ' ')
        return 0;
    peeled = oid;
    space = strchr(name, ' ');
    if (space) {
        *space++ = '\0';
        if (!parse_oid(&peeled, space) || space[OID_HEX] || oid_equal(&oid, &peeled))
            return 0;
    }
    if (before && strcmp(out->refs[before - 1].name, name) >= 0)
        return 0;
    r = listing_add(out, name, &oid, &peeled);
    return r < 0 ? r : out->count > before;
}

/* Something, and nothing but what can be printed. */
static bool text_is_plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            return false;
    return *text != '\0';
}

/* 1 if the whole text is a listing, 0 if not, negative if out of memory. */
static int parse_lines(struct listing *out, char *text, const char *end)
{
    char *line = next_line(&text);
    int r;

    if (!line || strcmp(line, out->unproven ? first_line_1 : first_line) != 0)
        return 0;
    line = next_line(&text);
    if (!line || !starts_with(line, "time ") || !parse_time(&out->listed_at, line + 5))
        return 0;
    line = next_line(&text);
    if (line && starts_with(line, "head ")) {
        if (!name_is_listable(line + 5))
            return 0;
        out->head = strdup(line + 5);
        if (!out->head)
            return -ENOMEM;
        line = next_line(&text);
    }
    if (line && starts_with(line, "server ")) {
        if (!text_is_plain(line + 7))
            return 0;
        out->server = strdup(line + 7);
        if (!out->server)
            return -ENOMEM;
        line = next_line(&text);
    }
    for (; line && strcmp(line, "end") != 0; line = next_line(&text)) {
        r = parse_ref(out, line);
        if (r <= 0)
            return r;
    }
    return line && text == end;
}

int listing_parse(struct listing *out, const char *text, size_t length, struct error *e)
{
    char *copy = malloc(length + 1);
    int r;

    memset(out, 0, sizeof *out);
    if (!copy)
        return error_set(e, ENOMEM, "out of memory while reading a saved listing");
    memcpy(copy, text, length);
    out->unproven = !summed_check(copy, &length);
    copy[length] = '\0';
    r = parse_lines(out, copy, copy + length);
    free(copy);
    if (r > 0)
        return 0;
    listing_release(out);
    if (r < 0)
        return error_set(e, -r, "out of memory while reading a saved listing");
    return error_set(e, EIO,
                     "the saved listing is damaged; it is replaced when the remote answers");
}
