#include "gitcache/checkout/attribute_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/grow.h"
#include "gitcache/checkout/attribute_line.h"

static int name_macro(struct attribute_line *line, void *data)
{
    const char *name = attribute_line_macro(line);

    return name ? attribute_table_add(data, name, line->error) : 0;
}

static int too_large(const struct attribute_line *line)
{
    return error_set(line->error, EFBIG, "a .gitattributes needs more than %zu MiB of memory",
                     ATTRIBUTE_FILE_MEMORY >> 20);
}

/* Of several definitions the last counts. */
static int define_macro(struct attribute_line *line, void *data)
{
    const char *name = attribute_line_macro(line);
    struct attribute *attribute = NULL;
    struct assignment_range range;
    int r;

    (void)data;
    if (name && attribute_table_is_name(name, strlen(name)))
        attribute = attribute_table_find(line->table, name, strlen(name));
    if (!attribute)
        return 0;
    r = attribute_line_parse(line, &range);
    if (r > 0)
        attribute->macro = range;
    if (r >= 0 && assignment_list_memory(line->says) > ATTRIBUTE_FILE_MEMORY)
        return too_large(line);
    return r < 0 ? r : 0;
}

/* A macro may be used above the line that defines it, so the names are collected first. */
int attribute_file_macros(struct attribute_table *table, const char *text, size_t size,
                          struct budget *budget, struct error *e)
{
    struct attribute_line line = {
        .table = table, .says = &table->macros, .budget = budget, .error = e};
    int r = attribute_line_each(&line, text, size, name_macro, table);

    return r ? r : attribute_line_each(&line, text, size, define_macro, NULL);
}

/* The pattern's code goes into the file's. 1, 0 for a pattern that fits nothing, or -ENOMEM. */
static int compile(struct attribute_file *file, const char *pattern, struct attribute_rule *rule)
{
    unsigned char *codes = grow_items(file->codes, file->codes_size,
                                      WILDMATCH_ROOM(strlen(pattern)), 1, &file->codes_room);

    if (!codes)
        return -ENOMEM;
    file->codes = codes;
    rule->code = (uint32_t)file->codes_size;
    if (!wildmatch_compile(&rule->pattern, pattern, codes + file->codes_size))
        return 0;
    file->codes_size += rule->pattern.length;
    return 1;
}

static int add_rule(struct attribute_line *line, void *data)
{
    const char *pattern = line->pattern;
    size_t length = strlen(pattern);
    struct attribute_file *file = data;
    struct attribute_rule rule = {.is_basename = !strchr(pattern, '/')}, *rules;
    int r;

    /* A pattern for folders fits no file; one with ! is not allowed here; macros come elsewhere. */
    if (*pattern == '!' || length == 0 || pattern[length - 1] == '/' || attribute_line_macro(line))
        return 0;
    r = attribute_line_parse(line, &rule.says);
    if (r <= 0 || rule.says.count == 0)
        return r < 0 ? r : 0;
    rules = grow_items(file->rules, file->count, 1, sizeof *rules, &file->room);
    if (rules)
        file->rules = rules;
    r = rules ? compile(file, pattern + (*pattern == '/'), &rule) : -ENOMEM;
    if (r > 0)
        rules[file->count++] = rule;
    if (r < 0)
        return error_no_memory(line->error);
    return attribute_file_memory(file) > ATTRIBUTE_FILE_MEMORY ? too_large(line) : 0;
}

int attribute_file_read(struct attribute_file *file, const struct attribute_table *table,
                        const char *text, size_t size, struct budget *budget, struct error *e)
{
    struct attribute_line line = {
        .table = table, .says = &file->says, .budget = budget, .error = e};

    return attribute_line_each(&line, text, size, add_rule, file);
}

void attribute_file_release(struct attribute_file *file)
{
    free(file->rules);
    free(file->codes);
    assignment_list_release(&file->says);
}

size_t attribute_file_memory(const struct attribute_file *file)
{
    return file->room * sizeof *file->rules + file->codes_room +
           assignment_list_memory(&file->says);
}
