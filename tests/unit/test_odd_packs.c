/* Packs that somebody wrote by hand, each with the checksums that belong to it: what git itself would seldom write is read, and what
 * is no object is told. */
#include <sys/mman.h>

#include "gitcache/base/library.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/checked_packs.h"
#include "tests/unit/sandbox.h"

/* Writes o/pack/pack-1.* with what `entries` has in this order: (name, type, what stands in the header behind that, size, data,
 * compressed). The last one's name and content are in the files `id` and `content`. */
#define MAKER                                                                                      \
    "import hashlib, os, random, struct, zlib\n"                                                   \
    "entries, places = [], {}\n"                                                                   \
    "def summed(b): return b + hashlib.sha1(b).digest()\n"                                         \
    "def name_of(b): return hashlib.sha1(b'blob %d\\0' % len(b) + b).digest()\n"                   \
    "def number(n): return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + number(n >> 7)\n"   \
    "def header(kind, size):\n"                                                                    \
    "    return bytes([kind << 4 | size]) if size < 16 else "                                      \
    "bytes([128 | kind << 4 | size & 15]) + number(size >> 4)\n"                                   \
    "def distance(n):\n"                                                                           \
    "    out = bytes([n & 127]); n >>= 7\n"                                                        \
    "    while n: n -= 1; out = bytes([n & 127 | 128]) + out; n >>= 7\n"                           \
    "    return out\n"                                                                             \
    "def inserted(b): return b''.join(bytes([len(b[i:i+127])]) + b[i:i+127] "                      \
    "for i in range(0, len(b), 127))\n"                                                            \
    "def copied(at, n): return b'\\xff' + struct.pack('<I', at) + struct.pack('<I', n)[:3]\n"      \
    "def delta(base, result, code): return number(base) + number(result) + code\n"                 \
    "def put(content, kind, data, back=None, on=None, size=None, packed=None, name=None):\n"       \
    "    entries.append([name or name_of(content), kind, back, on,\n"                              \
    "                    len(data) if size is None else size,\n"                                   \
    "                    zlib.compress(data) if packed is None else packed])\n"                    \
    "    open('id', 'w').write(entries[-1][0].hex()); open('content', 'wb').write(content)\n"      \
    "def blob(content, **how): put(content, 3, content, **how)\n"                                  \
    "def onto(base, content, code, size=None, result=None, **how):\n"                              \
    "    d = delta(len(base) if size is None else size, "                                          \
    "len(content) if result is None else result, code)\n"                                          \
    "    put(content, 7 if 'on' in how else 6, d, **how)\n"                                        \
    "def write(large=False):\n"                                                                    \
    "    pack, rows = b'PACK' + struct.pack('>II', 2, len(entries)), []\n"                         \
    "    for name, kind, back, on, size, packed in entries:\n"                                     \
    "        at = len(pack); places[name] = at\n"                                                  \
    "        extra = b'' if kind < 6 else on if kind == 7 else distance(back if back is not None " \
    "else at - last)\n"                                                                            \
    "        whole = header(kind, size) + extra + packed; last = at\n"                             \
    "        rows.append((name, zlib.crc32(whole), at)); pack += whole\n"                          \
    "    pack = summed(pack); rows.sort()\n"                                                       \
    "    fan = b''.join(struct.pack('>I', sum(r[0][0] <= i for r in rows)) for i in range(256))\n" \
    "    index = b'\\xfftOc' + struct.pack('>I', 2) + fan + b''.join(r[0] for r in rows)\n"        \
    "    index += b''.join(struct.pack('>I', r[1]) for r in rows)\n"                               \
    "    index += b''.join(struct.pack('>I', 1 << 31 | i if large else r[2]) "                     \
    "for i, r in enumerate(rows))\n"                                                               \
    "    if large: index += b''.join(struct.pack('>Q', r[2]) for r in rows)\n"                     \
    "    index = summed(index + pack[-20:])\n"                                                     \
    "    os.makedirs('o/pack', exist_ok=True)\n"                                                   \
    "    open('o/pack/pack-1.pack', 'wb').write(pack)\n"                                           \
    "    open('o/pack/pack-1.idx', 'wb').write(index)\n"                                           \
    "a = bytes(range(100)) * 3\n"

static void make_pack(const struct sandbox *box, const char *script)
{
    char path[100];

    snprintf(path, sizeof path, "%s/make.py", box->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s%s", MAKER, script);
    fclose(file);
    run(box, "rm -rf o; /usr/bin/python3 make.py");
}

/* The last object of the pack. */
struct opened {
    struct cache *cache;
    git_odb *odb;
    struct oid id;
    char content[4 << 20];
    size_t size;
};

static void open_pack(struct opened *opened, const struct sandbox *box)
{
    struct error e = {0};
    char path[100];

    snprintf(path, sizeof path, "%s/cache", box->folder);
    assert_int_equal(cache_open(&opened->cache, path, false, &e), 0);
    snprintf(path, sizeof path, "%s/o", box->folder);
    assert_int_equal(checked_odb_open(&opened->odb, opened->cache, path, &e), 0);
    assert_true(oid_parse(&opened->id, output(box, "cat id"), OID_HEX));
    snprintf(path, sizeof path, "%s/content", box->folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    opened->size = fread(opened->content, 1, sizeof opened->content, file);
    fclose(file);
}

static void close_pack(struct opened *opened)
{
    git_odb_free(opened->odb);
    cache_close(opened->cache);
}

static int read_size(const struct opened *opened, size_t *size)
{
    git_object_t type = GIT_OBJECT_INVALID;
    git_oid id;

    library_oid_to_git(&id, &opened->id);
    int r = git_odb_read_header(size, &type, opened->odb, &id);
    if (r == 0)
        assert_int_equal(type, GIT_OBJECT_BLOB);
    return r;
}

/* As a large file is. A descriptor, or what went wrong. */
static int write_file(const struct opened *opened, const struct sandbox *box, git_object_t type,
                      uint64_t size, struct error *e)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    const struct pack_stream_request request = {
        .id = opened->id, .type = type, .size = size, .fd = fd, .folder = box->folder};
    assert_true(fd >= 0);
    int r = checked_packs_write(opened->odb, &request, e);
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

#define R "random.seed(1); r = random.randbytes\n"
/* Each delta adds more than is held of a chain. */
#define LARGE_CHAIN                                                                              \
    R "b = a\nblob(b)\n"                                                                         \
      "for i in range(3):\n"                                                                     \
      "    n = r(1100000); c = n + b[:200]\n"                                                    \
      "    onto(b, c, inserted(n) + copied(0, 200), packed=zlib.compress(delta(len(b), len(c), " \
      "inserted(n) + copied(0, 200)), 0)); b = c\n"                                              \
      "write()\n"

static void test_what_git_seldom_writes(void **state)
{
    static const char *const scripts[] = {
        "blob(b'')\nwrite()\n",
        "blob(a)\nonto(a, a + b'x', copied(0, 300) + inserted(b'x'))\nwrite()\n",
        "blob(a)\nonto(a, a + b'x', copied(0, 300) + inserted(b'x'), on=name_of(a))\nwrite()\n",
        "blob(a)\nonto(a, a + b'x', copied(0, 300) + inserted(b'x'))\nwrite(large=True)\n",
        "b = a\nblob(b)\nfor i in range(30):\n"
        "    c = b[1:] + bytes([i, i]); onto(b, c, copied(1, len(b) - 1) + inserted(bytes([i, "
        "i]))); b "
        "= c\nwrite()\n",
        "b = bytes(70000)\nblob(b)\nonto(b, b[:65536], b'\\x80')\nwrite()\n",
        "blob(a)\nonto(a, b'', b'')\nwrite()\n",
        R "blob(r(40000))\nonto(r(0), b'x', inserted(b'x'), size=40000)\nwrite()\n",
        LARGE_CHAIN,
    };
    const struct sandbox *box = *state;
    static struct opened opened;

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct error e = {0};
        struct bytes bytes;
        git_object_t type;
        uint64_t told;
        size_t size;

        print_message("# %.60s\n", scripts[i]);
        make_pack(box, scripts[i]);
        open_pack(&opened, box);
        checked_packs_sizes(opened.odb, &opened.id, 1, &told);
        assert_true(told == opened.size || (opened.size > 8000 && told == PACK_SIZES_UNKNOWN));
        assert_int_equal(read_size(&opened, &size), 0);
        assert_int_equal(size, opened.size);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(checked_packs_read(opened.odb, &opened.id, &type, &bytes, &e), 0);
            assert_int_equal(type, GIT_OBJECT_BLOB);
            assert_int_equal(bytes.size, opened.size);
            assert_memory_equal(bytes.data, opened.content, opened.size);
            assert_int_equal(bytes.data[bytes.size], 0);
            free(bytes.data);
        }
        int fd = write_file(&opened, box, GIT_OBJECT_BLOB, opened.size, &e);
        assert_true(fd >= 0);
        char *back = malloc(opened.size + 1);
        assert_non_null(back);
        assert_int_equal(pread(fd, back, opened.size + 1, 0), opened.size);
        assert_memory_equal(back, opened.content, opened.size);
        free(back);
        close(fd);
        close_pack(&opened);
    }
}

#define DELTA_ROW(code, size, result) \
    "blob(a)\nonto(a, b'abc', " code ", size=" size ", result=" result ")\nwrite()\n"

static void test_what_is_no_object(void **state)
{
    static const struct {
        const char *script, *read, *written;
        bool has_size;
    } rows[] = {
        {DELTA_ROW("inserted(b'abc')", "299", "3"), "a delta to something else", NULL, true},
        {DELTA_ROW("inserted(b'abc')", "300", "4"), "delta does not match", "delta does not match",
         true},
        {DELTA_ROW("inserted(b'abc')", "300", "2"), "delta does not match", "delta does not match",
         true},
        {DELTA_ROW("inserted(b'abc') + b'\\0'", "300", "4"), "delta does not match",
         "an invalid instruction", true},
        {DELTA_ROW("b'\\x04abc'", "300", "4"), "delta does not match", "delta is cut short", true},
        {DELTA_ROW("b'\\x91\\x01'", "300", "4"), "delta does not match", "delta is cut short",
         true},
        {DELTA_ROW("copied(298, 3)", "300", "3"), "delta does not match", "delta does not match",
         true},
        {DELTA_ROW("copied(301, 3)", "300", "3"), "delta does not match", "delta does not match",
         true},
        {"blob(a)\nput(b'abc', 6, b'')\nwrite()\n", "not a delta", "not a delta", false},
        {"blob(a)\nput(b'abc', 6, b'\\x03')\nwrite()\n", "not a delta", "not a delta", false},
        {"blob(a)\nput(b'abc', 6, b'\\x80' * 12)\nwrite()\n", "not a delta", "not a delta", false},
        {"blob(b'abc', size=2)\nwrite()\n", "cannot be inflated", "longer than its header says",
         true},
        {"blob(b'abc', size=4)\nwrite()\n", "cannot be inflated", "cannot be inflated", true},
        {"blob(b'abc', packed=b'\\x78\\x9cnonsense')\nwrite()\n", "cannot be inflated",
         "cannot be inflated", true},
        {"blob(b'abc', packed=b'')\nwrite()\n", "cannot be inflated", "cannot be inflated", true},
        {"blob(b'abc', name=name_of(b'abd'))\nwrite()\n", "hash does not match",
         "hash does not match", true},
        {"put(b'abc', 5, b'abc')\nwrite()\n", "no valid header", "no valid header", false},
        {"put(b'abc', 0, b'abc')\nwrite()\n", "no valid header", "no valid header", false},
        {"put(b'abc', 3, b'abc', size=1 << 70)\nwrite()\n", "no valid header", "no valid header",
         false},
        {"blob(a)\nonto(a, b'abc', inserted(b'abc'), back=5)\nwrite()\n",
         "what it is a delta to is missing", "what it is a delta to is missing", false},
        {"blob(a)\nonto(a, b'abc', inserted(b'abc'), back=0)\nwrite()\n",
         "what it is a delta to is missing", "what it is a delta to is missing", false},
        {"blob(a)\nonto(a, b'abc', inserted(b'abc'), back=1 << 20)\nwrite()\n",
         "what it is a delta to is missing", "what it is a delta to is missing", false},
        {"blob(a)\nonto(a, b'abc', inserted(b'abc'), on=bytes(20))\nwrite()\n",
         "what it is a delta to is missing", "what it is a delta to is missing", false},
        {"onto(a, b'abd', inserted(b'abd'), on=name_of(b'abc'))\n"
         "onto(a, b'abc', inserted(b'abc'), on=name_of(b'abd'))\nwrite()\n",
         "a delta to itself", "too many deltas", false},
    };
    const struct sandbox *box = *state;
    static struct opened opened;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = {0};
        struct bytes bytes;
        git_object_t type;
        size_t size;

        print_message("# %s", rows[i].script);
        make_pack(box, rows[i].script);
        open_pack(&opened, box);
        assert_int_equal(read_size(&opened, &size) == 0, rows[i].has_size);
        assert_int_equal(checked_packs_read(opened.odb, &opened.id, &type, &bytes, &e), -EIO);
        if (!strstr(e.text, rows[i].read) || !strstr(e.text, "pack-1"))
            fail_msg("%s", e.text);
        uint64_t told = rows[i].has_size ? size : 3;
        int r = write_file(&opened, box, GIT_OBJECT_BLOB, told, &e);
        if (!rows[i].written) { /* nothing is needed of what it is applied to */
            assert_true(r >= 0);
            close(r);
        } else {
            assert_int_equal(r, -EIO);
            if (!strstr(e.text, rows[i].written))
                fail_msg("%s", e.text);
        }
        close_pack(&opened);
    }
}

/* Whoever asks for a file knows its size and its type. */
static void test_what_is_another_object_than_was_asked_for(void **state)
{
    const struct sandbox *box = *state;
    static struct opened opened;
    struct error e = {0};

    make_pack(box, "blob(a)\nonto(a, b'abc', inserted(b'abc'))\nwrite()\n");
    open_pack(&opened, box);
    assert_int_equal(write_file(&opened, box, GIT_OBJECT_BLOB, 4, &e), -EIO);
    assert_non_null(strstr(e.text, "another size"));
    assert_int_equal(write_file(&opened, box, GIT_OBJECT_TREE, 3, &e), -EIO);
    assert_non_null(strstr(e.text, "another type"));
    opened.id.id[0] ^= 1;
    assert_int_equal(write_file(&opened, box, GIT_OBJECT_BLOB, 3, &e), -ENOENT);
    close_pack(&opened);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_git_seldom_writes),
        TEST(test_what_is_no_object),
        TEST(test_what_is_another_object_than_was_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
