#include "gitcache/checkout/attribute_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/hash.h"
#include "gitcache/checkout/attributes.h"

#define BLANKS " \t\r\n"

/* Makes room for `more` items behind `count` of `size` bytes each. NULL, and nothing changed, if
 * there is no memory. */
static void *grow(void *items, size_t count, size_t more, size_t size, size_t *room)
{
    size_t wanted = *room ? *room : 8;

    if (count + more <= *room)
        return items;
    while (wanted < count + more)
        wanted *= 2;
    items = reallocarray(items, wanted, size);
    if (items)
        *room = wanted;
    return items;
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

/* The attribute's slot: of that name, or free. */
static uint16_t *find_slot(struct attribute_table *table, const char *name, size_t length)
{
    size_t at = hash_bytes(HASH_BEGIN, name, length) % ATTRIBUTE_SLOTS;

    for (;; at = (at + 1) % ATTRIBUTE_SLOTS) {
        uint16_t *slot = &table->slots[at];
        const char *found = *slot ? table->attributes[*slot - 1].name : NULL;

        if (!found || (strncmp(found, name, length) == 0 && !found[length]))
            return slot;
    }
}

static int add_attribute(struct attribute_table *table, const char *name, struct error *e)
{
    struct attribute *attributes;
    uint16_t *slot;

    if (!name_is_valid(name, strlen(name)))
        return 0;
    slot = find_slot(table, name, strlen(name));
    if (*slot)
        return 0;
    if (table->count == KNOWN_COUNT + ATTRIBUTE_MACROS_MAX)
        return error_set(e, EFBIG, "the .gitattributes define more than %d macros",
                         ATTRIBUTE_MACROS_MAX);
    attributes = grow(table->attributes, table->count, 1, sizeof *attributes, &table->room);
    if (!attributes)
        return error_no_memory(e);
    table->attributes = attributes;
    attributes[table->count] = (struct attribute){.name = strdup(name)};
    if (!attributes[table->count].name)
        return error_no_memory(e);
    *slot = (uint16_t)++table->count;
    return 0;
}

/* A line of the text, which cuts it up; and where what it says goes. */
struct line {
    struct attribute_table *table;
    struct assignment_list *says;
    struct budget *budget;
    struct error *error;
    char *pattern, *words;
};

static int add_text(struct assignment_list *list, const char *text, uint32_t *at)
{
    size_t size = strlen(text) + 1;
    char *texts = grow(list->texts, list->texts_size, size, 1, &list->texts_room);

    if (!texts)
        return -ENOMEM;
    list->texts = texts;
    *at = (uint32_t)list->texts_size;
    memcpy(texts + *at, text, size);
    list->texts_size += size;
    return 0;
}

static int add_assignment(struct assignment_list *list, size_t attribute,
                          enum attribute_state state, const char *value)
{
    struct assignment *items = grow(list->items, list->count, 1, sizeof *items, &list->room);
    struct assignment *item;

    if (!items)
        return -ENOMEM;
    list->items = items;
    item = &items[list->count];
    *item = (struct assignment){.attribute = (uint16_t)attribute, .state = (uint8_t)state};
    /* What a macro is set to makes no difference. */
    if (state == VALUE && add_text(list, attribute < KNOWN_COUNT ? value : "", &item->value))
        return -ENOMEM;
    list->count++;
    return 0;
}

/* Parses one word: name, -name, !name or name=value. 1, 0 for a word that makes git pass over the
 * line, or -ENOMEM. */
static int parse_word(const struct line *line, char *word)
{
    enum attribute_state state = SET;
    char *value = strchr(word, '=');
    uint16_t slot;
    size_t length;

    if (*word == '-' || *word == '!')
        state = *word++ == '-' ? UNSET : UNSPECIFIED;
    else if (value)
        state = VALUE;
    length = strcspn(word, "=");
    if (!name_is_valid(word, length))
        return 0;
    slot = *find_slot(line->table, word, length);
    if (slot && add_assignment(line->says, slot - 1u, state, value ? value + 1 : NULL))
        return error_no_memory(line->error);
    return 1;
}

/* Parses all words of a line, to *out. 1, 0 to pass over the line, or a negative errno. */
static int parse_words(const struct line *line, struct assignment_range *out)
{
    struct assignment_list *says = line->says;
    size_t count = says->count, texts_size = says->texts_size;
    char *words = line->words, *word;
    int r = 1;

    while (r > 0 && (word = strsep(&words, BLANKS)))
        if (*word)
            r = parse_word(line, word);
    if (r <= 0) {
        says->count = count;
        says->texts_size = texts_size;
    }
    *out = (struct assignment_range){(uint32_t)count, (uint32_t)(says->count - count)};
    return r;
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

/* Cuts the pattern off the text; the words are behind it. False for a line that says nothing. */
static bool take_pattern(struct line *line, char *text)
{
    char *end, quoted[ATTRIBUTES_MAX_LINE];

    text += strspn(text, BLANKS);
    if (!*text || *text == '#')
        return false;
    line->pattern = text;
    memcpy(quoted, text, strlen(text) + 1);
    if (*text == '"' && (end = unquote(text))) {
        line->words = end;
        return true;
    }
    memcpy(text, quoted, strlen(quoted) + 1);
    end = text + strcspn(text, BLANKS);
    line->words = end + (*end != '\0');
    *end = '\0';
    return true;
}

#define MACRO_PREFIX        "[attr]"
#define MACRO_PREFIX_LENGTH (sizeof MACRO_PREFIX - 1)

/* The macro that a line defines, or NULL. */
static char *macro_name(const struct line *line)
{
    char *name = line->pattern + MACRO_PREFIX_LENGTH;

    if (strncmp(line->pattern, MACRO_PREFIX, MACRO_PREFIX_LENGTH) != 0 || !*name)
        return NULL;
    name += strspn(name, BLANKS);
    name[strcspn(name, BLANKS)] = '\0';
    return name;
}

/* Calls act for each line that says something; a NUL ends the text, as it does for git. */
static int each_line(const char *text, size_t size, int (*act)(struct line *line, void *data),
                     struct line *line, void *data)
{
    const char *end = text + strnlen(text, size);
    char copy[ATTRIBUTES_MAX_LINE];
    int r = 0;

    while (!r && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((newline ? newline : end) - text);

        if (length < sizeof copy) {
            memcpy(copy, text, length);
            copy[length] = '\0';
            if (take_pattern(line, copy))
                r = act(line, data);
        }
        text += length + (newline != NULL);
        if (!r && budget_spend(line->budget, 20 * (length + 1)))
            r = error_set(line->error, ECANCELED, "reading .gitattributes was cancelled");
    }
    return r;
}

static int name_macro(struct line *line, void *data)
{
    const char *name = macro_name(line);

    (void)data;
    return name ? add_attribute(line->table, name, line->error) : 0;
}

static size_t list_memory(const struct assignment_list *list)
{
    return list->room * sizeof *list->items + list->texts_room;
}

static int too_large(const struct line *line)
{
    return error_set(line->error, EFBIG, "a .gitattributes needs more than %zu MiB of memory",
                     ATTRIBUTE_MEMORY_MAX >> 20);
}

/* Of several definitions the last counts. */
static int define_macro(struct line *line, void *data)
{
    const char *name = macro_name(line);
    struct assignment_range range;
    uint16_t slot;
    int r;

    (void)data;
    slot =
        name && name_is_valid(name, strlen(name)) ? *find_slot(line->table, name, strlen(name)) : 0;
    if (!slot)
        return 0;
    r = parse_words(line, &range);
    if (r > 0)
        line->table->attributes[slot - 1].macro = range;
    if (r >= 0 && list_memory(line->says) > ATTRIBUTE_MEMORY_MAX)
        return too_large(line);
    return r < 0 ? r : 0;
}

/* The attributes that count, and what git has built in: [attr]binary -diff -merge -text. */
struct attribute_table *attribute_table_new(void)
{
    static const char builtin[] = "[attr]binary -text\n";
    static const char *const names[KNOWN_COUNT] = {
        [TEXT] = "text",
        [CRLF] = "crlf",
        [EOL] = "eol",
        [IDENT] = "ident",
        [ENCODING] = "working-tree-encoding",
    };
    struct attribute_table *table = calloc(1, sizeof *table);
    struct budget budget = {.watch = NULL};
    int r = table ? 0 : -ENOMEM;

    for (size_t i = 0; i < KNOWN_COUNT && !r; i++)
        r = add_attribute(table, names[i], NULL);
    if (!r)
        r = attribute_table_read(table, builtin, sizeof builtin - 1, &budget, NULL);
    if (!r)
        return table;
    attribute_table_free(table);
    return NULL;
}

static void release_list(struct assignment_list *list)
{
    free(list->items);
    free(list->texts);
}

void attribute_table_free(struct attribute_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->attributes[i].name);
    free(table->attributes);
    release_list(&table->macros);
    free(table);
}

/* A macro may be used above the line that defines it, so the names are collected first. */
int attribute_table_read(struct attribute_table *table, const char *text, size_t size,
                         struct budget *budget, struct error *e)
{
    struct line line = {.table = table, .says = &table->macros, .budget = budget, .error = e};
    int r = each_line(text, size, name_macro, &line, NULL);

    return r ? r : each_line(text, size, define_macro, &line, NULL);
}

/* The pattern's code goes into the file's. 1, 0 for a pattern that fits nothing, or -ENOMEM. */
static int compile(struct attribute_file *file, const char *pattern, struct attribute_rule *rule)
{
    unsigned char *codes =
        grow(file->codes, file->codes_size, WILDMATCH_ROOM(strlen(pattern)), 1, &file->codes_room);

    if (!codes)
        return -ENOMEM;
    file->codes = codes;
    rule->code = (uint32_t)file->codes_size;
    if (!wildmatch_compile(&rule->pattern, pattern, codes + file->codes_size))
        return 0;
    file->codes_size += rule->pattern.length;
    return 1;
}

static int add_rule(struct line *line, void *data)
{
    const char *pattern = line->pattern;
    size_t length = strlen(pattern);
    struct attribute_file *file = data;
    struct attribute_rule rule = {.is_basename = !strchr(pattern, '/')}, *rules;
    int r;

    /* A pattern for folders fits no file; one with ! is not allowed here; macros come elsewhere. */
    if (*pattern == '!' || length == 0 || pattern[length - 1] == '/' || macro_name(line))
        return 0;
    r = parse_words(line, &rule.says);
    if (r <= 0 || rule.says.count == 0)
        return r < 0 ? r : 0;
    rules = grow(file->rules, file->count, 1, sizeof *rules, &file->room);
    if (rules)
        file->rules = rules;
    r = rules ? compile(file, pattern + (*pattern == '/'), &rule) : -ENOMEM;
    if (r > 0)
        rules[file->count++] = rule;
    if (r < 0)
        return error_no_memory(line->error);
    return attribute_file_memory(file) > ATTRIBUTE_MEMORY_MAX ? too_large(line) : 0;
}

int attribute_file_read(struct attribute_file *file, const struct attribute_table *table,
                        const char *text, size_t size, struct budget *budget, struct error *e)
{
    struct line line = {
        .table = (struct attribute_table *)table, /* only looked up */
        .says = &file->says,
        .budget = budget,
        .error = e,
    };

    return each_line(text, size, add_rule, &line, file);
}

void attribute_file_release(struct attribute_file *file)
{
    free(file->rules);
    free(file->codes);
    release_list(&file->says);
}

size_t attribute_file_memory(const struct attribute_file *file)
{
    return file->room * sizeof *file->rules + file->codes_room + list_memory(&file->says);
}
