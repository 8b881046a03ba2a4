/* test_each_allocation.c - each allocation of a call fails once: the call says that there was no memory, or it makes no difference.
 * What has files in the cache is in test_failing_calls.c. */
#include "gitcache/base/listing.h"
#include "gitcache/base/source_list.h"
#include "gitcache/checkout/blob.h"
#include "gitcache/checkout/tree.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/net/remote.h"
#include "manifest/inspect.h"
#include "manifest/manifest.h"
#include "tests/unit/sandbox.h"
#include "tests/unit/web_server.h"

/* How many allocations of this thread succeed before one fails; -1: all do. */
static _Thread_local int left = -1;

static bool fails_now(const char *call, int errnum)
{
    (void)call;
    if (left < 0 || left-- > 0)
        return false;
    errno = errnum;
    return true;
}

#include "tests/unit/failing_allocations.h"

/* libgit2 loses an object that it has no memory to keep in its cache. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libgit2\n";
}

/* The end of the calls that a test is about. What comes then needs memory, too. */
static bool has_failed;

static int ended(int r)
{
    has_failed = left < 0;
    left = -1;
    return r;
}

/* Makes each allocation up to ended() fail, in turn. `act` writes down what it got, if it got it: that is always the same. */
static void fail_each(int (*act)(void *data, char *got, struct error *e), void *data,
                      unsigned least)
{
    char expected[20000] = "", got[20000];
    unsigned told = 0;
    struct error e = {0};

    assert_int_equal(act(data, expected, &e), 0);
    has_failed = true;
    for (int at = 0; has_failed; at++) {
        e = (struct error){0};
        *got = '\0';
        left = at;
        int r = act(data, got, &e);
        if (r == 0 && strcmp(got, expected) != 0) {
            fprintf(stderr, "%s\n---\n%s\n", got, expected);
            fail_msg("allocation %d makes a difference that is not told", at);
        }
        if (r < 0 && (r != -ENOMEM || e.errnum != ENOMEM || !has_failed))
            fail_msg("allocation %d: %d, %s", at, r, e.text);
        told += r < 0;
    }
    if (told < least)
        fail_msg("%u were told", told);
}

static int parse_source(void *data, char *got, struct error *e)
{
    struct source source;
    char *line = NULL;
    int r = source_parse(&source, data, "/base", e);

    if (r == 0) {
        line = source_format(&source);
        r = line ? 0 : error_no_memory(e);
        if (line)
            strcpy(got, line);
        source_release(&source);
    }
    r = ended(r);
    free(line);
    return r;
}

static void a_source_is_whole_or_none(void **state)
{
    (void)state;
    fail_each(parse_source, (void *)"https://me:secret@h/o/x?tag=1&name=y", 6);
    fail_each(parse_source,
              (void *)"abcdef1@../x?name=y&commit="
                      "abcdef1123456789012345678901234567890123",
              8);
    fail_each(parse_source, (void *)"~/x?name=y", 6);
}

static int read_list(void *data, char *got, struct error *e)
{
    struct source_list list = {0};
    int r = source_list_add(&list, data, e);

    if (r == 0)
        r = source_list_add(&list, "/etc/passwd/../x", e);
    if (r == 0)
        r = source_list_check(&list, e);
    r = ended(r);
    for (size_t i = 0; r == 0 && i < list.count; i++)
        sprintf(got + strlen(got), "%s %s %s\n", list.items[i].url, list.items[i].name,
                list.items[i].file ? list.items[i].file : "");
    source_list_release(&list);
    return r;
}

static void a_list_is_whole_or_none(void **state)
{
    const struct sandbox *box = *state;
    char path[100];

    run(box, "printf 'https://h/a?tag=1\\n./b\\nabcdef1@https://h/c\\n' >list");
    snprintf(path, sizeof path, "%s/list", box->folder);
    fail_each(read_list, path, 25);
}

static int pass_listing(void *data, char *got, struct error *e)
{
    struct listing listing = {0}, again = {0};
    const struct oid id = {{1}}, other = {{2}};
    char *text = NULL;
    size_t size;
    int r = 0;

    (void)data;
    for (int i = 0; i < 9 && r == 0; i++) {
        char name[] = "refs/tags/0";
        name[10] = (char)('0' + i);
        r = listing_add(&listing, name, &id, i % 2 ? &id : &other);
    }
    listing_finish(&listing);
    if (r == 0 && (!(listing.head = strdup("refs/heads/x")) || !(listing.server = strdup("2 x"))))
        r = -ENOMEM;
    if (r == 0 && !(text = listing_format(&listing, &size)))
        r = -ENOMEM;
    if (r < 0)
        error_no_memory(e);
    if (r == 0)
        r = listing_parse(&again, text, size, e);
    r = ended(r);
    for (size_t i = 0; i < again.count; i++)
        strcat(got, again.refs[i].name);
    free(text);
    listing_release(&listing);
    listing_release(&again);
    return r;
}

static void a_listing_is_whole_or_none(void **state)
{
    (void)state;
    fail_each(pass_listing, NULL, 15);
}

/* ---- files as they are checked out ---- */

struct version_setup {
    struct repository *repository;
    struct version version;
    const char *folder;
};

static int read_folder(const struct version_reader *reader, const struct oid *id, const char *path,
                       bool attributes, char *got, struct error *e)
{
    struct tree tree;
    int r = tree_read(reader, id, path, attributes, &tree, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < tree.count && r == 0; i++) {
        const struct tree_entry *entry = &tree.entries[i];
        struct content content;
        char inner[200];

        snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "/" : "", entry->name);
        if (entry->kind == ENTRY_TREE) {
            r = read_folder(reader, &entry->oid, inner, tree.attributes, got, e);
            continue;
        }
        const struct blob_request request = {entry->oid, entry->conversion, entry->size, inner};
        r = blob_read(reader, &request, &content, e);
        if (r < 0)
            break;
        sprintf(got + strlen(got), "%s %zu ", inner, content.size);
        for (size_t byte = 0; content.data && byte < content.size; byte++)
            sprintf(got + strlen(got), "%02x", (unsigned char)content.data[byte]);
        strcat(got, "\n");
        content_release(&content);
    }
    tree_release(&tree);
    return r;
}

/* As a new worker, which knows nothing of the attributes. */
static int read_version(void *data, char *got, struct error *e)
{
    const struct version_setup *setup = data;
    struct version_reader reader = {.repository = setup->repository,
                                    .commit = &setup->version.commit,
                                    .cache = checkout_cache_new(),
                                    .max_file = 1000,
                                    .spool_folder = setup->folder,
                                    .spool_above = 40};
    int r = reader.cache ? read_folder(&reader, &setup->version.tree, "", false, got, e)
                         : error_no_memory(e);

    r = ended(r);
    checkout_cache_free(reader.cache);
    return r;
}

static void a_folder_is_read_whole_or_not(void **state)
{
    struct sandbox *box = *state;
    struct version_request request = {.name = "main"};
    struct version_setup setup = {.folder = box->folder};
    struct net_settings settings;
    struct remote *remote;
    struct cache *cache;
    struct error e = {0};
    char path[100];

    run(box, "git init -q remote; cd remote; mkdir -p a/b; echo 1 >a/b/lf; echo '$Id$' >a/b/id;"
             "echo x >a/b/utf; seq 50 >a/long; ln -s x link; git add .;"
             "printf '[attr]dos text eol=crlf\\n*lf dos\\n\"long\" eol=crlf ident\\n' "
             ">.gitattributes;"
             "printf 'id ident\\nutf working-tree-encoding=UTF-16LE-BOM eol=crlf\\n' "
             ">a/.gitattributes;"
             "git -c core.attributesFile= add .gitattributes a/.gitattributes; git commit -qm x");
    net_settings_init(&settings);
    snprintf(path, sizeof path, "%s/cache", box->folder);
    assert_int_equal(cache_open(&cache, path, false, &e), 0);
    snprintf(path, sizeof path, "%s/remote", box->folder);
    assert_int_equal(repository_open(&setup.repository, cache, path, &e), 0);
    assert_int_equal(remote_new(&remote, &settings, &e), 0);
    assert_int_equal(repository_fetch(setup.repository, remote, &request, 1, NULL, NULL, &e), 0);
    remote_free(remote);
    setup.version = request.version;
    fail_each(read_version, &setup, 60);
    repository_close(setup.repository);
    cache_close(cache);
}

/* ---- remotes ---- */

#define ONE     "1111111111111111111111111111111111111111"
#define RESULT  "200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\n\r\n"
#define LISTING RESULT "003a" ONE " refs/tags/v1\n0000"
#define MOVED   "302 Found\r\nLocation: /y/git-upload-pack\r\n\r\n"
#define VERSION0                                                                  \
    "200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n" \
    "001e# service=git-upload-pack\n0000004f" ONE " refs/heads/main~multi_ack shallow\n0000"
#define MISSING "404 Not Found\r\n\r\n"

/* A server that says that, which is asked once, by a remote of its own. */
static int ask(void *data, char *got, struct error *e)
{
    struct listing listing = {0};
    struct net_settings settings;
    struct web_server server;
    struct remote *remote = NULL;
    char url[100];

    int kept = left;
    left = -1;
    web_open(&server);
    snprintf(url, sizeof url, "http://me:secret@127.0.0.1:%u/x", server.port);
    web_begin(&server, data);
    net_settings_init(&settings);
    settings.silence_timeout = 60;
    left = kept;
    int r = remote_new(&remote, &settings, e);
    if (r == 0)
        r = remote_list(remote, url, (const char *const[]){"a", "b"}, 2, NULL, &listing, e);
    r = ended(r);
    for (size_t i = 0; r == 0 && i < listing.count; i++)
        strcat(got, listing.refs[i].name);
    listing_release(&listing);
    remote_free(remote);
    web_end(&server);
    if (r == 0 && strstr(server.head, "\r\nUser-Agent: me\r\n"))
        strcat(got, " for me");
    return r;
}

static void a_listing_comes_whole_or_not(void **state)
{
    static const char *const says[][5] = {
        {LISTING, NULL}, {MOVED, LISTING, NULL}, {MISSING, VERSION0, NULL}};
    const struct sandbox *box = *state;
    char path[100];

    run(box, "printf '[http]\\nextraHeader = A: 1\\ncookieFile = ~/c\\n"
             "[url \"http://127\"]\\ninsteadOf = http://127\\n' >config; touch c");
    snprintf(path, sizeof path, "%s/config", box->folder);
    setenv("GIT_CONFIG_GLOBAL", path, 1);
    setenv("GIT_CONFIG_COUNT", "1", 1);
    setenv("GIT_CONFIG_KEY_0", "http.userAgent", 1);
    setenv("GIT_CONFIG_VALUE_0", "me", 1);
    for (size_t i = 0; i < 3; i++)
        fail_each(ask, (void *)says[i], 20);
    unsetenv("GIT_CONFIG_COUNT");
    unsetenv("GIT_CONFIG_GLOBAL");
}

/* Through a process, which reads a repository of this machine. */
static int ask_here(void *data, char *got, struct error *e)
{
    struct listing listing = {0};
    struct net_settings settings;
    struct remote *remote = NULL;

    net_settings_init(&settings);
    int r = remote_new(&remote, &settings, e);
    if (r == 0)
        r = remote_list(remote, data, NULL, 0, NULL, &listing, e);
    r = ended(r);
    for (size_t i = 0; r == 0 && i < listing.count; i++)
        strcat(got, listing.refs[i].name);
    listing_release(&listing);
    remote_free(remote);
    return r;
}

static void a_listing_of_this_machine_comes_whole_or_not(void **state)
{
    const struct sandbox *box = *state;
    char path[100];

    run(box, "git init -q remote; cd remote; git commit -q --allow-empty -m x; git tag 1");
    snprintf(path, sizeof path, "%s/remote", box->folder);
    fail_each(ask_here, path, 20);
}

/* ---- manifests; jansson's own allocations are in test_no_memory.c ---- */

static const char manifest[] =
    "{\"display_name\": \"A\", \"image_name\": \"A/:x\", \"visible_filenames\": [\"a\", \"a\", 7],"
    " \"filename_extension\": [\".a\", \"b\"], \"hidden_filenames\": [\"(\", \"a\"],"
    " \"language\": [\"C\", \"1\"], \"test_framework\": [\"x\", \"\"], \"max_secs\": 1}";

static int walk(void *data, start_point_visit *visit, void *visitor)
{
    static const char *const names[] = {"manifest.json", "a", "b/manifest.json"};
    int r = 0;

    (void)data;
    for (size_t i = 0; i < 3 && r == 0; i++)
        r = visit(visitor, names[i], PATH_FILE, sizeof manifest - 1);
    return r;
}

static int read_file(void *data, const char *path, uint64_t max, void **bytes, size_t *size)
{
    (void)data;
    (void)path;
    (void)max;
    *size = sizeof manifest - 1;
    *bytes = __real_malloc(*size);
    memcpy(*bytes, manifest, *size);
    return 0;
}

static int check_all(void *data, char *got, struct error *e)
{
    const struct start_point_files files = {.walk = walk, .read = read_file};
    const struct start_point start_point = {
        .source = "s", .url = "u", .sha = "0", .tag = "1", .files = &files};
    struct manifest_list list;
    char *found = NULL, *json = NULL, *names = NULL, *images = NULL;

    (void)data;
    manifest_list_init(&list, TYPE_LANGUAGES, true);
    int r = manifest_list_add(&list, &start_point);
    if (r == 0)
        r = manifest_list_finish(&list);
    if (r == 0 && (!(found = findings_format_by_line(&list.findings)) ||
                   !(json = findings_format_json(&list.findings)) ||
                   !(names = inspect_list(&list)) || !(images = inspect_images(&list))))
        r = -ENOMEM;
    r = ended(r);
    if (r < 0)
        error_set(e, -r, "it fails");
    else
        sprintf(got, "%s%s%s%s", found, json, names, images);
    free(found);
    free(json);
    free(names);
    free(images);
    manifest_list_release(&list);
    return r;
}

static void manifests_are_checked_wholly_or_not(void **state)
{
    (void)state;
    fail_each(check_all, NULL, 40);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_source_is_whole_or_none),
        TEST(a_list_is_whole_or_none),
        TEST(a_listing_is_whole_or_none),
        TEST(a_folder_is_read_whole_or_not),
        TEST(a_listing_comes_whole_or_not),
        TEST(manifests_are_checked_wholly_or_not),
        TEST(a_listing_of_this_machine_comes_whole_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
