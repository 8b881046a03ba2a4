#include "fs/sets/set_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/url.h"

#define HEADING      "# startpointfs set"
#define DISPLAY_SIZE 2048

static bool has_password(const struct source *source)
{
    char shown[DISPLAY_SIZE];
    enum url_scheme scheme = url_scheme(source->url);

    return (scheme == URL_HTTP || scheme == URL_HTTPS) &&
           strcmp(url_display(source->url, shown, sizeof shown), source->url) != 0;
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

/* How a source was given if nothing else says so: as it is written, without a password. */
static char *given_of(const struct source *source)
{
    char shown[DISPLAY_SIZE];

    return strdup(has_password(source) ? url_display(source->text, shown, sizeof shown)
                                       : source->text);
}

/* What comments have said so far. */
struct notes {
    enum start_point_type *type;
    int64_t *made_at;
    char *given; /* of the source that comes next */
};

static int take_note(struct notes *notes, const char *line)
{
    const char *value;

    if ((value = comment_value(line, "type"))) {
        *notes->type = type_find(value);
    } else if ((value = comment_value(line, "made"))) {
        *notes->made_at = strtoll(value, NULL, 10);
    } else if ((value = comment_value(line, "given"))) {
        free(notes->given);
        notes->given = strdup(value);
        return notes->given ? 0 : -ENOMEM;
    }
    return 0;
}

/* Takes from the comments of a set's file how its sources, from `next` on, were given. */
static int read_comments(struct set *set, size_t next, FILE *file, struct notes *notes)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int r = 0;

    for (unsigned number = 1; r == 0 && (length = getline(&line, &room, file)) >= 0; number++) {
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (number == 1 && strcmp(line, HEADING) != 0)
            break;
        r = take_note(notes, line);
        if (next < set->sources.count && set->sources.items[next].line == number) {
            set->given[next++] = notes->given;
            notes->given = NULL;
        }
    }
    free(notes->given);
    free(line);
    return r;
}

static int read_notes(struct set *set, size_t first, const char *path, struct notes *notes)
{
    struct stat st;
    FILE *file;
    int r;

    /* A pipe can be read only once. */
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !(file = fopen(path, "re")))
        return 0;
    r = read_comments(set, first, file, notes);
    fclose(file);
    return r;
}

/* Makes room in `given` for the sources from `first` on. */
static int add_given(struct set *set, size_t first)
{
    size_t count = set->sources.count;
    char **given = reallocarray(set->given, count + 1, sizeof *given);

    if (!given) {
        while (set->sources.count > first) /* released with the set, which looks at given[] */
            source_release(&set->sources.items[--set->sources.count]);
        return -ENOMEM;
    }
    set->given = given;
    memset(given + first, 0, (count - first) * sizeof *given);
    return 0;
}

static int fill_given(struct set *set, size_t first)
{
    for (size_t i = first; i < set->sources.count; i++)
        if (!set->given[i] && !(set->given[i] = given_of(&set->sources.items[i])))
            return -ENOMEM;
    return 0;
}

int set_file_read(struct set *set, const char *path, enum start_point_type *type, int64_t *made_at,
                  struct error *e)
{
    struct notes notes = {.type = type, .made_at = made_at};
    size_t first = set->sources.count;
    int r = source_list_add_list(&set->sources, path, e);

    if (r < 0)
        return r;
    r = add_given(set, first);
    if (r == 0)
        r = read_notes(set, first, path, &notes);
    if (r == 0)
        r = fill_given(set, first);
    return r < 0 ? error_no_memory(e) : 0;
}

int set_file_take_source(struct set *set, const char *argument, struct error *e)
{
    size_t first = set->sources.count;
    int r = source_list_add(&set->sources, argument, e);

    if (r < 0)
        return r;
    r = add_given(set, first);
    if (r == 0)
        r = fill_given(set, first);
    return r < 0 ? error_no_memory(e) : 0;
}

static int print_set(const struct set *set, FILE *file)
{
    fprintf(file, HEADING "\n# type: %s\n# made: %lld\n", type_name(set->type),
            (long long)set->made_at);
    for (size_t i = 0; i < set->sources.count; i++)
        fprintf(file, "# given: %s\n%s\n", set->given[i], set->sources.items[i].text);
    if (fflush(file) != 0 || fsync(fileno(file)) < 0)
        return -errno;
    return 0;
}

/* Its owner's alone. Where somebody has let others read the one at path, they may read the next, too, unless it
 * has a password. */
static mode_t mode_of(const struct set *set, const char *path)
{
    struct stat st;

    for (size_t i = 0; i < set->sources.count; i++)
        if (has_password(&set->sources.items[i]))
            return 0600;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? 0600 | (st.st_mode & 0044) : 0600;
}

/* Closes fd in any case. */
static int write_text(const struct set *set, int fd, const char *path)
{
    FILE *file = fdopen(fd, "w");
    int r;

    if (!file) {
        r = -errno;
        close(fd);
        return r;
    }
    r = print_set(set, file);
    if (r == 0 && fchmod(fd, mode_of(set, path)) < 0)
        r = -errno;
    fclose(file);
    return r;
}

static int put_in_place(const char *temporary, const char *path, bool replace)
{
    if (!replace) {
        if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EINVAL) /* some file systems know no such flag */
            return -errno;
        if (access(path, F_OK) == 0)
            return -EEXIST;
    }
    return rename(temporary, path) < 0 ? -errno : 0;
}

int set_file_write(const struct set *set, const char *folder, const char *path, bool replace)
{
    int r = disk_make_folders(folder, NULL), fd;
    char *temporary;

    if (r < 0)
        return r;
    if (asprintf(&temporary, "%s/.new-XXXXXX", folder) < 0)
        return -ENOMEM;
    fd = mkostemp(temporary, O_CLOEXEC);
    r = fd < 0 ? -errno : write_text(set, fd, path);
    if (r == 0)
        r = put_in_place(temporary, path, replace);
    if (r < 0 && fd >= 0)
        unlink(temporary);
    if (r == 0)
        r = disk_sync_folder(folder, NULL);
    free(temporary);
    return r;
}
