#include "gitcache/store/commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/library.h"

/* A chain of tag objects cannot be a circle (ids are hashes), but it may be absurdly long. */
#define MAX_TAG_CHAIN 64

struct commit_text {
    const char *at, *end;
};

/* Takes "KEY " + 40 digits + newline off the front. */
static bool take_id(struct commit_text *text, const char *key, struct oid *out)
{
    size_t key_length = strlen(key), length = key_length + 1 + OID_HEX + 1;

    if ((size_t)(text->end - text->at) < length || memcmp(text->at, key, key_length) != 0 ||
        text->at[key_length] != ' ' || text->at[length - 1] != '\n' ||
        !oid_parse(out, text->at + key_length + 1, OID_HEX))
        return false;
    text->at += length;
    return true;
}

static const char *line_end(const struct commit_text *text)
{
    const char *end = memchr(text->at, '\n', (size_t)(text->end - text->at));
    return end ? end : text->end;
}

/* The seconds behind the mail address of the committer's line. */
static int64_t parse_committer_time(struct commit_text text)
{
    static const char key[] = "committer ";
    const size_t key_length = sizeof key - 1;

    for (; text.at < text.end && *text.at != '\n'; text.at = line_end(&text) + 1) {
        const char *end = line_end(&text), *mail;
        char digits[24] = "";

        if ((size_t)(end - text.at) < key_length || memcmp(text.at, key, key_length) != 0)
            continue;
        mail = memrchr(text.at, '>', (size_t)(end - text.at));
        if (!mail)
            return 0;
        for (mail++; mail < end && *mail == ' '; mail++)
            ;
        memcpy(digits, mail,
               (size_t)(end - mail) < sizeof digits - 1 ? (size_t)(end - mail) : sizeof digits - 1);
        return strtoll(digits, NULL, 10);
    }
    return 0;
}

/* The library says so, too, where it could not look for new packs. */
static int object_missing(git_odb *odb, const struct oid *id, struct error *e)
{
    char hex[OID_HEX_SIZE];
    int r = git_odb_refresh(odb);

    if (r < 0)
        return library_error(e, r, "the object %s cannot be looked for", oid_format(id, hex));
    return error_set(e, EIO, "the object %s is missing", oid_format(id, hex));
}

static int read_object(git_odb *odb, const struct oid *id, git_odb_object **out, struct error *e)
{
    char hex[OID_HEX_SIZE], what[OID_HEX_SIZE + 20];
    git_oid git_id;
    int r;

    library_oid_to_git(&git_id, id);
    r = git_odb_read(out, odb, &git_id);
    if (r == GIT_ENOTFOUND)
        return object_missing(odb, id, e);
    snprintf(what, sizeof what, "the object %s", oid_format(id, hex));
    return r < 0 ? library_read_error(e, r, what) : 0;
}

static struct commit_text text_of(git_odb_object *object)
{
    const char *at = git_odb_object_data(object);
    return (struct commit_text){at, at + git_odb_object_size(object)};
}

static int damaged(const struct oid *id, const char *what, struct error *e)
{
    char hex[OID_HEX_SIZE];
    return error_set(e, EIO, "the %s %s is damaged", what, oid_format(id, hex));
}

int commit_load(git_odb *odb, const struct oid *id, struct commit *out, struct error *e)
{
    return commit_follow(odb, id, NULL, NULL, out, e);
}

int commit_follow(git_odb *odb, const struct oid *id,
                  int (*visit)(void *data, const struct oid *id), void *data, struct commit *out,
                  struct error *e)
{
    struct oid at = *id;
    char hex[OID_HEX_SIZE];

    for (int i = 0; i < MAX_TAG_CHAIN; i++) {
        git_odb_object *object;
        git_object_t type;
        struct commit_text text;
        bool valid;
        int r = read_object(odb, &at, &object, e);

        if (r < 0)
            return r;
        type = git_odb_object_type(object);
        text = text_of(object);
        out->id = at;
        valid = take_id(&text, type == GIT_OBJECT_TAG ? "object" : "tree", &out->tree);
        out->time = type == GIT_OBJECT_COMMIT ? parse_committer_time(text) : 0;
        git_odb_object_free(object);
        if (type != GIT_OBJECT_TAG && type != GIT_OBJECT_COMMIT)
            return error_set(e, ENOENT, "%s is a %s, not a commit", oid_format(&at, hex),
                             git_object_type2string(type));
        if (!valid)
            return damaged(&at, git_object_type2string(type), e);
        if (visit && (r = visit(data, &at)) < 0)
            return error_set(e, -r, "%s cannot be followed: %s", oid_format(&at, hex),
                             strerror(-r));
        if (type == GIT_OBJECT_COMMIT)
            return 0;
        at = out->tree;
    }
    return error_set(e, EIO, "a chain of more than %d tag objects at %s", MAX_TAG_CHAIN,
                     oid_format(id, hex));
}

int commit_is_cut(git_odb *odb, const struct oid *commit, bool *out, struct error *e)
{
    git_odb_object *object;
    struct oid parent;
    struct commit_text text;
    git_oid id;
    int r = read_object(odb, commit, &object, e);

    if (r < 0)
        return r;
    text = text_of(object);
    *out = false;
    if (!take_id(&text, "tree", &parent))
        r = damaged(commit, "commit", e);
    while (r == 0 && !*out && take_id(&text, "parent", &parent)) {
        library_oid_to_git(&id, &parent);
        *out = !git_odb_exists(odb, &id);
        /* "No" is also what is said where nobody could look. */
        if (*out && (r = git_odb_refresh(odb)) < 0)
            r = library_error(e, r, "the objects cannot be read");
    }
    git_odb_object_free(object);
    return r;
}
