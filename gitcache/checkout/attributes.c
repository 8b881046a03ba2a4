#include "gitcache/checkout/attributes.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gitcache/checkout/attribute_file.h"

struct attributes {
    atomic_uint users;
    struct attributes *above;
    struct attribute_table *table; /* borrowed from the uppermost, which owns it */
    struct attribute_file file;
    size_t folder_length;
};

/* What has been found out about one file so far. An answer is good if it is of this question, so
 * that nothing has to be wiped between two files. */
struct attribute_value {
    uint32_t question;
    enum attribute_state state;
    const char *text; /* of VALUE */
};

struct attribute_values {
    uint32_t question;
    size_t missing; /* of the attributes that count */
    uint64_t steps; /* assignments looked at since the budget was told */
    size_t count;
    struct attribute_value of[];
};

static int attributes_read(struct attributes *attributes, const char *folder, const char *text,
                           size_t size, struct budget *budget, struct error *e)
{
    int r = 0;

    if (attributes->above)
        attributes->table = attributes->above->table;
    else
        attributes->table = attribute_table_new();
    if (!attributes->table)
        return error_no_memory(e);
    if (!*folder) /* only the root's file may define macros */
        r = attribute_file_macros(attributes->table, text, size, budget, e);
    return r ? r : attribute_file_read(&attributes->file, attributes->table, text, size, budget, e);
}

int attributes_new(struct attributes **out, struct attributes *above, const char *folder,
                   const char *text, size_t size, struct budget *budget, struct error *e)
{
    struct attributes *attributes = calloc(1, sizeof *attributes);
    int r;

    if (!attributes)
        return error_no_memory(e);
    atomic_init(&attributes->users, 1);
    attributes->above = attributes_share(above);
    attributes->folder_length = strlen(folder);
    r = attributes_read(attributes, folder, text, size, budget, e);
    if (r < 0)
        attributes_put(attributes);
    else
        *out = attributes;
    return r;
}

struct attributes *attributes_share(struct attributes *attributes)
{
    if (attributes)
        atomic_fetch_add(&attributes->users, 1);
    return attributes;
}

void attributes_put(struct attributes *attributes)
{
    while (attributes && atomic_fetch_sub(&attributes->users, 1) == 1) {
        struct attributes *above = attributes->above;

        if (!above)
            attribute_table_free(attributes->table);
        attribute_file_release(&attributes->file);
        free(attributes);
        attributes = above;
    }
}

size_t attributes_memory(const struct attributes *attributes)
{
    size_t table = attributes->above ? 0 : sizeof *attributes->table;

    return sizeof *attributes + table + attribute_file_memory(&attributes->file);
}

struct attribute_values *attributes_values_new(const struct attributes *attributes)
{
    size_t count = attributes->table->count;
    struct attribute_values *values = calloc(1, sizeof *values + count * sizeof *values->of);

    if (values)
        values->count = count;
    return values;
}

void attributes_values_free(struct attribute_values *values)
{
    free(values);
}

static void ask_anew(struct attribute_values *values)
{
    if (++values->question == 0) {
        memset(values->of, 0, values->count * sizeof *values->of);
        values->question = 1;
    }
    values->missing = KNOWN_COUNT;
}

/* What is found first counts. So: from the last assignment to the first, and what a macro stands
 * for in its place. An attribute is assigned once, so circles of macros end. */
static void assign(const struct attribute_table *table, struct attribute_values *values,
                   const struct assignment_list *list, struct assignment_range range)
{
    values->steps += range.count;
    while (range.count-- > 0 && values->missing > 0) {
        const struct assignment *assignment = &list->items[range.first + range.count];
        struct attribute_value *value = &values->of[assignment->attribute];

        if (value->question == values->question)
            continue;
        *value = (struct attribute_value){
            .question = values->question,
            .state = assignment->state,
            .text = assignment->state == VALUE ? list->texts + assignment->value : NULL,
        };
        values->missing -= assignment->attribute < KNOWN_COUNT;
        if (value->state == SET)
            assign(table, values, &table->macros, table->attributes[assignment->attribute].macro);
    }
}

/* A path, and what a rule of some .gitattributes compares with. */
struct subject {
    const char *path, *basename;
    size_t length, basename_length;
};

static bool rule_fits(const struct attribute_file *file, const struct attribute_rule *rule,
                      const struct subject *subject, struct budget *budget)
{
    const char *text = rule->is_basename ? subject->basename : subject->path;
    size_t length = rule->is_basename ? subject->basename_length : subject->length;

    return wildmatch_may_fit(&rule->pattern, text, length) &&
           wildmatch_fits(&rule->pattern, file->codes + rule->code, text, length, budget);
}

/* Asks one .gitattributes, from its last rule to its first. */
static int ask_file(const struct attributes *attributes, struct attribute_values *values,
                    const struct subject *subject, struct budget *budget)
{
    const struct attribute_file *file = &attributes->file;

    for (size_t i = file->count; i-- > 0 && values->missing > 0;) {
        const struct attribute_rule *rule = &file->rules[i];

        if (rule_fits(file, rule, subject, budget))
            assign(attributes->table, values, &file->says, rule->says);
        if (budget_spend(budget, 2 + values->steps))
            return -ECANCELED;
        values->steps = 0;
    }
    return 0;
}

static const struct attribute_value *value_of(const struct attribute_values *values,
                                              size_t attribute)
{
    static const struct attribute_value unknown = {.state = UNKNOWN};
    const struct attribute_value *value = &values->of[attribute];

    return value->question == values->question ? value : &unknown;
}

static bool value_is(const struct attribute_value *value, const char *text)
{
    return value->state == VALUE && strcmp(value->text, text) == 0;
}

/* What `text`, or its old name `crlf`, says. *automatic: only git's look at the bytes tells. */
static enum conversion_eol eol_of(const struct attribute_values *values, bool *automatic)
{
    const struct attribute_value *text = value_of(values, TEXT), *eol = value_of(values, EOL);

    if (text->state != SET && text->state != UNSET && !value_is(text, "input") &&
        !value_is(text, "auto"))
        text = value_of(values, CRLF);
    if (text->state == UNSET)
        return EOL_AS_IS;
    *automatic = value_is(text, "auto") && !value_is(eol, "lf");
    if (!value_is(eol, "crlf"))
        return EOL_AS_IS;
    return *automatic ? EOL_CRLF_AUTO : EOL_CRLF;
}

static const char *encoding_of(const struct attribute_value *value)
{
    const char *encoding = value->text;

    if (value->state != VALUE || !*encoding || strcasecmp(encoding, "UTF-8") == 0 ||
        strcasecmp(encoding, "UTF8") == 0)
        return NULL;
    return encoding;
}

static struct conversion conversion_of(const struct attribute_values *values)
{
    bool automatic = false;
    struct conversion conversion = {
        .eol = eol_of(values, &automatic),
        .ident = value_of(values, IDENT)->state == SET,
        .encoding = encoding_of(value_of(values, ENCODING)),
    };

    conversion.in_one_piece = automatic || conversion.encoding;
    return conversion;
}

int attributes_conversion(const struct attributes *attributes, struct attribute_values *values,
                          const char *path, struct budget *budget, struct conversion *out)
{
    const char *slash = strrchr(path, '/');
    struct subject subject = {.basename = slash ? slash + 1 : path};
    size_t length = strlen(path);
    int r = 0;

    subject.basename_length = strlen(subject.basename);
    ask_anew(values);
    for (; attributes && values->missing > 0 && r == 0; attributes = attributes->above) {
        size_t skip = attributes->folder_length + (attributes->folder_length > 0);

        subject.path = path + skip;
        subject.length = length - skip;
        r = ask_file(attributes, values, &subject, budget);
    }
    *out = conversion_of(values);
    return r;
}
