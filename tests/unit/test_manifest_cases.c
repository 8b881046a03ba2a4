/* test_manifest_cases.c - the table of cases: each folder in tests/fixtures/manifest-cases is one.
 *
 *     CASE/case     # what the case shows
 *                   type: languages          (or exercises, custom)
 *                   strict                   (only where --strict is given)
 *                   tag: 3.7.4-19            (only where the sources have one)
 *                   exit: 41
 *                   (an empty line, then exactly what is printed)
 *     CASE/0/       the files of the first source, whose name in messages is source-0
 *     CASE/1/ ...   further sources
 *
 * With an argument, only that case is run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "manifest/manifest.h"

#define CASES "tests/fixtures/manifest-cases"

struct expected {
    enum start_point_type type;
    bool strict;
    char tag[64];
    int exit_code;
    char *text; /* within buffer */
    char *buffer;
};

static int read_bytes(const char *path, uint64_t max, void **bytes, size_t *size)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    assert_int_equal(fstat(fd, &st), 0);
    *size = (size_t)st.st_size;
    *bytes = calloc(1, *size + 1);
    assert_non_null(*bytes);
    assert_int_equal(read(fd, *bytes, *size), st.st_size);
    close(fd);
    return *size > max ? (free(*bytes), -EFBIG) : 0;
}

/* A plain folder as a start-point; data is its path. */
static int folder_read(void *data, const char *path, uint64_t max, void **bytes, size_t *size)
{
    char full[PATH_MAX], target[PATH_MAX];
    snprintf(full, sizeof(full), "%s/%s", (const char *)data, path);
    ssize_t length = readlink(full, target, sizeof(target));
    if (length < 0)
        return read_bytes(full, max, bytes, size);
    *size = (size_t)length;
    *bytes = malloc(*size + 1);
    assert_non_null(*bytes);
    memcpy(*bytes, target, *size);
    return 0;
}

static int walk_folder(const char *root, const char *folder, start_point_visit *visit,
                       void *visitor)
{
    char full[PATH_MAX], name[PATH_MAX / 2];
    int r = 0;
    snprintf(full, sizeof(full), "%s/%s", root, folder);
    DIR *dir = opendir(full);
    assert_non_null(dir);
    for (struct dirent *entry; r == 0 && (entry = readdir(dir)) != NULL;) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof(name), "%s%s%s", folder, *folder ? "/" : "", entry->d_name);
        assert_int_equal(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
        if (S_ISDIR(st.st_mode))
            r = walk_folder(root, name, visit, visitor);
        else
            r = visit(visitor, name, S_ISLNK(st.st_mode) ? PATH_SYMLINK : PATH_FILE,
                      (uint64_t)st.st_size);
    }
    closedir(dir);
    return r;
}

static int folder_walk(void *data, start_point_visit *visit, void *visitor)
{
    return walk_folder(data, "", visit, visitor);
}

static void parse_line(struct expected *expected, const char *line)
{
    if (strncmp(line, "type: ", 6) == 0)
        assert_int_not_equal(expected->type = type_find(line + 6), TYPE_NONE);
    else if (strcmp(line, "strict") == 0)
        expected->strict = true;
    else if (strncmp(line, "tag: ", 5) == 0)
        snprintf(expected->tag, sizeof(expected->tag), "%s", line + 5);
    else if (strncmp(line, "exit: ", 6) == 0)
        expected->exit_code = atoi(line + 6);
    else if (line[0] != '#')
        fail_msg("a case has no line \"%s\"", line);
}

static void load_expected(struct expected *expected, const char *folder)
{
    char path[PATH_MAX];
    void *bytes;
    size_t size;
    snprintf(path, sizeof(path), "%s/case", folder);
    assert_int_equal(read_bytes(path, SIZE_MAX, &bytes, &size), 0);
    *expected = (struct expected){.buffer = bytes, .exit_code = -1};
    char *line = bytes, *end;
    for (; (end = strchr(line, '\n')) != NULL && end != line; line = end + 1) {
        *end = '\0';
        parse_line(expected, line);
    }
    assert_non_null(end); /* the empty line */
    expected->text = end + 1;
}

static void check_sources(struct manifest_list *list, const char *folder, const char *tag)
{
    for (unsigned i = 0;; i++) {
        char root[PATH_MAX], source[32];
        struct start_point_files files = {folder_walk, folder_read, root};
        snprintf(root, sizeof(root), "%s/%u", folder, i);
        snprintf(source, sizeof(source), "source-%u", i);
        if (access(root, F_OK) < 0)
            break;
        struct start_point start_point = {
            .source = source, .url = source, .tag = *tag ? tag : NULL, .files = &files};
        assert_int_equal(manifest_list_add(list, &start_point), 0);
    }
    assert_int_equal(manifest_list_finish(list), 0);
}

static void run_case(void **state)
{
    const char *folder = *state;
    struct expected expected;
    struct manifest_list list;
    load_expected(&expected, folder);
    manifest_list_init(&list, expected.type, expected.strict);
    check_sources(&list, folder, expected.tag);
    char *text = findings_format(&list.findings);
    assert_non_null(text);
    assert_string_equal(text, expected.text);
    assert_int_equal(list.findings.exit_code, expected.exit_code);
    free(text);
    manifest_list_release(&list);
    free(expected.buffer);
}

static int is_case(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    int count = scandir(CASES, &entries, is_case, alphasort);
    if (count <= 0) {
        fprintf(stderr, "no cases in %s: run this from the project's root\n", CASES);
        return 1;
    }
    struct CMUnitTest *tests = calloc((size_t)count, sizeof(*tests));
    for (int i = 0; i < count; i++) {
        char *folder = NULL;
        if (asprintf(&folder, "%s/%s", CASES, entries[i]->d_name) < 0)
            return 1;
        tests[i] = (struct CMUnitTest){
            .name = entries[i]->d_name, .test_func = run_case, .initial_state = folder};
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    int failed = _cmocka_run_group_tests("manifest cases", tests, (size_t)count, NULL, NULL);
    for (int i = 0; i < count; i++) {
        free(tests[i].initial_state);
        free(entries[i]);
    }
    free(entries);
    free(tests);
    return failed;
}
