/* test_worktree.c - what git says of a checkout: its commit, and which files are otherwise. */
#include "sandbox.h"

#include "fs/cli/worktree.h"

static struct worktree look(const struct sandbox *box)
{
    struct worktree worktree;
    struct error error;
    char path[100];

    snprintf(path, sizeof path, "%s/w", box->folder);
    if (worktree_look(&worktree, path, &error) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(worktree.head, output(box, "git -C w rev-parse HEAD"));
    return worktree;
}

static void what_is_otherwise(void **state)
{
    static const struct {
        const char *change;
        size_t changes;
        const char *names;
    } rows[] = {
        {":", 0, ""},
        {"echo y >a", 1, "a"},
        {"git mv before after; echo z >a; touch z", 3, "a, after, z"},
        {"rm a; mkdir -p d/e; touch d/e/f d/g; echo a >.gitignore; touch 'ne\tw'", 5,
         "a, .gitignore, d/e/f, d/g, ne?w"},
    };
    struct sandbox *box = *state;

    run(box, "git init -q w; cd w; echo x >a; echo x >before; git add .; git commit -qm x");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(box, "cd w; git reset -q --hard; git clean -qfdx; %s", rows[i].change);
        struct worktree worktree = look(box);
        assert_int_equal(worktree.changes, rows[i].changes);
        assert_string_equal(worktree.names, rows[i].names);
    }
}

/* As many names as there is room for; all are counted. */
static void many_names(void **state)
{
    struct sandbox *box = *state;
    struct worktree worktree;

    run(box, "git init -q w; cd w; git commit -q --allow-empty -m x");
    for (size_t count = 13; count <= 16; count++) {
        run(box, "cd w; for i in $(seq %zu); do touch $(printf 'name-%%04d' $i); done", 10 + count);
        worktree = look(box);
        assert_int_equal(worktree.changes, 10 + count);
        assert_string_equal(worktree.names,
                            "name-0001, name-0002, name-0003, name-0004, name-0005, name-0006, "
                            "name-0007, name-0008, name-0009, "
                            "name-0010, name-0011, name-0012, name-0013, name-0014, ...");
    }
    /* The longest that leaves room for dots; none that follows stands behind them. */
    for (size_t length = 148; length <= 149; length++) {
        char name[160] = "", expected[200];
        memset(name, 'x', length);
        run(box, "cd w; git clean -qfdx; touch a b %s y", name);
        worktree = look(box);
        assert_int_equal(worktree.changes, 4);
        snprintf(expected, sizeof expected, "a, b, %s...", length == 148 ? strcat(name, ", ") : "");
        assert_string_equal(worktree.names, expected);
    }
}

static void without_a_commit_there_is_none(void **state)
{
    struct sandbox *box = *state;
    struct worktree worktree;
    struct error error;
    char path[100];

    run(box, "git init -q w; mkdir v");
    for (const char *name = "wv"; *name; name++) {
        snprintf(path, sizeof path, "%s/%c", box->folder, *name);
        assert_int_equal(worktree_look(&worktree, path, &error), -ENOENT);
        assert_string_equal(error.text, "git rev-parse: No such file or directory");
        assert_string_equal(worktree.head, "");
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_otherwise),
        TEST(many_names),
        TEST(without_a_commit_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
