/* attributes.c - what .gitattributes files say about one file. */
#include "gitcache/checkout/attributes.h"

#include <string.h>
#include <strings.h>

#include "gitcache/checkout/attribute_rules.h"
#include "gitcache/checkout/wildmatch.h"

/* What is found first counts. So: from the last assignment to the first, and what a macro stands
 * for in its place. An attribute is assigned once, so circles of macros end. */
static void assign(struct attributes *attributes, const struct assignment *assignments,
                   size_t count)
{
    while (count-- > 0) {
        const struct assignment *assignment = &assignments[count];
        struct attribute *attribute = &attributes->table[assignment->attribute];

        if (attribute->state != UNKNOWN)
            continue;
        attribute->state = assignment->state;
        attribute->value = assignment->value;
        if (attribute->state == SET)
            assign(attributes, attribute->assignments, attribute->count);
    }
}

/* As git, the plain text at the front is compared by itself. That matters for "a**": what is left
 * then begins with ** and takes slashes. */
static bool path_fits(const char *pattern, const char *path)
{
    size_t plain = strcspn(pattern, "*?[\\");

    return strncmp(pattern, path, plain) == 0 && wild_match(pattern + plain, path + plain);
}

static bool rule_fits(const struct attribute_rule *rule, const struct attribute_file *file,
                      const char *path)
{
    const char *slash = strrchr(path, '/');

    if (rule->is_basename)
        return wild_match(rule->pattern, slash ? slash + 1 : path);
    return path_fits(rule->pattern, path + file->folder_length + (file->folder_length > 0));
}

/* What `text`, or its old name `crlf`, says. *automatic: only git's look at the bytes tells. */
static enum conversion_eol eol_of(const struct attribute *table, bool *automatic)
{
    size_t text = TEXT;
    const char *eol = table[EOL].value;
    bool crlf = table[EOL].state == VALUE && strcmp(eol, "crlf") == 0;
    bool lf = table[EOL].state == VALUE && strcmp(eol, "lf") == 0;
    const char *value;

    for (;;) {
        enum attribute_state state = table[text].state;

        value = table[text].value;
        if (state == UNSET)
            return EOL_AS_IS;
        if (state == SET || (state == VALUE && (!strcmp(value, "input") || !strcmp(value, "auto"))))
            break;
        if (text == CRLF) {
            value = NULL;
            break;
        }
        text = CRLF;
    }
    *automatic = value && strcmp(value, "auto") == 0 && !lf;
    if (!crlf)
        return EOL_AS_IS;
    return *automatic ? EOL_CRLF_AUTO : EOL_CRLF;
}

static const char *encoding_of(const struct attribute *attribute)
{
    const char *encoding = attribute->value;

    if (attribute->state != VALUE || !*encoding || strcasecmp(encoding, "UTF-8") == 0 ||
        strcasecmp(encoding, "UTF8") == 0)
        return NULL;
    return encoding;
}

struct conversion attributes_conversion(struct attributes *attributes, const char *path)
{
    struct conversion conversion = {.eol = EOL_AS_IS};
    bool automatic = false;

    for (size_t i = 0; i < attributes->count; i++)
        attributes->table[i].state = UNKNOWN;
    for (size_t i = attributes->file_count; i-- > 0;) {
        const struct attribute_file *file = &attributes->files[i];

        for (size_t j = file->count; j-- > 0;)
            if (rule_fits(&file->rules[j], file, path))
                assign(attributes, file->rules[j].assignments, file->rules[j].count);
    }
    if (!attributes->count)
        return conversion;
    conversion.eol = eol_of(attributes->table, &automatic);
    conversion.ident = attributes->table[IDENT].state == SET;
    conversion.encoding = encoding_of(&attributes->table[ENCODING]);
    conversion.in_one_piece = automatic || conversion.encoding;
    return conversion;
}

bool conversion_is_none(const struct conversion *conversion)
{
    return conversion->eol == EOL_AS_IS && !conversion->ident && !conversion->encoding;
}
