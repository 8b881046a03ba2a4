/* .gitattributes and their patterns: random ones beside `git check-attr`, and ones that shall hurt. */
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "gitcache/checkout/attributes.h"
#include "tests/unit/sandbox.h"

#define ROUNDS 25
#define PATHS  400

static uint64_t seed;

static unsigned chance(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static const char *one_of(const char *const *items, unsigned count)
{
    return items[chance(count)];
}

#define ONE_OF(items) one_of(items, sizeof(items) / sizeof *(items))

static void random_pattern(char *out)
{
    static const char *const pieces[] = {
        "a",      "b",     "c",    "ab",        "/",           "/",
        "*",      "*",     "**",   "**/",       "/**",         "?",
        "\\",     "[ab]",  "[!a]", "[^b",       "[a-c]",       "[]a]",
        "[a-]",   "[c-a]", ".",    "*.c",       "!",           "#",
        "[",      "]",     "-",    "[[:alpha:", "[[:alpha:]]", "[[:no:]]",
        "\\*",    "\\/",   "[/]",  "**\\/",     "a/**/b",      "[[:digit:]b]",
        "[\\]a]", "***",   "[a",   "\\[",       "a**",         "**b",
    };
    unsigned count = 1 + chance(6);

    *out = '\0';
    while (count-- > 0)
        strcat(out, ONE_OF(pieces));
}

static void random_path(char *out)
{
    static const char *const parts[] = {"a",  "b",  "c",   "ab", "a.c", "bc", "-",  "#",   "!a",
                                        "aa", "*a", "[a]", "]",  "\\",  "a]", "ba", "abc", "1"};
    unsigned depth = 1 + chance(5);

    *out = '\0';
    while (depth-- > 0) {
        strcat(out, ONE_OF(parts));
        strcat(out, depth ? "/" : "");
    }
}

/* Some lines; each says which it is. */
static void random_lines(char *out, unsigned file)
{
    static const char *const others[] = {"ident",
                                         "-ident",
                                         "!ident",
                                         "ident=x",
                                         "mac",
                                         "-mac",
                                         "!working-tree-encoding",
                                         "bad=",
                                         "-",
                                         "two !ident",
                                         "+bad ident",
                                         "--bad !ident",
                                         "a_b.c-d ident"};
    unsigned count = chance(30);

    *out = '\0';
    if (chance(2))
        strcat(out, "[attr]mac ident working-tree-encoding=mac\n[attr]two mac -ident\n");
    for (unsigned i = 0; i < count; i++) {
        char pattern[200], says[80] = "";
        const char *quote = chance(8) ? "" : "\"", *other = chance(3) ? "" : ONE_OF(others);

        random_pattern(pattern);
        if (chance(4))
            snprintf(says, sizeof says, " working-tree-encoding=e%u.%u", file, i);
        out += strlen(out);
        snprintf(out, 400, "%s%s%s%s%s%s%s", quote, pattern, quote, says, *other ? "\t" : "", other,
                 chance(20) ? "\n" : " \r\n");
    }
}

static void write_file(const struct sandbox *box, const char *name, const char *bytes, size_t size)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", box->folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static char *read_file(const struct sandbox *box, const char *name, size_t *size)
{
    char path[200], *bytes = malloc(4 << 20);
    FILE *file;

    assert_non_null(bytes);
    snprintf(path, sizeof path, "%s/%s", box->folder, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    *size = fread(bytes, 1, 4 << 20, file);
    fclose(file);
    return bytes;
}

static const char *const folders[] = {"", "a", "a/b", "b"};
#define FOLDERS (sizeof folders / sizeof *folders)

/* Each folder's attributes, those above included. */
static void parse_all(char texts[FOLDERS][20000], struct attributes *out[FOLDERS])
{
    for (size_t i = 0; i < FOLDERS; i++) {
        struct budget budget = {.watch = NULL};
        struct error e = {0};

        if (attributes_new(&out[i], i == 0 ? NULL : out[i == 2 ? 1 : 0], folders[i], texts[i],
                           strlen(texts[i]), &budget, &e))
            fail_msg("%s", e.text);
    }
}

static const struct attributes *attributes_of(struct attributes *const all[FOLDERS],
                                              const char *path)
{
    if (strncmp(path, "a/b/", 4) == 0)
        return all[2];
    if (strncmp(path, "a/", 2) == 0)
        return all[1];
    return strncmp(path, "b/", 2) == 0 ? all[3] : all[0];
}

static void compare_path(struct attributes *const all[FOLDERS], const char *path, const char *ident,
                         const char *encoding)
{
    const struct attributes *attributes = attributes_of(all, path);
    struct attribute_values *values = attributes_values_new(attributes);
    struct budget budget = {.watch = NULL};
    struct conversion found;
    bool none =
        !strcmp(encoding, "set") || !strcmp(encoding, "unset") || !strcmp(encoding, "unspecified");

    assert_non_null(values);
    assert_int_equal(attributes_conversion(attributes, values, path, &budget, &found), 0);
    if (found.ident != (strcmp(ident, "set") == 0) || (found.encoding == NULL) != none ||
        (!none && strcmp(found.encoding, encoding) != 0))
        fail_msg("%s: ident %d, encoding %s; for git ident %s, encoding %s", path, found.ident,
                 found.encoding ? found.encoding : "none", ident, encoding);
    attributes_values_free(values);
}

static void compare_round(const struct sandbox *box)
{
    static char texts[FOLDERS][20000], paths[PATHS * 64];
    struct attributes *all[FOLDERS];
    char *answers, files[FOLDERS * 100] = "";
    size_t length = 0, size;

    run(box, "rm -rf git; git init -q git");
    for (unsigned i = 0; i < FOLDERS; i++) {
        char name[16];
        random_lines(texts[i], i);
        snprintf(name, sizeof name, "lines%u", i);
        write_file(box, name, texts[i], strlen(texts[i]));
        strcat(strcat(strcat(files, folders[i]), *folders[i] ? "/" : ""), ".gitattributes\n");
    }
    write_file(box, "files", files, strlen(files));
    run(box,
        "cd git; git hash-object -w ../lines? | paste - ../files | sed 's/^/100644 /' | "
        "git update-index --index-info; test $(git ls-files | wc -l) = %zu",
        FOLDERS);
    for (unsigned i = 0; i < PATHS; i++) {
        random_path(paths + length);
        length += strlen(paths + length) + 1;
    }
    write_file(box, "paths", paths, length);
    run(box, "cd git; git check-attr --cached -z --stdin ident working-tree-encoding <../paths "
             ">../answers 2>../warnings");
    parse_all(texts, all);
    answers = read_file(box, "answers", &size);
    for (char *at = answers; at < answers + size;) {
        char *field[6]; /* path, "ident", value, path, "working-tree-encoding", value */

        for (size_t i = 0; i < 6; i++, at += strlen(at) + 1)
            field[i] = at;
        compare_path(all, field[0], field[2], field[5]);
    }
    free(answers);
    for (size_t i = 0; i < FOLDERS; i++)
        attributes_put(all[i]);
}

static void test_random_ones_as_git(void **state)
{
    const char *wanted = getenv("UNIT_SEED");
    uint64_t first = wanted ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL);

    for (unsigned i = 0; i < ROUNDS; i++) {
        seed = first + i;
        print_message("    UNIT_SEED=%llu\n", (unsigned long long)seed);
        compare_round(*state);
    }
}

static double cpu_seconds(int who)
{
    struct rusage usage;

    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* What all paths take, in seconds of CPU, parsing included. */
static double take_all(const char *text, size_t size, const char *paths, size_t paths_size)
{
    double begun = cpu_seconds(RUSAGE_SELF);
    struct budget budget = {.watch = NULL};
    struct attribute_values *values;
    struct attributes *attributes;
    struct error e = {0};

    if (attributes_new(&attributes, NULL, "", text, size, &budget, &e))
        fail_msg("%s", e.text);
    values = attributes_values_new(attributes);
    assert_non_null(values);
    for (const char *path = paths; path < paths + paths_size; path += strlen(path) + 1) {
        struct conversion conversion;
        assert_int_equal(attributes_conversion(attributes, values, path, &budget, &conversion), 0);
    }
    attributes_values_free(values);
    attributes_put(attributes);
    return cpu_seconds(RUSAGE_SELF) - begun;
}

static double git_takes(const struct sandbox *box, const char *text, size_t size, const char *paths,
                        size_t paths_size)
{
    double begun = cpu_seconds(RUSAGE_CHILDREN);

    run(box, "rm -rf git; git init -q git");
    write_file(box, "git/.gitattributes", text, size);
    write_file(box, "paths", paths, paths_size);
    run(box,
        "cd git; git check-attr -z --stdin eol text crlf ident working-tree-encoding <../paths "
        ">../answers 2>../warnings");
    return cpu_seconds(RUSAGE_CHILDREN) - begun;
}

/* Paths with a number between two texts. */
static size_t name_paths(char *out, const char *before, const char *behind, unsigned count)
{
    size_t length = 0;

    for (unsigned i = 0; i < count; i++)
        length += (size_t)sprintf(out + length, "%s%u%s", before, i, behind) + 1;
    return length;
}

static void test_many_lines(void **state)
{
    /* A tenth of the lines that took 252 s of CPU with 1,000 files, where git takes 25. */
    static const char *const kinds[][2] = {{"*a", "*b*c*d text eol=crlf"},
                                           {"file", " text"},
                                           {"*.x", " eol=crlf"},
                                           {"/d/*f", "* ident"}};
    char *text = malloc(1 << 20), *paths = malloc(1 << 20);
    size_t size = 0, paths_size;
    double ours, gits;

    assert_non_null(text);
    assert_non_null(paths);
    for (unsigned i = 0; i < 6500; i++)
        size += (size_t)sprintf(text + size, "%s%u%s\n", kinds[i % 4][0], i, kinds[i % 4][1]);
    paths_size = name_paths(paths, "d/abcabcabcabcabc", "-abcabcabcabcabcabcabc.c", 1000);
    ours = take_all(text, size, paths, paths_size);
    gits = git_takes(*state, text, size, paths, paths_size);
    print_message("    figures: ours %.2f s, git's %.2f s\n", ours, gits);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* git is built without them */
    assert_true(ours < gits);
#endif
    free(text);
    free(paths);
}

static void test_many_stars(void **state)
{
    char *text = malloc(4 << 20), paths[30000], line[2048] = "";
    size_t size = 0, paths_size;
    double ours;

    (void)state;
    assert_non_null(text);
    for (unsigned i = 0; i < 670; i++)
        strcat(line, "**/");
    for (unsigned i = 0; i < 500; i++)
        size += (size_t)sprintf(text + size, "%sx%u ident\n", line, i);
    paths_size = name_paths(paths, "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/", "", 500);
    ours = take_all(text, size, paths, paths_size);
    print_message("    figures: %.3f s\n", ours);
    assert_true(ours < 5); /* each took seconds */
    size = 0;
    strcpy(line, "*a");
    for (unsigned i = 0; i < 300; i++)
        strcat(line, "**/*a?"); /* nothing folds these */
    for (unsigned i = 0; i < 500; i++)
        size += (size_t)sprintf(text + size, "%s ident\n", line);
    paths_size = name_paths(paths, "aa/aa/aaaaaaaa/aa/aaaaaaaaaaaaaaa/aaaa/aaa/aaa/aaab", "", 300);
    ours = take_all(text, size, paths, paths_size);
    print_message("    figures: %.3f s\n", ours);
    assert_true(ours < 5);
    free(text);
}

struct looks {
    unsigned count, end;
};

static bool look(void *data)
{
    struct looks *looks = data;

    return ++looks->count >= looks->end;
}

static void test_it_ends_when_told(void **state)
{
    struct looks looks = {.end = 3};
    struct watch watch = {.cancelled = look, .data = &looks};
    struct budget budget = {.watch = &watch};
    char *text = malloc(4 << 20), *path = malloc(100001);
    struct attribute_values *values;
    struct attributes *attributes;
    struct conversion conversion;
    struct error e = {0};
    size_t size = 0;

    (void)state;
    assert_non_null(text);
    assert_non_null(path);
    for (unsigned i = 0; i < 100000; i++)
        size += (size_t)sprintf(text + size, "*a%u text eol=crlf\n", i);
    assert_int_equal(attributes_new(&attributes, NULL, "", text, size, &budget, &e), -ECANCELED);
    assert_int_equal(looks.count, 3);

    /* One pattern and one long path are enough to look up in between. */
    memset(text, 'a', 1000);
    memcpy(text, "*a", 2);
    strcpy(text + 1000, "[c]*/d eol=crlf\n");
    memset(path, 'a', 100000);
    path[100000] = '\0';
    memcpy(path + 99996, "b/d", 4);
    looks = (struct looks){.end = 1000000};
    budget = (struct budget){.watch = &watch};
    assert_int_equal(attributes_new(&attributes, NULL, "", text, strlen(text), &budget, &e), 0);
    values = attributes_values_new(attributes);
    assert_non_null(values);
    assert_int_equal(attributes_conversion(attributes, values, path, &budget, &conversion), 0);
    assert_int_equal(conversion.eol, EOL_AS_IS);
    assert_true(looks.count > 50);
    looks = (struct looks){.end = 3};
    assert_int_equal(attributes_conversion(attributes, values, path, &budget, &conversion),
                     -ECANCELED);
    assert_int_equal(looks.count, 3);
    attributes_values_free(values);
    attributes_put(attributes);
    free(text);
    free(path);
}

/* Patterns that fit nothing, each within less time than is looked up after. */
static void test_what_does_not_fit_takes_time_too(void **state)
{
    struct looks looks = {.end = 1000000};
    struct watch watch = {.cancelled = look, .data = &looks};
    struct budget budget = {.watch = &watch};
    char text[20000] = "", path[5001], letters[101];
    struct attributes *attributes;
    struct conversion conversion;
    struct error e = {0};
    size_t size = 0;

    (void)state;
    memset(letters, 'a', 100);
    letters[100] = '\0';
    for (unsigned i = 0; i < 100; i++)
        size += (size_t)sprintf(text + size, "*%s[c]*/d eol=crlf\n", letters);
    memset(path, 'a', 5000);
    memcpy(path + 4997, "b/d", 4);
    assert_int_equal(attributes_new(&attributes, NULL, "", text, size, &budget, &e), 0);
    struct attribute_values *values = attributes_values_new(attributes);
    assert_non_null(values);
    assert_int_equal(attributes_conversion(attributes, values, path, &budget, &conversion), 0);
    assert_int_equal(conversion.eol, EOL_AS_IS);
    assert_in_range(looks.count, 20, 100);
    attributes_values_free(values);
    attributes_put(attributes);
}

static void test_bounds(void **state)
{
    struct budget budget = {.watch = NULL};
    size_t size = 0, room = 16 << 20;
    char *text = malloc(room);
    struct attributes *attributes;
    struct error e = {0};

    (void)state;
    assert_non_null(text);
    for (unsigned i = 0; i < 2001; i++)
        size += (size_t)sprintf(text + size, "[attr]m%u ident\n", i);
    assert_int_equal(attributes_new(&attributes, NULL, "", text, size, &budget, &e), -EFBIG);
    assert_non_null(strstr(e.text, "macros"));
    for (size = 0; size + 7 <= room; size += 7)
        memcpy(text + size, "a text\n", 7);
    assert_int_equal(attributes_new(&attributes, NULL, "", text, size, &budget, &e), -EFBIG);
    assert_non_null(strstr(e.text, "memory"));
    free(text);
}

/* What happens to a file of the top folder. */
static struct conversion conversion_by(const char *lines, const char *path)
{
    struct budget budget = {.watch = NULL};
    struct attributes *attributes;
    struct conversion found;
    struct error e = {0};

    assert_int_equal(attributes_new(&attributes, NULL, "", lines, strlen(lines), &budget, &e), 0);
    struct attribute_values *values = attributes_values_new(attributes);
    assert_non_null(values);
    assert_int_equal(attributes_conversion(attributes, values, path, &budget, &found), 0);
    attributes_values_free(values);
    attributes_put(attributes);
    return found;
}

/* gitattributes(5) */
static void test_what_a_line_says(void **state)
{
    char line[2100];

    (void)state;
    /* Unset, a file is no text; unspecified, eol= says that it is. */
    assert_int_equal(conversion_by("x -text eol=crlf", "x").eol, conversion_by("", "x").eol);
    assert_int_equal(conversion_by("x !text eol=crlf", "x").eol,
                     conversion_by("x eol=crlf", "x").eol);
    assert_int_not_equal(conversion_by("x eol=crlf", "x").eol, conversion_by("", "x").eol);
    assert_true(conversion_by(" \tx ident", "x").ident);
    assert_false(conversion_by("#x ident", "#x").ident);
    assert_false(conversion_by(" #x ident", "#x").ident);
    assert_true(conversion_by("\"#x\" ident", "#x").ident);
    /* git passes over a line with a name that can be none. */
    assert_true(conversion_by("x ident y -z", "x").ident);
    assert_false(conversion_by("x ident --y", "x").ident);
    assert_false(conversion_by("x ident a*", "x").ident);
    assert_false(conversion_by("x ident -", "x").ident);
    /* git passes over a line of 2048 bytes. */
    memset(line, ' ', sizeof line);
    line[0] = 'x';
    strcpy(line + 2047 - strlen("ident"), "ident");
    assert_int_equal(strlen(line), 2047);
    assert_true(conversion_by(line, "x").ident);
    strcat(line, " ");
    assert_false(conversion_by(line, "x").ident);
}

static void test_how_lines_end(void **state)
{
    static const struct {
        const char *says;
        enum conversion_eol eol;
        bool in_one_piece;
    } rows[] = {
        {"text", EOL_AS_IS, false},
        {"eol=lf", EOL_AS_IS, false},
        {"eol=crlf", EOL_CRLF, false},
        {"eol=CRLF", EOL_AS_IS, false},
        {"text eol=crlf", EOL_CRLF, false},
        {"text=input eol=crlf", EOL_CRLF, false},
        {"text=auto", EOL_AS_IS, true},
        {"text=auto eol=lf", EOL_AS_IS, false},
        {"text=auto eol=crlf", EOL_CRLF_AUTO, true},
        {"-text eol=crlf", EOL_AS_IS, false},
        {"binary eol=crlf", EOL_AS_IS, false},
        /* `crlf` is the old name: it counts where `text` says nothing that git knows. */
        {"-crlf eol=crlf", EOL_AS_IS, false},
        {"crlf=auto eol=crlf", EOL_CRLF_AUTO, true},
        {"text -crlf eol=crlf", EOL_CRLF, false},
        {"text=auto -crlf eol=crlf", EOL_CRLF_AUTO, true},
        {"text=input -crlf eol=crlf", EOL_CRLF, false},
        {"text=bogus -crlf eol=crlf", EOL_AS_IS, false},
        {"text=bogus eol=crlf", EOL_CRLF, false},
        {"-text crlf=auto eol=crlf", EOL_AS_IS, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[100];

        snprintf(line, sizeof line, "* %s\n", rows[i].says);
        struct conversion found = conversion_by(line, "x");
        if (found.eol != rows[i].eol || found.in_one_piece != rows[i].in_one_piece)
            fail_msg("%s: %d, %d", rows[i].says, found.eol, found.in_one_piece);
    }
}

static void test_encodings_that_are_none(void **state)
{
    static const char *const none[] = {"=utf-8", "=UTF8", "=utf8", "=", ""};

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char line[100];

        snprintf(line, sizeof line, "* working-tree-encoding%s\n", none[i]);
        struct conversion found = conversion_by(line, "x");
        assert_null(found.encoding);
        assert_false(found.in_one_piece);
    }
    assert_true(conversion_by("* working-tree-encoding=UTF-16\n", "x").in_one_piece);
}

/* Names for several attributes at once. */
static void test_macros(void **state)
{
    static const struct {
        const char *lines;
        bool ident;
        enum conversion_eol eol;
    } rows[] = {
        {"[attr]m ident\n* m\n", true, EOL_AS_IS},
        {"* m\n[attr]m ident\n", true, EOL_AS_IS},
        {"* m\n", false, EOL_AS_IS},
        {"[attr]m ident\n* -m\n", false, EOL_AS_IS},
        {"[attr]m ident\n* !m\n", false, EOL_AS_IS},
        {"[attr]m ident\n* m=1\n", false, EOL_AS_IS},
        /* The last definition counts, and what stands behind it is read, too. */
        {"[attr]m ident\n[attr]m eol=crlf\n* m\n", false, EOL_CRLF},
        {"[attr]m ident\n[attr]m a*b\n[attr]n eol=crlf\n* m n\n", true, EOL_CRLF},
        {"[attr]m ident\n[attr]-m eol=crlf\n[attr]n eol=crlf\n* m n\n", true, EOL_CRLF},
        {"[attr]binary eol=crlf\n[attr]n ident\n* binary n\n", true, EOL_CRLF},
        {"[attr]a b ident\n[attr]b eol=crlf a\n* a\n", true, EOL_CRLF},
        {"\"[attr]a b\" eol=crlf\n* a\n", false, EOL_CRLF},
        /* What a line says itself counts more than what a macro of it says, if it stands behind it. */
        {"[attr]m ident\n* m -ident\n", false, EOL_AS_IS},
        {"[attr]m ident\n* -ident m\n", true, EOL_AS_IS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conversion found = conversion_by(rows[i].lines, "x");
        if (found.ident != rows[i].ident || found.eol != rows[i].eol)
            fail_msg("%s: %d, %d", rows[i].lines, found.ident, found.eol);
    }
}

/* As in C. */
static void test_quoted_patterns(void **state)
{
    static const struct {
        const char *line, *path;
        bool fits;
    } rows[] = {
        {"\"a b\" ident", "a b", true},
        {"\"a\\tb\" ident", "a\tb", true},
        {"\"a\\\"b\"\tident", "a\"b", true},
        {"\"a\\101\" ident", "aA", true},
        {"\"a\\303\\251\" ident", "a\303\251", true},
        {"\"a\\10\" ident", "a\b", false},
        {"\"a\\8\" ident", "a8", false},
        {"\"a\\193\" ident", "a\213", false},
        {"\"a ident", "a", false},
        {"\"a ident", "\"a", true},
        {"\"a\\q\" ident", "aq", false},
        {"\"a\"ident", "a", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (conversion_by(rows[i].line, rows[i].path).ident != rows[i].fits)
            fail_msg("%s", rows[i].line);
}

/* What a folder's entry keeps of a conversion is all of it, but for the name of an encoding. */
static void test_packed(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * 2 * 2 * 2; i++) {
        const struct conversion given = {.eol = (enum conversion_eol)(i % 3),
                                         .ident = i / 3 % 2,
                                         .in_one_piece = i / 6 % 2,
                                         .encoding = i / 12 ? "UTF-16" : NULL};
        uint8_t packed = conversion_pack(&given);
        struct conversion again;

        assert_in_range(packed, 0, (1 << CONVERSION_BITS) - 1);
        assert_int_equal(packed == 0, given.eol == EOL_AS_IS && !given.ident && !given.encoding);
        assert_int_equal(conversion_is_cheap(packed), !given.ident && !given.encoding);
        assert_int_equal(conversion_unpack(&again, packed), !given.encoding);
        assert_int_equal(again.eol, given.eol);
        assert_int_equal(again.ident, given.ident);
        if (given.ident) /* which alone it makes a difference for */
            assert_int_equal(again.in_one_piece, given.in_one_piece);
        assert_null(again.encoding);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_ones_as_git),
        TEST(test_many_lines),
        TEST(test_many_stars),
        TEST(test_it_ends_when_told),
        TEST(test_what_does_not_fit_takes_time_too),
        TEST(test_bounds),
        TEST(test_what_a_line_says),
        TEST(test_how_lines_end),
        TEST(test_encodings_that_are_none),
        TEST(test_macros),
        TEST(test_quoted_patterns),
        TEST(test_packed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
