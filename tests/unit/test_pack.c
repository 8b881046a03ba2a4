#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include "gitcache/base/library.h"
#include "gitcache/base/sha1.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/checked_packs.h"
#include "gitcache/store/deflated.h"
#include "gitcache/store/object_writer.h"
#include "gitcache/store/pack_bases.h"
#include "gitcache/store/pack_delta.h"
#include "gitcache/store/pack_descriptors.h"
#include "gitcache/store/pack_file.h"
#include "gitcache/store/pack_folder.h"
#include "gitcache/store/raw_tree.h"
#include "tests/unit/sandbox.h"

/* A repository with one pack, in which most objects are deltas. */
struct packed {
    struct sandbox *box;
    char base[256]; /* the pack's path without .pack */
    struct cache *cache;
};

static void open_packed(struct packed *packed, void **state)
{
    struct error e = {0};
    char folder[128];

    packed->box = *state;
    run_once(packed->box,
             "git init -q r; cd r;"
             "for i in 1 2 3 4 5 6; do seq $i 400 >numbers; seq 1 $i 300 >more; echo $i >x;"
             "head -c 3000 /dev/zero | tr '\\0' $i >z; : >empty; git add .;"
             "git commit -qm $i; git tag -am $i t$i; done;"
             "git repack -q -a -d -f --depth=20; git prune-packed");
    snprintf(packed->base, sizeof packed->base, "%s/%s", packed->box->folder,
             output(packed->box, "ls r/.git/objects/pack/*.pack | sed 's/[.]pack$//'"));
    run(packed->box, "chmod u+w r/.git/objects/pack/*");
    snprintf(folder, sizeof folder, "%s/cache", packed->box->folder);
    assert_int_equal(cache_open(&packed->cache, folder, false, &e), 0);
}

static void close_packed(struct packed *packed)
{
    cache_close(packed->cache);
}

static void test_sha1(void **state)
{
    static const struct {
        const char *text, *sum;
    } cases[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char hex[OID_HEX_SIZE];
        struct sha1 sha1;
        struct oid id;

        sha1_of(cases[i].text, strlen(cases[i].text), id.id);
        assert_string_equal(oid_format(&id, hex), cases[i].sum);
        sha1_begin(&sha1);
        for (const char *at = cases[i].text; *at; at++)
            sha1_add(&sha1, at, 1);
        sha1_end(&sha1, id.id);
        assert_string_equal(oid_format(&id, hex), cases[i].sum);
    }
}

static int compare_with_git(const git_oid *id, void *data)
{
    git_odb **odbs = data;
    git_odb_object *ours, *gits;
    git_object_t type;
    size_t size;

    assert_int_equal(git_odb_read(&ours, odbs[0], id), 0);
    assert_int_equal(git_odb_read(&gits, odbs[1], id), 0);
    assert_int_equal(git_odb_object_type(ours), git_odb_object_type(gits));
    assert_int_equal(git_odb_object_size(ours), git_odb_object_size(gits));
    assert_memory_equal(git_odb_object_data(ours), git_odb_object_data(gits),
                        git_odb_object_size(ours));
    assert_int_equal(git_odb_read_header(&size, &type, odbs[0], id), 0);
    assert_int_equal(size, git_odb_object_size(gits));
    assert_int_equal(type, git_odb_object_type(gits));
    git_odb_object_free(ours);
    git_odb_object_free(gits);
    return 0;
}

static int count_one(const git_oid *id, void *data)
{
    (void)id;
    ++*(size_t *)data;
    return 0;
}

static void test_every_object_is_gits(void **state)
{
    struct error e = {0};
    struct packed packed;
    git_odb *odbs[2];
    char objects[128];
    size_t count = 0;

    open_packed(&packed, state);
    assert_string_not_equal(output(packed.box, "cd r; git verify-pack -v .git/objects/pack/*.idx | "
                                               "grep -c '^chain length' || true"),
                            "0");
    snprintf(objects, sizeof objects, "%s/r/.git/objects", packed.box->folder);
    assert_int_equal(checked_odb_open(&odbs[0], packed.cache, objects, &e), 0);
    assert_int_equal(git_odb_open(&odbs[1], objects), 0);
    assert_int_equal(git_odb_foreach(odbs[1], compare_with_git, odbs), 0);
    assert_int_equal(git_odb_foreach(odbs[0], count_one, &count), 0);
    assert_int_equal(count, atoi(output(packed.box, "git -C r rev-list --objects --all | wc -l")));
    git_odb_free(odbs[0]);
    git_odb_free(odbs[1]);
    close_packed(&packed);
}

static void test_other_ways_to_pack(void **state)
{
    static const char *const ways[] = {
        "-c pack.compression=0 repack -adfq", /* loose headers and stored blocks */
        "repack -adfq --depth=0",
        "-c repack.useDeltaBaseOffset=false repack -adfq", /* deltas that name their base */
        "-c pack.writeReverseIndex=true repack -adfq",
        "multi-pack-index write",
        "commit-graph write --reachable",
    };
    struct error e = {0};
    struct packed packed;
    git_odb *odbs[2];
    char objects[128];

    open_packed(&packed, state);
    snprintf(objects, sizeof objects, "%s/r/.git/objects", packed.box->folder);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        run(packed.box, "git -C r %s", ways[i]);
        assert_int_equal(checked_odb_open(&odbs[0], packed.cache, objects, &e), 0);
        assert_int_equal(git_odb_open(&odbs[1], objects), 0);
        assert_int_equal(git_odb_foreach(odbs[1], compare_with_git, odbs), 0);
        git_odb_free(odbs[0]);
        git_odb_free(odbs[1]);
    }
    close_packed(&packed);
}

static void flip(const char *path, off_t at, unsigned char bits)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    unsigned char byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static off_t size_of_file(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void test_no_flipped_bit_of_an_index_passes(void **state)
{
    struct packed packed;
    struct pack_file *pack;
    char path[300];
    off_t size;

    open_packed(&packed, state);
    snprintf(path, sizeof path, "%s.idx", packed.base);
    size = size_of_file(path);
    for (off_t i = 0; i < size; i++) {
        struct error e = {0};

        flip(path, i, (unsigned char)(1 << i % 8));
        assert_int_equal(pack_file_open(&pack, packed.base, NULL, &e), -EIO);
        assert_non_null(strstr(e.text, "damaged"));
        flip(path, i, (unsigned char)(1 << i % 8));
    }
    assert_int_equal(pack_file_open(&pack, packed.base, NULL, &(struct error){0}), 0);
    pack_file_put(pack);
    close_packed(&packed);
}

/* An index whose first object begins elsewhere; what parsing it says. */
static int parse_with_offset(const unsigned char *whole, size_t size, uint64_t pack_size,
                             uint32_t offset)
{
    const unsigned char *last = whole + 8 + 1020;
    size_t count = (size_t)last[2] << 8 | last[3], at = 8 + 1024 + count * (OID_SIZE + 4);
    unsigned char *copy = malloc(size);
    struct pack_index index;
    struct error e = {0};

    assert_non_null(copy);
    memcpy(copy, whole, size);
    for (int i = 0; i < 4; i++)
        copy[at + (size_t)i] = (unsigned char)(offset >> (24 - 8 * i));
    sha1_of(copy, size - SHA1_SIZE, copy + size - SHA1_SIZE);
    int r = pack_index_parse(&index, copy, size, pack_size, "x", &e);
    if (r == 0)
        pack_index_release(&index);
    else
        free(copy);
    return r;
}

/* Also one that somebody has given a checksum that fits is not believed. */
static void test_an_index_with_a_good_checksum_is_checked_all_the_same(void **state)
{
    struct packed packed;
    char path[300];
    unsigned char *whole, sum[SHA1_SIZE];
    size_t size, refused = 0;
    uint64_t pack_size;
    int fd;

    open_packed(&packed, state);
    snprintf(path, sizeof path, "%s.pack", packed.base);
    pack_size = (uint64_t)size_of_file(path);
    snprintf(path, sizeof path, "%s.idx", packed.base);
    size = (size_t)size_of_file(path);
    whole = malloc(size);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_non_null(whole);
    assert_int_equal(read(fd, whole, size), size);
    close(fd);
    for (size_t i = 0; i < (size - SHA1_SIZE) * 8; i += 3) {
        struct pack_index index;
        struct error e = {0};
        unsigned char *copy = malloc(size);

        assert_non_null(copy);
        memcpy(copy, whole, size);
        copy[i / 8] ^= (unsigned char)(1 << i % 8);
        sha1_of(copy, size - SHA1_SIZE, sum);
        memcpy(copy + size - SHA1_SIZE, sum, SHA1_SIZE);
        if (pack_index_parse(&index, copy, size, pack_size, "x", &e) == 0) {
            assert_true(i / 8 >= 8 + 1024); /* no other version, no other fan-out */
            for (uint32_t n = 0; n < index.count; n++)
                assert_in_range(pack_index_offset(&index, n), 12, pack_size - 21);
            pack_index_release(&index);
        } else {
            if (i / 8 % 4 == 0 && i / 8 >= 8 &&
                i / 8 < 8 + 4 * 255) /* millions of ids, in the fan-out */
                assert_non_null(strstr(e.text, "its fan-out is not in order"));
            refused++;
            free(copy);
        }
    }
    assert_true(refused > 1000);
    /* The first and the last byte that are none of an object's. */
    assert_int_equal(parse_with_offset(whole, size, pack_size, 11), -EIO);
    assert_int_equal(parse_with_offset(whole, size, pack_size, (uint32_t)pack_size - 20), -EIO);
    assert_int_equal(parse_with_offset(whole, size, pack_size, (uint32_t)pack_size - 21), 0);
    free(whole);
    close_packed(&packed);
}

/* For each flipped byte of a pack: each object is right, with its right size, or EIO. */
/* All objects' sizes at once: each is what was told one by one, or is not told. */
static void ask_for_all_sizes(git_odb *odb, const struct pack_file *sound, const size_t *sizes,
                              size_t *told)
{
    struct oid ids[512];
    uint64_t found[512];

    for (uint32_t n = 0; n < sound->index.count; n++)
        pack_index_id(&sound->index, n, &ids[n]);
    checked_packs_sizes(odb, ids, sound->index.count, found);
    for (uint32_t n = 0; n < sound->index.count; n++) {
        assert_true(found[n] == sizes[n] || found[n] == PACK_SIZES_UNKNOWN);
        *told += found[n] != PACK_SIZES_UNKNOWN;
    }
}

static void test_no_flipped_byte_of_a_pack_gives_a_wrong_byte_or_size(void **state)
{
    struct error e = {0};
    struct packed packed;
    struct pack_file *sound;
    char path[300], objects[128];
    size_t sizes[512], right = 0, refused = 0, told = 0, told_of_sound = 0;
    git_odb *odb;

    open_packed(&packed, state);
    snprintf(objects, sizeof objects, "%s/r/.git/objects", packed.box->folder);
    assert_int_equal(pack_file_open(&sound, packed.base, NULL, &e), 0);
    assert_in_range(sound->index.count, 20, 512);
    for (int flipped = 0; flipped < 2; flipped++) {
        snprintf(path, sizeof path, "%s.pack", packed.base);
        for (off_t i = 0, end = flipped ? size_of_file(path) : 1; i < end; i += 3) {
            if (flipped)
                flip(path, i, (unsigned char)(1 << i % 8));
            assert_int_equal(checked_odb_open(&odb, packed.cache, objects, &e), 0);
            for (uint32_t n = 0; n < sound->index.count; n++) {
                git_odb_object *object;
                git_object_t type;
                struct oid id;
                git_oid git_id;
                size_t size;

                pack_index_id(&sound->index, n, &id);
                library_oid_to_git(&git_id, &id);
                if (git_odb_read_header(&size, &type, odb, &git_id) == 0) {
                    if (!flipped)
                        sizes[n] = size;
                    assert_int_equal(size, sizes[n]);
                    right++;
                } else {
                    refused++;
                }
                /* What is read was hashed by libgit2: it is right, or it is an error. */
                if (i % 5 == 0 && git_odb_read(&object, odb, &git_id) == 0) {
                    assert_int_equal(git_odb_object_size(object), sizes[n]);
                    git_odb_object_free(object);
                }
            }
            ask_for_all_sizes(odb, sound, sizes, flipped ? &told : &told_of_sound);
            git_odb_free(odb);
            if (flipped)
                flip(path, i, (unsigned char)(1 << i % 8));
        }
    }
    assert_true(right > 0 && refused > 0);
    assert_int_equal(told_of_sound, sound->index.count);
    assert_true(told > 0);
    pack_file_put(sound);
    close_packed(&packed);
}

/* Calls of read(2) and its like by this process. */
static long reads_so_far(void)
{
    FILE *file = fopen("/proc/self/io", "r");
    char line[100];
    long reads = -1;

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        sscanf(line, "syscr: %ld", &reads);
    fclose(file);
    return reads;
}

static void test_the_sizes_of_a_folder_take_few_reads(void **state)
{
    struct error e = {0};
    struct packed packed = {.box = *state};
    struct pack_file *pack;
    char objects[128], cache[128];
    size_t sizes[512], told = 0;
    git_odb *odb;

    run(packed.box, "git init -q r; cd r; for i in $(seq 300); do echo $i >$i; done;"
                    "head -c 100000 /dev/urandom >large; git add .; git commit -qm 1;"
                    "git repack -q -a -d -f; git prune-packed");
    snprintf(cache, sizeof cache, "%s/cache", packed.box->folder);
    assert_int_equal(cache_open(&packed.cache, cache, false, &e), 0);
    snprintf(packed.base, sizeof packed.base, "%s/%s", packed.box->folder,
             output(packed.box, "ls r/.git/objects/pack/*.pack | sed 's/[.]pack$//'"));
    snprintf(objects, sizeof objects, "%s/r/.git/objects", packed.box->folder);
    assert_int_equal(pack_file_open(&pack, packed.base, NULL, &e), 0);
    assert_int_equal(checked_odb_open(&odb, packed.cache, objects, &e), 0);
    for (uint32_t n = 0; n < pack->index.count; n++) {
        git_object_t type;
        git_oid git_id;
        struct oid id;

        pack_index_id(&pack->index, n, &id);
        library_oid_to_git(&git_id, &id);
        assert_int_equal(git_odb_read_header(&sizes[n], &type, odb, &git_id), 0);
    }
    long before = reads_so_far();
    ask_for_all_sizes(odb, pack, sizes, &told);
    /* All but the large one; by ids they do not lie in order: a window is read anew now and then. */
    assert_int_equal(told, pack->index.count - 1);
    assert_in_range(reads_so_far() - before, 1, 50);
    git_odb_free(odb);
    pack_file_put(pack);
    close_packed(&packed);
}

static void read_all(git_odb *odb, const struct pack_file *pack, size_t *right)
{
    *right = 0;
    for (uint32_t n = 0; n < pack->index.count; n++) {
        git_odb_object *object;
        struct oid id;
        git_oid git_id;

        pack_index_id(&pack->index, n, &id);
        library_oid_to_git(&git_id, &id);
        if (git_odb_read(&object, odb, &git_id) == 0) {
            git_odb_object_free(object);
            ++*right;
        }
    }
}

/* A pack that is cut, replaced or mended while it is open is noticed; the process lives. */
static void test_packs_that_change_while_they_are_open(void **state)
{
    struct error e = {0};
    struct packed packed;
    struct pack_file *pack;
    char objects[128];
    size_t right;
    git_odb *odb;

    open_packed(&packed, state);
    snprintf(objects, sizeof objects, "%s/r/.git/objects", packed.box->folder);
    assert_int_equal(pack_file_open(&pack, packed.base, NULL, &e), 0);
    assert_int_equal(checked_odb_open(&odb, packed.cache, objects, &e), 0);
    git_odb_refresh(odb);
    run(packed.box, "cd r/.git/objects/pack; cp *.pack ../../sound; truncate -s 100 *.pack");
    read_all(odb, pack, &right);
    assert_int_equal(right, 0);
    run(packed.box, "cd r/.git/objects/pack; cp ../../sound *.pack");
    read_all(odb, pack, &right);
    assert_int_equal(right, pack->index.count);
    run(packed.box, "cd r/.git/objects/pack; p=$(echo *.pack); rm $p; mkfifo $p");
    read_all(odb, pack, &right);
    run(packed.box, "cd r/.git/objects/pack; p=$(echo *.pack); rm $p; ln -s ../../sound $p");
    read_all(odb, pack, &right);
    run(packed.box, "cd r/.git/objects/pack; p=$(echo *.pack); rm $p; cp ../../sound $p");
    read_all(odb, pack, &right);
    assert_int_equal(right, pack->index.count);
    run(packed.box, "git -C r repack -adfq"); /* under another name, or the same */
    read_all(odb, pack, &right);
    assert_int_equal(right, pack->index.count);
    git_odb_free(odb);
    pack_file_put(pack);
    close_packed(&packed);
}

static void test_deltas_that_lie(void **state)
{
    static const unsigned char beyond[] = {0x91, 9, 9}, nothing[] = {0}, cut[] = {5, 'a'},
                               good[] = {0x91, 1, 2, 1, 'x'};
    unsigned char out[8];

    (void)state;
    assert_false(pack_delta_apply(beyond, sizeof beyond, (const unsigned char *)"abcd", 4, out, 8));
    assert_false(
        pack_delta_apply(nothing, sizeof nothing, (const unsigned char *)"abcd", 4, out, 8));
    assert_false(pack_delta_apply(cut, sizeof cut, (const unsigned char *)"abcd", 4, out, 8));
    assert_false(pack_delta_apply(good, sizeof good, (const unsigned char *)"abcd", 4, out, 8));
    assert_false(pack_delta_apply(good, sizeof good, (const unsigned char *)"abcd", 4, out, 2));
    assert_true(pack_delta_apply(good, sizeof good, (const unsigned char *)"abcd", 4, out, 3));
    assert_memory_equal(out, "bcx", 3);
    /* A piece that begins in the base and ends behind it. */
    static const unsigned char longer[] = {0x91, 3, 2};
    assert_false(
        pack_delta_apply(longer, sizeof longer, (const unsigned char *)"abcdef", 4, out, 2));
    assert_true(
        pack_delta_apply(longer, sizeof longer, (const unsigned char *)"abcdef", 5, out, 2));
}

/* One that says nothing of its length has 64 KiB. */
static void test_a_delta_with_a_large_piece(void **state)
{
    static const unsigned char piece[] = {0x81, 1};
    const size_t size = 0x10000;
    unsigned char *base = malloc(size + 1), *made = malloc(size);

    (void)state;
    assert_non_null(base);
    assert_non_null(made);
    for (size_t i = 0; i <= size; i++)
        base[i] = (unsigned char)(i * 7 >> 3);
    assert_true(pack_delta_apply(piece, sizeof piece, base, size + 1, made, size));
    assert_memory_equal(made, base + 1, size);
    assert_false(pack_delta_apply(piece, sizeof piece, base, size, made, size));
    free(made);
    free(base);
}

static void test_what_is_inflated_has_the_size_that_is_told(void **state)
{
    unsigned char packed[100], out[8];
    uLongf size = sizeof packed;

    (void)state;
    assert_int_equal(compress(packed, &size, (const unsigned char *)"abcd", 4), Z_OK);
    assert_int_equal(deflated_inflate(packed, size, out, 4), 0);
    assert_memory_equal(out, "abcd", 4);
    assert_int_equal(deflated_inflate(packed, size, out, 3), -EIO);
    assert_int_equal(deflated_inflate(packed, size, out, 5), -EIO);
    assert_int_equal(deflated_inflate(packed, 1, out, 4), -EIO);
}

static void test_trees_that_are_cut(void **state)
{
    static const char bytes[] = "100644 a\0aaaaaaaaaaaaaaaaaaaa40000 b\0bbbbbbbbbbbbbbbbbbbb";
    const size_t first = 9 + OID_SIZE, whole = sizeof bytes - 1;

    (void)state;
    for (size_t size = 0; size <= whole; size++) {
        struct raw_tree tree = {bytes, bytes + size};
        struct raw_entry entry;
        int entries = 0, r;

        while ((r = raw_tree_next(&tree, &entry)) > 0)
            entries++;
        assert_int_equal(entries, size == whole ? 2 : size >= first ? 1 : 0);
        assert_int_equal(r, size == whole || size == first || size == 0 ? 0 : -1);
    }
}

/* A pack and its index, each with the checksums that belong to it, whose only object is a delta to itself. */
static void test_a_delta_to_itself_has_an_end(void **state)
{
    struct sandbox *box = *state;
    struct error e = {0};
    struct cache *cache;
    char folder[128];
    git_object_t type;
    git_oid id;
    git_odb *odb;
    size_t size;

    run(box, "mkdir -p o/pack; cd o/pack; /usr/bin/python3 - <<'END'\n"
             "import hashlib, struct, zlib\n"
             "def summed(b): return b + hashlib.sha1(b).digest()\n"
             "name = bytes.fromhex('42' * 20)\n"
             "delta = b'\\x04\\x04\\x90\\x04'\n"
             "entry = bytes([7 << 4 | len(delta)]) + name + zlib.compress(delta)\n"
             "pack = summed(b'PACK' + struct.pack('>II', 2, 1) + entry)\n"
             "fan = b''.join(struct.pack('>I', i >= 0x42) for i in range(256))\n"
             "index = summed(b'\\xfftOc' + struct.pack('>I', 2) + fan + name +\n"
             "               struct.pack('>II', zlib.crc32(entry), 12) + pack[-20:])\n"
             "open('pack-1.pack', 'wb').write(pack)\n"
             "open('pack-1.idx', 'wb').write(index)\n"
             "END");
    snprintf(folder, sizeof folder, "%s/cache", box->folder);
    assert_int_equal(cache_open(&cache, folder, false, &e), 0);
    snprintf(folder, sizeof folder, "%s/o", box->folder);
    assert_int_equal(checked_odb_open(&odb, cache, folder, &e), 0);
    assert_int_equal(git_oid_fromstr(&id, "4242424242424242424242424242424242424242"), 0);
    alarm(20);
    assert_true(git_odb_exists(odb, &id)); /* or this is no test of the delta */
    assert_true(git_odb_read_header(&size, &type, odb, &id) < 0);
    alarm(0);
    git_odb_free(odb);
    cache_close(cache);
}

/* A loose object that is cut, at each byte: an error, and an end (libgit2's own reader goes on for ever). */
static void test_loose_objects_that_are_cut(void **state)
{
    struct error e = {0};
    struct packed packed;
    char objects[128], path[256];
    git_oid git_id;
    git_odb *odb;
    struct rlimit old;
    struct stat st;

    open_packed(&packed, state);
    run(packed.box,
        "git init -q loose; cd loose; seq 1 3000 >text; git hash-object -w text >../id");
    const char *hex = output(packed.box, "cat id");
    assert_int_equal(git_oid_fromstr(&git_id, hex), 0);
    snprintf(objects, sizeof objects, "%s/loose/.git/objects", packed.box->folder);
    snprintf(path, sizeof path, "%s/%.2s/%s", objects, hex, hex + 2);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(git_odb_new(&odb), 0);
    assert_int_equal(checked_odb_add_loose(odb, objects, &e), 0);
    git_odb_object *object;
    assert_int_equal(git_odb_read(&object, odb, &git_id), 0);
    assert_int_equal(git_odb_object_size(object), 13893);
    git_odb_object_free(object);
    git_odb_free(odb);
    /* No descriptor to be had: it may be sound, and is not missing. */
    assert_int_equal(git_odb_new(&odb), 0);
    assert_int_equal(checked_odb_add_loose(odb, objects, &e), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, old.rlim_max}), 0);
    int r = git_odb_read(&object, odb, &git_id);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(r, GIT_ERROR);
    git_odb_free(odb);
    for (off_t size = st.st_size - 1; size >= 0; size -= size > 100 ? 97 : 1) {
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(git_odb_new(&odb), 0); /* one that has read nothing yet */
        assert_int_equal(checked_odb_add_loose(odb, objects, &e), 0);
        assert_true(git_odb_read(&object, odb, &git_id) < 0);
        git_odb_free(odb);
    }
    close_packed(&packed);
}

/* No compression is better than zlib's of bytes that are all the same: some 1030 of them in one. */
static void test_a_loose_object_that_is_as_small_as_can_be(void **state)
{
    struct error e = {0};
    struct packed packed;
    char objects[128];
    git_odb_object *object;
    git_oid id;
    git_odb *odb;

    open_packed(&packed, state);
    run(packed.box, "git init -q loose; cd loose; head -c 4194304 /dev/zero |"
                    "git -c core.compression=9 hash-object -w --stdin >../id");
    assert_int_equal(git_oid_fromstr(&id, output(packed.box, "cat id")), 0);
    snprintf(objects, sizeof objects, "%s/loose/.git/objects", packed.box->folder);
    assert_int_equal(git_odb_new(&odb), 0);
    assert_int_equal(checked_odb_add_loose(odb, objects, &e), 0);
    assert_int_equal(git_odb_read(&object, odb, &id), 0);
    assert_int_equal(git_odb_object_size(object), 4194304);
    git_odb_object_free(object);
    git_odb_free(odb);
    close_packed(&packed);
}

/* It is whole, and not what its name says. */
static void test_a_loose_object_under_anothers_name(void **state)
{
    struct error e = {0};
    struct packed packed;
    char objects[128];
    git_odb_object *object;
    git_oid id;
    git_odb *odb;

    open_packed(&packed, state);
    run(packed.box,
        "git init -q loose; cd loose; echo one >1; echo two >2; git hash-object -w 1 2 >../ids;"
        "git add 1; git write-tree >../tree;"
        "cd .git/objects; sed 's,..,&/,' ../../../ids >paths; mv -f $(cat paths)");
    assert_int_equal(git_oid_fromstr(&id, output(packed.box, "tail -n 1 ids")), 0);
    snprintf(objects, sizeof objects, "%s/loose/.git/objects", packed.box->folder);
    assert_int_equal(git_odb_new(&odb), 0);
    assert_int_equal(checked_odb_add_loose(odb, objects, &e), 0);
    assert_true(git_odb_exists(odb, &id));
    assert_int_equal(git_odb_read(&object, odb, &id), GIT_ERROR);
    assert_int_equal(git_oid_fromstr(&id, output(packed.box, "cat tree")), 0);
    assert_int_equal(git_odb_read(&object, odb, &id), 0); /* another, which is whole */
    assert_int_equal(git_odb_object_type(object), GIT_OBJECT_TREE);
    git_odb_object_free(object);
    git_odb_free(odb);
    close_packed(&packed);
}

/* Those that were used longest ago go; which pack one is of is not mixed up. */
static void test_descriptors_of_packs(void **state)
{
    enum { COUNT = PACK_DESCRIPTORS_MAX + 2 };
    struct pack_descriptors *held = pack_descriptors_new();
    const struct pack_file *packs = calloc(COUNT, sizeof *packs); /* only where they are counts */
    int fds[COUNT];

    (void)state;
    assert_non_null(held);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    for (int i = 0; i < COUNT; i++)
        pack_descriptors_give(held, &packs[i], fds[i]);
    for (int i = 0; i < COUNT; i += 3) {
        bool is_closed = i < COUNT - PACK_DESCRIPTORS_MAX;

        assert_int_equal(fcntl(fds[i], F_GETFD), is_closed ? -1 : FD_CLOEXEC);
        assert_int_equal(pack_descriptors_take(held, &packs[i]), is_closed ? -1 : fds[i]);
        if (!is_closed)
            close(fds[i]);
    }
    assert_int_equal(pack_descriptors_take(held, &packs[2]), fds[2]);
    close(fds[2]);
    assert_int_equal(pack_descriptors_take(held, &packs[4]), fds[4]);
    pack_descriptors_give(held, &packs[4], fds[4]);
    int another = dup(fds[4]); /* two have read it at once */
    assert_true(another >= 0);
    pack_descriptors_give(held, &packs[4], another);
    pack_descriptors_forget(held, &packs[4]);
    assert_int_equal(pack_descriptors_take(held, &packs[4]), -1);
    assert_int_equal(fcntl(fds[4], F_GETFD), -1);
    assert_int_equal(fcntl(another, F_GETFD), -1);
    assert_int_equal(pack_descriptors_take(held, &packs[COUNT - 2]), fds[COUNT - 2]);
    close(fds[COUNT - 2]);
    pack_descriptors_free(held);
    assert_int_equal(fcntl(fds[5], F_GETFD), -1);
    free((void *)packs);
}

/* A disk that takes no more may take the first part of a piece, and of what follows that is not forgotten. */
static void test_an_object_that_does_not_fit(void **state)
{
    unsigned char sum[SHA1_SIZE];
    struct object_writer writer;
    struct rlimit old, small;
    FILE *file = tmpfile();

    (void)state;
    assert_non_null(file);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 1000, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(object_writer_begin(&writer, fileno(file), GIT_OBJECT_BLOB, 2000), 0);
    for (int i = 0; i < 2 * OBJECT_WRITER_BUFFERS; i++) {
        memset(object_writer_buffer(&writer), 'x', i ? 1 : 1500);
        object_writer_commit(&writer, i ? 1 : 1500);
    }
    int r = object_writer_end(&writer, sum);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(r, -EFBIG);
    fclose(file);
}

static bool is_kept(struct pack_bases *bases, uint32_t position)
{
    static const unsigned char pack[SHA1_SIZE];
    struct pack_base *base = pack_bases_get(bases, pack, position);

    pack_base_put(base);
    return base != NULL;
}

static void keep_base(struct pack_bases *bases, uint32_t position, size_t size)
{
    static const unsigned char pack[SHA1_SIZE];
    struct pack_base *base = pack_base_new(size);

    assert_non_null(base);
    pack_bases_keep(bases, pack, position, base);
    pack_base_put(base);
}

/* As two packs at whose beginnings is an object each: their sums begin alike. */
static void test_a_base_is_of_its_pack(void **state)
{
    static const unsigned char packs[3][SHA1_SIZE] = {
        {1, 2, 3, 4, 5}, {1, 2, 3, 4, 6}, {1, 2, 3, 4}};
    struct pack_bases *bases = pack_bases_new();

    (void)state;
    assert_non_null(bases);
    for (size_t i = 0; i < 2; i++) {
        struct pack_base *base = pack_base_new(i + 1);

        assert_non_null(base);
        pack_bases_keep(bases, packs[i], 12, base);
        pack_base_put(base);
    }
    for (size_t i = 0; i < 2; i++) {
        struct pack_base *base = pack_bases_get(bases, packs[i], 12);

        assert_non_null(base);
        assert_int_equal(base->size, i + 1);
        pack_base_put(base);
    }
    assert_null(pack_bases_get(bases, packs[2], 12));
    pack_bases_free(bases);
}

/* Those that share a bucket (their positions differ by a multiple of 4096) can be found still. */
static void test_the_base_that_was_used_longest_ago_goes(void **state)
{
    const size_t mib = (size_t)1 << 20;
    struct pack_bases *bases = pack_bases_new();

    (void)state;
    assert_non_null(bases);
    keep_base(bases, 0, 1);
    keep_base(bases, 4096, mib);
    keep_base(bases, 8192, 1);
    assert_true(is_kept(bases, 0)); /* which makes it the newest */
    for (uint32_t i = 1; i <= 12; i++)
        keep_base(bases, i, i < 12 ? 2 * mib : mib); /* 24 MiB and 2 bytes in all */
    assert_false(is_kept(bases, 4096));
    assert_true(is_kept(bases, 0));
    assert_true(is_kept(bases, 8192));
    pack_bases_free(bases);
}

static size_t packs_in(struct pack_folder *folder)
{
    struct error e = {0};
    size_t count;

    assert_int_equal(pack_folder_scan(folder, &e), 0);
    struct pack_file **packs = pack_folder_list(folder, &count);
    assert_non_null(packs);
    for (size_t i = 0; i < count; i++)
        pack_file_put(packs[i]);
    free(packs);
    return count;
}

/* As a disk's that is not mounted for a while: its time is what it was. */
static void test_packs_of_a_folder_that_was_away(void **state)
{
    struct error e = {0};
    struct packed packed;
    struct pack_folder folder;
    char path[128];

    open_packed(&packed, state);
    snprintf(path, sizeof path, "%s/r/.git/objects/pack", packed.box->folder);
    assert_int_equal(pack_folder_open(&folder, packed.cache, path, NULL, &e), 0);
    folder.scanned_at += 10000000000; /* the folder is older than what a file system's times tell */
    assert_int_equal(packs_in(&folder), 1);
    run(packed.box, "mv r away");
    assert_int_equal(packs_in(&folder), 0);
    run(packed.box, "mv away r");
    assert_int_equal(packs_in(&folder), 1);
    pack_folder_release(&folder);
    close_packed(&packed);
}

/* There were descriptors for the folder, and none for what is in it. */
static void test_a_pack_that_could_not_be_opened_once(void **state)
{
    struct error e = {0};
    struct packed packed;
    struct pack_folder folder;
    struct rlimit old;
    char path[128];

    open_packed(&packed, state);
    run(packed.box, "cd r/.git/objects; mkdir away; mv pack/* away");
    snprintf(path, sizeof path, "%s/r/.git/objects/pack", packed.box->folder);
    assert_int_equal(pack_folder_open(&folder, packed.cache, path, NULL, &e), 0);
    assert_int_equal(packs_in(&folder), 0);
    run(packed.box, "cd r/.git/objects; mv away/* pack");
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next + 1, old.rlim_max}), 0);
    int r = pack_folder_scan(&folder, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(r, -EMFILE);
    assert_int_equal(packs_in(&folder), 1);
    pack_folder_release(&folder);
    close_packed(&packed);
}

/* What one of them has damaged, the other has. */
static void test_an_object_of_two_packs(void **state)
{
    struct error e = {0};
    struct packed packed;
    struct pack_file *pack;
    char objects[128], base[300];

    open_packed(&packed, state);
    run(packed.box, "cd r; cp -a .git/objects/pack ../kept;"
                    "git rev-list --objects HEAD | cut -c 1-40 | git pack-objects -q ../kept/pack;"
                    "rm -f ../kept/*.rev; chmod u+w ../kept/*; rm -r .git/objects/pack; cp -a "
                    "../kept .git/objects/pack");
    snprintf(base, sizeof base, "%s/%s", packed.box->folder,
             output(packed.box, "ls kept/*.pack | grep -v %s | sed 's/[.]pack$//'",
                    strrchr(packed.base, '/') + 1));
    snprintf(objects, sizeof objects, "%s/r/.git/objects", packed.box->folder);
    assert_int_equal(pack_file_open(&pack, base, NULL, &e), 0);
    for (int damaged = 1; damaged <= 2; damaged++) {
        git_odb *odb;
        size_t right;

        run(packed.box,
            "cp kept/*.pack r/.git/objects/pack; cd kept; p=$(ls *.pack | sed -n %dp);"
            "(head -c 12 $p; head -c $(($(stat -c %%s $p) - 32)) /dev/zero; tail -c 20 $p) "
            ">../r/.git/objects/pack/$p",
            damaged);
        assert_int_equal(checked_odb_open(&odb, packed.cache, objects, &e), 0);
        read_all(odb, pack, &right);
        assert_int_equal(right, pack->index.count);
        git_odb_free(odb);
    }
    pack_file_put(pack);
    close_packed(&packed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha1),
        cmocka_unit_test(test_deltas_that_lie),
        cmocka_unit_test(test_a_delta_with_a_large_piece),
        cmocka_unit_test(test_what_is_inflated_has_the_size_that_is_told),
        cmocka_unit_test(test_trees_that_are_cut),
        cmocka_unit_test(test_descriptors_of_packs),
        cmocka_unit_test(test_an_object_that_does_not_fit),
        TEST(test_a_delta_to_itself_has_an_end),
        TEST(test_every_object_is_gits),
        TEST(test_other_ways_to_pack),
        TEST(test_loose_objects_that_are_cut),
        TEST(test_a_loose_object_that_is_as_small_as_can_be),
        TEST(test_a_loose_object_under_anothers_name),
        TEST(test_no_flipped_bit_of_an_index_passes),
        TEST(test_an_index_with_a_good_checksum_is_checked_all_the_same),
        TEST(test_no_flipped_byte_of_a_pack_gives_a_wrong_byte_or_size),
        TEST(test_the_sizes_of_a_folder_take_few_reads),
        TEST(test_packs_that_change_while_they_are_open),
        TEST(test_packs_of_a_folder_that_was_away),
        TEST(test_a_pack_that_could_not_be_opened_once),
        TEST(test_an_object_of_two_packs),
        TEST(test_the_base_that_was_used_longest_ago_goes),
        TEST(test_a_base_is_of_its_pack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
