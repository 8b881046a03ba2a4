/* rules.c - see rules.h. What each code means is the README's table; here is how it is checked. */
#include "manifest/rules.h"

#include <stdint.h>
#include <string.h>

#include "manifest/image_name.h"
#include "manifest/nearest.h"
#include "manifest/regex.h"
#include "manifest/rules_files.h"

static void check_unknown_keys(struct check *check, const struct value *none);
static void check_missing_keys(struct check *check, const struct value *none);

static void check_image_name(struct check *check, const struct value *value)
{
    struct image_name name;
    const char *why;
    char shown[SHOWN_SIZE];
    if (!check_string(check, value))
        return;
    if (!image_name_parse(&name, json_string_value(value->json), &why))
        check_fault(check, SEVERITY_ERROR, value,
                    "%s is not an image reference [host[:port]/]path[:tag][@digest]: %s",
                    document_value_shown(check->document, value, shown), why);
}

static void check_display_name(struct check *check, const struct value *value)
{
    check_string(check, value);
}

static void check_extension(struct check *check, const struct value *value)
{
    if (!check_string(check, value))
        return;
    const char *extension = json_string_value(value->json);
    if (extension[0] != '.')
        check_must_be(check, value, "an extension that begins with a dot");
    else if (extension[1] == '\0')
        check_must_be(check, value, "more than a dot");
}

static void check_filename_extension(struct check *check, const struct value *value)
{
    if (json_is_string(value->json)) {
        check_extension(check, value);
        return;
    }
    if (!check_array(check, value, 1, SIZE_MAX,
                     "a string like \".py\", or an array of one or more of them"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        struct value element = document_element(check->document, value, i);
        check_extension(check, &element);
    }
    check_no_duplicates(check, value);
}

/* This project's own: an immutable start-point names an immutable image. */
static void check_image_tag(struct check *check, const struct value *value)
{
    struct image_name name;
    const char *why, *text = json_string_value(value->json);
    enum severity severity = check->strict ? SEVERITY_ERROR : SEVERITY_WARNING;
    if (!check->tag || !text || !image_name_parse(&name, text, &why))
        return;
    if (name.tag_length == 0)
        check_fault(check, severity, value,
                    "has no tag: it should be \"%.*s:%s\", as the source's tag is %s",
                    (int)(name.path + name.path_length - text), text, check->tag, check->tag);
    else if (strlen(check->tag) != name.tag_length ||
             memcmp(check->tag, name.tag, name.tag_length) != 0)
        check_fault(check, severity, value, "has the tag %.*s: it should be %s, the source's tag",
                    (int)name.tag_length, name.tag, check->tag);
}

static void check_regex(struct check *check, const struct value *value)
{
    char why[REGEX_WHY_SIZE], shown[SHOWN_SIZE];
    if (!check_string(check, value) || regex_is_valid(json_string_value(value->json), why))
        return;
    check_fault(check, SEVERITY_ERROR, value, "%s is not a Ruby regular expression: %s",
                document_value_shown(check->document, value, shown), why);
}

static void check_regexes(struct check *check, const struct value *array)
{
    for (size_t i = 0; i < array->count; i++) {
        struct value element = document_element(check->document, array, i);
        check_regex(check, &element);
    }
}

static void check_hidden_filenames(struct check *check, const struct value *value)
{
    if (!check_array(check, value, 0, SIZE_MAX, "an array of strings"))
        return;
    check_regexes(check, value);
    check_no_duplicates(check, value);
}

static void check_tab_size(struct check *check, const struct value *value)
{
    check_integer(check, value, 1, 8);
}

static void check_max_seconds(struct check *check, const struct value *value)
{
    check_integer(check, value, 1, 20);
}

static void check_progress_regexs(struct check *check, const struct value *value)
{
    if (check_array(check, value, 2, 2, "an array of exactly 2 strings"))
        check_regexes(check, value);
}

static void check_name_and_version(struct check *check, const struct value *value)
{
    if (!check_array(check, value, 2, 2, "an array of exactly 2 strings, name and version"))
        return;
    struct value name = document_element(check->document, value, 0);
    struct value version = document_element(check->document, value, 1);
    check_string(check, &name);
    if (!json_is_string(version.json))
        check_must_be(check, &version, "a string");
}

static void check_both_or_neither(struct check *check, const struct value *none)
{
    (void)none;
    struct value language, framework;
    bool has_language = document_find(check->document, "language", &language);
    bool has_framework = document_find(check->document, "test_framework", &framework);
    if (has_language && !has_framework)
        check_fault(check, SEVERITY_ERROR, &language, "needs \"test_framework\" beside it");
    if (has_framework && !has_language)
        check_fault(check, SEVERITY_ERROR, &framework, "needs \"language\" beside it");
}

/* Rules are checked in this order. One with a key is about that key, which is known then, and is
 * checked where the manifest has it; one without is about the whole manifest. `code` is for
 * languages and custom, `exercises` for exercises; 0: there is no such rule. */
static const struct rule {
    int code, exercises;
    bool required;
    const char *key;
    void (*check)(struct check *check, const struct value *value);
} rules[] = {
    {20, 50, false, NULL, check_unknown_keys},
    {21, 51, false, NULL, check_missing_keys},
    {30, 0, true, "image_name", check_image_name},
    {31, 60, true, "display_name", check_display_name},
    {32, 61, true, "visible_filenames", rules_files_visible_filenames},
    {33, 0, true, "filename_extension", check_filename_extension},
    {34, 0, false, "image_name", check_image_tag},
    {40, 0, false, "hidden_filenames", check_hidden_filenames},
    {41, 0, false, "tab_size", check_tab_size},
    {42, 0, false, "max_seconds", check_max_seconds},
    {43, 0, false, "highlight_filenames", rules_files_highlight_filenames},
    {44, 0, false, "progress_regexs", check_progress_regexs},
    {45, 0, false, "rag_lambda", rules_files_rag_lambda},
    {46, 0, false, "language", check_name_and_version},
    {47, 0, false, "test_framework", check_name_and_version},
    {48, 0, false, NULL, check_both_or_neither},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static int rule_code(const struct rule *rule, enum start_point_type type)
{
    return type == TYPE_EXERCISES ? rule->exercises : rule->code;
}

static bool is_known(const char *key, enum start_point_type type)
{
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].key && rule_code(&rules[i], type) && strcmp(rules[i].key, key) == 0)
            return true;
    }
    return false;
}

static bool is_required(const struct rule *rule, enum start_point_type type)
{
    return rule->required && rule_code(rule, type) != 0;
}

/* The known key that this one may be meant to be, or NULL. */
static const char *similar_key(const char *key, enum start_point_type type)
{
    struct nearest nearest;
    nearest_begin(&nearest, key);
    for (size_t i = 0; i < RULES; i++)
        if (rules[i].key && rule_code(&rules[i], type))
            nearest_try(&nearest, rules[i].key);
    return nearest.found;
}

static void check_unknown_keys(struct check *check, const struct value *none)
{
    (void)none;
    const char *type = type_name(check->type);
    for (size_t i = 0; i < check->document->count; i++) {
        struct value member = check->document->members[i];
        if (is_known(member.key, check->type))
            continue;
        member.span = member.key_span;
        const char *similar = similar_key(member.key, check->type);
        if (similar)
            check_fault(check, SEVERITY_ERROR, &member,
                        "is an unknown key for %s: did you mean \"%s\"?", type, similar);
        else
            check_fault(check, SEVERITY_ERROR, &member, "is not a key for %s: remove it", type);
    }
}

static void check_missing_keys(struct check *check, const struct value *none)
{
    (void)none;
    struct value member;
    for (size_t i = 0; i < RULES; i++) {
        if (is_required(&rules[i], check->type) &&
            !document_find(check->document, rules[i].key, &member))
            check_fault(check, SEVERITY_ERROR, NULL, "the required key \"%s\" is missing",
                        rules[i].key);
    }
}

void rules_check(struct check *check)
{
    for (size_t i = 0; i < RULES; i++) {
        struct value value;
        check->code = rule_code(&rules[i], check->type);
        if (check->code == 0)
            continue;
        if (!rules[i].key)
            rules[i].check(check, NULL);
        else if (document_find(check->document, rules[i].key, &value))
            rules[i].check(check, &value);
    }
}
