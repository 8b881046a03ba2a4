/* The campaign of flipped bytes: every file of a small cache is damaged in every way, one at a time,
 * and each time somebody reads all that is in it: with the remote up, with the remote gone, and from
 * a cache that may not be written. Each reading is a process of its own, so that a crash or a hang is
 * one that is counted.
 *
 * DAMAGE_STEP=1 flips every byte, and damages each file in each way (`make soak`); else it is a
 * sample, which begins elsewhere in each file. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "gitcache/base/sha1.h"
#include "gitcache/checkout/blob.h"
#include "gitcache/checkout/checkout_cache.h"
#include "gitcache/checkout/tree.h"
#include "gitcache/fetch/repository_fetch.h"
#include "tests/unit/sandbox.h"

#define HANG_SECONDS 60

enum mode { UP, DOWN, OFFLINE, MODES };
static const char *const mode_names[] = {"remote up", "remote gone", "read-only"};

/* What a reading process ends with. */
enum outcome { RIGHT, REFUSED, WRONG, NOT_HEALED, NO_SENTENCE, CRASH, HANG, OUTCOMES };

static const char *const names[] = {"v1", "v2", "main", "deep/er"};

struct campaign {
    struct sandbox *box;
    char url[128], cache[128];
    char *expected; /* what there is to read, of all names */
    char **files;   /* of the cache, below its folder */
    size_t count;
    unsigned outcomes[MODES][OUTCOMES], tried[MODES];
};

/* ---- reading all ---- */

struct reading {
    struct version_reader reader;
    FILE *out;
    struct error e;
};

static int read_tree(struct reading *reading, const struct oid *id, const char *path,
                     bool attributes);

static int read_entry(struct reading *reading, const struct tree_entry *entry, const char *path,
                      bool attributes)
{
    char below[512], hex[OID_HEX_SIZE];
    struct content bytes;
    struct oid sum;
    int r;

    snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", entry->name);
    if (entry->kind == ENTRY_TREE)
        return read_tree(reading, &entry->oid, below, attributes);
    const struct blob_request request = {entry->oid, entry->conversion, entry->size, below};
    r = blob_read(&reading->reader, &request, &bytes, &reading->e);
    if (r < 0)
        return r;
    sha1_of(bytes.data, bytes.size, sum.id);
    free(bytes.data);
    fprintf(reading->out, "%d %s %llu %zu %s\n", entry->kind, below,
            (unsigned long long)entry->size, bytes.size, oid_format(&sum, hex));
    return 0;
}

static int read_tree(struct reading *reading, const struct oid *id, const char *path,
                     bool attributes)
{
    struct tree tree;
    int r = tree_read(&reading->reader, id, path, attributes, &tree, &reading->e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < tree.count && r == 0; i++)
        r = read_entry(reading, &tree.entries[i], path, tree.attributes);
    tree_release(&tree);
    return r;
}

/* One version, as text. */
static int read_version(struct repository *repository, const char *name, char **out,
                        struct error *e)
{
    struct version version;
    struct reading reading = {
        .reader = {.repository = repository,
                   .commit = &version.commit,
                   .cache = checkout_cache_new(),
                   .max_file = 1 << 20},
    };
    char hex[OID_HEX_SIZE];
    size_t size;
    int r = versions_find(repository, name, NULL, &version, &reading.e);

    reading.out = open_memstream(out, &size);
    if (r == 0) {
        fprintf(reading.out, "%s %s %lld\n", name, oid_format(&version.commit, hex),
                (long long)version.time);
        r = read_tree(&reading, &version.tree, "", false);
    }
    fclose(reading.out);
    checkout_cache_free(reading.reader.cache);
    *e = reading.e;
    return r;
}

/* As a mount does it: what is missing or damaged is fetched, once. */
static int read_or_fetch(struct repository *repository, struct remote *remote, const char *name,
                         char **out, struct error *e)
{
    struct version_request request = {.name = name};
    int r = read_version(repository, name, out, e);

    if (r == 0 || !remote || (r != -EIO && r != -ENOENT))
        return r;
    request.again = r == -EIO;
    r = repository_fetch(repository, remote, &request, 1, NULL, NULL, e);
    if (r < 0)
        return r;
    free(*out);
    return read_version(repository, name, out, e);
}

static enum outcome judge(const struct campaign *campaign, enum mode mode, const char *name, int r,
                          const char *text, const struct error *e)
{
    if (r == 0)
        return strstr(campaign->expected, text) ? RIGHT : WRONG;
    if (mode == UP) {
        fprintf(stderr, "%s: not healed: %s\n", name, e->text);
        return NOT_HEALED;
    }
    return e->text[0] ? REFUSED : NO_SENTENCE;
}

/* The worst of all names. */
static enum outcome read_all(const struct campaign *campaign, enum mode mode)
{
    enum outcome worst = RIGHT;
    struct net_settings settings;
    struct repository *repository;
    struct remote *remote = NULL;
    struct cache *cache;
    struct error e = {0};

    net_settings_init(&settings);
    if (cache_open(&cache, campaign->cache, mode == OFFLINE, &e) < 0 ||
        repository_open(&repository, cache, campaign->url, &e) < 0 ||
        (mode != OFFLINE && remote_new(&remote, &settings, &e) < 0))
        return mode == UP ? NOT_HEALED : REFUSED;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = NULL;
        int r = read_or_fetch(repository, remote, names[i], &text, &e);
        enum outcome outcome = judge(campaign, mode, names[i], r, text, &e);

        worst = outcome > worst ? outcome : worst;
        free(text);
    }
    remote_free(remote);
    repository_close(repository);
    cache_close(cache);
    return worst;
}

static enum outcome read_in_a_process(const struct campaign *campaign, enum mode mode)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(HANG_SECONDS);
        _exit(read_all(campaign, mode));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? HANG : CRASH;
    return (enum outcome)WEXITSTATUS(status);
}

/* ---- the cache ---- */

static void restore(const struct campaign *campaign)
{
    run(campaign->box, "rm -rf cache; cp -a sound cache");
}

static struct campaign *listing_files; /* nftw has no data of its own */

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    struct campaign *campaign = listing_files;

    (void)st, (void)ftw;
    if (ftw->level == 0 || (type != FTW_F && type != FTW_D))
        return 0;
    campaign->files = realloc(campaign->files, (campaign->count + 1) * sizeof *campaign->files);
    assert_non_null(campaign->files);
    campaign->files[campaign->count++] = strdup(path + strlen(campaign->cache) + 1);
    return 0;
}

static void open_campaign(struct campaign *campaign, void **state)
{
    struct cache *cache;
    struct repository *repository;
    struct remote *remote;
    struct net_settings settings;
    struct error e = {0};
    size_t size;
    FILE *out;

    campaign->box = *state;
    snprintf(campaign->url, sizeof campaign->url, "%s/remote", campaign->box->folder);
    snprintf(campaign->cache, sizeof campaign->cache, "%s/cache", campaign->box->folder);
    run(campaign->box,
        "git init -q remote; cd remote; mkdir d; seq 1 60 >d/numbers; ln -s d link;"
        "printf 'text\\n' >top; printf '*.crlf eol=crlf\\n' >.gitattributes;"
        "printf 'a\\nb\\n' >x.crlf; : >empty; git add .; git commit -qm one; git tag v1;"
        "seq 1 61 >d/numbers; git commit -qam two; git tag -am annotated v2;"
        "git tag deep/er; seq 2 61 >d/numbers; git commit -qam three");
    net_settings_init(&settings);
    assert_int_equal(cache_open(&cache, campaign->cache, false, &e), 0);
    assert_int_equal(repository_open(&repository, cache, campaign->url, &e), 0);
    assert_int_equal(remote_new(&remote, &settings, &e), 0);
    out = open_memstream(&campaign->expected, &size);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = NULL;

        if (read_or_fetch(repository, remote, names[i], &text, &e) < 0)
            fail_msg("%s", e.text);
        fputs(text, out);
        free(text);
    }
    fclose(out);
    remote_free(remote);
    repository_close(repository);
    cache_close(cache);
    run(campaign->box, "cp -a cache sound");
    listing_files = campaign;
    assert_int_equal(nftw(campaign->cache, add_file, 16, FTW_PHYS), 0);
}

static void close_campaign(struct campaign *campaign)
{
    for (size_t i = 0; i < campaign->count; i++)
        free(campaign->files[i]);
    free(campaign->files);
    free(campaign->expected);
}

static void try(struct campaign *campaign, enum mode mode, const char *file, const char *how,
                long at)
{
    enum outcome outcome = read_in_a_process(campaign, mode);

    campaign->tried[mode]++;
    campaign->outcomes[mode][outcome]++;
    if (outcome > REFUSED)
        fprintf(stderr, "outcome %d: %s, %s %s %ld\n", outcome, mode_names[mode], file, how, at);
}

static void print_figures(const struct campaign *campaign, const char *what)
{
    unsigned bad = 0;

    for (int mode = 0; mode < MODES; mode++) {
        const unsigned *n = campaign->outcomes[mode];

        print_message(
            "figures: %s, %s: %u tried; right %u, errno with a sentence %u, wrong %u, not "
            "healed %u, without a sentence %u, crash %u, hang %u\n",
            what, mode_names[mode], campaign->tried[mode], n[RIGHT], n[REFUSED], n[WRONG],
            n[NOT_HEALED], n[NO_SENTENCE], n[CRASH], n[HANG]);
        for (int i = WRONG; i < OUTCOMES; i++)
            bad += n[i];
    }
    assert_int_equal(bad, 0);
}

static void set_remote(const struct campaign *campaign, enum mode mode)
{
    run(campaign->box,
        mode == UP ? "test -d remote || mv gone remote" : "test -d gone || mv remote gone");
}

/* ---- the campaigns ---- */

static char *path_of(const struct campaign *campaign, const char *file)
{
    char *path;

    assert_true(asprintf(&path, "%s/%s", campaign->cache, file) > 0);
    return path;
}

static void flip(const char *path, off_t at, int bit)
{
    unsigned char byte;
    int fd;

    chmod(path, 0644);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= (unsigned char)(1 << bit);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void flip_file(struct campaign *campaign, enum mode mode, size_t file, long step)
{
    char *path = path_of(campaign, campaign->files[file]);
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    for (off_t at = (off_t)(file * 7) % step; S_ISREG(st.st_mode) && at < st.st_size; at += step) {
        int bit = (int)(at * 5 + (off_t)file) % 8;

        flip(path, at, bit);
        try(campaign, mode, campaign->files[file], "byte", (long)at);
        if (mode == OFFLINE)
            flip(path, at, bit);
        else
            restore(campaign);
    }
    free(path);
}

static void test_flipped_bytes(void **state)
{
    const char *whole = getenv("DAMAGE_STEP");
    struct campaign campaign = {.files = NULL};

    open_campaign(&campaign, state);
    for (int mode = UP; mode < MODES; mode++) {
        set_remote(&campaign, (enum mode)mode);
        restore(&campaign);
        for (size_t file = 0; file < campaign.count; file++)
            flip_file(&campaign, (enum mode)mode, file,
                      whole        ? atol(whole)
                      : mode == UP ? 149
                                   : 61);
    }
    print_figures(&campaign, "one byte flipped");
    close_campaign(&campaign);
}

/* Runs a script with the path as $1. */
static void damage(const struct campaign *campaign, const char *script, const char *path)
{
    run(campaign->box, "set -- '%s'; %s", path, script);
}

static void test_files_that_are_something_else(void **state)
{
    static const char *const ways[] = {
        "rm -rf $1",
        "test -d $1 || truncate -s 0 $1",
        "test -d $1 || truncate -s -1 $1",
        "test -d $1 || truncate -s -41 $1",
        "test -d $1 || truncate -s 5 $1",
        "rm -rf $1; mkdir $1",
        "rm -rf $1; mkfifo $1",
        "rm -rf $1; ln -s /dev/zero $1",
        "rm -rf other; cp -a $1 other; rm -rf $1; ln -s $PWD/other $1",
    };
    struct campaign campaign = {.files = NULL};

    open_campaign(&campaign, state);
    for (int mode = UP; mode < MODES; mode++) {
        set_remote(&campaign, (enum mode)mode);
        for (size_t file = 0; file < campaign.count; file++)
            for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
                if (!getenv("DAMAGE_STEP") && (file + way) % (mode == UP ? 5 : 3))
                    continue;
                char *path = path_of(&campaign, campaign.files[file]);
                restore(&campaign);
                damage(&campaign, ways[way], path);
                try(&campaign, (enum mode)mode, campaign.files[file], ways[way], 0);
                free(path);
            }
    }
    print_figures(&campaign, "a file or folder cut, removed, replaced");
    close_campaign(&campaign);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open_in_memory, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_flipped_bytes),
        TEST(test_files_that_are_something_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
