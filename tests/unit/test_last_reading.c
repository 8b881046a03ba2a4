/* test_last_reading.c - what the lists said last, kept in memory for the next worker: written,
 * damaged, cut off, and read again. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/shared/last_reading.h"
#include "fs/tree/lists_saved.h"
#include "gitcache/base/hash.h"
#include "tests/unit/left_behind.h"

#define HEAD   96 /* bytes before the readings */
#define LAYOUT 8  /* where its number is */
#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static int make(void)
{
    struct error error;
    int fd = last_reading_create(&error);

    assert_true(fd >= 0);
    return fd;
}

static off_t size_of(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return st.st_size;
}

static void assert_holds(int fd, const char *expected, size_t expected_size)
{
    char *bytes;
    size_t size;

    assert_int_equal(last_reading_get(fd, &bytes, &size), 0);
    assert_int_equal(size, expected_size);
    assert_memory_equal(bytes, expected, size);
    assert_int_equal(bytes[size], '\0');
    free(bytes);
}

static void the_newest_reading_is_what_is_read(void **state)
{
    int fd = make();
    char *bytes = NULL, text[5000];
    size_t size;

    (void)state;
    assert_int_equal(last_reading_get(fd, &bytes, &size), -ENOENT);
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 1000; i++) {
        size_t length = i * 7919 % sizeof text;
        text[0] = (char)i;
        assert_int_equal(last_reading_put(fd, text, length), 0);
        assert_holds(fd, text, length);
    }
    /* Places are used again. */
    assert_true(size_of(fd) < 4 * (off_t)sizeof text);
    close(fd);
}

/* As those of lists that stay as long as they are: the third has room where the first was. */
static void readings_of_one_size_take_turns(void **state)
{
    char text[1000] = "";
    int fd = make();

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        text[0] = (char)('0' + i);
        assert_int_equal(last_reading_put(fd, text, sizeof text), 0);
        assert_holds(fd, text, sizeof text);
    }
    assert_int_equal(size_of(fd), HEAD + 2 * sizeof text);
    close(fd);
}

/* A writer that is killed leaves what was there; whatever it has written by then. */
static void a_writer_may_die_at_any_byte(void **state)
{
    static const char first[] = "the first", second[] = "the second, which is longer";
    char before[4096], after[4096];
    int fd = make();

    (void)state;
    assert_int_equal(last_reading_put(fd, "zeroth", 7), 0);
    assert_int_equal(last_reading_put(fd, first, sizeof first), 0);
    ssize_t size = pread(fd, before, sizeof before, 0);
    assert_int_equal(last_reading_put(fd, second, sizeof second), 0);
    ssize_t size_after = pread(fd, after, sizeof after, 0);
    assert_true(size_after >= size && size > 0);
    /* The bytes go first, and what names them after that: both as far as they came. */
    size_t changed = 0;
    for (ssize_t i = size_after - 1; i >= 0; i--) {
        if (i < size && before[i] == after[i])
            continue;
        int torn = make();
        assert_int_equal(pwrite(torn, before, (size_t)size, 0), size);
        for (ssize_t at = size_after - 1; at >= i; at--)
            assert_int_equal(pwrite(torn, after + at, 1, at), 1);
        char *bytes;
        size_t length;
        assert_int_equal(last_reading_get(torn, &bytes, &length), 0);
        assert_true((length == sizeof first && memcmp(bytes, first, length) == 0) ||
                    (length == sizeof second && memcmp(bytes, second, length) == 0));
        free(bytes);
        close(torn);
        changed++;
    }
    assert_true(changed > sizeof second);
    close(fd);
}

/* Each byte flipped: what is read is what was written last or before that, or it is an error; and
 * the next reading can be kept all the same. */
static void every_damage_is_noticed(void **state)
{
    static const char old[] = "what was said before", now[] = "what was said last";
    int fd = make();
    size_t refused = 0;

    (void)state;
    assert_int_equal(last_reading_put(fd, old, sizeof old), 0);
    assert_int_equal(last_reading_put(fd, now, sizeof now), 0);
    off_t size = size_of(fd);
    for (off_t at = 0; at < size; at++) {
        unsigned char byte, flipped;
        char *bytes = NULL;
        size_t length;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        flipped = byte ^ 0x10;
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        int r = last_reading_get(fd, &bytes, &length);
        if (r == 0)
            assert_true((length == sizeof old && memcmp(bytes, old, length) == 0) ||
                        (length == sizeof now && memcmp(bytes, now, length) == 0));
        else
            assert_true(r == -EIO || r == -EPROTO);
        refused += r < 0;
        free(bytes);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_true(refused > sizeof now);
    /* Of the memory's head, and of the bytes; where the newest is can be damaged: there is the one before. */
    assert_true(refused <= sizeof now + 2 * sizeof(uint64_t));
    for (off_t length = 0; length < size; length++) {
        int cut = make();
        char whole[4096], *bytes;
        size_t found;
        assert_int_equal(pread(fd, whole, sizeof whole, 0), size);
        assert_int_equal(pwrite(cut, whole, (size_t)length, 0), length);
        int r = last_reading_get(cut, &bytes, &found);
        assert_true(r == 0 || length < HEAD + (off_t)sizeof old); /* else the old one is whole */
        if (length > 0 && length < HEAD)
            assert_int_equal(r, -EIO);
        if (r == 0) {
            assert_true(found == sizeof old || found == sizeof now);
            free(bytes);
        }
        assert_int_equal(last_reading_put(cut, "new", 4), 0);
        assert_holds(cut, "new", 4);
        close(cut);
    }
    close(fd);
}

static void another_layout_is_not_read_and_written_over(void **state)
{
    char text[5000] = {0}, *bytes;
    uint64_t layout = 2;
    int fd = make();
    size_t size;

    (void)state;
    assert_int_equal(last_reading_put(fd, text, sizeof text), 0);
    assert_int_equal(pwrite(fd, &layout, sizeof layout, LAYOUT), sizeof layout);
    assert_int_equal(last_reading_get(fd, &bytes, &size), -EPROTO);
    assert_int_equal(last_reading_put(fd, "new", 3), 0);
    assert_holds(fd, "new", 3);
    assert_int_equal(size_of(fd), HEAD + 3);
    close(fd);
}

static void a_damaged_only_reading_is_an_error(void **state)
{
    int fd = make();
    char *bytes;
    size_t size;

    (void)state;
    assert_int_equal(last_reading_put(fd, "only", 4), 0);
    assert_int_equal(pwrite(fd, "x", 1, LAYOUT + 8 + 4 * 8), 1); /* the check of where it is */
    assert_int_equal(last_reading_get(fd, &bytes, &size), -EIO);
    close(fd);
}

/* The newest says that it ends beyond all there can be. */
static void a_place_that_cannot_be_is_passed_over(void **state)
{
    uint64_t place[5] = {3, UINT64_MAX - 3, 8, 0};
    int fd = make();

    (void)state;
    assert_int_equal(last_reading_put(fd, "before", 6), 0);
    assert_int_equal(last_reading_put(fd, "last", 4), 0);
    place[4] = hash_bytes(HASH_BEGIN, place, 4 * sizeof *place);
    assert_int_equal(pwrite(fd, place, sizeof place, LAYOUT + 8), sizeof place);
    assert_holds(fd, "last", 4);
    close(fd);
}

/* Its bytes go first: here they cannot be written, though the file is long enough. */
static void what_cannot_be_kept_leaves_the_one_before(void **state)
{
    struct rlimit limit, before;
    char text[1000] = {0};
    int fd = make();

    (void)state;
    assert_int_equal(last_reading_put(fd, text, sizeof text), 0);
    assert_int_equal(last_reading_put(fd, "last", 4), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = HEAD, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int r = last_reading_put(fd, "new", 3);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -EFBIG);
    assert_holds(fd, "last", 4);
    close(fd);
}

static void what_is_damaged_leaves_no_memory(void **state)
{
    int fd = make();
    size_t before = 0, size;
    char *bytes;

    (void)state;
    assert_int_equal(last_reading_put(fd, "what was said", 13), 0);
    assert_int_equal(pwrite(fd, "x", 1, HEAD), 1);
    for (int i = 0; i < 40; i++) {
        if (i == 20) /* malloc keeps some of the first for the next */
            before = allocated();
        assert_int_equal(last_reading_get(fd, &bytes, &size), -EIO);
    }
    assert_int_equal(allocated(), before);
    close(fd);
}

static void what_is_no_memory_is_an_error(void **state)
{
    int ends[2];
    size_t size;
    char *bytes;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(last_reading_get(ends[0], &bytes, &size), -EBADF);
    assert_int_equal(last_reading_put(ends[0], "x", 1), -EBADF);
}

/* ---- what the lists say ---- */

static void add_source(struct mounted_set *mounted, const char *text, const char *given,
                       const char *file, unsigned line)
{
    struct set *set = &mounted->set;
    size_t count = set->sources.count;
    struct error error;

    set->sources.items = reallocarray(set->sources.items, count + 1, sizeof *set->sources.items);
    assert_non_null(set->sources.items);
    assert_int_equal(source_parse(&set->sources.items[count], text, "/base/folder", &error), 0);
    set->sources.count++;
    set->given = reallocarray(set->given, count + 1, sizeof *set->given);
    assert_non_null(set->given);
    set->given[count] = given ? strdup(given) : NULL;
    set->sources.items[count].file = file ? strdup(file) : NULL;
    set->sources.items[count].line = line;
}

static struct mounted_set *add_set(struct lists *lists, const char *name, const char *path,
                                   struct list_folder *found_in, enum start_point_type type)
{
    struct mounted_set *mounted = calloc(1, sizeof *mounted);

    assert_non_null(mounted);
    mounted->set.name = name ? strdup(name) : NULL;
    mounted->path = path ? strdup(path) : NULL;
    mounted->set.type = type;
    mounted->found_in = found_in;
    lists_append(lists, mounted);
    return mounted;
}

static void fill(struct lists *lists)
{
    struct list_folder *folder = lists_add_folder(lists, "/etc/lists");
    struct mounted_set *set;

    folder->device = 12345678901234ull;
    lists_add_folder(lists, "/var/lib/sets")->holds_sets = true;
    set = add_set(lists, "pp", "/etc/lists/pp.list", folder, TYPE_LANGUAGES);
    add_source(set, "https://me:secret@h/a?tag=1%2F2%26&name=x%20%23y", "as given", "/etc/l.list",
               7);
    add_source(set, "abcdef1@../b.git", "abcdef1@../b.git", "/etc/lists/pp.list", 8);
    add_source(set, "git@h:c.git?commit=" COMMIT, "git@h:c.git", NULL, 0);
    set = add_set(lists, NULL, NULL, NULL, TYPE_NONE);
    add_source(set, "./with #hash and blank ", NULL, NULL, 0);
    add_set(lists, "empty", NULL, lists->folders->next, TYPE_CUSTOM); /* one that was faulty */
}

static void assert_same_text(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_true(!a && !b);
}

static void assert_same_set(const struct mounted_set *a, const struct mounted_set *b)
{
    assert_same_text(a->set.name, b->set.name);
    assert_same_text(a->path, b->path);
    assert_same_text(a->found_in ? a->found_in->path : NULL,
                     b->found_in ? b->found_in->path : NULL);
    assert_int_equal(a->set.type, b->set.type);
    assert_int_equal(a->set.sources.count, b->set.sources.count);
    for (size_t i = 0; i < a->set.sources.count; i++) {
        const struct source *x = &a->set.sources.items[i], *y = &b->set.sources.items[i];
        assert_string_equal(x->text, y->text);
        assert_string_equal(x->url, y->url);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->kind, y->kind);
        assert_same_text(x->version, y->version);
        assert_same_text(x->commit, y->commit);
        assert_same_text(x->file, y->file);
        assert_int_equal(x->line, y->line);
        assert_same_text(a->set.given[i], b->set.given[i]);
    }
}

static void lists_come_back_as_they_were(void **state)
{
    struct lists lists = {0}, back = {0};
    struct error error = {0};
    int fd = make();

    (void)state;
    assert_int_equal(lists_saved_read(&back, fd, &error), -ENOENT);
    assert_int_equal(lists_saved_read(&back, -1, &error), -ENOENT);
    fill(&lists);
    assert_int_equal(lists_saved_write(&lists, fd), 0);
    assert_int_equal(lists_saved_read(&back, fd, &error), 0);
    const struct mounted_set *a = lists.first, *b = back.first;
    for (; a && b; a = a->next, b = b->next)
        assert_same_set(a, b);
    assert_true(!a && !b);
    const struct list_folder *x = lists.folders, *y = back.folders;
    for (; x && y; x = x->next, y = y->next) {
        assert_string_equal(x->path, y->path);
        assert_true(x->device == y->device && x->holds_sets == y->holds_sets);
    }
    assert_true(!x && !y);
    lists_clear(&back);
    lists_clear(&lists);
    close(fd);
}

/* Bytes with a right checksum that say something else: each byte of what is kept replaced by each of
 * some others. Nothing is believed that no list could say. */
static void other_bytes_are_parsed_with_care(void **state)
{
    static const char others[] = {'\0', '+', '-', '0', '9', 'a', '?', '/', '\x7f', '\n'};
    struct lists lists = {0};
    struct error error;
    int fd = make();
    char *bytes;
    size_t size, refused = 0;

    (void)state;
    fill(&lists);
    assert_int_equal(lists_saved_write(&lists, fd), 0);
    lists_clear(&lists);
    assert_int_equal(last_reading_get(fd, &bytes, &size), 0);
    for (size_t i = 0; i < size; i++)
        for (size_t j = 0; j < sizeof others; j++) {
            struct lists back = {0};
            char was = bytes[i];
            bytes[i] = others[j];
            assert_int_equal(last_reading_put(fd, bytes, size), 0);
            int r = lists_saved_read(&back, fd, &error);
            if (r < 0)
                assert_true(!back.first && !back.folders && (r == -EIO || r == -EPROTO));
            refused += r < 0;
            lists_clear(&back);
            bytes[i] = was;
        }
    assert_true(refused > size);
    for (size_t length = 0; length < size; length++) {
        struct lists back = {0};
        assert_int_equal(last_reading_put(fd, bytes, length), 0);
        assert_true(lists_saved_read(&back, fd, &error) < 0);
    }
    free(bytes);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_reading_is_what_is_read),
        cmocka_unit_test(readings_of_one_size_take_turns),
        cmocka_unit_test(a_writer_may_die_at_any_byte),
        cmocka_unit_test(every_damage_is_noticed),
        cmocka_unit_test(another_layout_is_not_read_and_written_over),
        cmocka_unit_test(a_damaged_only_reading_is_an_error),
        cmocka_unit_test(a_place_that_cannot_be_is_passed_over),
        cmocka_unit_test(what_cannot_be_kept_leaves_the_one_before),
        cmocka_unit_test(what_is_damaged_leaves_no_memory),
        cmocka_unit_test(what_is_no_memory_is_an_error),
        cmocka_unit_test(lists_come_back_as_they_were),
        cmocka_unit_test(other_bytes_are_parsed_with_care),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
