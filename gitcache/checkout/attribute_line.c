#include "gitcache/checkout/attribute_line.h"

#include <errno.h>
#include <string.h>

#define BLANKS " \t\r\n"

/* Parses one word: name, -name, !name or name=value. 1, 0 for a word that makes git pass over the
 * line, or -ENOMEM. */
static int parse_word(const struct attribute_line *line, char *word)
{
    enum attribute_state state = SET;
    char *value = strchr(word, '=');
    const struct attribute *attribute;
    size_t at;
    size_t length;

    if (*word == '-' || *word == '!')
        state = *word++ == '-' ? UNSET : UNSPECIFIED;
    else if (value)
        state = VALUE;
    length = strcspn(word, "=");
    if (!attribute_table_is_name(word, length))
        return 0;
    attribute = attribute_table_find(line->table, word, length);
    if (!attribute)
        return 1;
    /* What a macro is set to makes no difference. */
    at = (size_t)(attribute - line->table->attributes);
    value = value && at < KNOWN_COUNT ? value + 1 : word + strlen(word);
    return assignment_list_add(line->says, at, state, value) ? error_no_memory(line->error) : 1;
}

int attribute_line_parse(const struct attribute_line *line, struct assignment_range *out)
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
static bool take_pattern(struct attribute_line *line, char *text)
{
    char *end, quoted[ATTRIBUTE_LINE_MAX];

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

char *attribute_line_macro(const struct attribute_line *line)
{
    char *name = line->pattern + MACRO_PREFIX_LENGTH;

    if (strncmp(line->pattern, MACRO_PREFIX, MACRO_PREFIX_LENGTH) != 0 || !*name)
        return NULL;
    name += strspn(name, BLANKS);
    name[strcspn(name, BLANKS)] = '\0';
    return name;
}

int attribute_line_each(struct attribute_line *line, const char *text, size_t size,
                        int (*act)(struct attribute_line *line, void *data), void *data)
{
    const char *end = text + strnlen(text, size);
    char copy[ATTRIBUTE_LINE_MAX];
    int r = 0;

    while (r == 0 && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((newline ? newline : end) - text);

        if (length < sizeof copy) {
            memcpy(copy, text, length);
            copy[length] = '\0';
            if (take_pattern(line, copy))
                r = act(line, data);
        }
        text += length + (newline != NULL);
        if (r == 0 && budget_spend(line->budget, 20 * (length + 1)))
            r = error_set(line->error, ECANCELED, "reading .gitattributes was cancelled");
    }
    return r;
}
