/* test_short_memory.c - the service's answers, sets and the files of start-points, where each allocation fails once: that is said, and
 * what comes out otherwise is the same as ever. */
#include <fcntl.h>
#include <sys/mman.h>

#include "fs/service/catalogue.h"
#include "fs/service/route.h"
#include "fs/service/start_points.h"
#include "fs/sets/checking.h"
#include "fs/sets/folder_files.h"
#include "fs/sets/gather.h"
#include "fs/sets/git_files.h"
#include "fs/sets/list_folder.h"
#include "fs/sets/set.h"
#include "fs/sets/sets.h"
#include "fs/worker/fence.h"
#include "tests/unit/apart.h"
#include "tests/unit/sandbox.h"

/* How many allocations succeed before one fails; -1: all do. */
static int left = -1;

static bool fails_now(const char *call, int errnum)
{
    (void)call;
    if (left < 0 || left-- > 0)
        return false;
    errno = errnum;
    return true;
}

#include "tests/unit/failing_allocations.h"

/* What an act gave, for comparison. */
struct outcome {
    char text[10000];
};

__attribute__((format(printf, 2, 3))) static void note(struct outcome *outcome, const char *format,
                                                       ...)
{
    size_t used = strlen(outcome->text);
    va_list args;

    va_start(args, format);
    vsnprintf(outcome->text + used, sizeof outcome->text - used, format, args);
    va_end(args);
}

/* What it does: 0, or a negative errno with a sentence. It notes nothing where it fails. */
typedef int act_with(void *data, struct outcome *outcome, struct error *e);

static void fail_each(act_with *act, void *data, int least)
{
    struct outcome expected = {""};
    struct error e = {0};
    int count = 0;

    if (act(data, &expected, &e) != 0)
        fail_msg("%s", e.text);
    assert_true(*expected.text != '\0');
    for (bool has_failed = true; has_failed; count++) {
        struct outcome outcome = {""};
        e = (struct error){0};
        left = count;
        int r = act(data, &outcome, &e);
        has_failed = left < 0;
        left = -1;
        size_t same = 0;
        while (r == 0 && outcome.text[same] && outcome.text[same] == expected.text[same])
            same++;
        if (r == 0 && outcome.text[same] != expected.text[same])
            fail_msg("allocation %d: %.200s, not %.200s", count, outcome.text + same,
                     expected.text + same);
        if (r != 0 && (!has_failed || r != -ENOMEM || e.errnum != ENOMEM))
            fail_msg("allocation %d: %d, %s", count, r, e.text);
    }
    if (count < least)
        fail_msg("only %d allocations", count);
}

/* ---- the service ---- */

static int make_catalogue(struct catalogue **out, const char *folder, struct error *e)
{
    struct start_points start_points = {0};
    struct folder_files *files;
    int r = folder_files_new(&files, folder, e);

    if (r < 0)
        return r;
    struct start_point_files callbacks = folder_files_callbacks(files);
    r = start_points_add(&start_points, "it", &callbacks, folder_files_error(files), e);
    folder_files_free(files);
    if (r == 0)
        r = catalogue_new(out, start_points.items, start_points.count, e);
    start_points_release(&start_points);
    return r;
}

static int serve_folder(void *data, struct outcome *outcome, struct error *e)
{
    struct catalogue *catalogue;
    int r = make_catalogue(&catalogue, data, e);

    if (r < 0)
        return r;
    note(outcome, "%zu %s %s %s %s", catalogue->count, catalogue->names.text,
         catalogue->manifests.text, catalogue->image_names.text,
         catalogue_find(catalogue, "two", 3)->text);
    catalogue_put(catalogue);
    return 0;
}

static void make_start_points(const struct sandbox *box, const char *folder)
{
    run(box,
        "mkdir -p %s; cd %s; for i in one two three; do mkdir -p $i/deep; echo $i >$i/deep/file; "
        "ln -s deep/file $i/link; "
        "echo '{\"display_name\": \"'$i'\", \"image_name\": \"i/'$i'\", \"visible_filenames\": "
        "[\"deep/file\", \"link\", \"deep/file\"], "
        "\"language\": [\"'$i'\", \"1\"], \"test_framework\": [\"b\", \"2\"], "
        "\"filename_extension\": \".c\", \"rag_lambda\": "
        "\"link\", \"more\": {\"a\": [1, 2.5, null, true, \"\\\\u00e4\"]}}' >$i/manifest.json; "
        "done",
        folder, folder);
}

static void a_folder_is_served(void **state)
{
    char folder[100];

    make_start_points(*state, "all");
    snprintf(folder, sizeof folder, "%s/all", ((struct sandbox *)*state)->folder);
    fail_each(serve_folder, folder, 60);
}

static int answer_all(void *data, struct outcome *outcome, struct error *e)
{
    static const struct {
        const char *path, *body;
    } requests[] = {{"names", ""},
                    {"manifests", "{}"},
                    {"manifest", "{\"name\":\"two\"}"},
                    {"manifest", "{\"name\":\"none\\n\"}"},
                    {"manifest", "{\"no\": [\"name\", {\"x\": 1}]}"},
                    {"manifest", "no JSON"},
                    {"sha", ""},
                    {"ready", ""},
                    {"elsewhere", "{\"a\":\"b\"}"}};
    const struct route_facts facts = {data, true, "5ha"};

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct route_answer answer;
        int r = route_answer(&answer, &facts, requests[i].path, requests[i].body,
                             strlen(requests[i].body));
        if (r < 0)
            return error_set(e, -r, "no answer");
        note(outcome, "%u %.300s\n", answer.status,
             answer.reply ? answer.reply->text : answer.text);
        free(answer.text);
    }
    return 0;
}

static void each_route_is_answered(void **state)
{
    struct catalogue *catalogue;
    struct error e = {0};
    char folder[100];

    make_start_points(*state, "all");
    snprintf(folder, sizeof folder, "%s/all", ((struct sandbox *)*state)->folder);
    assert_int_equal(make_catalogue(&catalogue, folder, &e), 0);
    fail_each(answer_all, catalogue, 20);
    catalogue_put(catalogue);
}

/* ---- files of start-points ---- */

static int note_path(void *visitor, const char *path, enum path_kind kind, uint64_t size)
{
    note(visitor, "%s %d %u\n", path, kind, (unsigned)size);
    return 0;
}

static int look_at(struct start_point_files *files, const struct error *said,
                   struct outcome *outcome, struct error *e)
{
    void *bytes = NULL;
    size_t size = 0;
    int r = files->walk(files->data, note_path, outcome);

    if (r == 0)
        r = files->read(files->data, "one/deep/file", 100, &bytes, &size);
    if (r < 0)
        return error_set(e, said->errnum, "%s", said->text);
    note(outcome, "%.*s", (int)size, (const char *)bytes);
    free(bytes);
    return 0;
}

static int look_at_folder(void *data, struct outcome *outcome, struct error *e)
{
    struct folder_files *files;
    int r = folder_files_new(&files, data, e);

    if (r < 0)
        return r;
    struct start_point_files callbacks = folder_files_callbacks(files);
    r = look_at(&callbacks, folder_files_error(files), outcome, e);
    folder_files_free(files);
    return r;
}

static void a_folder_is_looked_at(void **state)
{
    char folder[100];

    make_start_points(*state, "all");
    snprintf(folder, sizeof folder, "%s/all", ((struct sandbox *)*state)->folder);
    fail_each(look_at_folder, folder, 3);
}

static int look_at_version(void *data, struct outcome *outcome, struct error *e)
{
    const struct gather_item *item = data;
    struct git_files *files = git_files_new(item->repository, &item->version);

    if (!files)
        return error_no_memory(e);
    struct start_point_files callbacks = git_files_callbacks(files);
    int r = look_at(&callbacks, git_files_error(files), outcome, e);
    git_files_free(files);
    return r;
}

static void a_version_is_looked_at(void **state)
{
    const struct sandbox *box = *state;
    const struct gather_options options = {.newest = false};
    struct source_list list = {0};
    struct settings settings;
    struct gather gathering;
    struct error e = {0};
    char cache[100];

    make_start_points(box, "repo");
    run(box, "cd repo; git init -q; git add .; git commit -qm 1; git tag 1");
    assert_int_equal(settings_init(&settings), 0);
    snprintf(cache, sizeof cache, "%s/cache", box->folder);
    assert_int_equal(settings_folder(&settings.cache, cache), 0);
    assert_int_equal(source_list_add_source(&list, "./repo?tag=1", box->folder, &e), 0);
    assert_int_equal(gather_run(&gathering, &settings, &list, &options, &e), 0);
    assert_int_equal(gathering.items[0].status, 0);
    fail_each(look_at_version, &gathering.items[0], 20);
    gather_release(&gathering);
    source_list_release(&list);
    settings_release(&settings);
}

static int check_folders(void *data, struct outcome *outcome, struct error *e)
{
    const struct checking_options options = {.folders = true};
    struct set set = {.type = TYPE_LANGUAGES};
    struct checking checking = {0};
    int r = set_add(&set, "./all/one", e);

    if (r == 0)
        r = set_add(&set, "./all/two", e);
    if (r == 0)
        r = checking_run(&checking, data, &set, &options, e);
    if (r == 0)
        note(outcome, "%zu findings, %d", checking.list.findings.count,
             checking.list.findings.exit_code);
    checking_release(&checking);
    set_release(&set);
    return r;
}

static void folders_are_checked(void **state)
{
    const struct sandbox *box = *state;
    struct settings settings;
    char cache[100];

    make_start_points(box, "all");
    assert_int_equal(settings_init(&settings), 0);
    settings.offline = settings.quiet = true;
    snprintf(cache, sizeof cache, "%s/cache", box->folder);
    assert_int_equal(settings_folder(&settings.cache, cache), 0);
    assert_int_equal(chdir(box->folder), 0);
    fail_each(check_folders, &settings, 50);
    assert_int_equal(chdir("/"), 0);
    settings_release(&settings);
}

/* ---- sets and lists ---- */

static void note_set(struct outcome *outcome, const struct set *set)
{
    note(outcome, "%s %d %d:", set->name ? set->name : "-", set->type, (int)set->made_at);
    for (size_t i = 0; i < set->sources.count; i++)
        note(outcome, " %s (%s)", set->sources.items[i].text, set->given[i]);
}

static int load_set(void *data, struct outcome *outcome, struct error *e)
{
    struct set set = {0};
    int r = set_load(&set, data, "acme/one", e);

    if (r < 0)
        return r;
    note_set(outcome, &set);
    set_release(&set);
    return 0;
}

static int make_set(void *data, struct outcome *outcome, struct error *e)
{
    static const char *const arguments[] = {"lists", "lists/a.list", "https://h/c?tag=3"};
    struct set set = {.type = TYPE_CUSTOM, .made_at = 7};
    int r = (set.name = strdup("new")) ? 0 : error_no_memory(e);

    for (size_t i = 0; i < 3 && r == 0; i++)
        r = set_add(&set, arguments[i], e);
    if (r == 0)
        r = set_pin(&set, 0, "0123456789012345678901234567890123456789", e);
    if (r == 0)
        r = set_save(&set, data, true, e);
    if (r == 0)
        note_set(outcome, &set);
    set_release(&set);
    return r;
}

static int find_sets(void *data, struct outcome *outcome, struct error *e)
{
    char **names, **paths;
    int r = sets_names(data, &names, e);

    if (r < 0)
        return r;
    for (char **name = names; *name; name++)
        note(outcome, "%s ", *name);
    sets_names_free(names);
    r = list_folder_read("lists", &paths, e);
    for (char **path = paths; r == 0 && *path; path++)
        note(outcome, "%s ", *path);
    if (r == 0)
        list_folder_free(paths);
    return r;
}

static int add_operands(void *data, struct outcome *outcome, struct error *e)
{
    static const char *const operands[] = {"acme/one", "lists", "lists/a.list",
                                           "https://h/c?tag=3"};
    struct source_list sources = {0};
    int r = 0;

    for (size_t i = 0; i < 4 && r == 0; i++)
        r = sets_add_sources(&sources, data, operands[i], e);
    for (size_t i = 0; i < sources.count && r == 0; i++)
        note(outcome, "%s ", sources.items[i].text);
    source_list_release(&sources);
    return r;
}

static void sets_and_lists(void **state)
{
    static const struct {
        act_with *act;
        int least;
    } acts[] = {{load_set, 10}, {make_set, 30}, {find_sets, 8}, {add_operands, 20}};
    const struct sandbox *box = *state;
    char folder[100];

    run(box,
        "mkdir sets lists; printf '# startpointfs set\n# type: custom\n# made: 5\n# given: "
        "me\nhttps://h/a?tag=1\n' "
        ">sets/acme%%one; echo 'https://h/b?tag=2&name=z' >lists/a.list; echo https://h/a?tag=1 "
        ">lists/b.list");
    snprintf(folder, sizeof folder, "%s/sets", box->folder);
    assert_int_equal(chdir(box->folder), 0);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        fail_each(acts[i].act, folder, acts[i].least);
    assert_string_equal(output(box, "ls -A sets | tr '\\n' ' '"), "acme%one new ");
    assert_int_equal(chdir("/"), 0);
}

/* ---- a worker's fence ---- */

static int each_file(void *data, int (*visit)(void *visit_data, const char *path), void *visit_data)
{
    return visit(visit_data, data);
}

static struct {
    int count; /* how many allocations succeed */
    bool has_failed;
} * fenced; /* in memory that is shared with the process that is behind it */

static void close_fence(void *data)
{
    static char *operands[] = {(char *)"lists/a.list", (char *)"lists"};
    static const char *const paths[] = {"lists/a.list", "lists/b.list", "lists", "cache",
                                        "/etc/passwd"};
    struct settings settings;
    const struct worker_start start = {.settings = &settings,
                                       .folder = data,
                                       .operands = operands,
                                       .operand_count = 2,
                                       .each_file = each_file,
                                       .data = (void *)"lists/b.list"};
    struct fence *fence = NULL;
    struct error e = {0};

    CHECK(chdir(data) == 0 && settings_init(&settings) == 0);
    left = fenced->count;
    int r = fence_close(&fence, &start, "cache", NULL, &e);
    fenced->has_failed = left < 0;
    left = -1;
    CHECK(e.errnum == -r && (r == 0 || (fenced->has_failed && r == -ENOMEM)));
    for (size_t i = 0; r == 0 && i < sizeof paths / sizeof *paths; i++)
        CHECK(close(open(paths[i], O_RDONLY | O_CLOEXEC)) == 0);
    if (r == 0)
        fence_free(fence);
    settings_release(&settings);
}

/* There is a whole one or none. */
static void a_fence(void **state)
{
    struct sandbox *box = *state;

    run(box,
        "mkdir cache lists; echo https://h/b?tag=2 >lists/a.list; cp lists/a.list lists/b.list");
    fenced = mmap(NULL, sizeof *fenced, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(fenced, MAP_FAILED);
    do
        run_apart(close_fence, box->folder);
    while (fenced->has_failed && ++fenced->count);
    assert_true(fenced->count > 50);
    munmap(fenced, sizeof *fenced);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_served),
        TEST(each_route_is_answered),
        TEST(a_folder_is_looked_at),
        TEST(a_version_is_looked_at),
        TEST(folders_are_checked),
        TEST(sets_and_lists),
        TEST(a_fence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
