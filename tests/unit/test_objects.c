#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "gitcache/base/spool.h"
#include "gitcache/checkout/blob.h"
#include "gitcache/checkout/convert.h"
#include "gitcache/checkout/tree.h"
#include "gitcache/fetch/repository_fetch.h"
#include "tests/unit/sandbox.h"

#define MAX_SIZE ((uint64_t)1 << 30)

/* A version in a cache, and what git checks out of the same. */
struct setup {
    struct sandbox *box;
    struct cache *cache;
    struct repository *repository;
    struct remote *remote;
    struct version version;
    struct checkout_cache *known;
    uint64_t spool_above; /* 0: as usual */
    unsigned files;       /* compared */
};

static struct version_reader reader_of(const struct setup *setup, const struct version *version)
{
    return (struct version_reader){
        .repository = setup->repository,
        .commit = &version->commit,
        .cache = setup->known,
        .max_file = MAX_SIZE,
        .spool_folder = setup->box->folder,
        .spool_above = setup->spool_above ? setup->spool_above : SPOOL_ABOVE,
    };
}

/* Commits what `script` makes in a new repository, fetches it, and clones it. */
static void open_setup(struct setup *setup, void **state, const char *script)
{
    struct version_request request = {.name = "v"};
    struct net_settings settings;
    char url[100], cache[100];
    struct error e = {0};

    memset(setup, 0, sizeof *setup);
    setup->box = *state;
    setup->known = checkout_cache_new();
    assert_non_null(setup->known);
    run(setup->box, "git init -q remote; cd remote; %s", script);
    run(setup->box, "cd remote; git commit -qm x; git tag v; cd ..;"
                    "git clone -q --depth 1 --branch v file://$PWD/remote clone 2>clone.log;"
                    "rm -rf clone/.git");
    snprintf(url, sizeof url, "%s/remote", setup->box->folder);
    snprintf(cache, sizeof cache, "%s/cache", setup->box->folder);
    net_settings_init(&settings);
    assert_int_equal(cache_open(&setup->cache, cache, false, &e), 0);
    assert_int_equal(repository_open(&setup->repository, setup->cache, url, &e), 0);
    assert_int_equal(remote_new(&setup->remote, &settings, &e), 0);
    if (repository_fetch(setup->repository, setup->remote, &request, 1, NULL, NULL, &e))
        fail_msg("%s", e.text);
    setup->version = request.version;
}

static void close_setup(struct setup *setup)
{
    checkout_cache_free(setup->known);
    remote_free(setup->remote);
    repository_close(setup->repository);
    cache_close(setup->cache);
}

static int read_entry(const struct version_reader *reader, const struct tree_entry *entry,
                      const char *path, struct content *out, struct error *e)
{
    const struct blob_request request = {entry->oid, entry->conversion, entry->size, path};

    return blob_read(reader, &request, out, e);
}

static void take_into_memory(struct content *content)
{
    struct content read = {malloc(content->size + 1), content->size, -1};
    size_t got = 0;
    ssize_t n;

    if (content->data) {
        free(read.data);
        return;
    }
    assert_non_null(read.data);
    while (got < read.size &&
           (n = pread(content->fd, read.data + got, read.size - got, (off_t)got)) > 0)
        got += (size_t)n;
    assert_int_equal(got, read.size);
    content_release(content);
    *content = read;
}

static void compare_file(struct setup *setup, const char *path, const struct tree_entry *entry)
{
    const struct version_reader reader = reader_of(setup, &setup->version);
    char full[2 * PATH_MAX];
    struct content bytes;
    size_t size;
    struct error e = {0};
    char *expected;
    FILE *file;

    if (read_entry(&reader, entry, path, &bytes, &e))
        fail_msg("%s: %s", path, e.text);
    take_into_memory(&bytes);
    size = bytes.size;
    if (size != entry->size)
        fail_msg("%s: %zu bytes, not %llu", path, size, (unsigned long long)entry->size);
    snprintf(full, sizeof full, "%s/clone/%s", setup->box->folder, path);
    expected = malloc(size + 2);
    assert_non_null(expected);
    if (entry->kind == ENTRY_SYMLINK) {
        assert_int_equal(readlink(full, expected, size + 1), size);
    } else {
        file = fopen(full, "rb");
        assert_non_null(file);
        if (fread(expected, 1, size + 1, file) != size)
            fail_msg("%s: another size than git's", path);
        fclose(file);
    }
    if (memcmp(expected, bytes.data, size) != 0)
        fail_msg("%s: other bytes than git's", path);
    free(expected);
    free(bytes.data);
    setup->files++;
}

static void compare_kind(const struct stat *st, const struct tree_entry *entry, const char *path)
{
    bool same;

    switch (entry->kind) {
    case ENTRY_FILE:
        same = S_ISREG(st->st_mode) && !(st->st_mode & 0100);
        break;
    case ENTRY_EXECUTABLE:
        same = S_ISREG(st->st_mode) && st->st_mode & 0100;
        break;
    case ENTRY_SYMLINK:
        same = S_ISLNK(st->st_mode);
        break;
    default:
        same = S_ISDIR(st->st_mode);
        break;
    }
    if (!same)
        fail_msg("%s: another kind than git's", path);
}

static unsigned count_names(const char *folder)
{
    DIR *stream = opendir(folder);
    unsigned count = 0;

    assert_non_null(stream);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count - 2;
}

static void compare_tree(struct setup *setup, const struct oid *id, const char *path,
                         bool attributes)
{
    const struct version_reader reader = reader_of(setup, &setup->version);
    char full[2 * PATH_MAX], inner[PATH_MAX];
    struct error e = {0};
    struct tree tree;
    struct stat st;

    if (tree_read(&reader, id, path, attributes, &tree, &e))
        fail_msg("%s: %s", path, e.text);
    snprintf(full, sizeof full, "%s/clone/%s", setup->box->folder, path);
    assert_int_equal(count_names(full), tree.count);
    for (size_t i = 0; i < tree.count; i++) {
        const struct tree_entry *entry = &tree.entries[i];

        assert_int_equal(strlen(entry->name), entry->name_length);
        if (i > 0)
            assert_true(strcmp(tree.entries[i - 1].name, entry->name) < 0);
        snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "/" : "", entry->name);
        snprintf(full, sizeof full, "%s/clone/%s", setup->box->folder, inner);
        assert_int_equal(lstat(full, &st), 0);
        compare_kind(&st, entry, inner);
        if (entry->kind == ENTRY_TREE)
            compare_tree(setup, &entry->oid, inner, tree.attributes);
        else if (entry->kind != ENTRY_SUBMODULE)
            compare_file(setup, inner, entry);
    }
    tree_release(&tree);
}

static void compare_version(void **state, const char *script, unsigned files)
{
    struct setup setup;

    open_setup(&setup, state, script);
    compare_tree(&setup, &setup.version.tree, "", false);
    assert_int_equal(setup.files, files);
    close_setup(&setup);
}

static void test_names_and_modes(void **state)
{
    compare_version(
        state,
        "mkdir -p a/b a.b 'a b' a0; echo 1 >a/b/f; echo 2 >a.b/f; echo 3 >'a b/f';"
        "echo 4 >a0/f; : >empty; printf '#!/bin/sh\\n' >x; chmod +x x; ln -s a/b/f link;"
        "ln -s nowhere dangling; printf n >$(printf '\\377\\376bytes');"
        "printf n >$(printf 'new\\nline'); printf n >'-dash'; printf n >.hidden;"
        "printf n >é; git add -A;"
        "git update-index --add --cacheinfo "
        "160000,0123456789012345678901234567890123456789,module",
        13);
}

/* Makes a file of each kind of content. */
#define CONTENTS                                                                                \
    "mk() { printf 'one\\ntwo\\n' >$1lf; printf 'one\\r\\ntwo\\r\\n' >$1crlf;"                  \
    "printf 'one\\r\\ntwo\\n' >$1mixed; printf 'one\\rtwo\\n' >$1cr; printf 'a\\0b\\n' >$1bin;" \
    "printf 'no end' >$1none; : >$1empty; printf '\\n' >$1one;"                                 \
    "printf '\\001\\002\\003\\004text\\n' >$1control; printf 'dos\\n\\032' >$1eof;"             \
    "printf '$Id$ $Id: old $ $Id:$ $Id: a b $\\n$Id: open\\n$ $Idx$ $Id$' >$1ident;"            \
    "printf '$Id: $\\n$Id:  $\\n$Id:x y$\\n$$Id$$\\n$Id: x yz $$Id:x\\ty $\\n$Id' >$1ident2;"   \
    "printf '$Idx$Id:y$ $Idx$Id$ $Idx$Id: a b $ $Id$Id$ $$Id:$ $Id: a\\0 b $$I$Id$ $Id' "       \
    ">$1ident3;"                                                                                \
    "printf 'caf\\303\\251\\n' >$1utf8; printf 'bad\\377\\n' >$1latin; }; "

#define MANY 64 /* versions */

/* Compares versions of the files that `script` makes and adds without attributes, so that nothing is
 * normalised on the way in: one with each of these .gitattributes. */
static void compare_each(void **state, const char *script, const char *const *lines, size_t count,
                         unsigned files, uint64_t spool_above)
{
    struct version_request requests[MANY] = {{0}};
    char tags[MANY][24];
    struct setup setup;
    struct error e = {0};

    assert_in_range(count, 1, MANY);
    open_setup(&setup, state, script);
    setup.spool_above = spool_above;
    for (size_t i = 0; i < count; i++) {
        snprintf(tags[i], sizeof tags[i], "a%zu", i);
        requests[i].name = tags[i];
        run(*state,
            "cd remote; printf '%%s\\n' %s >.gitattributes; git update-index --add --cacheinfo "
            "100644,$(git hash-object -w --no-filters .gitattributes),.gitattributes;"
            "git update-ref refs/tags/%s $(git commit-tree -m x $(git write-tree))",
            lines[i], tags[i]);
    }
    if (repository_fetch(setup.repository, setup.remote, requests, count, NULL, NULL, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < count; i++) {
        print_message("    %s\n", lines[i]);
        run(*state,
            "rm -rf clone; mkdir clone; git --git-dir=remote/.git --work-tree=clone checkout -q -f "
            "%s",
            tags[i]);
        setup.version = requests[i].version;
        setup.files = 0;
        compare_tree(&setup, &setup.version.tree, "", false);
        assert_int_equal(setup.files, files);
    }
    close_setup(&setup);
}

static void test_attributes(void **state)
{
    static const char *const lines[] = {
        "'* eol=crlf'",
        "'* text'",
        "'* text=auto'",
        "'* text=auto eol=crlf'",
        "'* text eol=crlf' '*bin -text'",
        "'* -text eol=crlf'",
        "'* !text eol=crlf'",
        "'* text=input eol=crlf'",
        "'* text=bogus eol=crlf'",
        "'* crlf=auto eol=crlf'",
        "'* -crlf eol=crlf'",
        "'* crlf eol=crlf'",
        "'* text eol=lf'",
        "'* text=auto eol=lf'",
        "'* eol'",
        "'* eol=CRLF'",
        "'* ident'",
        "'* ident eol=crlf'",
        "'* ident=yes'",
        "'* ident' '* -ident'",
        "'* ident text=auto'",
        "'* ident text=auto eol=lf'",
        "'* ident text=auto eol=crlf'",
        "'* ident working-tree-encoding=UTF-16'",
        "'* binary eol=crlf'",
        "'* eol=crlf' '* binary'",
        "'* eol=crlf binary text'",
        "'* eol=crlf text binary'",
        "'[attr]dos text eol=crlf' '* dos'",
        "'* dos' '[attr]dos text eol=crlf'",
        "'[attr]dos text eol=crlf' '* dos' '*lf -dos'",
        "'[attr]dos text' '[attr]dos eol=crlf' '* dos'",
        "'[attr]a b ident' '[attr]b eol=crlf a' '* a'",
        "'[attr]binary eol=crlf' '* binary'",
        "'[attr]text eol=crlf' '* text'",
        "'[attr]-x eol=crlf' '* -x'",
        "'# comment' '  * eol=crlf' '!*f -text' '*/ -text'",
        "'* eol=crlf -bad=' '*lf e@l=1 eol=crlf'",
        "'/lf eol=crlf' 'sub/lf eol=crlf' '/sub/mixed eol=crlf'",
        "'**/lf eol=crlf' 'sub/** ident' 'none** eol=crlf' 'su**f eol=crlf'",
        "'sub/deep/*f eol=crlf' 'sub/*f eol=crlf' '[l-m]* eol=crlf' '[!l]r* eol=crlf'",
        "'?f eol=crlf' '[[:alpha:]]f ident' '\\lf eol=crlf' 'c[r]lf eol=crlf' 'lf[ eol=crlf'",
        "'\"lf\" eol=crlf' '\"mi\\170ed\" eol=crlf' '\"on\" e eol=crlf' '\"none eol=crlf'",
        "'* working-tree-encoding=UTF-16LE-BOM'",
        "'* working-tree-encoding=UTF-16 eol=crlf'",
        "'* working-tree-encoding=utf8 eol=crlf'",
        "'* working-tree-encoding=ISO-8859-1'",
        "'* working-tree-encoding=nonsense'",
        "'* filter=lfs diff=lfs merge=lfs -text'",
        "'*lf eol=crlf' '* text eol=lf'",
    };

    compare_each(state,
                 CONTENTS "mkdir -p sub/deep; mk ''; mk sub/; mk sub/deep/; ln -s lf link;"
                          "git -c core.autocrlf=false add -A",
                 lines, sizeof lines / sizeof *lines, 3 * 15 + 2, 0);
}

#define NESTED_ATTRIBUTES                                                                      \
    CONTENTS "mkdir -p sub/deep/er other; mk ''; mk sub/; mk sub/deep/; mk sub/deep/er/; mk "  \
             "other/; git add -A;"                                                             \
             "printf '* text=auto\\n[attr]dos eol=crlf\\n' >.gitattributes;"                   \
             "printf '*lf eol=crlf\\n/deep/one eol=crlf\\ndeep/er/* ident\\n' "                \
             ">sub/.gitattributes;"                                                            \
             "printf 'lf -text\\n*ed dos\\n[attr]dos ident\\n' >sub/deep/.gitattributes;"      \
             "printf '\\357\\273\\277lf eol=crlf\\none eol=crlf\\r\\n' >other/.gitattributes;" \
             "printf '%%2100s eol=crlf\\nlf eol=crlf\\n' x >sub/deep/er/.gitattributes;"       \
             "git add -A ':(glob)**/.gitattributes'"

static void test_nested_attributes(void **state)
{
    compare_version(state, NESTED_ATTRIBUTES, 5 * 15 + 5);
}

/* Nothing is known yet of the folders above, as after a worker's death. */
static void test_a_deep_folder_is_read_first(void **state)
{
    static const char *const folders[] = {"sub/deep/er", "links/deep", "folders/deep"};
    struct setup setup;
    struct oid deep;

    open_setup(&setup, state,
               NESTED_ATTRIBUTES "; mkdir -p links/deep folders/deep folders/.gitattributes;"
                                 "mk links/deep/; mk folders/deep/; git add -A links folders;"
                                 "ln -s '* eol=crlf' links/.gitattributes;"
                                 "echo x >folders/.gitattributes/x; git add -A links folders");
    for (size_t i = 0; i < 3; i++) {
        const char *id = output(setup.box, "git -C remote rev-parse v:%s", folders[i]);

        assert_true(oid_parse(&deep, id, OID_HEX));
        compare_tree(&setup, &deep, folders[i], true);
    }
    assert_int_equal(setup.files, 3 * 15 + 1);
    close_setup(&setup);
}

static void test_attributes_only_below(void **state)
{
    compare_version(state,
                    CONTENTS
                    "mkdir -p sub other link; mk ''; mk sub/; mk other/; mk link/; git add -A;"
                    "echo '* eol=crlf' >sub/.gitattributes; git add sub/.gitattributes;"
                    "ln -s ../sub/.gitattributes other/.gitattributes;"
                    "ln -s '* eol=crlf' link/.gitattributes;"
                    "mkdir folder; mkdir folder/.gitattributes; echo x "
                    ">folder/.gitattributes/lf; git add -A other link folder",
                    4 * 15 + 4);
}

static void test_attributes_with_a_nul(void **state)
{
    compare_version(state,
                    CONTENTS "mk ''; git add -A; printf '* eol=crlf\\n#\\0\\n* -text\\n' "
                             ">.gitattributes; git add .gitattributes",
                    15 + 1);
}

/* Each file, folder and .gitattributes is read from the store once. */
static void test_objects_are_read_once(void **state)
{
    struct setup setup;

    open_setup(&setup, state,
               "echo '*.c text' >.gitattributes; for i in 1 2 3 4 5 6 7 8 9; do "
               "mkdir -p d$i/e/f; echo '*.h text' >d$i/.gitattributes; for j in 1 2 3 4 5; do "
               "echo $i$j >d$i/$j.c; echo $i$j >d$i/e/$j.h; echo $i$j >d$i/e/f/$j.t; "
               "done; done; git add -A");
    compare_tree(&setup, &setup.version.tree, "", false);
    assert_int_equal(setup.files, 9 * 15 + 10);
    /* files, folders, .gitattributes (once more, as files) */
    assert_int_equal(checkout_cache_reads(setup.known), (9 * 15 + 10) + (1 + 9 * 3) + 10);
    close_setup(&setup);
}

/* Makes files that are large where spool_above is small: random, text, and text that is nearly the same. */
#define LARGE_FILES                                                                          \
    "/usr/bin/python3 - <<'END'\n"                                                           \
    "import random\n"                                                                        \
    "r = random.Random(1)\n"                                                                 \
    "open('random', 'wb').write(r.randbytes(500000))\n"                                      \
    "lines = [b'%d $Id$ \\xc3\\xa9 %x\\n' % (i, r.getrandbits(160)) for i in range(8000)]\n" \
    "open('text1', 'wb').write(b''.join(lines))\n"                                           \
    "lines[1000:1010] = [b'changed\\n'] * 20\n"                                              \
    "open('text2', 'wb').write(b''.join(lines))\n"                                           \
    "lines[7000:] = lines[5000:7000] + [b'no\\rcrlf']\n"                                     \
    "open('text3', 'wb').write(b''.join(lines))\n"                                           \
    "END\n"

static void test_large_files(void **state)
{
    static const char *const lines[] = {
        "-",
        "'* ident'",
        "'* text eol=crlf'",
        "'* text=auto eol=crlf ident'",
        "'* text eol=crlf ident working-tree-encoding=UTF-16'",
        "'* working-tree-encoding=LATIN1'",
    };

    compare_each(state, LARGE_FILES "git -c core.autocrlf=false add -A", lines,
                 sizeof lines / sizeof *lines, 5, 100000);
    /* Or this is no test of large deltas. */
    run(*state, "cd cache; test $(git verify-pack -v $(find . -name '*.idx') | grep -c ' blob .* "
                "[0-9a-f]\\{40\\}$') -ge 2");
}

static void test_a_damaged_large_file(void **state)
{
    struct setup setup;
    struct error e = {0};
    struct content content;
    struct tree tree;

    open_setup(&setup, state, LARGE_FILES "git add random");
    setup.spool_above = 100000;
    struct version_reader reader = reader_of(&setup, &setup.version);
    assert_int_equal(tree_read(&reader, &setup.version.tree, "", false, &tree, &e), 0);
    assert_int_equal(read_entry(&reader, &tree.entries[0], "random", &content, &e), 0);
    assert_true(content.fd >= 0);
    content_release(&content);
    run(setup.box,
        "cd %s/objects/pack; chmod u+w *.pack; "
        "/usr/bin/python3 -c \"import sys; f = open(sys.argv[1], 'r+b'); f.seek(250000); c = "
        "f.read(1); "
        "f.seek(250000); f.write(bytes([c[0] ^ 1]))\" *.pack",
        repository_folder(setup.repository));
    assert_int_equal(read_entry(&reader, &tree.entries[0], "random", &content, &e), -EIO);
    assert_non_null(strstr(e.text, "fetch the version again"));
    /* The size is not the object's. */
    tree.entries[0].size--;
    assert_int_equal(read_entry(&reader, &tree.entries[0], "random", &content, &e), -EIO);
    tree_release(&tree);
    close_setup(&setup);
}

static void test_many_names_of_one_blob(void **state)
{
    const char *encodings[] = {"", "working-tree-encoding=UTF-16"};

    for (size_t i = 0; i < 2; i++) {
        struct setup setup;
        struct error e = {0};
        struct tree tree;
        char script[400];

        snprintf(
            script, sizeof script,
            "id=$(yes line | head -n 40000 | git hash-object -w --stdin); for i in $(seq 200); "
            "do printf '100644 %%s\\tn%%s\\n' $id $i; done | git update-index --index-info;"
            "echo 'n* text eol=crlf %s' >.gitattributes; git add .gitattributes",
            encodings[i]);
        open_setup(&setup, state, script);
        struct version_reader reader = reader_of(&setup, &setup.version);
        assert_int_equal(tree_read(&reader, &setup.version.tree, "", false, &tree, &e), 0);
        assert_int_equal(tree.count, 201);
        for (size_t j = 1; j < tree.count; j++)
            assert_int_equal(tree.entries[j].size, i ? 2 + 40000 * 12 : 40000 * 6);
        /* The tree, the .gitattributes, and the blob. */
        assert_int_equal(checkout_cache_reads(setup.known), 3);
        tree_release(&tree);
        close_setup(&setup);
        run(*state, "rm -rf remote cache clone");
    }
}

static bool at_once(void *data)
{
    ++*(unsigned *)data;
    return true;
}

static void test_conversion_is_bounded(void **state)
{
    unsigned looks = 0;
    const struct watch watch = {.cancelled = at_once, .data = &looks};
    struct setup setup;
    struct error e = {0};
    struct content bytes;
    struct tree tree;

    open_setup(&setup, state,
               "yes '$Id$' | head -n 200000 >file; git add file;"
               "echo '* ident' >.gitattributes; git add .gitattributes");
    struct version_reader reader = reader_of(&setup, &setup.version);
    reader.max_file = 2000000; /* more than the blob has, and less than the file would have */
    assert_int_equal(tree_read(&reader, &setup.version.tree, "", false, &tree, &e), 0);
    assert_string_equal(tree.entries[1].name, "file");
    assert_int_equal(tree.entries[1].size, 200000 * 48);
    assert_int_equal(read_entry(&reader, &tree.entries[1], "file", &bytes, &e), -EFBIG);
    assert_non_null(strstr(e.text, "max_file"));
    reader.max_file = MAX_SIZE;
    reader.watch = &watch;
    assert_int_equal(read_entry(&reader, &tree.entries[1], "file", &bytes, &e), -ECANCELED);
    assert_int_equal(looks, 1);
    tree_release(&tree);
    checkout_cache_free(setup.known);
    setup.known = reader.cache = checkout_cache_new();
    assert_int_equal(tree_read(&reader, &setup.version.tree, "", false, &tree, &e), -ECANCELED);
    close_setup(&setup);
}

static void test_odd_trees(void **state)
{
    struct setup setup;
    struct error e = {0};
    struct tree tree;

    /* Modes as old tools wrote them, and names that no checkout can have. */
    open_setup(
        &setup, state,
        "b=$(echo x | git hash-object -w --stdin); export b; /usr/bin/python3 - <<'END'\n"
        "import os, subprocess\n"
        "blob = bytes.fromhex(os.environ['b'])\n"
        "names = [b'.', b'..', b'.GIT', b'.git', b'a/b', b'n' * 256, b'twice', b'twice', "
        "b'odd', b'exec']\n"
        "modes = {b'odd': b'100664', b'exec': b'100775'}\n"
        "tree = b''.join(modes.get(n, b'100644') + b' ' + n + b'\\0' + blob for n in names)\n"
        "h = subprocess.run(['git', 'hash-object', '-t', 'tree', '-w', '--stdin', '--literally'], "
        "input=tree, capture_output=True, check=True).stdout.decode().strip()\n"
        "c = subprocess.run(['git', 'commit-tree', '-m', 'x', h], capture_output=True, "
        "check=True).stdout.decode().strip()\n"
        "subprocess.run(['git', 'tag', 'odd', c], check=True)\n"
        "END\n"
        "echo y >y; git add y");
    struct version_request request = {.name = "odd"};
    if (repository_fetch(setup.repository, setup.remote, &request, 1, NULL, NULL, &e))
        fail_msg("%s", e.text);
    const struct version_reader reader = reader_of(&setup, &request.version);
    assert_int_equal(tree_read(&reader, &request.version.tree, "", false, &tree, &e), 0);
    assert_int_equal(tree.count, 3);
    assert_string_equal(tree.entries[0].name, "exec");
    assert_int_equal(tree.entries[0].kind, ENTRY_EXECUTABLE);
    assert_string_equal(tree.entries[1].name, "odd");
    assert_int_equal(tree.entries[1].kind, ENTRY_FILE);
    assert_string_equal(tree.entries[2].name, "twice");
    tree_release(&tree);
    close_setup(&setup);
}

static void test_errors(void **state)
{
    struct setup setup;
    struct error e = {0};
    const struct tree_entry missing = {.oid = {{1, 2, 3}}};
    struct tree tree;
    struct content bytes;

    open_setup(&setup, state, "echo 12345 >file; git add file");
    struct version_reader reader = reader_of(&setup, &setup.version);
    assert_int_equal(tree_read(&reader, &setup.version.tree, "", false, &tree, &e), 0);
    const struct tree_entry folder = {.oid = setup.version.tree};
    reader.max_file = 5;
    assert_int_equal(read_entry(&reader, &tree.entries[0], "file", &bytes, &e), -EFBIG);
    reader.max_file = 99;
    assert_int_equal(read_entry(&reader, &missing, "file", &bytes, &e), -EIO);
    assert_int_equal(read_entry(&reader, &folder, "file", &bytes, &e), -EIO);
    assert_int_equal(tree_read(&reader, &tree.entries[0].oid, "", false, &tree, &e), -EIO);
    tree_release(&tree);

    /* The pack is damaged behind our back; all of it, as a read takes no notice of an object that it
     * does not need (the first is the commit). */
    run(setup.box,
        "cd %s/objects/pack; chmod u+w *.pack; for p in *.pack; do "
        "head -c $(($(stat -c %%s $p) - 34)) /dev/zero | tr '\\0' X | "
        "dd of=$p bs=1 seek=14 conv=notrunc status=none; done",
        repository_folder(setup.repository));
    repository_close(setup.repository);
    char url[100];
    snprintf(url, sizeof url, "%s/remote", setup.box->folder);
    assert_int_equal(repository_open(&setup.repository, setup.cache, url, &e), 0);
    reader.repository = setup.repository;
    int r = tree_read(&reader, &setup.version.tree, "", false, &tree, &e);
    if (r == 0) {
        r = read_entry(&reader, &tree.entries[0], "file", &bytes, &e);
        tree_release(&tree);
    }
    assert_int_equal(r, -EIO);
    if (!strstr(e.text, "fetch the version again"))
        fail_msg("%s", e.text);
    close_setup(&setup);
}

/* Whatever converts it: it ends, and is not cut. */
static void test_what_gets_too_large_is_an_error(void **state)
{
    static const struct conversion conversions[] = {
        {.eol = EOL_CRLF}, {.ident = true}, {.encoding = "UTF-16"}};
    const struct oid id = {{1}};
    char text[50000];

    (void)state;
    for (size_t i = 0; i < sizeof text; i += 5)
        memcpy(text + i, "$Id$\n", 5);
    const struct convert_input input = {.data = text, .size = sizeof text, .blob = &id};
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++) {
        const struct version_reader reader = {.max_file = sizeof text + 5000,
                                              .spool_above = SPOOL_ABOVE};
        struct budget budget = {.watch = NULL};
        struct output output;

        output_init(&output, &reader);
        assert_int_equal(convert_bytes(&input, &conversions[i], &output, &budget), -EFBIG);
        output_release(&output);
    }
}

/* One with a name too long to be kept is not taken for none. */
static void test_sizes_are_known_by_their_encoding(void **state)
{
    const struct conversion none = {.encoding = NULL};
    const struct conversion utf = {.encoding = "UTF-16"};
    const struct conversion longest = {.encoding = "a-name-that-is-longer-than-any-of-iconv"};
    struct checkout_cache *known = checkout_cache_new();
    const struct oid blob = {{1}};
    uint64_t size = 0;

    (void)state;
    assert_non_null(known);
    checkout_cache_keep_size(known, &blob, &longest, 5);
    assert_false(checkout_cache_find_size(known, &blob, &none, &size));
    assert_false(checkout_cache_find_size(known, &blob, &longest, &size));
    checkout_cache_keep_size(known, &blob, &none, 6);
    assert_false(checkout_cache_find_size(known, &blob, &longest, &size));
    assert_false(checkout_cache_find_size(known, &blob, &utf, &size));
    assert_true(checkout_cache_find_size(known, &blob, &none, &size));
    assert_int_equal(size, 6);
    checkout_cache_keep_size(known, &blob, &utf, 14);
    assert_true(checkout_cache_find_size(known, &blob, &utf, &size));
    assert_int_equal(size, 14);
    checkout_cache_free(known);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_are_known_by_their_encoding),
        TEST(test_names_and_modes),
        TEST(test_attributes),
        TEST(test_nested_attributes),
        TEST(test_a_deep_folder_is_read_first),
        TEST(test_attributes_only_below),
        TEST(test_attributes_with_a_nul),
        TEST(test_objects_are_read_once),
        TEST(test_many_names_of_one_blob),
        TEST(test_conversion_is_bounded),
        TEST(test_what_gets_too_large_is_an_error),
        TEST(test_large_files),
        TEST(test_a_damaged_large_file),
        TEST(test_odd_trees),
        TEST(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
