#include "gitcache/checkout/attribute_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/grow.h"
#include "gitcache/base/hash.h"

bool attribute_table_is_name(const char *name, size_t length)
{
    if (length == 0 || name[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i]))
            return false;
    return true;
}

/* The attribute's slot: of that name, or free. */
static const uint16_t *find_slot(const struct attribute_table *table, const char *name,
                                 size_t length)
{
    size_t at = hash_bytes(HASH_BEGIN, name, length) % ATTRIBUTE_TABLE_SLOTS;

    for (;; at = (at + 1) % ATTRIBUTE_TABLE_SLOTS) {
        const uint16_t *slot = &table->slots[at];
        const char *found = *slot ? table->attributes[*slot - 1].name : NULL;

        if (!found || (strncmp(found, name, length) == 0 && !found[length]))
            return slot;
    }
}

struct attribute *attribute_table_find(const struct attribute_table *table, const char *name,
                                       size_t length)
{
    uint16_t slot = *find_slot(table, name, length);

    return slot ? &table->attributes[slot - 1] : NULL;
}

int attribute_table_add(struct attribute_table *table, const char *name, struct error *e)
{
    struct attribute *attributes;
    size_t slot;

    if (!attribute_table_is_name(name, strlen(name)))
        return 0;
    slot = (size_t)(find_slot(table, name, strlen(name)) - table->slots);
    if (table->slots[slot])
        return 0;
    if (table->count == KNOWN_COUNT + ATTRIBUTE_TABLE_MACROS)
        return error_set(e, EFBIG, "the .gitattributes define more than %d macros",
                         ATTRIBUTE_TABLE_MACROS);
    attributes = grow_items(table->attributes, table->count, 1, sizeof *attributes, &table->room);
    if (!attributes)
        return error_no_memory(e);
    table->attributes = attributes;
    attributes[table->count] = (struct attribute){.name = strdup(name)};
    if (!attributes[table->count].name)
        return error_no_memory(e);
    table->slots[slot] = (uint16_t)++table->count;
    return 0;
}

/* The attributes that count, and what git has built in: [attr]binary -diff -merge -text. */
struct attribute_table *attribute_table_new(void)
{
    static const char *const names[] = {
        [TEXT] = "text",
        [CRLF] = "crlf",
        [EOL] = "eol",
        [IDENT] = "ident",
        [ENCODING] = "working-tree-encoding",
        [KNOWN_COUNT] = "binary",
    };
    struct attribute_table *table = calloc(1, sizeof *table);
    int r = table ? 0 : -ENOMEM;

    for (size_t i = 0; i <= KNOWN_COUNT && r == 0; i++)
        r = attribute_table_add(table, names[i], NULL);
    if (r == 0)
        r = assignment_list_add(&table->macros, TEXT, UNSET, NULL);
    if (r == 0) {
        table->attributes[KNOWN_COUNT].macro = (struct assignment_range){0, 1};
        return table;
    }
    attribute_table_free(table);
    return NULL;
}

void attribute_table_free(struct attribute_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->attributes[i].name);
    free(table->attributes);
    assignment_list_release(&table->macros);
    free(table);
}
