/* What commits and tag objects say, and what a version needs. */
#include "gitcache/base/library.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/reach.h"
#include "tests/unit/sandbox.h"

#define NOWHERE "1234567890123456789012345678901234567890"

static git_odb *odb;

static void open_objects(void **state)
{
    const struct sandbox *box = *state;
    struct error e = {0};
    char path[100];

    run(box, "mkdir objects");
    snprintf(path, sizeof path, "%s/objects", box->folder);
    assert_int_equal(library_open(&e), 0);
    assert_int_equal(git_odb_open(&odb, path), 0);
}

static void close_objects(void)
{
    git_odb_free(odb);
    library_close();
}

static struct oid put(git_object_t type, const char *bytes, size_t size)
{
    struct oid oid;
    git_oid id;

    assert_int_equal(git_odb_write(&id, odb, bytes, size, type), 0);
    library_oid_from_git(&oid, &id);
    return oid;
}

static struct oid put_text(git_object_t type, const char *text)
{
    return put(type, text, strlen(text));
}

/* With the id of another object behind its first word. */
static struct oid put_naming(git_object_t type, const char *key, const struct oid *named,
                             const char *rest)
{
    char text[400], hex[OID_HEX_SIZE];

    snprintf(text, sizeof text, "%s %s\n%s", key, oid_format(named, hex), rest);
    return put_text(type, text);
}

/* A tree of "MODE NAME" and an object, so often; ends with NULL. */
static struct oid put_tree(const char *entry, ...)
{
    char bytes[600];
    size_t size = 0;
    va_list args;

    va_start(args, entry);
    for (; entry; entry = va_arg(args, const char *)) {
        const struct oid *oid = va_arg(args, const struct oid *);

        memcpy(bytes + size, entry, strlen(entry) + 1);
        memcpy(bytes + size + strlen(entry) + 1, oid->id, OID_SIZE);
        size += strlen(entry) + 1 + OID_SIZE;
    }
    va_end(args);
    return put(GIT_OBJECT_TREE, bytes, size);
}

static struct oid nowhere(void)
{
    struct oid oid;

    assert_true(oid_parse(&oid, NOWHERE, OID_HEX));
    return oid;
}

static void test_what_a_commit_says(void **state)
{
#define TREE NOWHERE
    static const struct {
        const char *text;
        int result;
        int64_t time;
    } rows[] = {
        {"tree " TREE "\nauthor a <b> 1 +0000\ncommitter c <d> 1234567890 +0100\n\nm\n", 0,
         1234567890},
        {"tree " TREE "\nparent " TREE "\nparent " TREE "\ncommitter c <d> 5 +0100\n", 0, 5},
        {"tree " TREE "\ncommitter c <d> 5", 0, 5},
        {"tree " TREE "\ncommitter c <d>   6", 0, 6},
        {"tree " TREE "\ncommitter c > <d> 7 +0000\n", 0, 7},
        {"tree " TREE "\ncommitter <> -8 +0000\n", 0, -8},
        {"tree " TREE "\ncommitter c <d>\n", 0, 0},
        {"tree " TREE "\ncommitter c <d> 99999999999999999999999999999\n", 0, INT64_MAX},
        {"tree " TREE "\ncommitter c <d> 1234567890123456789 and more than there is room for\n", 0,
         1234567890123456789},
        {"tree " TREE "\ncommitter c d 9 +0000\n", 0, 0},
        {"tree " TREE "\ncommitter\ncommitter c <d> 9 +0000\n", 0, 9},
        {"tree " TREE "\nauthor a <b> 1 +0000\n\ncommitter c <d> 9 +0000\n", 0, 0},
        {"tree " TREE "\n", 0, 0},
        {"tree " TREE, -EIO, 0},
        {"tree " TREE " ", -EIO, 0},
        {"tree  " TREE "\n", -EIO, 0},
        {"tree\t" TREE "\n", -EIO, 0},
        {"tres " TREE "\n", -EIO, 0},
        {"tree x" TREE "\n", -EIO, 0},
        {"tree x23456789012345678901234567890123456789x\n", -EIO, 0},
        {"object " TREE "\n", -EIO, 0},
        {"", -EIO, 0},
    };

    open_objects(state);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct oid id = put_text(GIT_OBJECT_COMMIT, rows[i].text), tree = nowhere();
        struct commit commit = {.time = 0};
        struct error e = {0};

        assert_int_equal(commit_load(odb, &id, &commit, &e), rows[i].result);
        assert_true(commit.time == rows[i].time || rows[i].result);
        if (rows[i].result) {
            assert_non_null(strstr(e.text, "is damaged"));
        } else {
            assert_true(oid_equal(&commit.id, &id));
            assert_true(oid_equal(&commit.tree, &tree));
        }
    }
    close_objects();
}

struct path {
    struct oid ids[80];
    size_t count, most;
};

static int note(void *data, const struct oid *id)
{
    struct path *path = data;

    path->ids[path->count++] = *id;
    return path->count == path->most ? -E2BIG : 0;
}

/* As many tag objects as may be, and one more. */
static void test_a_chain_of_tags(void **state)
{
    struct oid tree = nowhere(), ids[65];
    struct path path = {.count = 0}, short_path = {.most = 2};
    struct commit commit;
    struct error e = {0};

    open_objects(state);
    ids[0] = put_naming(GIT_OBJECT_COMMIT, "tree", &tree, "committer c <d> 3 +0000\n");
    for (size_t i = 1; i < 65; i++)
        ids[i] = put_naming(GIT_OBJECT_TAG, "object", &ids[i - 1], "type commit\ntag x\n");
    assert_int_equal(commit_follow(odb, &ids[63], note, &path, &commit, &e), 0);
    assert_true(oid_equal(&commit.id, &ids[0]));
    assert_int_equal(commit.time, 3);
    assert_int_equal(path.count, 64);
    for (size_t i = 0; i < 64; i++)
        assert_true(oid_equal(&path.ids[i], &ids[63 - i]));
    assert_int_equal(commit_follow(odb, &ids[64], NULL, NULL, &commit, &e), -EIO);
    assert_non_null(strstr(e.text, "chain"));
    assert_int_equal(commit_follow(odb, &ids[63], note, &short_path, &commit, &e), -E2BIG);
    assert_int_equal(short_path.count, 2);
    close_objects();
}

static void test_what_is_no_commit(void **state)
{
    struct oid missing = nowhere(), blob, tree, ids[5];
    static const int results[] = {-ENOENT, -ENOENT, -ENOENT, -EIO, -EIO};
    static const char *const words[] = {"is a blob, not a commit", "is a tree, not a commit",
                                        "is a blob, not a commit", "is missing", "is missing"};
    struct commit commit;

    open_objects(state);
    blob = put_text(GIT_OBJECT_BLOB, "tree " NOWHERE "\n");
    tree = put_text(GIT_OBJECT_TREE, "");
    ids[0] = blob;
    ids[1] = put_naming(GIT_OBJECT_TAG, "object", &tree, "");
    ids[2] = put_naming(GIT_OBJECT_TAG, "object", &blob, "");
    ids[3] = put_naming(GIT_OBJECT_TAG, "object", &missing, "");
    ids[4] = missing;
    for (size_t i = 0; i < 5; i++) {
        struct error e = {0};

        assert_int_equal(commit_load(odb, &ids[i], &commit, &e), results[i]);
        assert_non_null(strstr(e.text, words[i]));
    }
    close_objects();
}

/* It is cut where one parent is not there. */
static void test_where_history_is_cut(void **state)
{
    struct oid missing = nowhere(), tree, root, child, merge, cut;
    struct error e = {0};
    bool is_cut;

    open_objects(state);
    tree = put_text(GIT_OBJECT_TREE, "");
    root = put_naming(GIT_OBJECT_COMMIT, "tree", &tree, "committer c <d> 1 +0000\n");
    char parent[100], hex[OID_HEX_SIZE];
    snprintf(parent, sizeof parent, "parent %s\n", oid_format(&root, hex));
    child = put_naming(GIT_OBJECT_COMMIT, "tree", &tree, parent);
    strcat(parent, "parent " NOWHERE "\n");
    merge = put_naming(GIT_OBJECT_COMMIT, "tree", &tree, parent);
    cut = put_naming(GIT_OBJECT_COMMIT, "tree", &tree, "parent " NOWHERE "\n");
    const struct {
        const struct oid *id;
        bool is_cut;
    } rows[] = {{&root, false}, {&child, false}, {&merge, true}, {&cut, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        is_cut = !rows[i].is_cut;
        assert_int_equal(commit_is_cut(odb, rows[i].id, &is_cut, &e), 0);
        assert_int_equal(is_cut, rows[i].is_cut);
    }
    assert_int_equal(commit_is_cut(odb, &missing, &is_cut, &e), -EIO);
    assert_non_null(strstr(e.text, "is missing"));
    assert_int_equal(commit_is_cut(odb, &tree, &is_cut, &e), -EIO);
    assert_non_null(strstr(e.text, "is damaged"));
    close_objects();
}

/* Every object is there, and is what its entry says. */
static void test_what_a_version_needs(void **state)
{
    struct oid missing = nowhere(), blob, empty, commit, bad, deep, deeper;

    open_objects(state);
    blob = put_text(GIT_OBJECT_BLOB, "x");
    empty = put_text(GIT_OBJECT_TREE, "");
    commit = put_naming(GIT_OBJECT_COMMIT, "tree", &empty, "");
    bad = put_text(GIT_OBJECT_TREE, "100644 cut");
    deep = put_tree("100644 it", &missing, NULL);
    deeper = put_tree("40000 a", &empty, "40000 b", &deep, NULL);
    const struct {
        struct oid tree;
        const char *problem; /* NULL: it is whole */
    } rows[] = {
        {empty, NULL},
        {put_tree("100644 a", &blob, "100755 b", &blob, "120000 c", &blob, "40000 d", &empty, NULL),
         NULL},
        {put_tree("160000 submodule", &missing, NULL), NULL},
        {put_tree("40000 a", &empty, "40000 b", &empty, NULL), NULL},
        {put_tree("100644 lost", &missing, NULL), "the file lost"},
        {put_tree("120000 lost", &missing, NULL), "the file lost"},
        {put_tree("40000 lost", &missing, NULL), "the tree " NOWHERE " is missing"},
        {put_tree("100644 a", &blob, "100644 odd", &empty, NULL), "the file odd"},
        {put_tree("100644 odd", &commit, NULL), "is not a blob"},
        {put_tree("40000 odd", &blob, NULL), "is not a tree"},
        {put_tree("40000 odd", &bad, NULL), "is damaged"},
        {deeper, "the file it"},
        {blob, "is not a tree"},
        {missing, "is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = {0};

        assert_int_equal(reach_check(odb, &rows[i].tree, &e), rows[i].problem ? -EIO : 0);
        if (rows[i].problem)
            assert_non_null(strstr(e.text, rows[i].problem));
    }
    close_objects();
}

static void expect_set(const struct oid_set *set, size_t count, const struct oid *const *ids)
{
    assert_int_equal(set->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_not_equal(oid_set_find(set, ids[i]), OID_SET_NONE);
}

/* Each once, of several versions; and of a version that is not whole nobody knows. */
static void test_all_objects_of_versions(void **state)
{
    struct oid missing = nowhere(), blob, other, inner, tree, commit, tag, second, broken;
    struct oid_set set = {.count = 0};
    struct error e = {0};

    open_objects(state);
    blob = put_text(GIT_OBJECT_BLOB, "x");
    other = put_text(GIT_OBJECT_BLOB, "y");
    inner = put_tree("100644 a", &blob, NULL);
    tree = put_tree("100644 a", &blob, "40000 b", &inner, "40000 c", &inner, "160000 d", &missing,
                    NULL);
    commit = put_naming(GIT_OBJECT_COMMIT, "tree", &tree, "parent " NOWHERE "\n");
    tag = put_naming(GIT_OBJECT_TAG, "object", &commit, "");
    struct oid second_tree = put_tree("100644 e", &other, "40000 f", &inner, NULL);
    second = put_naming(GIT_OBJECT_COMMIT, "tree", &second_tree, "");
    const struct oid *const ids[] = {&tag,  &commit, &tree,        &inner,
                                     &blob, &second, &second_tree, &other};
    for (int again = 0; again < 2; again++) {
        assert_int_equal(reach_add(&set, odb, &tag, &e), 0);
        expect_set(&set, 5, ids);
    }
    assert_int_equal(reach_add(&set, odb, &second, &e), 0);
    expect_set(&set, 8, ids);
    struct oid broken_tree = put_tree("100644 g", &missing, NULL);
    broken = put_naming(GIT_OBJECT_COMMIT, "tree", &broken_tree, "");
    assert_int_equal(reach_add(&set, odb, &broken, &e), -EIO);
    assert_int_equal(reach_add(&set, odb, &blob, &e), -ENOENT);
    oid_set_release(&set);
    close_objects();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_commit_says),   TEST(test_a_chain_of_tags),
        TEST(test_what_is_no_commit),    TEST(test_where_history_is_cut),
        TEST(test_what_a_version_needs), TEST(test_all_objects_of_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
