#include "fs/sets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADING   "# startpointfs set"
#define NAME_MOST 200

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool set_name_is_valid(const char *name, const char **why)
{
    const char *fault = NULL;
    size_t length = strlen(name);

    if (length == 0 || length > NAME_MOST)
        fault = "must have 1 to 200 characters";
    for (size_t i = 0; i < length && !fault; i++) {
        bool begins = i == 0 || name[i - 1] == '/';
        if (name[i] != '/' && !is_name_character(name[i]))
            fault = "may have letters, digits, '.', '_', '-' and '/' only";
        else if (begins && (name[i] == '.' || name[i] == '-' || name[i] == '/'))
            fault = "must begin, also after a '/', with a letter, a digit or '_'";
    }
    if (!fault && name[length - 1] == '/')
        fault = "must not end with '/'";
    if (why)
        *why = fault;
    return !fault;
}

/* FOLDER/acme%my-languages, malloc'd. */
static char *path_of(const char *folder, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return NULL;
    for (char *c = path + strlen(folder) + 1; *c; c++)
        if (*c == '/')
            *c = '%';
    return path;
}

void set_release(struct set *set)
{
    for (size_t i = 0; set->given && i < set->sources.count; i++)
        free(set->given[i]);
    free(set->given);
    source_list_release(&set->sources);
    free(set->name);
    *set = (struct set){0};
}

/* The text after "# KEY: ", or NULL. */
static const char *comment_value(const char *line, const char *key)
{
    size_t length = strlen(key);

    if (strncmp(line, "# ", 2) != 0 || strncmp(line + 2, key, length) != 0 ||
        strncmp(line + 2 + length, ": ", 2) != 0)
        return NULL;
    return line + length + 4;
}

static enum set_type type_of(const char *text)
{
    for (enum set_type type = TYPE_LANGUAGES; type <= TYPE_CUSTOM; type++)
        if (strcmp(set_type_name(type), text) == 0)
            return type;
    return TYPE_NONE;
}

/* The comments: what a list does not know. */
static int read_comments(struct set *set, FILE *file)
{
    char *line = NULL, *given = NULL;
    size_t room = 0, next = 0;
    ssize_t length;
    int r = 0;

    set->given = calloc(set->sources.count + 1, sizeof *set->given);
    while (set->given && r == 0 && (length = getline(&line, &room, file)) >= 0) {
        const char *value;
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        if ((value = comment_value(line, "type"))) {
            set->type = type_of(value);
        } else if ((value = comment_value(line, "made"))) {
            set->made_at = strtoll(value, NULL, 10);
        } else if ((value = comment_value(line, "given"))) {
            free(given);
            given = strdup(value);
        } else if (line[0] && line[0] != '#' && next < set->sources.count) {
            set->given[next] = given ? given : strdup(set->sources.items[next].text);
            given = NULL;
            r = set->given[next++] ? 0 : -ENOMEM;
        }
    }
    r = !set->given || next < set->sources.count ? -ENOMEM : r;
    free(given);
    free(line);
    return r;
}

int set_load(struct set *out, const char *folder, const char *name, struct error *e)
{
    struct set set = {0};
    const char *why;
    int r;

    if (!set_name_is_valid(name, &why))
        return error_set(e, EINVAL, "set name '%s' %s", name, why);
    char *path = path_of(folder, name);
    set.name = strdup(name);
    if (!path || !set.name) {
        r = error_set(e, ENOMEM, "out of memory");
        goto out;
    }
    FILE *file = fopen(path, "re");
    if (!file) {
        r = errno == ENOENT
                ? error_set(e, ENOENT, "no set '%s': 'startpointfs ls' names those there are", name)
                : error_set(e, errno, "set '%s': cannot read %s: %s", name, path, strerror(errno));
        goto out;
    }
    r = source_list_add(&set.sources, path, e);
    if (r == 0 && read_comments(&set, file) < 0)
        r = error_set(e, ENOMEM, "out of memory");
    if (r == 0 && set.type == TYPE_NONE)
        r = error_set(e, EINVAL, "set '%s': %s does not say its type: create the set again", name,
                      path);
    fclose(file);
out:
    free(path);
    if (r < 0)
        set_release(&set);
    else
        *out = set;
    return r;
}

static int write_set(const struct set *set, FILE *file)
{
    fprintf(file, HEADING "\n# type: %s\n# made: %lld\n", set_type_name(set->type),
            (long long)set->made_at);
    for (size_t i = 0; i < set->sources.count; i++)
        fprintf(file, "# given: %s\n%s\n", set->given[i], set->sources.items[i].text);
    if (fflush(file) != 0 || fsync(fileno(file)) < 0)
        return -errno;
    return 0;
}

static int make_folders(const char *folder)
{
    char *path = strdup(folder);
    int r = 0;

    if (!path)
        return -ENOMEM;
    for (char *c = path + 1; r == 0; c++) {
        if (*c && *c != '/')
            continue;
        char kept = *c;
        *c = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            r = -errno;
        *c = kept;
        if (!kept)
            break;
    }
    free(path);
    return r;
}

/* A rename is on disk once the folder is. */
static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;

    if (fd >= 0)
        close(fd);
    return r;
}

int set_save(const struct set *set, const char *folder, struct error *e)
{
    char *path = path_of(folder, set->name), *temporary = NULL;
    int r = make_folders(folder), fd = -1;

    if (!path || asprintf(&temporary, "%s/.new-XXXXXX", folder) < 0) {
        free(path);
        return error_set(e, ENOMEM, "out of memory");
    }
    if (r == 0) {
        fd = mkostemp(temporary, O_CLOEXEC);
        r = fd < 0 ? -errno : 0;
    }
    if (r == 0) {
        FILE *file = fdopen(fd, "w");
        r = file ? write_set(set, file) : -errno;
        if (r == 0 && fchmod(fd, 0644) < 0)
            r = -errno;
        if (file)
            fclose(file);
        else
            close(fd);
        if (r == 0 && rename(temporary, path) < 0)
            r = -errno;
        if (r == 0)
            r = sync_folder(folder);
        if (r < 0)
            unlink(temporary);
    }
    if (r < 0)
        error_set(e, -r, "set '%s': cannot write it in %s: %s", set->name, folder, strerror(-r));
    free(temporary);
    free(path);
    return r;
}

int set_remove(const char *folder, const char *name, struct error *e)
{
    const char *why;
    char *path;
    int r = 0;

    if (!set_name_is_valid(name, &why))
        return error_set(e, EINVAL, "set name '%s' %s", name, why);
    path = path_of(folder, name);
    if (!path)
        return error_set(e, ENOMEM, "out of memory");
    if (unlink(path) < 0)
        r = errno == ENOENT
                ? error_set(e, ENOENT, "no set '%s': 'startpointfs ls' names those there are", name)
                : error_set(e, errno, "set '%s': cannot remove %s: %s", name, path,
                            strerror(errno));
    free(path);
    return r;
}

bool set_exists(const char *folder, const char *name)
{
    char *path = set_name_is_valid(name, NULL) ? path_of(folder, name) : NULL;
    bool exists = path && access(path, F_OK) == 0;

    free(path);
    return exists;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void sets_names_free(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}

int sets_names(const char *folder, char ***out, struct error *e)
{
    char **names = calloc(1, sizeof *names);
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t count = 0;
    int r = 0;

    if (!dir && errno != ENOENT)
        r = error_set(e, errno, "cannot read the sets folder %s: %s", folder, strerror(errno));
    while (names && r == 0 && dir && (entry = readdir(dir))) {
        char **more = realloc(names, (count + 2) * sizeof *names);
        char *name = strdup(entry->d_name);
        if (more)
            names = more;
        if (!more || !name) {
            free(name);
            r = error_set(e, ENOMEM, "out of memory");
            break;
        }
        for (char *c = name; *c; c++)
            if (*c == '%')
                *c = '/';
        if (set_name_is_valid(name, NULL))
            names[count++] = name;
        else
            free(name);
        names[count] = NULL;
    }
    if (dir)
        closedir(dir);
    if (r == 0 && !names)
        r = error_set(e, ENOMEM, "out of memory");
    if (r < 0) {
        sets_names_free(names);
        return r;
    }
    qsort(names, count, sizeof *names, compare_strings);
    *out = names;
    return 0;
}

/* As in a query: everything but what can mean nothing else. */
static void put_encoded(FILE *out, const char *text)
{
    for (; *text; text++)
        if (is_name_character(*text) || *text == '/')
            fputc(*text, out);
        else
            fprintf(out, "%%%02X", (unsigned char)*text);
}

char *set_pinned_line(const struct source *source, const char *commit)
{
    struct source plain = {0};
    char *line = NULL;
    size_t size;
    FILE *out = open_memstream(&line, &size);
    char separator = '?';

    if (!out)
        return NULL;
    bool aliased =
        source_parse(&plain, source->url, "/", NULL) < 0 || strcmp(plain.name, source->name) != 0;
    source_release(&plain);
    if (source->kind == SOURCE_COMMIT)
        fprintf(out, "%s@", commit);
    fputs(source->url, out);
    if (source->kind == SOURCE_NAMED) {
        fputs("?tag=", out);
        put_encoded(out, source->version);
        separator = '&';
    }
    if (aliased) {
        fprintf(out, "%cname=", separator);
        put_encoded(out, source->name);
        separator = '&';
    }
    if (source->kind != SOURCE_COMMIT)
        fprintf(out, "%ccommit=%s", separator, commit);
    if (fclose(out) != 0) {
        free(line);
        return NULL;
    }
    return line;
}
