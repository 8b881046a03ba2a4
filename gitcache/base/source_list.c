#include "gitcache/base/source_list.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/url.h"

/* Takes ownership of *source on success. */
static int append(struct source_list *list, struct source *source, struct error *e)
{
    if ((list->count & (list->count - 1)) == 0) {
        size_t capacity = list->count ? 2 * list->count : 1;
        struct source *items = reallocarray(list->items, capacity, sizeof *items);
        if (!items)
            return error_no_memory(e);
        list->items = items;
    }
    list->items[list->count++] = *source;
    return 0;
}

static void drop_from(struct source_list *list, size_t first)
{
    while (list->count > first)
        source_release(&list->items[--list->count]);
}

/* Cuts a comment (a # at the front or after a blank, so that a URL may hold one) and blanks off. */
static char *trim_line(char *line)
{
    char *end;

    for (char *c = line; *c; c++)
        if (*c == '#' && (c == line || c[-1] == ' ' || c[-1] == '\t')) {
            *c = '\0';
            break;
        }
    line += strspn(line, " \t");
    end = line + strlen(line);
    while (end > line && strchr(" \t\r\n", end[-1]))
        end--;
    *end = '\0';
    return line;
}

static int add_line(struct source_list *list, const char *text, const char *base, const char *file,
                    unsigned line, struct error *e)
{
    struct error inner = {0};
    struct source source;
    int r = source_parse(&source, text, base, &inner);

    if (r < 0)
        return error_set(e, inner.errnum, "%s:%u: %s", file, line, inner.text);
    source.file = strdup(file);
    source.line = line;
    r = source.file ? append(list, &source, e) : error_no_memory(e);
    if (r < 0)
        source_release(&source);
    return r;
}

static int add_lines(struct source_list *list, FILE *stream, const char *base, const char *file,
                     struct error *e)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    size_t before = list->count, size = 0;
    char *buffer = NULL;
    unsigned line = 0;
    ssize_t length;
    int r = 0;

    while (r == 0 && (length = getline(&buffer, &size, stream)) >= 0) {
        char *text = buffer;

        line++;
        if (strlen(buffer) != (size_t)length) {
            r = error_set(e, EINVAL, "%s:%u: not a list of sources: it contains a NUL byte", file,
                          line);
            break;
        }
        if (line == 1 && !strncmp(text, byte_order_mark, 3))
            text += 3;
        text = trim_line(text);
        if (*text)
            r = add_line(list, text, base, file, line, e);
    }
    if (r == 0 && ferror(stream))
        r = error_set(e, errno, "cannot read the list %s: %s", file, strerror(errno));
    if (r == 0 && list->count == before)
        r = error_set(e, EINVAL, "%s: the list has no sources; write one URL?tag=NAME per line",
                      file);
    free(buffer);
    return r;
}

/* The folder that a list's relative paths are relative to, without symlinks; a pipe lies in none.
 */
static char *folder_of(const char *file, bool is_pipe)
{
    char *path = is_pipe ? getcwd(NULL, 0) : realpath(file, NULL);
    char *slash = path && !is_pipe ? strrchr(path, '/') : NULL;

    if (slash)
        *slash = '\0'; /* "" is the root */
    return path;
}

bool source_list_is(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
}

static bool is_pipe(FILE *stream)
{
    struct stat st;

    return fstat(fileno(stream), &st) == 0 && S_ISFIFO(st.st_mode);
}

int source_list_add_list(struct source_list *list, const char *path, struct error *e)
{
    FILE *stream = fopen(path, "re");
    size_t before = list->count;
    int r;

    if (!stream)
        return error_set(e, errno, "cannot read the list %s: %s", path, strerror(errno));
    char *base = folder_of(path, is_pipe(stream));
    if (!base)
        r = error_set(e, errno, "cannot find the folder of the list %s: %s", path, strerror(errno));
    else
        r = add_lines(list, stream, base, path, e);
    if (r < 0)
        drop_from(list, before);
    free(base);
    fclose(stream);
    return r;
}

int source_list_add_source(struct source_list *list, const char *text, const char *base,
                           struct error *e)
{
    struct source source;
    int r = source_parse_operand(&source, text, base, e);

    if (r < 0)
        return r;
    r = append(list, &source, e);
    if (r < 0)
        source_release(&source);
    return r;
}

int source_list_add(struct source_list *list, const char *argument, struct error *e)
{
    char *base;
    int r;

    if (source_list_is(argument))
        return source_list_add_list(list, argument, e);
    base = getcwd(NULL, 0);
    if (!base)
        return error_set(e, errno, "cannot find the current folder: %s", strerror(errno));
    r = source_list_add_source(list, argument, base, e);
    free(base);
    return r;
}

static int by_name_then_place(const void *a, const void *b)
{
    const struct source *x = *(const struct source *const *)a;
    const struct source *y = *(const struct source *const *)b;
    int order = strcmp(x->name, y->name);

    return order ? order : (x > y) - (x < y);
}

static void format_place(const struct source *source, char *out, size_t size)
{
    char shown[300];

    url_display(source->url, shown, sizeof shown);
    if (source->file)
        snprintf(out, size, "%s (%s:%u)", shown, source->file, source->line);
    else
        snprintf(out, size, "%s", shown);
}

int source_list_check(const struct source_list *list, struct error *e)
{
    const struct source **sorted = calloc(list->count + 1, sizeof *sorted);
    int r = 0;

    if (!sorted)
        return error_no_memory(e);
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = &list->items[i];
    qsort(sorted, list->count, sizeof *sorted, by_name_then_place);
    for (size_t i = 1; i < list->count && r == 0; i++) {
        const struct source *a = sorted[i - 1], *b = sorted[i];
        char first[450], second[450];

        if (strcmp(a->name, b->name) || !strcmp(a->url, b->url))
            continue;
        format_place(a, first, sizeof first);
        format_place(b, second, sizeof second);
        r = error_set(e, EINVAL,
                      "the folder %.100s is claimed by both %s and %s; add name=ALIAS to one",
                      a->name, first, second);
    }
    free(sorted);
    return r;
}

void source_list_release(struct source_list *list)
{
    drop_from(list, 0);
    free(list->items);
    *list = (struct source_list){.items = NULL};
}
