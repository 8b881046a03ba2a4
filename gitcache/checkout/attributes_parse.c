/* attributes_parse.c - reads .gitattributes as gitattributes(5) says. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/checkout/attribute_rules.h"

/* git passes over longer lines too. */
#define MAX_LINE       ((size_t)2048)
#define MAX_ATTRIBUTES 200

#define BLANKS " \t\r\n"

/* Makes room for one more item, the room being the next power of two. */
static void *grow(void *items, size_t count, size_t size)
{
    if (count & (count - 1))
        return items;
    return reallocarray(items, count ? 2 * count : 1, size);
}

static bool name_is_valid(const char *name, size_t length)
{
    if (length == 0 || name[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i]))
            return false;
    return true;
}

/* The attribute's index in the table, or SIZE_MAX if it doesn't count. */
static size_t find_attribute(const struct attributes *attributes, const char *name, size_t length)
{
    for (size_t i = 0; i < attributes->count; i++)
        if (strlen(attributes->table[i].name) == length &&
            memcmp(attributes->table[i].name, name, length) == 0)
            return i;
    return SIZE_MAX;
}

static int add_attribute(struct attributes *attributes, const char *name)
{
    struct attribute *table;
    char *copy;

    if (!name_is_valid(name, strlen(name)) || attributes->count == MAX_ATTRIBUTES ||
        find_attribute(attributes, name, strlen(name)) != SIZE_MAX)
        return 0;
    table = grow(attributes->table, attributes->count, sizeof *table);
    if (!table)
        return -ENOMEM;
    attributes->table = table;
    copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    table[attributes->count++] = (struct attribute){.name = copy};
    return 0;
}

/* Parses one word of a rule: name, -name, !name or name=value. False for a word that makes git
 * pass over the line. */
static bool parse_word(const struct attributes *attributes, char *word, struct assignment *out)
{
    char *value = strchr(word, '=');
    size_t length;

    *out = (struct assignment){.state = SET};
    if (*word == '-' || *word == '!') {
        out->state = *word++ == '-' ? UNSET : UNSPECIFIED;
    } else if (value) {
        out->state = VALUE;
        out->value = value + 1;
    }
    length = strcspn(word, "=");
    out->attribute = find_attribute(attributes, word, length);
    return name_is_valid(word, length);
}

/* Parses all words of a line. 1, 0 to pass over the line, or -ENOMEM. */
static int parse_words(const struct attributes *attributes, char *text, struct assignment **out,
                       size_t *count)
{
    struct assignment assignment, *items = NULL, *grown;
    char *word;

    *count = 0;
    while ((word = strsep(&text, BLANKS))) {
        if (!*word)
            continue;
        if (!parse_word(attributes, word, &assignment)) {
            free(items);
            return 0;
        }
        if (assignment.attribute == SIZE_MAX)
            continue;
        grown = grow(items, *count, sizeof *items);
        if (!grown) {
            free(items);
            return -ENOMEM;
        }
        items = grown;
        items[(*count)++] = assignment;
    }
    *out = items;
    return 1;
}

static int octal_digit(char c)
{
    return c >= '0' && c <= '7' ? c - '0' : -1;
}

/* Takes the quotes off "a pattern", in place. The text behind it, or NULL if it is not quoted as
 * in C. */
static char *unquote(char *text)
{
    static const char letters[] = "abfnrtv\\\"", meanings[] = "\a\b\f\n\r\t\v\\\"";
    char *from = text + 1, *to = text;

    for (; *from != '"'; to++) {
        const char *letter;

        if (!*from)
            return NULL;
        if (*from != '\\') {
            *to = *from++;
        } else if (from[1] && (letter = strchr(letters, from[1]))) {
            *to = meanings[letter - letters];
            from += 2;
        } else {
            int value = 0;
            from++;
            for (int i = 0; i < 3; i++, from++) {
                if (octal_digit(*from) < 0)
                    return NULL;
                value = value * 8 + octal_digit(*from);
            }
            *to = (char)value;
        }
    }
    *to = '\0';
    return from + 1;
}

/* Cuts the pattern off the line; *rest then has the words. NULL for a line that says nothing. */
static char *take_pattern(char *line, char **rest)
{
    char *end, quoted[MAX_LINE];

    line += strspn(line, BLANKS);
    if (!*line || *line == '#')
        return NULL;
    memcpy(quoted, line, strlen(line) + 1);
    if (*line == '"' && (end = unquote(line))) {
        *rest = end;
        return line;
    }
    memcpy(line, quoted, strlen(quoted) + 1);
    end = line + strcspn(line, BLANKS);
    *rest = end + (*end != '\0');
    *end = '\0';
    return line;
}

#define MACRO_PREFIX        "[attr]"
#define MACRO_PREFIX_LENGTH (sizeof MACRO_PREFIX - 1)

static bool is_macro(const char *pattern)
{
    return strncmp(pattern, MACRO_PREFIX, MACRO_PREFIX_LENGTH) == 0 && pattern[MACRO_PREFIX_LENGTH];
}

static int add_rule(const struct attributes *attributes, struct attribute_file *file, char *pattern,
                    char *words)
{
    struct attribute_rule rule = {.is_basename = !strchr(pattern, '/')}, *rules;
    size_t length = strlen(pattern);
    int r;

    /* A pattern for folders fits no file; one with ! is not allowed here. */
    if (*pattern == '!' || length == 0 || pattern[length - 1] == '/')
        return 0;
    rule.pattern = pattern + (*pattern == '/');
    r = parse_words(attributes, words, &rule.assignments, &rule.count);
    if (r <= 0 || rule.count == 0)
        return r < 0 ? r : 0;
    rules = grow(file->rules, file->count, sizeof *rules);
    if (!rules) {
        free(rule.assignments);
        return -ENOMEM;
    }
    file->rules = rules;
    rules[file->count++] = rule;
    return 0;
}

/* Of several definitions the last counts. */
static int define_macro(struct attributes *attributes, const char *name, char *words)
{
    size_t at = find_attribute(attributes, name, strlen(name)), count;
    struct assignment *assignments;
    int r;

    if (at == SIZE_MAX)
        return 0;
    r = parse_words(attributes, words, &assignments, &count);
    if (r <= 0)
        return r;
    free(attributes->table[at].assignments);
    attributes->table[at].assignments = assignments;
    attributes->table[at].count = count;
    return 0;
}

/* The attributes that count, and what git has built in: [attr]binary -diff -merge -text. */
static int start_table(struct attributes *attributes)
{
    static const char *const names[] = {
        [TEXT] = "text",
        [CRLF] = "crlf",
        [EOL] = "eol",
        [IDENT] = "ident",
        [ENCODING] = "working-tree-encoding",
        [KNOWN_COUNT] = "binary",
    };
    char words[] = "-text";
    int r = 0;

    for (size_t i = 0; i <= KNOWN_COUNT && !r; i++)
        r = add_attribute(attributes, names[i]);
    return r ? r : define_macro(attributes, "binary", words);
}

/* Calls act for each line of the text that says something. Cuts the text up. */
static int each_line(char *text, size_t size,
                     int (*act)(struct attributes *attributes, struct attribute_file *file,
                                char *pattern, char *words),
                     struct attributes *attributes, struct attribute_file *file)
{
    char *end = text + size;
    int r = 0;

    while (!r && text < end) {
        char *line = text, *newline = memchr(line, '\n', (size_t)(end - line));
        char *pattern, *words;

        text = newline ? newline + 1 : end;
        if (newline)
            *newline = '\0';
        pattern = strlen(line) < MAX_LINE ? take_pattern(line, &words) : NULL;
        if (pattern)
            r = act(attributes, file, pattern, words);
    }
    return r;
}

static int name_macro(struct attributes *attributes, struct attribute_file *file, char *pattern,
                      char *words)
{
    (void)file;
    (void)words;
    return is_macro(pattern) ? add_attribute(attributes, pattern + MACRO_PREFIX_LENGTH) : 0;
}

static int take_line(struct attributes *attributes, struct attribute_file *file, char *pattern,
                     char *words)
{
    if (!is_macro(pattern))
        return add_rule(attributes, file, pattern, words);
    if (file->folder_length) /* only the root's file may define macros */
        return 0;
    return define_macro(attributes, pattern + MACRO_PREFIX_LENGTH, words);
}

/* A macro may be used above the line that defines it, so the names are collected first. */
static int collect_macros(struct attributes *attributes, const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    int r;

    if (!copy)
        return -ENOMEM;
    memcpy(copy, text, size);
    copy[size] = '\0';
    r = each_line(copy, size, name_macro, attributes, NULL);
    free(copy);
    return r;
}

int attributes_add(struct attributes *attributes, const char *folder, const char *text, size_t size)
{
    struct attribute_file *files, *file;
    int r = 0;

    if (!attributes->count)
        r = start_table(attributes);
    if (!r && !*folder)
        r = collect_macros(attributes, text, size);
    if (r)
        return r;
    files = grow(attributes->files, attributes->file_count, sizeof *files);
    if (!files)
        return -ENOMEM;
    attributes->files = files;
    file = &files[attributes->file_count];
    *file = (struct attribute_file){.folder_length = strlen(folder), .text = malloc(size + 1)};
    if (!file->text)
        return -ENOMEM;
    attributes->file_count++;
    memcpy(file->text, text, size);
    file->text[size] = '\0';
    return each_line(file->text, size, take_line, attributes, file);
}

void attributes_release(struct attributes *attributes)
{
    for (size_t i = 0; i < attributes->file_count; i++) {
        struct attribute_file *file = &attributes->files[i];

        for (size_t j = 0; j < file->count; j++)
            free(file->rules[j].assignments);
        free(file->rules);
        free(file->text);
    }
    for (size_t i = 0; i < attributes->count; i++) {
        free(attributes->table[i].assignments);
        free(attributes->table[i].name);
    }
    free(attributes->files);
    free(attributes->table);
    *attributes = (struct attributes){.files = NULL};
}
