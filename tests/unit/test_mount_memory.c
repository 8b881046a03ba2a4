/* test_mount_memory.c - a mount's worker, where each allocation of any of its threads fails once, from its beginning to what its readers
 * ask: it does not begin, and says why; or whoever asks is told that there was no memory, or gets what he gets ever. For the next who
 * asks all of it is there. Each time in a process of its own. */
#include <limits.h>
#include <stdbool.h>
#include <sys/syscall.h>

static _Atomic int calls_left = -1; /* how many allocations succeed before one fails; -1: all do */

static bool fails_now(const char *call, int errnum);

#include "fs/shared/last_reading.h"
#include "fs/tree/lists_reload.h"
#include "fs/tree/set_folders.h"
#include "tests/unit/apart.h"
#include "tests/unit/failing_allocations.h"
#include "tests/unit/mounted.h"

static bool fails_now(const char *call, int errnum)
{
    (void)call;
    if (calls_left < 0 || calls_left-- != 0)
        return false;
    errno = errnum;
    return true;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWNESS 4
#else
#define SLOWNESS 1
#endif

static atomic_long minutes; /* by which every clock is ahead */

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int r = (int)syscall(SYS_clock_gettime, clock, out);

    out->tv_sec += 60 * minutes;
    return r;
}

/* A way to begin, and to look: what all of it is, without a failure. */
struct way {
    struct sandbox *box;
    const char *operands[3];
    size_t count;
    bool later;   /* the worker goes on with what another has left */
    bool forgets; /* but not with what that one's lists said */
    bool online;  /* with a cache in which there is nothing */
    const char *const *paths;
    int at; /* this allocation fails */
    bool has_failed;
    int refused, told; /* workers that did not begin; answers that there was no memory */
    char expected[20000];
};

static int begin(struct mounted *mounted, const struct way *way, int nodes_fd, int state_fd,
                 int lists_fd, bool later, struct error *e)
{
    char *operands[3];
    int r = worker_begins_with(mounted, nodes_fd, state_fd, e);

    if (r < 0)
        return r;
    memcpy(operands, way->operands, sizeof operands);
    mounted->mount.last_reading = lists_fd;
    return (later ? lists_resume : lists_open)(&mounted->mount, way->box->folder, operands,
                                               way->count, e);
}

static void note(char *out, const char *text)
{
    size_t used = strlen(out);

    CHECK(used + strlen(text) + 2 < sizeof((struct way *)0)->expected);
    sprintf(out + used, "%s ", text);
}

/* 0, or what it failed with. */
static int list(struct mounted *mounted, uint32_t folder, char *out)
{
    struct namespace_entry child;
    struct ask ask = {0};
    uint64_t offset = 0;
    char *names[100];
    size_t count = 0;
    int r = open_folder(mounted, folder);

    while (r == 0 && count < 100) {
        r = namespace_next(&mounted->mount, folder, &offset, &child);
        if (r == -EAGAIN) {
            wait_for_work(mounted, &ask);
            r = 0;
        } else if (r == 0) {
            int kept = calls_left;
            calls_left = -1;
            names[count++] = strdup(child.name);
            calls_left = kept;
        }
    }
    qsort(names, count, sizeof *names, compare_texts);
    for (size_t i = 0; i < count; i++) {
        if (r == -ENOENT)
            note(out, names[i]);
        free(names[i]);
    }
    return r == -ENOENT ? 0 : r;
}

static int read_bytes(struct mounted *mounted, uint32_t file, char *out)
{
    struct ask ask = {0};
    struct blob *blob;
    int r;

    while ((r = readings_get_blob(&mounted->mount, file, &ask, &blob)) == -EAGAIN)
        wait_for_work(mounted, &ask);
    if (r < 0)
        return r;
    note(out, blobs_content(blob)->data);
    blobs_put(mounted->mount.blobs, blob);
    return 0;
}

static int read_text(struct mounted *mounted, uint32_t folder, bool type, char *out)
{
    struct ask ask = {0};
    char *text;
    int r;

    if (type)
        r = set_folders_type(&mounted->mount, folder, &text);
    else
        while ((r = set_folders_shas(&mounted->mount, folder, &ask, &text)) == -EAGAIN)
            wait_for_work(mounted, &ask);
    if (r < 0)
        return r;
    note(out, text);
    free(text);
    return 0;
}

static int look_at(struct mounted *mounted, const char *path, char *out)
{
    char copy[200], *rest = copy, *name;
    uint32_t node = NODE_ROOT_INDEX, above = node;
    int r = 0;

    strcpy(copy, path);
    while (r == 0 && *copy && (name = strsep(&rest, "/"))) {
        above = node;
        r = look_up(mounted, node, name, &node);
    }
    if (r < 0)
        return r;
    switch (node_get(mounted->mount.nodes, node)->kind) {
    case NODE_FILE:
    case NODE_SYMLINK:
        return read_bytes(mounted, node, out);
    case NODE_CONTROL_FILE:
        return read_text(mounted, above, strstr(path, "type") != NULL, out);
    default:
        return list(mounted, node, out);
    }
}

static void look_at_all(struct mounted *mounted, struct way *way, char *out)
{
    for (const char *const *path = way->paths; *path; path++) {
        size_t used = strlen(out);
        int r = look_at(mounted, *path, out);
        char text[20];

        if (r == -ENOMEM) {
            CHECK(way->at >= 0);
            way->told++;
            out[used] = '\0';
            strcat(out, "?|");
            continue;
        }
        snprintf(text, sizeof text, "%d|", r);
        strcat(out, text);
    }
}

/* Each answer is what it is ever, or that there was no memory. */
static bool is_alike(const char *got, const char *expected)
{
    while (*got && *expected) {
        size_t length = strcspn(expected, "|") + 1;
        bool told = strncmp(got, "?|", 2) == 0;
        if (!told && strncmp(got, expected, length) != 0)
            return false;
        got += told ? 2 : length;
        expected += length;
    }
    return !*got && !*expected;
}

static void expect(bool is_right, const struct way *way, const char *got)
{
    if (!is_right)
        fprintf(stderr, "allocation %d fails: %s\nand not\n%s\n", way->at, got, way->expected);
    CHECK(is_right);
}

static void try(void *data)
{
    struct way *way = data;
    struct mounted mounted;
    struct error e = {0};
    static char got[sizeof way->expected];
    void *box = way->box;

    mounted_prepare(&mounted, &box);
    mounted.settings.offline = !way->online;
    if (way->online) {
        char cache[100];
        snprintf(cache, sizeof cache, "%s/cache%d", way->box->folder, way->at);
        CHECK(settings_folder(&mounted.settings.cache, cache) == 0);
    }
    int nodes_fd = nodes_create(100000, 1, &e), state_fd = state_create(&e),
        lists_fd = last_reading_create(&e);
    CHECK(nodes_fd >= 0 && state_fd >= 0 && lists_fd >= 0);
    if (way->later) {
        CHECK(begin(&mounted, way, nodes_fd, state_fd, lists_fd, false, &e) == 0);
        lists_publish_first(&mounted.mount);
        worker_ends(&mounted);
        if (way->forgets)
            lists_fd = last_reading_create(&e);
    }
    calls_left = way->at;
    int r = begin(&mounted, way, nodes_fd, state_fd, lists_fd, way->later, &e);
    if (r < 0) {
        CHECK(r == -ENOMEM && e.errnum == ENOMEM && way->at >= 0 && calls_left < 0);
        way->refused++;
        way->has_failed = true;
        return;
    }
    lists_publish_first(&mounted.mount);
    if (way->later)
        lists_reload(&mounted.mount);
    look_at_all(&mounted, way, got);
    settle(&mounted);
    way->has_failed = calls_left < 0;
    calls_left = -1;
    if (way->at < 0)
        strcpy(way->expected, got);
    expect(is_alike(got, way->expected), way, got);
    minutes = 10;
    *got = '\0';
    if (way->later)
        lists_reload(&mounted.mount);
    look_at_all(&mounted, way, got);
    expect(strcmp(got, way->expected) == 0, way, got);
    worker_ends(&mounted);
}

/* Each allocation, or each so-manieth; `refused` and `told` are the fewest workers and answers that fail, of all. */
static void fail_each(struct way *way, int step, int refused, int told)
{
    struct way *shared =
        mmap(NULL, sizeof *way, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(shared, MAP_FAILED);
    *shared = *way;
    shared->at = -1;
    run_apart(try, shared);
    step = getenv("MEMORY_STEP") ? atoi(getenv("MEMORY_STEP")) : step * SLOWNESS;
    shared->at = 0;
    do {
        run_apart(try, shared);
        shared->at += step;
    } while (shared->has_failed);
    print_message("# of %d allocations one in %d fails: %d begin not, %d answers say so\n",
                  shared->at, step, shared->refused, shared->told);
    assert_in_range(step * shared->refused, refused, INT_MAX);
    assert_in_range(step * shared->told, told, INT_MAX);
    munmap(shared, sizeof *way);
}

/* All versions are in the cache. */
static void fill_cache(void **state)
{
    static const char *const all[] = {"repo/1/file", "repo/2/file", "repo/main/file", NULL};
    struct mounted mounted;

    make_repository(*state);
    run(*state, "git -C repo tag never-fetched");
    mounted_open(&mounted, state, "./repo");
    for (const char *const *path = all; *path; path++)
        walk(&mounted, *path);
    settle(&mounted);
    mounted_close(&mounted);
}

static const char *const in_lists[] = {"",
                                       "repo",
                                       "repo/1/file",
                                       "repo/1/folder/file",
                                       "repo/release/3/file",
                                       "repo/main/file",
                                       "repo/none",
                                       ".startpointfs/sets",
                                       ".startpointfs/sets/one/0",
                                       ".startpointfs/sets/one/0/file",
                                       ".startpointfs/sets/one/1/folder",
                                       ".startpointfs/sets/one/shas.txt",
                                       NULL};

static void write_lists(void **state)
{
    run(*state,
        "mkdir lists; one=$(git -C repo rev-parse 1); echo $PWD/repo?tag=2 >lists/one.list;"
        "echo \"$PWD/repo?tag=1&commit=$one\" >>lists/one.list; echo $PWD/repo?tag=1 >a.list");
}

static void of_lists(void **state, bool later, bool forgets)
{
    struct way way = {.box = *state,
                      .operands = {"./a.list", "./lists", "./repo?tag=release/3"},
                      .count = 3,
                      .later = later,
                      .forgets = forgets,
                      .paths = in_lists};

    fill_cache(state);
    write_lists(state);
    fail_each(&way, 2, 50, 50);
}

static void a_worker_of_lists(void **state)
{
    of_lists(state, false, false);
}

/* Whose listing nobody reads before it is looked into. */
static void a_worker_of_a_source(void **state)
{
    static const char *const paths[] = {"repo/1/file", "repo", "repo/none", NULL};
    struct way way = {.box = *state, .operands = {"./repo?tag=2"}, .count = 1, .paths = paths};

    fill_cache(state);
    fail_each(&way, 1, 50, 20);
}

static void a_later_worker_of_lists(void **state)
{
    of_lists(state, true, false);
}

static void a_later_worker_of_lists_that_it_reads_anew(void **state)
{
    of_lists(state, true, true);
}

static void a_worker_of_sets(void **state)
{
    static const char *const paths[] = {"",
                                        ".startpointfs/sets",
                                        ".startpointfs/sets/acme/one/1/folder/file",
                                        ".startpointfs/sets/acme/one/shas.txt",
                                        ".startpointfs/sets/two/image.type",
                                        ".startpointfs/sets/two",
                                        NULL};
    struct way way = {.box = *state, .paths = paths};

    fill_cache(state);
    run(*state, "mkdir sets; repo=$PWD/repo; one=$(git -C repo rev-parse 1); cd sets;"
                "printf \"# startpointfs set\\n# type: languages\\n# made: 1\\n# given: here\\n"
                "$repo?tag=2\\n# given: there\\n$one@$repo\\n\" | tee acme%%one >two");
    setenv("STARTPOINTFS_SETS", output(*state, "echo $PWD/sets"), 1);
    fail_each(&way, 2, 50, 30);
    unsetenv("STARTPOINTFS_SETS");
}

static void a_worker_that_fetches(void **state)
{
    static const char *const paths[] = {"repo", "repo/1/folder/file", "repo/main/file", "repo/none",
                                        NULL};
    struct way way = {
        .box = *state, .operands = {"./repo"}, .count = 1, .online = true, .paths = paths};

    make_repository(*state);
    fail_each(&way, 12, 40, 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open_in_memory, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_worker_of_lists),       TEST(a_worker_of_a_source),
        TEST(a_later_worker_of_lists), TEST(a_later_worker_of_lists_that_it_reads_anew),
        TEST(a_worker_of_sets),        TEST(a_worker_that_fetches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
