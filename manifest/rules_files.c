/* rules_files.c - see rules_files.h. A name is checked before its file's existence, and that before
 * its size. */
#include "manifest/rules_files.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define VISIBLE_FILE_MAX (25 * 1024) /* bytes */
#define CYBER_DOJO_SH    "cyber-dojo.sh"

#define PORTABLE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-"
#define WHY      "only A-Z a-z 0-9 / . _ - are portable"

static void refuse_character(struct check *check, const struct value *value, const char *at)
{
    char shown[SHOWN_SIZE];
    int length = 1;
    while (((unsigned char)at[length] & 0xc0) == 0x80) /* UTF-8: jansson lets nothing else pass */
        length++;
    document_value_shown(check->document, value, shown);
    if ((unsigned char)*at < ' ')
        check_fault(check, SEVERITY_ERROR, value, "%s has the control character U+%04X: " WHY,
                    shown, *at);
    else
        check_fault(check, SEVERITY_ERROR, value, "%s has the character '%.*s': " WHY, shown,
                    length, at);
}

static bool check_portable(struct check *check, const struct value *value)
{
    const char *name = json_string_value(value->json);
    const char *odd = name + strspn(name, PORTABLE);
    if (*odd) {
        refuse_character(check, value, odd);
        return false;
    }
    if (*name == '-')
        return check_must_be(check, value, "a name without leading dash");
    return true;
}

static bool check_exists(struct check *check, const struct value *value, const struct path **out)
{
    static const char *const problems[] = {
        [PATH_MISSING] = "does not exist",
        [PATH_IS_FOLDER] = "is a folder, not a file",
        [PATH_OUTSIDE] = "leads out of the start-point",
    };
    char shown[SHOWN_SIZE];
    const char *name = json_string_value(value->json);
    int r = paths_resolve(check->paths, check->folder, name, out);
    if (r == PATH_FOUND)
        return true;
    if (r < 0) {
        findings_fail(check->findings, r);
        return false;
    }
    check_fault(check, SEVERITY_ERROR, value, "%s %s (names are relative to %s%s)",
                document_value_shown(check->document, value, shown), problems[r],
                *check->folder ? check->folder : "the start-point's root",
                *check->folder ? "/" : "");
    return false;
}

static void check_visible_filename(struct check *check, const struct value *value)
{
    const struct path *path;
    char shown[SHOWN_SIZE];
    if (!check_string(check, value) || !check_portable(check, value) ||
        !check_exists(check, value, &path))
        return;
    if (path->size > VISIBLE_FILE_MAX)
        check_fault(
            check, SEVERITY_ERROR, value, "%s has %" PRIu64 " bytes: a visible file has at most %d",
            document_value_shown(check->document, value, shown), path->size, VISIBLE_FILE_MAX);
}

static void check_cyber_dojo_sh(struct check *check, const struct value *value)
{
    bool has = check_array_has(value, CYBER_DOJO_SH);
    if (check->type == TYPE_LANGUAGES && !has)
        check_fault(check, SEVERITY_ERROR, value, "must include \"" CYBER_DOJO_SH "\"");
    if (check->type == TYPE_EXERCISES && has)
        check_fault(check, SEVERITY_ERROR, value,
                    "must not include \"" CYBER_DOJO_SH "\", which comes with the language");
}

void rules_files_visible_filenames(struct check *check, const struct value *value)
{
    if (!check_array(check, value, 1, SIZE_MAX, "an array of one or more strings"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        struct value element = document_element(check->document, value, i);
        check_visible_filename(check, &element);
    }
    check_cyber_dojo_sh(check, value);
    check_no_duplicates(check, value);
}

/* The strings of an array, as keys. NULL: out of memory. */
static json_t *string_set(const struct value *array)
{
    json_t *set = json_object();
    for (size_t i = 0; set && i < array->count; i++) {
        const char *string = json_string_value(json_array_get(array->json, i));
        if (string && json_object_set_new(set, string, json_true()) < 0) {
            json_decref(set);
            return NULL;
        }
    }
    return set;
}

static void check_highlight_filename(struct check *check, const struct value *value,
                                     const json_t *visible)
{
    char shown[SHOWN_SIZE];
    if (!check_string(check, value) || json_object_get(visible, json_string_value(value->json)))
        return;
    check_fault(check, SEVERITY_ERROR, value, "%s must be in visible_filenames too",
                document_value_shown(check->document, value, shown));
}

void rules_files_highlight_filenames(struct check *check, const struct value *value)
{
    struct value visible = {0};
    if (!check_array(check, value, 1, SIZE_MAX, "an array of one or more strings"))
        return;
    document_find(check->document, "visible_filenames", &visible);
    json_t *set = string_set(&visible);
    if (!set) {
        findings_fail(check->findings, -ENOMEM);
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        struct value element = document_element(check->document, value, i);
        check_highlight_filename(check, &element, set);
    }
    json_decref(set);
    check_no_duplicates(check, value);
}

void rules_files_rag_lambda(struct check *check, const struct value *value)
{
    const struct path *path;
    if (check_string(check, value))
        check_exists(check, value, &path);
}
